// The shapes of attention that its kernels are tested on, and the exact values.
#ifndef HALFSTEP_TESTS_CODEGEN_ATTENTIONCASES_H
#define HALFSTEP_TESTS_CODEGEN_ATTENTIONCASES_H

#include "RowCases.h"

namespace halfstep::test {

/// What hides keys: i64 [b, k]; or what is added, [b, 1, 1, k] or [b, h, q, k].
enum class Mask { None, Keys, AddedKeys, Added };

/// Extents of an attention op; `depth` is the columns of a head, `sharing` the heads of queries to one of
/// keys.
struct Attention {
  int64_t batch, heads, queries, keys, depth;
  bool causal, packed;
  double scale = 0.4;
  int64_t sharing = 1;
  Mask mask = Mask::None;

  int64_t columns() const { return heads * depth; }
  int64_t keyColumns() const { return columns() / sharing; }
  bool masked() const { return mask != Mask::None; }
  std::string attributes() const {
    return "heads = " + std::to_string(heads) + " : i64, scale = " + std::to_string(scale) + " : f64" +
           (sharing > 1 ? ", kv_heads = " + std::to_string(heads / sharing) + " : i64" : "") +
           (causal ? ", causal" : "") + (masked() ? ", masked" : "");
  }
  std::vector<std::string> projections(const std::string &type) const {
    if (packed)
      return {tensorText({batch, queries, columns() + 2 * keyColumns()}, type)};
    std::string other = tensorText({batch, keys, keyColumns()}, type);
    return {tensorText({batch, queries, columns()}, type), other, other};
  }
  std::vector<int64_t> maskShape() const {
    if (mask == Mask::Keys)
      return {batch, keys};
    return mask == Mask::Added ? std::vector<int64_t>{batch, heads, queries, keys}
                               : std::vector<int64_t>{batch, 1, 1, keys};
  }
  /// The projections and the mask.
  std::vector<std::string> tensors(const std::string &type) const {
    std::vector<std::string> all = projections(type);
    if (masked())
      all.push_back(tensorText(maskShape(), mask == Mask::Keys ? "i64" : type));
    return all;
  }
  std::string result(const std::string &type) const { return tensorText({batch, queries, columns()}, type); }
  std::string lse(const std::string &type) const {
    return tensorText({batch, heads, queries}, type == "f64" ? "f64" : "f32");
  }
  size_t projectionCount() const { return packed ? 1 : 3; }
  size_t tensorCount() const { return projectionCount() + (masked() ? 1 : 0); }

  /// Element (row, column) of a head of queries in query, key or value (0, 1, 2).
  int64_t at(int64_t part, int64_t sample, int64_t head, int64_t row, int64_t column) const {
    int64_t rows = part == 0 || packed ? queries : keys, own = part == 0 ? columns() : keyColumns();
    int64_t width = packed ? columns() + 2 * keyColumns() : own;
    int64_t before = packed && part > 0 ? columns() + (part - 1) * keyColumns() : 0;
    return (sample * rows + row) * width + before + (part == 0 ? head : head / sharing) * depth + column;
  }
  int64_t resultAt(int64_t sample, int64_t head, int64_t row, int64_t column) const {
    return (sample * queries + row) * columns() + head * depth + column;
  }
  int64_t lseAt(int64_t sample, int64_t head, int64_t row) const {
    return (sample * heads + head) * queries + row;
  }
  /// What the mask adds to a score.
  Real added(const Buffer *buffer, int64_t sample, int64_t head, int64_t row, int64_t key) const {
    if (!masked())
      return 0;
    int64_t place = mask == Mask::Added ? lseAt(sample, head, row) : sample;
    double value = buffer->get(place * keys + key);
    bool hides = mask == Mask::Keys ? value == 0 : value <= -1e30;
    return hides ? -kInfinity : mask == Mask::Keys ? 0 : value;
  }
};

/// Hides about a third of the keys, all those of the last sample and, by rows, of the first query. What is
/// added hides by minus infinity and by a low number.
inline void fillMask(const Attention &shape, Buffer &mask) {
  for (int64_t i = 0; i < mask.size(); ++i) {
    int64_t row = i / shape.keys;
    bool hidden = i % 3 == 1;
    if (shape.mask == Mask::Added)
      hidden |= row % shape.queries == 0;
    else
      hidden |= row + 1 == shape.batch && shape.batch > 1;
    double lowest = i % 2 ? -kInfinity : mask.type() == "f16" ? -kInfinity : -2e30;
    mask.set(i, shape.mask == Mask::Keys ? (hidden ? 0 : 1 + double(i % 2))
                                         : (hidden ? lowest : double(i % 5) / 4));
  }
}

/// One head in extended precision. `size` of a score is the sum of its products' magnitudes: what the
/// rounding of its sum is relative to.
struct Head {
  Head(const Attention &shape, const Buffer *const *parts, const Buffer *mask, int64_t sample, int64_t head)
      : shape(shape) {
    for (int part = 0; part < 3; ++part)
      for (int64_t row = 0; row < (part == 0 ? shape.queries : shape.keys); ++row)
        for (int64_t column = 0; column < shape.depth; ++column)
          values[part].push_back(parts[part]->get(shape.at(part, sample, head, row, column)));
    for (int64_t i = 0; i < shape.queries; ++i)
      for (int64_t j = 0; j < shape.keys; ++j) {
        Real score = shape.added(mask, sample, head, i, j), size = 0;
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
    return max == -kInfinity ? Real(kInfinity) : max + std::log(sum);
  }
};

inline const std::vector<Attention> kMaskedAttentions = {
    {1, 1, 1, 1, 1, false, true, 0.4, 1, Mask::Keys},
    {2, 2, 3, 3, 4, true, true, 0.4, 1, Mask::Keys},
    {2, 1, 33, 33, 17, true, false, 0.4, 1, Mask::Keys},
    {2, 2, 5, 47, 7, false, false, 0.4, 1, Mask::Keys},
    {2, 4, 40, 9, 6, false, false, 0.4, 2, Mask::Keys},
    {1, 2, 1, 1, 1, false, false, 0.4, 1, Mask::Added},
    {2, 2, 7, 19, 5, false, false, 0.4, 1, Mask::Added},
    {1, 4, 35, 35, 8, true, true, 0.4, 4, Mask::Added},
    {2, 3, 16, 16, 3, true, true, 0.4, 1, Mask::AddedKeys},
    {2, 2, 21, 37, 16, false, false, 0.4, 2, Mask::AddedKeys}};
inline const std::vector<Attention> kSharedAttentions = {
    {1, 2, 1, 1, 1, false, false, 0.4, 2},   {2, 4, 3, 3, 4, true, true, 0.4, 2},
    {1, 6, 17, 17, 8, true, true, 0.4, 3},   {2, 4, 33, 20, 5, false, false, 0.4, 4},
    {1, 8, 40, 40, 16, true, false, 0.4, 2}, {1, 2, 65, 65, 33, true, true, 0.4, 2}};

inline const std::vector<Attention> kAttentions = {
    {1, 1, 1, 1, 1, true, true},     {1, 1, 1, 1, 1, false, false},  {2, 2, 3, 3, 4, true, true},
    {2, 2, 3, 3, 4, false, true},    {1, 3, 16, 16, 8, true, true},  {1, 2, 15, 15, 5, true, true},
    {2, 1, 33, 33, 17, true, true},  {1, 2, 31, 31, 64, true, true}, {1, 1, 70, 70, 33, false, true},
    {1, 2, 64, 64, 32, true, false}, {1, 2, 5, 47, 7, false, false}, {2, 1, 47, 5, 16, false, false},
    {1, 1, 9, 40, 3, true, false},   {1, 1, 40, 9, 6, true, false},  {1, 1, 128, 128, 64, true, true}};

/// Calls `body` for each shape in f32 and bf16, and in one of f64 and f16.
inline void forEachAttention(const std::vector<Attention> &shapes,
                             const std::function<void(const Attention &, const std::string &)> &body) {
  for (size_t i = 0; i < shapes.size(); ++i) {
    for (const char *type : {"f32", "bf16"})
      body(shapes[i], type);
    body(shapes[i], i % 2 ? "f64" : "f16");
  }
}

/// How far a sum of terms may be off: `scale` is the sum of the terms' magnitudes. Besides the roundings of
/// scores, exponentials and sums, the factors of 16-bit products are rounded to the type once.
inline double attentionTolerance(const OpKernel &kernel, const Buffer &stored, const Head &head, Real exact,
                                 Real scale) {
  double terms =
      double(head.shape.depth + head.shape.keys + head.shape.queries * head.shape.sharing) + kFormula;
  double allowed = tolerance(kernel, stored, double(exact), terms, double(scale * (1 + head.greatestSize)));
  if (stored.type() == "bf16")
    allowed += unitRoundoff("bf16") * double(scale);
  return allowed;
}

} // namespace halfstep::test

#endif // HALFSTEP_TESTS_CODEGEN_ATTENTIONCASES_H
