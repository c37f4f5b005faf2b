// Softmax and cross-entropy against plain loops in extended precision.
#include "RowCases.h"

#include <cmath>

using namespace halfstep::test;

namespace {

/// What softmax and cross-entropy need of a row of logits.
struct Exponentials {
  Real max = -std::numeric_limits<Real>::infinity(), sum = 0, distances = 0;
  Exponentials(const Buffer &logits, int64_t from, int64_t length) {
    for (int64_t i = from; i < from + length; ++i)
      max = std::max(max, Real(logits.get(i)));
    for (int64_t i = from; i < from + length; ++i) {
      sum += std::exp(logits.get(i) - max);
      distances += logits.get(i) - max;
    }
  }
};

OpKernel softmaxKernel(const Rows &shape, const std::string &type) {
  return {"row", "nn.softmax", "", {shape.full(type)}, {shape.full(type)}};
}

void checkSoftmax(const OpKernel &kernel, const Rows &shape, const Buffers &buffers) {
  int64_t n = shape.length();
  for (int64_t row = 0; row < shape.count(); ++row) {
    Exponentials e(buffers[0], row * n, n);
    for (int64_t i = row * n; i < (row + 1) * n; ++i) {
      Real distance = buffers[0].get(i) - e.max, exact = std::exp(distance) / e.sum;
      // The rounding of the distance is a relative error of its exponential.
      double scale = double(exact * (1 + std::abs(distance)));
      expectNear(buffers[1], i, double(exact),
                 tolerance(kernel, buffers[1], double(exact), double(n) + kFormula, scale));
    }
  }
}

TEST(RowKernels, Softmax) {
  forEachCase(flatShapes(), [](const Rows &shape, const Types &types) {
    OpKernel kernel = softmaxKernel(shape, types.main);
    runAtAllLevels(
        kernel, [](Buffers &b) { fillAll(b, 1, 8); },
        [&](const Buffers &b) { checkSoftmax(kernel, shape, b); });
  });
}

TEST(RowKernels, SoftmaxOfLargeValuesStaysFinite) {
  for (const char *type : {"f32", "f64", "bf16"}) {
    Rows shape{{3}, {37}};
    OpKernel kernel = softmaxKernel(shape, type);
    runAtAllLevels(
        kernel, [](Buffers &b) { fillAll(b, 1, 1e30); },
        [&](const Buffers &b) { checkSoftmax(kernel, shape, b); });
  }
}

/// A row is NaN if it holds NaN, plus infinity, or nothing but minus infinity; other rows do not suffer.
TEST(RowKernels, SoftmaxKeepsNan) {
  for (const char *type : {"f32", "f64", "bf16", "f16"}) {
    for (int64_t n : {1, 5, 16, 70}) {
      Rows shape{{6}, {n}};
      OpKernel kernel = softmaxKernel(shape, type);
      auto fill = [&](Buffers &b) {
        fillAll(b, 1, 4);
        b[0].set(0 * n + n / 2, kNan);
        b[0].set(1 * n + n - 1, -kNan);
        b[0].set(2 * n, kInfinity);
        for (int64_t i = 0; i < n; ++i)
          b[0].set(3 * n + i, -kInfinity);
        if (n > 1)
          b[0].set(4 * n + 1, -kInfinity);
      };
      runAtAllLevels(kernel, fill, [&](const Buffers &b) {
        for (int64_t i = 0; i < 4 * n; ++i)
          EXPECT_TRUE(std::isnan(b[1].get(i))) << "element " << i << " of rows of " << n;
        for (int64_t i = 4 * n; i < 6 * n; ++i)
          EXPECT_FALSE(std::isnan(b[1].get(i))) << "element " << i << " of rows of " << n;
        if (n > 1)
          EXPECT_EQ(b[1].get(4 * n + 1), 0);
      });
    }
  }
}

TEST(RowKernels, SoftmaxBackward) {
  forEachCase(flatShapes(), [](const Rows &shape, const Types &types) {
    std::string type = types.main == "f32" ? types.other : types.main;
    OpKernel kernel{"row",
                    "nn.softmax_backward",
                    "",
                    {shape.full(types.main), shape.full(types.other)},
                    {shape.full(types.main == types.other ? types.main
                                : types.main == "f32"     ? "f64"
                                                          : "f32")}};
    int64_t n = shape.length();
    runAtAllLevels(
        kernel, [](Buffers &b) { fillAll(b, 2, 1); },
        [&](const Buffers &b) {
          for (int64_t row = 0; row < shape.count(); ++row) {
            Real dot = 0, size = 0;
            for (int64_t i = row * n; i < (row + 1) * n; ++i) {
              dot += Real(b[0].get(i)) * b[1].get(i);
              size += std::abs(Real(b[0].get(i)) * b[1].get(i));
            }
            for (int64_t i = row * n; i < (row + 1) * n; ++i) {
              double exact = double(b[1].get(i) * (b[0].get(i) - dot));
              double scale = double(std::abs(b[1].get(i)) * (std::abs(b[0].get(i)) + size));
              expectNear(b[2], i, exact, tolerance(kernel, b[2], exact, double(n) + kFormula, scale));
            }
          }
        });
  });
}

//===----------------------------------------------------------------------===//
// Cross-entropy
//===----------------------------------------------------------------------===//

void fillTargets(Buffer &target, int64_t classes) {
  target.fill([&](int64_t i) { return double((i * 7 + classes - 1) % classes); });
}

OpKernel crossEntropyKernel(const Rows &shape, const Types &types, const std::string &smoothing) {
  return {"row",
          "nn.cross_entropy",
          "label_smoothing = " + smoothing + " : f64",
          {shape.full(types.main), shape.perRow("i64")},
          {shape.perRow(types.statistics()), shape.perRow(types.statistics())}};
}

void checkCrossEntropy(const OpKernel &kernel, const Rows &shape, double smoothing, const Buffers &b) {
  int64_t n = shape.length();
  double terms = double(n) + kFormula;
  for (int64_t row = 0; row < shape.count(); ++row) {
    Exponentials e(b[0], row * n, n);
    Real logSum = std::log(e.sum), target = b[0].get(row * n + int64_t(b[1].get(row))) - e.max;
    double lse = double(e.max + logSum);
    double exact = double((1 - smoothing) * (logSum - target) +
                          (smoothing != 0 ? smoothing * (logSum - e.distances / n) : 0));
    double scale = double(2 + logSum + std::abs(target) + smoothing * std::abs(e.distances / n));
    expectNear(b[2], row, exact, tolerance(kernel, b[2], exact, terms, scale));
    expectNear(b[3], row, lse, tolerance(kernel, b[3], lse, terms, 2 + std::abs(lse)));
  }
}

TEST(RowKernels, CrossEntropy) {
  forEachCase(flatShapes(), [](const Rows &shape, const Types &types) {
    for (double smoothing : {0.0, 0.25}) {
      OpKernel kernel = crossEntropyKernel(shape, types, smoothing != 0 ? "2.5e-01" : "0.0");
      auto fill = [&](Buffers &b) {
        b[0].fillRandom(5, 10);
        fillTargets(b[1], shape.length());
      };
      runAtAllLevels(kernel, fill, [&](const Buffers &b) { checkCrossEntropy(kernel, shape, smoothing, b); });
    }
  });
}

/// Logits that share a large offset: the loss is that of their distances.
TEST(RowKernels, CrossEntropyOfOffsetLogits) {
  Rows shape{{4}, {50}};
  for (const char *smoothing : {"0.0", "2.5e-01"}) {
    OpKernel kernel = crossEntropyKernel(shape, {"f32", "f32"}, smoothing);
    auto fill = [&](Buffers &b) {
      b[0].fillRandom(5, 10);
      for (int64_t i = 0; i < b[0].size(); ++i)
        b[0].set(i, b[0].get(i) - 1e5);
      fillTargets(b[1], shape.length());
    };
    runAtAllLevels(kernel, fill,
                   [&](const Buffers &b) { checkCrossEntropy(kernel, shape, std::stod(smoothing), b); });
  }
}

TEST(RowKernels, CrossEntropyKeepsNanAndTakesInfinity) {
  Rows shape{{4}, {20}};
  OpKernel kernel = crossEntropyKernel(shape, {"bf16", "f32"}, "0.0");
  auto fill = [&](Buffers &b) {
    b[0].fillRandom(5, 10);
    b[0].set(3, kNan);
    b[0].set(20 + 3, -kInfinity);
    b[0].set(40 + 3, -kInfinity);
    b[1].fill([](int64_t i) { return i == 2 ? 3 : 0; });
  };
  runAtAllLevels(kernel, fill, [&](const Buffers &b) {
    EXPECT_TRUE(std::isnan(b[2].get(0)) && std::isnan(b[3].get(0)));
    EXPECT_TRUE(std::isfinite(b[2].get(1)) && std::isfinite(b[3].get(1)));
    EXPECT_EQ(b[2].get(2), kInfinity);
    EXPECT_TRUE(std::isfinite(b[3].get(2)) && std::isfinite(b[2].get(3)));
  });
}

TEST(RowKernels, CrossEntropyBackward) {
  forEachCase(flatShapes(), [](const Rows &shape, const Types &types) {
    for (double smoothing : {0.0, 0.25}) {
      OpKernel kernel{"row",
                      "nn.cross_entropy_backward",
                      smoothing != 0 ? "label_smoothing = 2.5e-01 : f64" : "label_smoothing = 0.0 : f64",
                      {shape.perRow(types.other), shape.full(types.main), shape.perRow("i64"),
                       shape.perRow(types.statistics())},
                      {shape.full(types.main)}};
      int64_t n = shape.length();
      auto fill = [&](Buffers &b) {
        b[0].fillRandom(1);
        b[1].fillRandom(2, 6);
        fillTargets(b[2], n);
        b[3].fill([](int64_t i) { return 6.5 + 0.125 * double(i); });
      };
      auto check = [&](const Buffers &b) {
        for (int64_t i = 0; i < shape.count() * n; ++i) {
          int64_t row = i / n;
          Real distance = Real(b[1].get(i)) - b[3].get(row), power = std::exp(distance);
          Real wanted = (i % n == int64_t(b[2].get(row)) ? 1 - smoothing : 0) + smoothing / n;
          double exact = double(b[0].get(row) * (power - wanted));
          double scale = double(std::abs(b[0].get(row)) * (power * (1 + std::abs(distance)) + wanted));
          expectNear(b[4], i, exact, tolerance(kernel, b[4], exact, kFormula, scale));
        }
      };
      runAtAllLevels(kernel, fill, check);
    }
  });
}

} // namespace
