// Layer normalisation and the gradient of its input against plain loops in extended precision.
#include "RowCases.h"

#include <cmath>

using namespace halfstep::test;

namespace {

constexpr double kEps = 1e-3;

std::string axisText(const Rows &shape) {
  return "axis = " + std::to_string(shape.leading.size()) + " : i64";
}

OpKernel layerNormKernel(const Rows &shape, const Types &types) {
  return {"row",
          "nn.layer_norm",
          axisText(shape) + ", eps = 1.0e-03 : f64",
          {shape.full(types.main), shape.vector(types.other), shape.vector(types.other)},
          {shape.full(types.main), shape.perRow(types.statistics()), shape.perRow(types.statistics())}};
}

void checkLayerNorm(const OpKernel &kernel, const Rows &shape, const Buffers &b) {
  int64_t n = shape.length();
  double terms = double(n) + kFormula;
  for (int64_t row = 0; row < shape.count(); ++row) {
    Real mean = 0, variance = 0, largest = 0;
    for (int64_t i = row * n; i < (row + 1) * n; ++i) {
      mean += b[0].get(i) / Real(n);
      largest = std::max(largest, std::abs(Real(b[0].get(i))));
    }
    for (int64_t i = row * n; i < (row + 1) * n; ++i)
      variance += (b[0].get(i) - mean) * (b[0].get(i) - mean) / n;
    Real rstd = 1 / std::sqrt(variance + Real(kEps));
    // The error of the mean moves all distances.
    Real condition = 1 + largest * rstd;
    expectNear(b[4], row, double(mean), tolerance(kernel, b[4], double(mean), terms, double(largest)));
    expectNear(b[5], row, double(rstd),
               tolerance(kernel, b[5], double(rstd), terms, double(rstd * condition)));
    for (int64_t i = 0; i < n; ++i) {
      Real normal = (b[0].get(row * n + i) - mean) * rstd, scale = b[1].get(i), shift = b[2].get(i);
      double exact = double(normal * scale + shift);
      double size = double(condition * (std::abs(normal) + 1) * std::abs(scale) + std::abs(shift));
      expectNear(b[3], row * n + i, exact, tolerance(kernel, b[3], exact, terms, size));
    }
  }
}

TEST(LayerNormKernels, LayerNorm) {
  forEachCase(kShapes, [](const Rows &shape, const Types &types) {
    OpKernel kernel = layerNormKernel(shape, types);
    runAtAllLevels(
        kernel, [](Buffers &b) { fillAll(b, 3, 2); },
        [&](const Buffers &b) { checkLayerNorm(kernel, shape, b); });
  });
}

/// The variance is taken about the mean: a large offset costs no more than its own rounding.
TEST(LayerNormKernels, LayerNormOfOffsetValues) {
  Rows shape{{3}, {200}};
  OpKernel kernel = layerNormKernel(shape, {"f32", "f32"});
  auto fill = [](Buffers &b) {
    fillAll(b, 3, 1);
    for (int64_t i = 0; i < b[0].size(); ++i)
      b[0].set(i, b[0].get(i) + 4096);
  };
  runAtAllLevels(kernel, fill, [&](const Buffers &b) { checkLayerNorm(kernel, shape, b); });
}

TEST(LayerNormKernels, LayerNormKeepsNanInItsRow) {
  Rows shape{{3}, {21}};
  OpKernel kernel = layerNormKernel(shape, {"bf16", "f32"});
  auto fill = [](Buffers &b) {
    fillAll(b, 3, 1);
    b[0].set(21 + 5, kNan);
  };
  runAtAllLevels(kernel, fill, [&](const Buffers &b) {
    for (int64_t i = 0; i < 63; ++i)
      EXPECT_EQ(std::isnan(b[3].get(i)), i >= 21 && i < 42) << "element " << i;
  });
}

/// A kernel need not yield the statistics.
TEST(LayerNormKernels, LayerNormWithoutStatistics) {
  Rows shape{{2}, {19}};
  OpKernel kernel = layerNormKernel(shape, {"f32", "f32"});
  std::string text = R"(
func.func @f(%x: tensor<2x19xf32>, %s: tensor<19xf32>) {
  %k = train.kernel "row" (%s, %x) : (tensor<19xf32>, tensor<2x19xf32>) -> tensor<2x19xf32> {
  ^bb0(%b: tensor<19xf32>, %a: tensor<2x19xf32>):
    %y, %m, %r = nn.layer_norm %a, %b, %b {axis = 1 : i64, eps = 1.0e-03 : f64}
        : (tensor<2x19xf32>, tensor<19xf32>, tensor<19xf32>) -> (tensor<2x19xf32>, tensor<2xf32>, tensor<2xf32>)
    train.yield %y : tensor<2x19xf32>
  }
  return
})";
  for (const auto *level : hostLevels()) {
    JitKernel partial(text, *level), full(kernel.module(), *level);
    Buffers some = partial.makeBuffers(), all = full.makeBuffers();
    some[0].fillRandom(1), some[1].fillRandom(2);
    all[0].fillRandom(2), all[1].fillRandom(1), all[2].fillRandom(1);
    partial.run(some);
    full.run(all);
    EXPECT_TRUE(some[2].sameBits(all[3]));
  }
}

TEST(LayerNormKernels, LayerNormBackwardInput) {
  forEachCase(kShapes, [](const Rows &shape, const Types &types) {
    std::string statistics = types.statistics();
    OpKernel kernel{"row",
                    "nn.layer_norm_backward_input",
                    axisText(shape),
                    {shape.full(types.other), shape.full(types.main), shape.vector(types.other),
                     shape.perRow(statistics), shape.perRow(statistics)},
                    {shape.full(types.main)}};
    int64_t n = shape.length();
    auto check = [&](const Buffers &b) {
      for (int64_t row = 0; row < shape.count(); ++row) {
        auto h = [&](int64_t i) { return Real(b[0].get(row * n + i)) * b[2].get(i); };
        auto normal = [&](int64_t i) {
          return (Real(b[1].get(row * n + i)) - b[3].get(row)) * b[4].get(row);
        };
        Real sum = 0, product = 0, largestH = 0, largestNormal = 0;
        for (int64_t i = 0; i < n; ++i) {
          sum += h(i) / n;
          product += h(i) * normal(i) / n;
          largestH = std::max(largestH, std::abs(h(i)));
          largestNormal = std::max(largestNormal, std::abs(normal(i)));
        }
        for (int64_t i = 0; i < n; ++i) {
          double exact = double(b[4].get(row) * (h(i) - sum - normal(i) * product));
          double scale = double(std::abs(b[4].get(row)) * largestH * (2 + largestNormal * largestNormal));
          expectNear(b[5], row * n + i, exact, tolerance(kernel, b[5], exact, double(n) + kFormula, scale));
        }
      }
    };
    runAtAllLevels(kernel, [](Buffers &b) { fillAll(b, 5, 2); }, check);
  });
}

} // namespace
