// Element-wise kernels against their formulas in double: single ops, fused chains, broadcasting, rounding.
#include "OpKernel.h"

#include <array>
#include <cmath>
#include <limits>
#include <numbers>

using namespace halfstep::test;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity(),
                 kNan = std::numeric_limits<double>::quiet_NaN();
const std::vector<std::string> kFloats = {"f32", "f64", "bf16", "f16"};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double normalCdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }
double geluTanh(double x) {
  double u = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
  return x * sigmoid(2 * u);
}
double siluSlope(double x) {
  double s = sigmoid(x);
  return s * (1 + x * (1 - s));
}
double geluSlope(double x) {
  return normalCdf(x) + x * std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
}
double geluTanhSlope(double x) {
  double scale = std::sqrt(2 / std::numbers::pi), u = scale * (x + 0.044715 * x * x * x);
  double gate = sigmoid(2 * u);
  return gate + x * gate * (1 - gate) * 2 * scale * (1 + 3 * 0.044715 * x * x);
}

struct Formula {
  std::string op, attributes;
  std::function<double(double, double)> value;
};

const std::vector<Formula> kUnary = {
    {"nn.relu", "", [](double x, double) { return std::isnan(x) || x > 0 ? x : 0; }},
    {"nn.tanh", "", [](double x, double) { return std::tanh(x); }},
    {"nn.sigmoid", "", [](double x, double) { return sigmoid(x); }},
    {"nn.silu", "", [](double x, double) { return x * sigmoid(x); }},
    {"nn.gelu", "", [](double x, double) { return x * normalCdf(x); }},
    {"nn.gelu", "tanh", [](double x, double) { return geluTanh(x); }},
    {"nn.copy", "", [](double x, double) { return x; }}};

const std::vector<Formula> kBackward = {
    {"nn.relu_backward", "", [](double g, double y) { return y > 0 ? g : 0; }},
    {"nn.tanh_backward", "", [](double g, double y) { return g * (1 - y * y); }},
    {"nn.sigmoid_backward", "", [](double g, double y) { return g * y * (1 - y); }},
    {"nn.silu_backward", "", [](double g, double x) { return g * siluSlope(x); }},
    {"nn.gelu_backward", "", [](double g, double x) { return g * geluSlope(x); }},
    {"nn.gelu_backward", "tanh", [](double g, double x) { return g * geluTanhSlope(x); }}};

const std::vector<Formula> kBinary = {{"nn.add", "", [](double a, double b) { return a + b; }},
                                      {"nn.sub", "", [](double a, double b) { return a - b; }},
                                      {"nn.mul", "", [](double a, double b) { return a * b; }}};

/// A few roundings of numbers up to `scale` in the compute type, and one in the type of the buffer.
double allowed(const OpKernel &kernel, const Buffer &stored, double exact, double scale) {
  return tolerance(kernel, stored, exact, /*terms=*/9, scale);
}

/// Row-major index in a tensor of `shape` of the element that numpy's broadcasting gives to element `at` of
/// `result`.
int64_t broadcastIndex(const std::vector<int64_t> &shape, const std::vector<int64_t> &result, int64_t at) {
  int64_t index = 0, stride = 1;
  for (size_t i = 0; i < result.size(); ++i) {
    int64_t extent = result[result.size() - 1 - i], place = at % extent;
    at /= extent;
    if (i >= shape.size())
      continue;
    int64_t own = shape[shape.size() - 1 - i];
    index += own == 1 ? 0 : place * stride;
    stride *= own;
  }
  return index;
}

std::string wider(const std::string &a, const std::string &b) {
  if (a == b)
    return a;
  if (a == "f64" || b == "f64")
    return "f64";
  return "f32";
}

/// The values that formulas go wrong at.
double specialValue(int64_t i) {
  const double values[] = {0.0, -0.0, 100, -100, kInfinity, -kInfinity, kNan, 1e-3, -1e-3, 9.5, -9.5, 20};
  return values[i % 12];
}

} // namespace

TEST(MapKernels, Unary) {
  for (const Formula &formula : kUnary)
    for (const std::string &type : kFloats)
      for (std::vector<int64_t> shape : {std::vector<int64_t>{}, {3, 21}}) {
        std::string text = tensorText(shape, type);
        OpKernel kernel{"map", formula.op, formula.attributes, {text}, {text}};
        auto fill = [](Buffers &b) { b[0].fillRandom(5, 6.0); };
        runAtAllLevels(kernel, fill, [&](const Buffers &b) {
          for (int64_t i = 0; i < b[1].size(); ++i) {
            double exact = formula.value(b[0].get(i), 0);
            expectNear(b[1], i, exact, allowed(kernel, b[1], exact, std::max(1.0, std::abs(b[0].get(i)))));
          }
        });
      }
}

TEST(MapKernels, UnaryOfSpecialValues) {
  for (const Formula &formula : kUnary) {
    OpKernel kernel{"map", formula.op, formula.attributes, {"37xf32"}, {"37xf32"}};
    auto fill = [](Buffers &b) { b[0].fill(specialValue); };
    runAtAllLevels(kernel, fill, [&](const Buffers &b) {
      for (int64_t i = 0; i < b[1].size(); ++i) {
        double x = b[0].get(i), exact = formula.value(x, 0);
        // x * 0 of an infinite x is NaN in the formula as it is documented.
        if (std::isinf(x) && std::isnan(exact))
          continue;
        expectNear(b[1], i, exact, allowed(kernel, b[1], exact, 1));
      }
    });
  }
}

TEST(MapKernels, Backward) {
  for (const Formula &formula : kBackward)
    for (const std::string &type : {"f32", "f64", "bf16"}) {
      std::string text = tensorText({2, 19}, type);
      OpKernel kernel{"map", formula.op, formula.attributes, {text, text}, {text}};
      auto fill = [](Buffers &b) {
        b[0].fillRandom(1, 2.0);
        b[1].fillRandom(2, 4.0);
      };
      runAtAllLevels(kernel, fill, [&](const Buffers &b) {
        for (int64_t i = 0; i < b[2].size(); ++i) {
          double exact = formula.value(b[0].get(i), b[1].get(i));
          expectNear(b[2], i, exact, allowed(kernel, b[2], exact, 40));
        }
      });
    }
}

TEST(MapKernels, BinaryBroadcasts) {
  using Shape = std::vector<int64_t>;
  struct Case {
    Shape lhs, rhs, result;
  };
  const Case cases[] = {{{2, 3, 20}, {2, 3, 20}, {2, 3, 20}},
                        {{4, 17}, {17}, {4, 17}},
                        {{4, 17}, {4, 1}, {4, 17}},
                        {{4, 1}, {1, 17}, {4, 17}},
                        {{5}, {}, {5}},
                        {{}, {}, {}},
                        {{1}, {1, 1}, {1, 1}},
                        {{2, 3, 5}, {3, 1}, {2, 3, 5}},
                        {{1, 6}, {2, 1, 3, 1}, {2, 1, 3, 6}}};
  const std::pair<std::string, std::string> types[] = {{"f32", "f32"}, {"bf16", "f32"}, {"f64", "bf16"}};
  size_t turn = 0;
  for (const Case &c : cases)
    for (const auto &[left, right] : types) {
      const Formula &formula = kBinary[turn++ % kBinary.size()];
      std::string result = wider(left, right);
      // torch's promotion: an operand without dimensions does not widen one that has them.
      if (c.rhs.empty() && !c.lhs.empty())
        result = left;
      OpKernel kernel{"map",
                      formula.op,
                      "",
                      {tensorText(c.lhs, left), tensorText(c.rhs, right)},
                      {tensorText(c.result, result)}};
      auto fill = [](Buffers &b) {
        b[0].fillRandom(7, 3.0);
        b[1].fillRandom(8, 3.0);
      };
      runAtAllLevels(kernel, fill, [&](const Buffers &b) {
        for (int64_t i = 0; i < b[2].size(); ++i) {
          double exact = formula.value(b[0].get(broadcastIndex(c.lhs, c.result, i)),
                                       b[1].get(broadcastIndex(c.rhs, c.result, i)));
          expectNear(b[2], i, exact, allowed(kernel, b[2], exact, 9));
        }
      });
    }
}

TEST(MapKernels, VectorsAlongChannels) {
  OpKernel kernel{"map",
                  "nn.batch_norm_backward_input",
                  "",
                  {"2x3x4x5xbf16", "2x3x4x5xbf16", "3xf32", "3xf32", "3xf32", "3xf32", "3xf32"},
                  {"2x3x4x5xbf16"}};
  auto fill = [](Buffers &b) {
    for (unsigned i = 0; i < 7; ++i)
      b[i].fillRandom(i, 2.0);
  };
  runAtAllLevels(kernel, fill, [&](const Buffers &b) {
    for (int64_t i = 0; i < b[7].size(); ++i) {
      int64_t c = i / 20 % 3;
      double normal = (b[1].get(i) - b[2].get(c)) * b[3].get(c);
      double mean = (b[6].get(c) + normal * b[5].get(c)) / 40;
      double exact = b[4].get(c) * b[3].get(c) * (b[0].get(i) - mean);
      expectNear(b[7], i, exact, allowed(kernel, b[7], exact, 30));
    }
  });
}

TEST(MapKernels, AChainRoundsOnlyWhatItStores) {
  // A bf16 cast in the middle, a table, a splat and a scalar that is reshaped; two results.
  const std::string module = R"(
func.func @f(%x: tensor<3x4xbf16>, %s: tensor<1x1xf32>) {
  %k:2 = train.kernel "map" (%x, %s) : (tensor<3x4xbf16>, tensor<1x1xf32>) -> (tensor<3x4xf32>, tensor<3x4xbf16>) {
  ^bb0(%a: tensor<3x4xbf16>, %b: tensor<1x1xf32>):
    %table = nn.constant {value = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : () -> tensor<4xf32>
    %half = nn.constant {value = dense<0.3> : tensor<f32>} : () -> tensor<f32>
    %scalar = nn.reshape %b {shape = array<i64>} : (tensor<1x1xf32>) -> tensor<f32>
    %twice = nn.add %scalar, %scalar : (tensor<f32>, tensor<f32>) -> tensor<f32>
    %0 = nn.mul %a, %table : (tensor<3x4xbf16>, tensor<4xf32>) -> tensor<3x4xf32>
    %1 = nn.add %0, %half : (tensor<3x4xf32>, tensor<f32>) -> tensor<3x4xf32>
    %low = amp.cast %1 : tensor<3x4xf32> to tensor<3x4xbf16>
    %2 = nn.mul %low, %twice : (tensor<3x4xbf16>, tensor<f32>) -> tensor<3x4xbf16>
    %wide = amp.cast %2 : tensor<3x4xbf16> to tensor<3x4xf32>
    train.yield %wide, %low : tensor<3x4xf32>, tensor<3x4xbf16>
  }
  return
})";
  auto fill = [](Buffers &b) {
    b[0].fillRandom(1);
    b[1].set(0, 0.75);
  };
  runAtAllLevels(module, fill, [](const Buffers &b) {
    for (int64_t i = 0; i < 12; ++i) {
      float low = float(b[0].get(i)) * float(1 + i % 4) + 0.3f;
      Buffer rounded("bf16", 1);
      rounded.set(0, low);
      EXPECT_EQ(b[3].get(i), rounded.get(0)) << i;
      EXPECT_EQ(float(b[2].get(i)), low * 1.5f) << i;
    }
  });
}

TEST(MapKernels, CastsRoundOnceToNearestEven) {
  const double values[] = {1 + 0x1p-8,
                           1 + 3 * 0x1p-8,
                           1 + 0x1p-8 + 0x1p-40, // above a tie only for those who still see f64
                           1 + 0x1p-11 + 0x1p-40,
                           -1 - 0x1p-8 - 0x1p-40,
                           1 + 0x1p-8 - 0x1p-40,
                           3.3895e38, // the largest bf16 is 3.3895314e38
                           3.4e38,
                           1e300,
                           -1e300,
                           65519.99,
                           65520,
                           kInfinity,
                           -kInfinity,
                           kNan,
                           0.0};
  for (const std::string &from : {"f64", "f32"})
    for (const std::string &to : kFloats) {
      if (from == to)
        continue;
      std::string module =
          "func.func @f(%x: tensor<16x" + from + ">) {\n%k = train.kernel \"map\" (%x) : (tensor<16x" + from +
          ">) -> tensor<16x" + to + "> {\n^bb0(%a: tensor<16x" + from + ">):\n%r = amp.cast %a : tensor<16x" +
          from + "> to tensor<16x" + to + ">\ntrain.yield %r : tensor<16x" + to + ">\n}\nreturn\n}\n";
      auto fill = [&](Buffers &b) { b[0].fill([&](int64_t i) { return values[i]; }); };
      runAtAllLevels(module, fill, [&](const Buffers &b) {
        Buffer exact(to, 16);
        exact.fill([&](int64_t i) { return b[0].get(i); });
        for (int64_t i = 0; i < 16; ++i)
          expectNear(b[1], i, exact.get(i), 0);
      });
    }
}

/// Philox 4x32-10 as published, to check the mask by.
static uint32_t philox(std::array<uint32_t, 4> c, std::array<uint32_t, 2> k) {
  for (int round = 0; round < 10; ++round) {
    uint64_t p = uint64_t(0xD2511F53u) * c[0], q = uint64_t(0xCD9E8D57u) * c[2];
    c = {uint32_t(q >> 32) ^ c[1] ^ k[0], uint32_t(q), uint32_t(p >> 32) ^ c[3] ^ k[1], uint32_t(p)};
    k = {k[0] + 0x9E3779B9u, k[1] + 0xBB67AE85u};
  }
  return c[0];
}

TEST(MapKernels, DropoutIsAFunctionOfIndexStepAndSeed) {
  OpKernel kernel{
      "map", "nn.dropout", "p = 0.25 : f64, id = 3 : i64", {"5x7x9xf32", "i64", "i64"}, {"5x7x9xf32"}};
  auto fill = [](Buffers &b) {
    b[0].fill([](int64_t i) { return double(i + 1); });
    b[1].set(0, 123456789012.0);
    b[2].set(0, 42);
  };
  runAtAllLevels(kernel, fill, [](const Buffers &b) {
    const uint64_t seed = 123456789012;
    for (int64_t i = 0; i < b[3].size(); ++i) {
      bool kept = philox({uint32_t(i), 0, 42, 3}, {uint32_t(seed), uint32_t(seed >> 32)}) >= 0x40000000u;
      expectNear(b[3], i, kept ? b[0].get(i) / 0.75 : 0, 1e-4);
    }
  });
}

TEST(MapKernels, UseVectorsOfTheLevel) {
  OpKernel kernel{"map", "nn.gelu", "tanh", {"4096xbf16"}, {"4096xbf16"}};
  for (const halfstep::CpuLevel *level : hostLevels()) {
    JitKernel code(kernel.module(), *level, {.keepAssembly = true});
    const std::string wide = level->vectorBits == 512 ? "zmm" : "ymm";
    EXPECT_NE(code.assembly().find("vdivps\t%" + wide), std::string::npos) << code.assembly();
    EXPECT_EQ(code.assembly().find("$__"), std::string::npos) << "calls a support function of the compiler";
  }
}
