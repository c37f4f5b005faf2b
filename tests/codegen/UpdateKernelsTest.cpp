// The two passes over gradients - finiteness with the norm, then the update - and assignments to buffers,
// against the formulas in double.
#include "UpdateCases.h"

#include <cmath>
#include <map>

using namespace halfstep::test;

namespace {

//===----------------------------------------------------------------------===//
// Pass 1
//===----------------------------------------------------------------------===//

/// finite_partials over gradients of `sizes`, which take `padded` elements in memory.
std::string partialsModule(const std::vector<int64_t> &sizes, const std::string &type, int64_t padded) {
  std::string types, named, block, uses;
  for (size_t i = 0; i < sizes.size(); ++i) {
    std::string comma = i ? ", " : "", tensor = "tensor<" + tensorText({sizes[i]}, type) + ">";
    types += comma + tensor;
    named += comma + "%g" + std::to_string(i) + ": " + tensor;
    block += comma + "%b" + std::to_string(i) + ": " + tensor;
    uses += comma + "%g" + std::to_string(i);
  }
  std::string inner = uses;
  for (char &c : inner)
    c = c == 'g' ? 'b' : c;
  std::string chunks = std::to_string((padded + 4095) / 4096);
  std::string results = "(tensor<" + chunks + "xi32>, tensor<" + chunks + "xf64>)";
  return "func.func @f(" + named + ") {\n%k:2 = train.kernel \"finite\" (" + uses + ") : (" + types +
         ") -> " + results + " {\n^bb0(" + block + "):\n%r:2 = amp.finite_partials " + inner + " : (" +
         types + ") -> " + results + "\ntrain.yield %r#0, %r#1 : tensor<" + chunks + "xi32>, tensor<" +
         chunks + "xf64>\n}\nreturn\n}\n";
}

} // namespace

TEST(UpdateKernels, FinitePartialsSumSquaresOfEachChunk) {
  for (const std::string &type : {"f32", "bf16", "f16", "f64"}) {
    // 5000 and 7 elements, each padded to 32.
    const int64_t padded = 5024 + 32;
    auto fill = [](Buffers &b) { b[0].fillRandom(2, 3.0); };
    runAtAllLevels(partialsModule({5000, 7}, type, padded), fill, [&](const Buffers &b) {
      ASSERT_EQ(b[0].size(), padded);
      for (int64_t chunk = 0; chunk < 2; ++chunk) {
        double sum = 0;
        int64_t end = std::min((chunk + 1) * 4096, padded);
        for (int64_t i = chunk * 4096; i < end; ++i)
          sum += b[0].get(i) * b[0].get(i);
        EXPECT_EQ(b[1].get(chunk), 0);
        double unit = unitRoundoff(type == "f64" ? "f64" : "f32");
        EXPECT_NEAR(b[2].get(chunk), sum, sum * unit * 64 * 2) << type;
      }
    });
  }
}

TEST(UpdateKernels, FinitePartialsFindEveryInfinityAndNan) {
  for (const std::string &type : {"f32", "bf16", "f16", "f64"})
    for (double bad : {double(INFINITY), -double(INFINITY), double(NAN)})
      for (int64_t at : {0, 1, 17, 63, 4095, 4096, 4200, 4223}) {
        if (at % 2 && bad > 0) // a third of the cases is enough for the odd places
          continue;
        SCOPED_TRACE(at);
        auto fill = [&](Buffers &b) {
          b[0].fill([&](int64_t i) { return i == at ? bad : type == "f16" ? 65504.0 : 1e15; });
        };
        static std::map<std::string, std::vector<JitKernel>> compiled;
        std::vector<JitKernel> &kernels = compiled[type];
        if (kernels.empty())
          for (const halfstep::CpuLevel *level : hostLevels())
            kernels.emplace_back(partialsModule({4224}, type, 4224), *level);
        for (const JitKernel &kernel : kernels) {
          Buffers b = kernel.makeBuffers();
          fill(b);
          kernel.run(b);
          EXPECT_EQ(b[1].get(0), at < 4096 ? 1 : 0);
          EXPECT_EQ(b[1].get(1), at < 4096 ? 0 : 1);
        }
      }
}

TEST(UpdateKernels, FiniteCombineAddsInOrder) {
  const std::string module = R"(
func.func @f(%f0: tensor<3xi32>, %f1: tensor<1xi32>, %s0: tensor<3xf64>, %s1: tensor<1xf64>) {
  %k:2 = train.kernel "finite" (%f0, %f1, %s0, %s1)
      : (tensor<3xi32>, tensor<1xi32>, tensor<3xf64>, tensor<1xf64>) -> (tensor<i32>, tensor<f64>) {
  ^bb0(%a: tensor<3xi32>, %b: tensor<1xi32>, %c: tensor<3xf64>, %d: tensor<1xf64>):
    %r:2 = amp.finite_combine found(%a, %b : tensor<3xi32>, tensor<1xi32>)
      sqnorm(%c, %d : tensor<3xf64>, tensor<1xf64>)
    train.yield %r#0, %r#1 : tensor<i32>, tensor<f64>
  }
  return
})";
  for (int64_t bad : {-1, 0, 2, 3}) {
    auto fill = [&](Buffers &b) {
      for (int64_t i = 0; i < 3; ++i)
        b[0].set(i, i == bad);
      b[1].set(0, bad == 3);
      const double sums[] = {1, 0x1p53, 1};
      b[2].fill([&](int64_t i) { return sums[i]; });
      b[3].set(0, -0x1p53);
    };
    runAtAllLevels(module, fill, [&](const Buffers &b) {
      EXPECT_EQ(b[4].get(0), bad >= 0);
      EXPECT_EQ(b[5].get(0), ((1 + 0x1p53) + 1) - 0x1p53);
    });
  }
}

//===----------------------------------------------------------------------===//
// Pass 2
//===----------------------------------------------------------------------===//

TEST(UpdateKernels, Sgd) {
  for (const Group &group : kGroups)
    for (double momentum : {0.0, 0.9})
      for (bool nesterov : {false, true}) {
        if (momentum == 0 && nesterov)
          continue;
        double decay = group.copy.empty() ? 0.01 : 0;
        std::string constants = "momentum = " + std::to_string(momentum) +
                                " : f64, weight_decay = " + std::to_string(decay) +
                                " : f64, nesterov = " + (nesterov ? "true" : "false");
        checkUpdate(group, "sgd", constants, momentum == 0 ? 0 : 1,
                    [&](double g, const std::vector<double> &old, double rate) -> std::vector<double> {
                      g += decay * old[0];
                      if (momentum == 0)
                        return {old[0] - rate * g};
                      double buffer = momentum * old[1] + g;
                      return {old[0] - rate * (nesterov ? g + momentum * buffer : buffer), buffer};
                    });
      }
}

namespace {
const std::string kAdamw = "beta1 = 9.0e-01 : f64, beta2 = 9.99e-01 : f64, eps = 1.0e-08 : f64, "
                           "weight_decay = 1.0e-02 : f64";

std::vector<double> adamw(double g, const std::vector<double> &old, double rate) {
  double m = 0.9 * old[1] + 0.1 * g, v = 0.999 * old[2] + 0.001 * g * g;
  double w = old[0] - rate * 0.01 * old[0];
  double divisor = std::sqrt(v) / std::sqrt(1 - std::pow(0.999, kUpdate)) + 1e-8;
  return {w - rate / (1 - std::pow(0.9, kUpdate)) * m / divisor, m, v};
}
} // namespace

TEST(UpdateKernels, Adamw) {
  for (const Group &group : kGroups)
    checkUpdate(group, "adamw", kAdamw, 2, adamw);
}

TEST(UpdateKernels, ASkippedStepTouchesNothing) {
  for (int guard : {0, 1}) {
    Group group{"f32", "bf16", "bf16"};
    group.found = 1;
    group.guard = guard;
    checkUpdate(group, "adamw", kAdamw, 2, adamw);
  }
}

TEST(UpdateKernels, ANormThatIsNanReachesAnUnguardedUpdate) {
  Group group{"f32", "", "f32", 1, 0.5, 1, 0};
  auto fill = [&](Buffers &b) {
    fillUpdate(b, group);
    b[2].set(0, NAN);
  };
  runAtAllLevels(updateModule(group, "adamw", kAdamw), fill, [](const Buffers &b) {
    for (int64_t i = 0; i < kElements; ++i)
      EXPECT_TRUE(std::isnan(b[8].get(i)));
  });
}

TEST(UpdateKernels, AdamwUsesVectorsOfTheLevelAndOnlyLibm) {
  Group group{"f32", "bf16", "bf16"};
  for (const halfstep::CpuLevel *level : hostLevels()) {
    JitKernel code(updateModule(group, "adamw", kAdamw), *level, {.keepAssembly = true});
    const std::string wide = level->vectorBits == 512 ? "zmm" : "ymm";
    EXPECT_NE(code.assembly().find("vsqrtps\t%" + wide), std::string::npos) << code.assembly();
    EXPECT_EQ(code.assembly().find("$__"), std::string::npos) << "calls a support function of the compiler";
  }
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

TEST(UpdateKernels, AssignWritesUnlessAGuardedStepIsSkipped) {
  const std::string param =
      "train.param @m : tensor<3x5xf32> {buffer, init = #train.init<kind = \"constant\", a = 0.0 "
      ": f64, b = 0.0 : f64>}\n";
  const std::string plain = param + R"(
func.func @f(%x: tensor<3x5xbf16>) {
  train.kernel "assign" (%x) : (tensor<3x5xbf16>) -> () {
  ^bb0(%a: tensor<3x5xbf16>):
    train.assign @m, %a : tensor<3x5xbf16>
    train.yield
  }
  return
})";
  auto number = [](Buffer &buffer) { buffer.fill([](int64_t i) { return double(i); }); };
  runAtAllLevels(
      plain, [&](Buffers &b) { number(b[0]); },
      [](const Buffers &b) {
        for (int64_t i = 0; i < 15; ++i)
          EXPECT_EQ(b[1].get(i), double(i));
      });

  const std::string guarded = param + R"(
func.func @f(%x: tensor<3x5xf32>, %f: tensor<i32>) {
  train.kernel "assign" (%x, %f) : (tensor<3x5xf32>, tensor<i32>) -> () {
  ^bb0(%a: tensor<3x5xf32>, %b: tensor<i32>):
    train.assign @m, %a guard %b : tensor<i32> : tensor<3x5xf32>
    train.yield
  }
  return
})";
  for (int found : {0, 1})
    for (int guard : {0, 1}) {
      auto fill = [&](Buffers &b) {
        number(b[0]);
        b[1].set(0, found);
        b[2].set(0, guard);
        b[3].fill([](int64_t) { return -7.0; });
      };
      runAtAllLevels(guarded, fill, [&](const Buffers &b) {
        for (int64_t i = 0; i < 15; ++i)
          EXPECT_EQ(b[3].get(i), found && guard ? -7 : double(i));
      });
    }
}
