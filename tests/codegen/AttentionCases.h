// The shapes of attention that its kernels are tested on, and the exact values.
#ifndef HALFSTEP_TESTS_CODEGEN_ATTENTIONCASES_H
#define HALFSTEP_TESTS_CODEGEN_ATTENTIONCASES_H

#include "RowCases.h"

namespace halfstep::test {

/// Extents of an attention op; `depth` is the columns of a head.
struct Attention {
  int64_t batch, heads, queries, keys, depth;
  bool causal, packed;
  double scale = 0.4;

  int64_t columns() const { return heads * depth; }
  std::string attributes() const {
    return "heads = " + std::to_string(heads) + " : i64, scale = " + std::to_string(scale) + " : f64" +
           (causal ? ", causal" : "");
  }
  std::vector<std::string> projections(const std::string &type) const {
    if (packed)
      return {tensorText({batch, queries, 3 * columns()}, type)};
    std::string other = tensorText({batch, keys, columns()}, type);
    return {tensorText({batch, queries, columns()}, type), other, other};
  }
  std::string result(const std::string &type) const { return tensorText({batch, queries, columns()}, type); }
  std::string lse(const std::string &type) const {
    return tensorText({batch, heads, queries}, type == "f64" ? "f64" : "f32");
  }
  size_t projectionCount() const { return packed ? 1 : 3; }

  /// Element (row, column) of a head in query, key or value (0, 1, 2).
  int64_t at(int64_t part, int64_t sample, int64_t head, int64_t row, int64_t column) const {
    int64_t rows = part == 0 || packed ? queries : keys, width = columns() * (packed ? 3 : 1);
    return (sample * rows + row) * width + (packed ? part * columns() : 0) + head * depth + column;
  }
  int64_t resultAt(int64_t sample, int64_t head, int64_t row, int64_t column) const {
    return (sample * queries + row) * columns() + head * depth + column;
  }
  int64_t lseAt(int64_t sample, int64_t head, int64_t row) const {
    return (sample * heads + head) * queries + row;
  }
};

/// One head in extended precision. `size` of a score is the sum of its products' magnitudes: what the
/// rounding of its sum is relative to.
struct Head {
  Head(const Attention &shape, const Buffer *const *parts, int64_t sample, int64_t head) : shape(shape) {
    for (int part = 0; part < 3; ++part)
      for (int64_t row = 0; row < (part == 0 ? shape.queries : shape.keys); ++row)
        for (int64_t column = 0; column < shape.depth; ++column)
          values[part].push_back(parts[part]->get(shape.at(part, sample, head, row, column)));
    for (int64_t i = 0; i < shape.queries; ++i)
      for (int64_t j = 0; j < shape.keys; ++j) {
        Real score = 0, size = 0;
        for (int64_t d = 0; d < shape.depth; ++d) {
          Real product = q(i, d) * k(j, d) * shape.scale;
          score += product;
          size += std::abs(product);
        }
        scores.push_back(shape.causal && j > i ? -kInfinity : score);
        greatestSize = std::max(greatestSize, size);
      }
  }

  const Attention &shape;
  std::vector<Real> values[3], scores;
  Real greatestSize = 0;

  Real q(int64_t row, int64_t column) const { return values[0][size_t(row * shape.depth + column)]; }
  Real k(int64_t row, int64_t column) const { return values[1][size_t(row * shape.depth + column)]; }
  Real v(int64_t row, int64_t column) const { return values[2][size_t(row * shape.depth + column)]; }
  Real score(int64_t i, int64_t j) const { return scores[size_t(i * shape.keys + j)]; }
  Real lse(int64_t i) const {
    Real max = -kInfinity, sum = 0;
    for (int64_t j = 0; j < shape.keys; ++j)
      max = std::max(max, score(i, j));
    for (int64_t j = 0; j < shape.keys; ++j)
      sum += std::exp(score(i, j) - max);
    return max + std::log(sum);
  }
};

inline const std::vector<Attention> kAttentions = {
    {1, 1, 1, 1, 1, true, true},     {1, 1, 1, 1, 1, false, false},  {2, 2, 3, 3, 4, true, true},
    {2, 2, 3, 3, 4, false, true},    {1, 3, 16, 16, 8, true, true},  {1, 2, 15, 15, 5, true, true},
    {2, 1, 33, 33, 17, true, true},  {1, 2, 31, 31, 64, true, true}, {1, 1, 70, 70, 33, false, true},
    {1, 2, 64, 64, 32, true, false}, {1, 2, 5, 47, 7, false, false}, {2, 1, 47, 5, 16, false, false},
    {1, 1, 9, 40, 3, true, false},   {1, 1, 40, 9, 6, true, false},  {1, 1, 128, 128, 64, true, true}};

/// Calls `body` for each shape in f32 and bf16, and in one of f64 and f16.
inline void forEachAttention(const std::function<void(const Attention &, const std::string &)> &body) {
  for (size_t i = 0; i < kAttentions.size(); ++i) {
    for (const char *type : {"f32", "bf16"})
      body(kAttentions[i], type);
    body(kAttentions[i], i % 2 ? "f64" : "f16");
  }
}

/// How far a sum of terms may be off: `scale` is the sum of the terms' magnitudes. Besides the roundings of
/// scores, exponentials and sums, the factors of 16-bit products are rounded to the type once.
inline double attentionTolerance(const OpKernel &kernel, const Buffer &stored, const Head &head, Real exact,
                                 Real scale) {
  double terms = double(head.shape.depth + head.shape.keys + head.shape.queries) + kFormula;
  double allowed = tolerance(kernel, stored, double(exact), terms, double(scale * (1 + head.greatestSize)));
  if (stored.type() == "bf16")
    allowed += unitRoundoff("bf16") * double(scale);
  return allowed;
}

} // namespace halfstep::test

#endif // HALFSTEP_TESTS_CODEGEN_ATTENTIONCASES_H
