// Normalisation by the root of the mean square, its gradients and rotary positions against plain loops in
// extended precision.
#include "RowCases.h"

#include <cmath>

using namespace halfstep::test;

namespace {

constexpr double kEps = 1e-3;

std::string axisText(const Rows &shape) {
  return "axis = " + std::to_string(shape.leading.size()) + " : i64";
}

TEST(RmsNormKernels, RmsNorm) {
  forEachCase(kShapes, [](const Rows &shape, const Types &types) {
    OpKernel kernel{"row",
                    "nn.rms_norm",
                    axisText(shape) + ", eps = 1.0e-03 : f64",
                    {shape.full(types.main), shape.vector(types.other)},
                    {shape.full(types.main), shape.perRow(types.statistics())}};
    int64_t n = shape.length();
    auto check = [&](const Buffers &b) {
      for (int64_t row = 0; row < shape.count(); ++row) {
        Real square = 0;
        for (int64_t i = row * n; i < (row + 1) * n; ++i)
          square += Real(b[0].get(i)) * b[0].get(i) / n;
        Real rstd = 1 / std::sqrt(square + Real(kEps));
        double terms = double(n) + kFormula;
        expectNear(b[3], row, double(rstd), tolerance(kernel, b[3], double(rstd), terms, double(rstd)));
        for (int64_t i = 0; i < n; ++i) {
          double exact = double(Real(b[0].get(row * n + i)) * rstd * b[1].get(i));
          expectNear(b[2], row * n + i, exact, tolerance(kernel, b[2], exact, terms, std::abs(exact)));
        }
      }
    };
    runAtAllLevels(kernel, [](Buffers &b) { fillAll(b, 2, 2); }, check);
  });
}

TEST(RmsNormKernels, BackwardInput) {
  forEachCase(kShapes, [](const Rows &shape, const Types &types) {
    OpKernel kernel{"row",
                    "nn.rms_norm_backward_input",
                    axisText(shape),
                    {shape.full(types.other), shape.full(types.main), shape.vector(types.other),
                     shape.perRow(types.statistics())},
                    {shape.full(types.main)}};
    int64_t n = shape.length();
    auto check = [&](const Buffers &b) {
      for (int64_t row = 0; row < shape.count(); ++row) {
        Real rstd = b[3].get(row), product = 0, size = 0;
        auto h = [&](int64_t i) { return Real(b[0].get(row * n + i)) * b[2].get(i); };
        auto normal = [&](int64_t i) { return b[1].get(row * n + i) * rstd; };
        for (int64_t i = 0; i < n; ++i) {
          product += h(i) * normal(i) / n;
          size += std::abs(h(i) * normal(i)) / n;
        }
        for (int64_t i = 0; i < n; ++i) {
          double exact = double(rstd * (h(i) - normal(i) * product));
          double scale = double(std::abs(rstd) * (std::abs(h(i)) + std::abs(normal(i)) * size));
          expectNear(b[4], row * n + i, exact, tolerance(kernel, b[4], exact, double(n) + kFormula, scale));
        }
      }
    };
    runAtAllLevels(kernel, [](Buffers &b) { fillAll(b, 4, 2); }, check);
  });
}

TEST(RmsNormKernels, BackwardScale) {
  forEachCase(kShapes, [](const Rows &shape, const Types &types) {
    OpKernel kernel{"column",
                    "nn.rms_norm_backward_scale",
                    axisText(shape),
                    {shape.full(types.other), shape.full(types.main), shape.perRow(types.statistics())},
                    {shape.vector(types.statistics())}};
    int64_t n = shape.length();
    auto check = [&](const Buffers &b) {
      for (int64_t i = 0; i < n; ++i) {
        Real sum = 0, size = 0;
        for (int64_t row = 0; row < shape.count(); ++row) {
          Real term = Real(b[0].get(row * n + i)) * b[1].get(row * n + i) * b[2].get(row);
          sum += term;
          size += std::abs(term);
        }
        double terms = double(shape.count()) + kFormula;
        expectNear(b[3], i, double(sum), tolerance(kernel, b[3], double(sum), terms, double(size)));
      }
    };
    runAtAllLevels(kernel, [](Buffers &b) { fillAll(b, 3, 2); }, check);
  });
}

//===----------------------------------------------------------------------===//
// Rotary positions
//===----------------------------------------------------------------------===//

struct Turn {
  int64_t batch, places, heads, depth;
  bool interleaved, transposed;
};

/// Of x, cos and sin, the element `i` of a head at `row`, whose tables begin at `table`.
Real turnedElement(const Turn &turn, const Buffers &b, int64_t row, int64_t table, int64_t i) {
  int64_t half = turn.depth / 2;
  bool first = turn.interleaved ? i % 2 == 0 : i < half;
  int64_t partner = turn.interleaved ? i ^ 1 : first ? i + half : i - half;
  Real other = b[0].get(row + partner), crossed = other * b[2].get(table + (turn.transposed ? partner : i));
  bool negated = first != turn.transposed;
  return Real(b[0].get(row + i)) * b[1].get(table + i) + (negated ? -crossed : crossed);
}

TEST(RotaryKernels, PairsAreTurned) {
  for (Turn turn : {Turn{1, 1, 1, 2, false, false},
                    {2, 3, 2, 4, true, false},
                    {1, 5, 3, 6, false, true},
                    {2, 2, 1, 34, true, true},
                    {1, 17, 2, 64, false, false}})
    for (Types types : {Types{"f32", "f32"}, {"bf16", "f32"}, {"f16", "f16"}, {"f64", "f64"}}) {
      std::string x = tensorText({turn.batch, turn.places, turn.heads * turn.depth}, types.main);
      std::string table = tensorText({turn.places, turn.depth}, types.other);
      OpKernel kernel{"rotary",
                      "nn.rotary",
                      std::string(turn.interleaved ? "interleaved" : "") +
                          (turn.interleaved && turn.transposed ? ", " : "") +
                          (turn.transposed ? "transposed" : ""),
                      {x, table, table},
                      {x}};
      auto check = [&](const Buffers &b) {
        for (int64_t at = 0; at < b[3].size(); ++at) {
          int64_t i = at % turn.depth, place = at / (turn.depth * turn.heads) % turn.places;
          double exact = double(turnedElement(turn, b, at - i, place * turn.depth, i));
          expectNear(b[3], at, exact, tolerance(kernel, b[3], exact, kFormula, 8));
        }
      };
      runAtAllLevels(kernel, [](Buffers &b) { fillAll(b, 3, 2); }, check);
    }
}

} // namespace
