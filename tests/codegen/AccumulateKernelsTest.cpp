// Gradients that are summed over batches: the weights, the sums, and updates by their mean.
#include "OpKernel.h"

#include <cmath>
#include <limits>

using namespace halfstep::test;

namespace {

std::string weighModule(const std::string &operand, const std::string &attributes) {
  bool hasRows = !operand.empty();
  return "func.func @f(" + std::string(hasRows ? "%x: tensor<" + operand + ">" : "") +
         ") {\n%k:2 = train.kernel \"accumulate\" (" + (hasRows ? "%x" : "") + ") : (" +
         (hasRows ? "tensor<" + operand + ">" : "") + ") -> (tensor<f64>, tensor<f64>) {\n" +
         (hasRows ? "^bb0(%a: tensor<" + operand + ">):\n" : "") + "%w, %s = train.weigh" +
         (hasRows ? "(%a : tensor<" + operand + ">)" : "") + " " + attributes +
         ": tensor<f64>, tensor<f64>\ntrain.yield %w, %s : tensor<f64>, tensor<f64>\n}\nreturn\n}\n";
}

/// Sums of 40 gradients of `from` in `to`.
std::string sumsModule(const std::string &from, const std::string &to) {
  std::string in = "tensor<40x" + from + ">", out = "tensor<40x" + to + ">";
  return "func.func @f(%x: " + in + ", %w: tensor<f64>) {\n%k = train.kernel \"accumulate\" (%x, %w) : (" +
         in + ", tensor<f64>) -> " + out + " {\n^bb0(%a: " + in +
         ", %b: tensor<f64>):\n%s = train.accumulate %a weight(%b"
         " : tensor<f64>) : (" +
         in + ") -> " + out + "\ntrain.yield %s : " + out + "\n}\nreturn\n}\n";
}

} // namespace

TEST(AccumulateKernels, WeightsAddUpFromTheFirstBatchOn) {
  for (const std::string &operand : {"", "f32"})
    for (int first : {0, 1}) {
      size_t at = operand.empty() ? 0 : 1;
      auto fill = [&](Buffers &b) {
        if (at)
          b[0].set(0, 7.5);
        b[at].set(0, first);
        b[at + 2].set(0, first ? NAN : 100);
      };
      runAtAllLevels(weighModule(operand, operand.empty() ? "{samples = 7.5 : f64} " : ""), fill,
                     [&](const Buffers &b) {
                       EXPECT_EQ(b[at + 1].get(0), 7.5);
                       EXPECT_EQ(b[at + 2].get(0), first ? 7.5 : 107.5);
                     });
    }
}

TEST(AccumulateKernels, ALossThatIsASumIsDividedByNothing) {
  auto fill = [](Buffers &b) {
    b[0].set(0, 0);
    b[2].set(0, 1);
  };
  runAtAllLevels(weighModule("", ""), fill, [](const Buffers &b) {
    EXPECT_EQ(b[1].get(0), 1);
    EXPECT_EQ(b[2].get(0), 1);
  });
}

TEST(AccumulateKernels, SumsAreWeightedAndBeginAnew) {
  for (auto [from, to] : {std::pair{"bf16", "f32"}, {"f16", "f32"}, {"f32", "f32"}, {"f64", "f64"}})
    for (int first : {0, 1}) {
      auto old = [](int64_t i) { return 1 + 0.25 * double(i); };
      auto fill = [&](Buffers &b) {
        b[0].fill([](int64_t i) { return 0.5 * double(i % 7) - 1; });
        b[1].set(0, 3);
        b[2].set(0, first);
        // What is not read may be anything.
        b[3].fill([&](int64_t i) { return first ? (i % 2 ? NAN : INFINITY) : old(i); });
      };
      runAtAllLevels(sumsModule(from, to), fill, [&](const Buffers &b) {
        ASSERT_EQ(b[3].size(), 64);
        for (int64_t i = 0; i < 64; ++i)
          EXPECT_EQ(b[3].get(i), 3 * b[0].get(i) + (first ? 0 : old(i)));
      });
    }
}

TEST(AccumulateKernels, WhatIsNotFiniteStays) {
  const double inf = std::numeric_limits<double>::infinity();
  auto fill = [&](Buffers &b) {
    b[0].fill([&](int64_t i) { return i == 3 ? -inf : 1.0; });
    b[1].set(0, 2);
    b[2].set(0, 0);
    b[3].fill([&](int64_t i) { return i == 3 || i == 5 ? inf : 0.0; });
  };
  runAtAllLevels(sumsModule("bf16", "f32"), fill, [&](const Buffers &b) {
    EXPECT_TRUE(std::isnan(b[3].get(3)));
    EXPECT_EQ(b[3].get(5), inf);
    EXPECT_EQ(b[3].get(6), 2);
  });
}

TEST(AccumulateKernels, AnUpdateTakesTheMeanAndOnlyWhenItIsDue) {
  const std::string module = R"(
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
func.func @f(%x: tensor<4xf32>, %f: tensor<i32>, %n: tensor<f64>, %s: tensor<f64>) {
  train.kernel "update" (%x, %f, %n, %s) : (tensor<4xf32>, tensor<i32>, tensor<f64>, tensor<f64>) -> () {
  ^bb0(%a: tensor<4xf32>, %b: tensor<i32>, %c: tensor<f64>, %d: tensor<f64>):
    train.update [@w] gradients(%a : tensor<4xf32>) guard(%b : tensor<i32>) norm(%c : tensor<f64>)
      weights(%d : tensor<f64>) {optimizer = #train.optimizer<kind = "sgd", constants = {}>}
    train.yield
  }
  return
})";
  for (int apply : {0, 1})
    for (double limit : {0.0, 0.5}) {
      auto fill = [&](Buffers &b) {
        b[0].fill([](int64_t i) { return i < 4 ? 8.0 : 0.0; });
        b[1].set(0, 0);
        b[2].set(0, 4 * 64);
        b[3].set(0, 0.25); // rate
        b[4].set(0, 0.5);  // 1 / scale
        b[5].set(0, limit);
        b[6].set(0, 1);
        b[7].set(0, 1);
        b[8].set(0, 4); // the weight of all batches
        b[9].set(0, apply);
        b[10].fill([](int64_t) { return 1.0; });
      };
      runAtAllLevels(module, fill, [&](const Buffers &b) {
        // The mean gradient is 8 * 0.5 / 4 = 1, of norm 2.
        double gradient = limit > 0 ? limit / (2 + 1e-6) : 1;
        EXPECT_NEAR(b[10].get(0), apply ? 1 - 0.25 * gradient : 1, 1e-6);
      });
    }
}
