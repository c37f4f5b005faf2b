// Sums and means over dimensions, alone and behind element-wise ops, against sums in double.
#include "OpKernel.h"

#include <cmath>

using namespace halfstep::test;

namespace {

using Shape = std::vector<int64_t>;

struct Case {
  Shape shape, axes;
};

// Kept and summed dimensions in every order; sizes of 1; more columns than a block, in whole blocks and not.
const std::vector<Case> kCases = {{{}, {}},
                                  {{1}, {0}},
                                  {{37}, {0}},
                                  {{4, 5}, {0, 1}},
                                  {{6, 19}, {1}},
                                  {{6, 19}, {0}},
                                  {{1, 7}, {0}},
                                  {{7, 1}, {1}},
                                  {{5, 130}, {0}},
                                  {{3, 128}, {0}},
                                  {{2, 3, 20}, {0, 2}},
                                  {{2, 3, 20}, {1}},
                                  {{2, 3, 4, 5}, {0, 2}},
                                  {{2, 3, 4, 5}, {1, 3}},
                                  {{2, 1, 3, 1, 4}, {0, 1, 3}}};

Shape resultShape(const Case &c) {
  Shape shape;
  for (size_t i = 0; i < c.shape.size(); ++i)
    if (std::find(c.axes.begin(), c.axes.end(), int64_t(i)) == c.axes.end())
      shape.push_back(c.shape[i]);
  return shape;
}

std::string axesText(const Case &c) {
  std::string text = "axes = array<i64";
  for (size_t i = 0; i < c.axes.size(); ++i)
    text += (i ? ", " : ": ") + std::to_string(c.axes[i]);
  return text + ">";
}

/// Index of the sum that element `at` goes to.
int64_t target(const Case &c, int64_t at) {
  int64_t index = 0, stride = 1;
  for (size_t dim = c.shape.size(); dim-- > 0;) {
    int64_t place = at % c.shape[dim];
    at /= c.shape[dim];
    if (std::find(c.axes.begin(), c.axes.end(), int64_t(dim)) != c.axes.end())
      continue;
    index += place * stride;
    stride *= c.shape[dim];
  }
  return index;
}

/// Sums of `value(i)` and of its magnitude.
struct Sums {
  std::vector<double> sum, scale;
  Sums(const Case &c, const std::function<double(int64_t)> &value)
      : sum(size_t(elementsOf(resultShape(c)))), scale(sum.size()) {
    for (int64_t i = 0; i < elementsOf(c.shape); ++i) {
      sum[size_t(target(c, i))] += value(i);
      scale[size_t(target(c, i))] += std::abs(value(i));
    }
  }
};

} // namespace

TEST(ReduceKernels, SumAndMean) {
  const std::pair<std::string, std::string> types[] = {
      {"f32", "f32"}, {"bf16", "bf16"}, {"f64", "f64"}, {"f16", "f16"}};
  size_t turn = 0;
  for (const Case &c : kCases)
    for (bool isMean : {false, true}) {
      const auto &[from, to] = types[turn++ % 4];
      OpKernel kernel{"reduce",
                      isMean ? "nn.reduce_mean" : "nn.reduce_sum",
                      axesText(c),
                      {tensorText(c.shape, from)},
                      {tensorText(resultShape(c), to)}};
      auto fill = [](Buffers &b) { b[0].fillRandom(11, 2.0); };
      runAtAllLevels(kernel, fill, [&](const Buffers &b) {
        Sums exact(c, [&](int64_t i) { return b[0].get(i); });
        double terms = double(elementsOf(c.shape) / elementsOf(resultShape(c)));
        double divisor = isMean ? terms : 1;
        for (size_t i = 0; i < exact.sum.size(); ++i)
          expectNear(b[1], int64_t(i), exact.sum[i] / divisor,
                     tolerance(kernel, b[1], exact.sum[i] / divisor, terms + 2, exact.scale[i] / divisor));
      });
    }
}

TEST(ReduceKernels, BehindElementwiseOps) {
  for (const Case &c : kCases) {
    if (c.shape.empty())
      continue;
    std::string full = "tensor<" + tensorText(c.shape, "f32") + ">",
                low = "tensor<" + tensorText(c.shape, "bf16") + ">";
    std::string row = "tensor<" + tensorText({c.shape.back()}, "f32") + ">";
    std::string result = "tensor<" + tensorText(resultShape(c), "f32") + ">";
    std::string module = "func.func @f(%x: " + low + ", %y: " + row +
                         ") {\n%k = train.kernel \"reduce\" (%x, %y) : (" + low + ", " + row + ") -> " +
                         result + " {\n^bb0(%a: " + low + ", %b: " + row + "):\n%0 = amp.cast %a : " + low +
                         " to " + full + "\n%1 = nn.mul %0, %b : (" + full + ", " + row + ") -> " + full +
                         "\n%2 = nn.reduce_sum %1 {" + axesText(c) + "} : (" + full + ") -> " + result +
                         "\ntrain.yield %2 : " + result + "\n}\nreturn\n}\n";
    auto fill = [](Buffers &b) {
      b[0].fillRandom(3, 2.0);
      b[1].fillRandom(4, 2.0);
    };
    runAtAllLevels(module, fill, [&](const Buffers &b) {
      Sums exact(c, [&](int64_t i) { return b[0].get(i) * b[1].get(i % c.shape.back()); });
      double terms = double(elementsOf(c.shape) / elementsOf(resultShape(c)));
      for (size_t i = 0; i < exact.sum.size(); ++i)
        expectNear(b[2], int64_t(i), exact.sum[i],
                   4 * unitRoundoff("f32") * (1 + std::sqrt(terms)) * exact.scale[i] + 1e-30);
    });
  }
}

TEST(ReduceKernels, ADimensionThatNoInputHas) {
  const std::string module = R"(
func.func @f(%x: tensor<4xf32>) {
  %k = train.kernel "reduce" (%x) : (tensor<4xf32>) -> tensor<f32> {
  ^bb0(%a: tensor<4xf32>):
    %0 = nn.broadcast %a {shape = array<i64: 3, 4>} : (tensor<4xf32>) -> tensor<3x4xf32>
    %1 = nn.reduce_sum %0 {axes = array<i64: 0, 1>} : (tensor<3x4xf32>) -> tensor<f32>
    train.yield %1 : tensor<f32>
  }
  return
})";
  auto fill = [](Buffers &b) { b[0].fill([](int64_t i) { return double(1 << i); }); };
  runAtAllLevels(module, fill, [](const Buffers &b) { EXPECT_EQ(b[1].get(0), 45); });
}

TEST(ReduceKernels, NanAndInfinityReachTheirSumOnly) {
  OpKernel kernel{"reduce", "nn.reduce_sum", "axes = array<i64: 0>", {"3x20xf32"}, {"20xf32"}};
  auto fill = [](Buffers &b) {
    b[0].fill([](int64_t i) { return i == 25 ? NAN : i == 46 ? INFINITY : 1.0; });
  };
  runAtAllLevels(kernel, fill, [](const Buffers &b) {
    for (int64_t i = 0; i < 20; ++i)
      expectNear(b[1], i, i == 5 ? NAN : i == 6 ? INFINITY : 3, 0);
  });
}
