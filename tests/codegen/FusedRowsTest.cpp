// Row kernels with element-wise ops before and after their op, against plain loops in extended precision.
#include "RowCases.h"

#include <cmath>

using namespace halfstep::test;

namespace {

/// Replaces T* by the dimensions of all rows, V* by those of one, R* by those of one element a row.
std::string sized(std::string text, const Rows &shape) {
  const std::pair<std::string, std::string> names[] = {
      {"T*", shape.full("")}, {"V*", shape.vector("")}, {"R*", shape.perRow("")}};
  for (const auto &[name, dimensions] : names)
    for (size_t at; (at = text.find(name)) != std::string::npos;)
      text.replace(at, name.size(), dimensions);
  return text;
}

RegionKernel sized(RegionKernel kernel, const Rows &shape) {
  for (std::vector<std::string> *types : {&kernel.operands, &kernel.results})
    for (std::string &type : *types)
      type = sized(type, shape);
  kernel.body = sized(kernel.body, shape);
  return kernel;
}

/// Runs a kernel on all shapes with random operands; targets are class ids.
void forEachShape(const std::vector<Rows> &shapes, const RegionKernel &kernel,
                  const std::function<void(const Rows &, const Buffers &)> &check) {
  for (const Rows &shape : shapes) {
    auto fill = [&](Buffers &b) {
      fillAll(b, kernel.operands.size(), 2);
      for (size_t i = 0; i < kernel.operands.size(); ++i)
        if (b[i].type() == "i64")
          b[i].fill([&](int64_t at) { return double((at * 7 + 3) % shape.length()); });
    };
    runAtAllLevels(sized(kernel, shape).module(), fill, [&](const Buffers &b) { check(shape, b); });
  }
}

/// The allowed distance: the rounding to the stored type, and those of a computation in f32 with as many
/// roundings as a row has elements, on values up to `scale`.
double allowed(const Buffer &stored, double exact, const Rows &shape, double scale) {
  double terms = double(shape.length()) + kFormula;
  double least = stored.type() == "f16" ? 0x1p-24 : 0x1p-126;
  return unitRoundoff(stored.type()) * std::abs(exact) + 4 * unitRoundoff("f32") * std::sqrt(terms) * scale +
         least;
}

void expectRow(const Buffer &stored, int64_t at, Real exact, const Rows &shape, Real scale) {
  expectNear(stored, at, double(exact), allowed(stored, double(exact), shape, double(scale)));
}

double roundedTo(const std::string &type, double value) {
  Buffer one(type, 1);
  one.set(0, value);
  return one.get(0);
}

/// Mean and reciprocal deviation of a row of sums.
struct Moments {
  Real mean = 0, rstd = 0, largest = 0;
  Moments(const std::vector<Real> &row, Real eps) {
    Real n = Real(row.size()), variance = 0;
    for (Real value : row) {
      mean += value / n;
      largest = std::max(largest, std::abs(value));
    }
    for (Real value : row)
      variance += (value - mean) * (value - mean) / n;
    rstd = 1 / std::sqrt(variance + eps);
  }
  Real condition() const { return 1 + largest * rstd; }
};

std::vector<Real> rowOf(const Rows &shape, int64_t row, const std::function<Real(int64_t)> &value) {
  std::vector<Real> values;
  for (int64_t i = row * shape.length(); i < (row + 1) * shape.length(); ++i)
    values.push_back(value(i));
  return values;
}

std::string layerNorm(const Rows &shape, const std::string &operand, const std::string &type) {
  return "    %n:3 = nn.layer_norm " + operand +
         ", %b2, %b3 {axis = " + std::to_string(shape.leading.size()) +
         " : i64, eps = 1.0e-03 : f64} : (tensor<T*" + type +
         ">, tensor<V*f32>, tensor<V*f32>) -> (tensor<T*" + type + ">, tensor<R*f32>, tensor<R*f32>)\n";
}

} // namespace

/// A sum that others read too is stored on the way; the result is rounded as it is stored.
TEST(FusedRows, SumThenLayerNormThenRounding) {
  for (const Rows &shape : kShapes) {
    RegionKernel kernel{"row",
                        {"T*f32", "T*bf16", "V*f32", "V*f32"},
                        {"T*f32", "R*f32", "R*f32", "T*bf16"},
                        "    %s = nn.add %b0, %b1 : (tensor<T*f32>, tensor<T*bf16>) -> tensor<T*f32>\n" +
                            layerNorm(shape, "%s", "f32") +
                            "    %y = amp.cast %n#0 : tensor<T*f32> to tensor<T*bf16>",
                        "%s, %n#1, %n#2, %y"};
    forEachShape({shape}, kernel, [](const Rows &shape, const Buffers &b) {
      for (int64_t row = 0; row < shape.count(); ++row) {
        Moments m(rowOf(shape, row, [&](int64_t i) { return b[4].get(i); }), 1e-3L);
        expectRow(b[5], row, m.mean, shape, m.largest);
        for (int64_t j = 0; j < shape.length(); ++j) {
          int64_t i = row * shape.length() + j;
          EXPECT_EQ(b[4].get(i), double(float(b[0].get(i)) + float(b[1].get(i))));
          Real normal = (b[4].get(i) - m.mean) * m.rstd;
          expectRow(b[7], i, normal * b[2].get(j) + b[3].get(j), shape,
                    m.condition() * (std::abs(normal) + 1) * std::abs(b[2].get(j)) + std::abs(b[3].get(j)));
        }
      }
    });
  }
}

/// Eager rounding is as if each op were a kernel of its own: what an op reads is what could have been stored.
/// Fused rounding keeps what was computed.
TEST(FusedRows, RoundingBetweenOps) {
  for (const std::string rounding : {"fused", "eager"}) {
    int64_t unrounded = 0;
    for (const Rows &shape : kShapes) {
      RegionKernel kernel{
          "row",
          {"T*bf16", "T*bf16", "V*f32", "V*f32"},
          {"T*bf16", "T*bf16", "T*bf16", "R*f32", "R*f32"},
          "    %s = nn.add %b0, %b1 : (tensor<T*bf16>, tensor<T*bf16>) -> tensor<T*bf16>\n" +
              layerNorm(shape, "%s", "bf16") +
              "    %y = nn.add %n#0, %b1 : (tensor<T*bf16>, tensor<T*bf16>) -> tensor<T*bf16>",
          "%s, %n#0, %y, %n#1, %n#2",
          rounding};
      forEachShape({shape}, kernel, [&](const Rows &shape, const Buffers &b) {
        for (int64_t row = 0; row < shape.count(); ++row) {
          Moments m(rowOf(shape, row,
                          [&](int64_t i) {
                            Real sum = Real(b[0].get(i)) + b[1].get(i);
                            return rounding == "eager" ? roundedTo("bf16", double(sum)) : sum;
                          }),
                    1e-3L);
          expectRow(b[7], row, m.mean, shape, m.largest);
          expectRow(b[8], row, m.rstd, shape, m.rstd * m.condition());
          for (int64_t i = row * shape.length(); i < (row + 1) * shape.length(); ++i) {
            EXPECT_EQ(b[4].get(i), roundedTo("bf16", b[0].get(i) + b[1].get(i)));
            bool isRoundedBetween = b[6].get(i) == roundedTo("bf16", b[5].get(i) + b[1].get(i));
            unrounded += !isRoundedBetween;
            if (rounding == "eager")
              EXPECT_TRUE(isRoundedBetween) << i;
          }
        }
      });
    }
    EXPECT_EQ(unrounded == 0, rounding == "eager");
  }
}

TEST(FusedRows, ScaledSoftmaxWithDropout) {
  RegionKernel kernel{
      "row",
      {"T*bf16", "i64", "i64"},
      {"T*bf16", "T*bf16"},
      "    %c = nn.constant {value = dense<2.5e-01> : tensor<f32>} : () -> tensor<f32>\n"
      "    %x = nn.mul %b0, %c : (tensor<T*bf16>, tensor<f32>) -> tensor<T*bf16>\n"
      "    %p = nn.softmax %x : (tensor<T*bf16>) -> tensor<T*bf16>\n"
      "    %d = nn.dropout %p, %b1, %b2 {p = 0.5 : f64, id = 3 : i64} : (tensor<T*bf16>, tensor<i64>, "
      "tensor<i64>) -> tensor<T*bf16>",
      "%p, %d"};
  forEachShape(flatShapes(), kernel, [](const Rows &shape, const Buffers &b) {
    // The mask of a kernel that has the op alone.
    OpKernel alone{"map",
                   "nn.dropout",
                   "p = 0.5 : f64, id = 3 : i64",
                   {shape.full("f32"), "i64", "i64"},
                   {shape.full("f32")}};
    JitKernel code(alone.module(), *hostLevels().front());
    Buffers mask = code.makeBuffers();
    mask[0].fill([](int64_t) { return 1; });
    mask[1].set(0, b[1].get(0));
    mask[2].set(0, b[2].get(0));
    code.run(mask);
    for (int64_t row = 0; row < shape.count(); ++row) {
      Real sum = 0;
      for (Real x : rowOf(shape, row, [&](int64_t i) { return b[0].get(i) * 0.25L; }))
        sum += std::exp(x);
      for (int64_t i = row * shape.length(); i < (row + 1) * shape.length(); ++i) {
        Real exact = std::exp(b[0].get(i) * 0.25L) / sum;
        expectRow(b[3], i, exact, shape, 2 * exact);
        expectRow(b[4], i, exact * mask[3].get(i), shape, 4 * exact);
      }
    }
  });
}

TEST(FusedRows, SoftmaxBackwardThenScale) {
  RegionKernel kernel{"row",
                      {"T*bf16", "T*bf16"},
                      {"T*bf16"},
                      "    %c = nn.constant {value = dense<2.5e-01> : tensor<f32>} : () -> tensor<f32>\n"
                      "    %g = nn.softmax_backward %b0, %b1 : (tensor<T*bf16>, tensor<T*bf16>) -> "
                      "tensor<T*bf16>\n"
                      "    %y = nn.mul %g, %c : (tensor<T*bf16>, tensor<f32>) -> tensor<T*bf16>",
                      "%y"};
  forEachShape(flatShapes(), kernel, [](const Rows &shape, const Buffers &b) {
    for (int64_t row = 0; row < shape.count(); ++row) {
      Real dot = 0, size = 0;
      for (Real term : rowOf(shape, row, [&](int64_t i) { return Real(b[0].get(i)) * b[1].get(i); })) {
        dot += term;
        size += std::abs(term);
      }
      for (int64_t i = row * shape.length(); i < (row + 1) * shape.length(); ++i)
        expectRow(b[2], i, 0.25L * b[1].get(i) * (b[0].get(i) - dot), shape,
                  std::abs(b[1].get(i)) * (std::abs(b[0].get(i)) + size));
    }
  });
}

/// Three gradients are summed before, a fourth after; the sum is stored twice.
TEST(FusedRows, LayerNormBackwardBetweenSums) {
  for (const Rows &shape : kShapes) {
    RegionKernel kernel{
        "row",
        {"T*bf16", "T*bf16", "T*f32", "V*f32", "R*f32", "R*f32", "T*f32"},
        {"T*f32", "T*bf16"},
        "    %w0 = amp.cast %b0 : tensor<T*bf16> to tensor<T*f32>\n"
        "    %w1 = amp.cast %b1 : tensor<T*bf16> to tensor<T*f32>\n"
        "    %g = nn.add %w0, %w1 : (tensor<T*f32>, tensor<T*f32>) -> tensor<T*f32>\n"
        "    %d = nn.layer_norm_backward_input %g, %b2, %b3, %b4, %b5 {axis = " +
            std::to_string(shape.leading.size()) +
            " : i64} : (tensor<T*f32>, tensor<T*f32>, tensor<V*f32>, tensor<R*f32>, tensor<R*f32>) -> "
            "tensor<T*f32>\n"
            "    %y = nn.add %d, %b6 : (tensor<T*f32>, tensor<T*f32>) -> tensor<T*f32>\n"
            "    %z = amp.cast %y : tensor<T*f32> to tensor<T*bf16>",
        "%y, %z"};
    forEachShape({shape}, kernel, [](const Rows &shape, const Buffers &b) {
      int64_t n = shape.length();
      for (int64_t row = 0; row < shape.count(); ++row) {
        Real mean = b[4].get(row), rstd = b[5].get(row), sum = 0, product = 0, size = 0;
        auto h = [&](int64_t i) { return (Real(b[0].get(i)) + b[1].get(i)) * b[3].get(i % n); };
        auto normal = [&](int64_t i) { return (b[2].get(i) - mean) * rstd; };
        for (int64_t i = row * n; i < (row + 1) * n; ++i) {
          sum += h(i) / n;
          product += h(i) * normal(i) / n;
          size += std::abs(h(i)) * (1 + std::abs(normal(i))) / n;
        }
        for (int64_t i = row * n; i < (row + 1) * n; ++i) {
          Real exact = rstd * (h(i) - sum - normal(i) * product) + b[6].get(i);
          Real scale = std::abs(rstd) * (std::abs(h(i)) + size * (1 + std::abs(normal(i))));
          expectRow(b[7], i, exact, shape, scale + std::abs(b[6].get(i)));
          EXPECT_EQ(b[8].get(i), roundedTo("bf16", b[7].get(i)));
        }
      }
    });
  }
}

/// Logits are read narrow, and their gradient is stored narrow.
TEST(FusedRows, CrossEntropyOfNarrowLogits) {
  for (const std::string type : {"bf16", "f16"}) {
    std::string wide = "    %z = amp.cast %b0 : tensor<T*" + type + "> to tensor<T*f32>\n";
    RegionKernel forward{"row",
                         {"T*" + type, "R*i64"},
                         {"R*f32", "R*f32"},
                         wide + "    %l:2 = nn.cross_entropy %z, %b1 {label_smoothing = 0.0 : f64} : "
                                "(tensor<T*f32>, tensor<R*i64>) -> (tensor<R*f32>, tensor<R*f32>)",
                         "%l#0, %l#1"};
    RegionKernel backward{"row",
                          {"T*" + type, "R*i64", "R*f32", "R*f32"},
                          {"T*" + type},
                          wide +
                              "    %g = nn.cross_entropy_backward %b2, %z, %b1, %b3 {label_smoothing = 0.0 "
                              ": f64} : (tensor<R*f32>, tensor<T*f32>, tensor<R*i64>, tensor<R*f32>) -> "
                              "tensor<T*f32>\n"
                              "    %y = amp.cast %g : tensor<T*f32> to tensor<T*" +
                              type + ">",
                          "%y"};
    forEachShape(flatShapes(), forward, [](const Rows &shape, const Buffers &b) {
      for (int64_t row = 0; row < shape.count(); ++row) {
        Real sum = 0;
        for (Real x : rowOf(shape, row, [&](int64_t i) { return b[0].get(i); }))
          sum += std::exp(x);
        Real target = b[0].get(row * shape.length() + int64_t(b[1].get(row)));
        expectRow(b[3], row, std::log(sum), shape, 6 + std::abs(std::log(sum)));
        expectRow(b[2], row, std::log(sum) - target, shape, 6 + std::abs(std::log(sum)));
      }
    });
    forEachShape(flatShapes(), backward, [](const Rows &shape, const Buffers &b) {
      int64_t n = shape.length();
      for (int64_t i = 0; i < shape.count() * n; ++i) {
        Real distance = Real(b[0].get(i)) - b[3].get(i / n), power = std::exp(distance);
        Real wanted = i % n == int64_t(b[1].get(i / n)) ? 1 : 0;
        expectRow(b[4], i, b[2].get(i / n) * (power - wanted), shape,
                  std::abs(b[2].get(i / n)) * (power * (1 + std::abs(distance)) + wanted));
      }
    });
  }
}

/// Sums that are stored narrow, and operands that are read narrow, in the other kernels that may do so.
TEST(FusedRows, ColumnsAndReductionsReadAndStoreNarrow) {
  for (const Rows &shape : kShapes) {
    RegionKernel kernel{"column",
                        {"T*bf16", "T*f32", "R*f32", "R*f32"},
                        {"V*f32", "V*bf16"},
                        "    %g = amp.cast %b0 : tensor<T*bf16> to tensor<T*f32>\n"
                        "    %p:2 = nn.layer_norm_backward_params %g, %b1, %b2, %b3 {axis = " +
                            std::to_string(shape.leading.size()) +
                            " : i64} : (tensor<T*f32>, tensor<T*f32>, tensor<R*f32>, tensor<R*f32>) -> "
                            "(tensor<V*f32>, tensor<V*f32>)\n"
                            "    %s = amp.cast %p#1 : tensor<V*f32> to tensor<V*bf16>",
                        "%p#0, %s"};
    forEachShape({shape}, kernel, [](const Rows &shape, const Buffers &b) {
      for (int64_t j = 0; j < shape.length(); ++j) {
        Real product = 0, sum = 0, productSize = 0, size = 0;
        for (int64_t row = 0; row < shape.count(); ++row) {
          Real grad = b[0].get(row * shape.length() + j);
          Real term = grad * (b[1].get(row * shape.length() + j) - b[2].get(row)) * b[3].get(row);
          product += term, sum += grad, size += std::abs(grad);
          productSize += std::abs(grad) * (std::abs(b[1].get(row * shape.length() + j)) + 2) * 2;
        }
        expectRow(b[4], j, product, shape, productSize);
        expectRow(b[5], j, sum, shape, size);
      }
    });
  }
  RegionKernel kernel{
      "reduce",
      {"7x19xbf16"},
      {"19xf16"},
      "    %x = amp.cast %b0 : tensor<7x19xbf16> to tensor<7x19xf32>\n"
      "    %s = nn.reduce_sum %x {axes = array<i64: 0>} : (tensor<7x19xf32>) -> tensor<19xf32>\n"
      "    %y = amp.cast %s : tensor<19xf32> to tensor<19xf16>",
      "%y"};
  forEachShape({{{7}, {19}}}, kernel, [](const Rows &shape, const Buffers &b) {
    for (int64_t j = 0; j < 19; ++j) {
      Real sum = 0;
      for (int64_t row = 0; row < 7; ++row)
        sum += b[0].get(row * 19 + j);
      expectRow(b[1], j, sum, shape, 14);
    }
  });
}
