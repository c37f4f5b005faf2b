// Folding of shapes and parts: what moves, repeats, creates or adds up elements.
#include "import/OnnxFoldRules.h"

#include "import/GraphShapes.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace halfstep {
namespace {

using Extents = std::vector<int64_t>;

KnownTensor vectorOf(std::vector<Dim> integers) {
  KnownTensor result;
  result.integer = true;
  result.shape = {int64_t(integers.size())};
  result.integers = std::move(integers);
  return result;
}

/// The tensor of `shape` whose element at an index is that of `source` at the place that `placeOf` gives.
template <typename PlaceOf>
Folded gathered(const KnownTensor &source, const Extents &shape, PlaceOf placeOf) {
  std::optional<size_t> count = foldedCount(shape);
  if (!count)
    return {};
  std::vector<size_t> indices;
  indices.reserve(*count);
  forEachIndex(shape, [&](const Extents &index) { indices.push_back(placeOf(index)); });
  return pick(source, indices, shape);
}

size_t placeIn(const Extents &shape, const Extents &index) {
  size_t place = 0;
  for (size_t i = 0; i < shape.size(); ++i)
    place = place * size_t(shape[i]) + size_t(index[i]);
  return place;
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

Folded shapeOf(const Fold &f) {
  if (!f.shape)
    return {};
  int64_t rank = int64_t(f.shape->size());
  auto clamp = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  int64_t start = clamp(f.node.integer("start", 0)), end = clamp(f.node.integer("end", rank));
  return vectorOf(start < end ? std::vector<Dim>(f.shape->begin() + start, f.shape->begin() + end)
                              : std::vector<Dim>());
}

Folded sizeOf(const Fold &f) {
  if (!f.shape)
    return {};
  KnownTensor result = vectorOf({{countElements(*f.shape, f.node.place.toString()), false}});
  for (const Dim &dim : *f.shape)
    result.integers[0].perSample |= dim.perSample;
  result.shape.clear();
  return result;
}

Folded reshape(const Fold &f) {
  KnownTensor result = f.operand(0);
  Extents wanted = f.integers(1);
  Shape target =
      resolveReshape(fixedShape(result.shape), fixedShape(wanted), f.node.integer("allowzero", 0) != 0,
                     /*replacedBatch=*/0, f.node.place);
  result.shape.clear();
  for (const Dim &dim : target)
    result.shape.push_back(dim.size);
  return result;
}

Folded squeeze(const Fold &f) {
  KnownTensor result = f.operand(0);
  std::set<int64_t> axes;
  for (int64_t axis : f.has(1) ? f.integers(1) : Extents())
    axes.insert(normalizeAxis(axis, result.shape.size(), f.node.place));
  Extents rest;
  for (size_t i = 0; i < result.shape.size(); ++i)
    if (result.shape[i] != 1 || (f.has(1) && !axes.count(int64_t(i))))
      rest.push_back(result.shape[i]);
  result.shape = std::move(rest);
  return result;
}

Folded unsqueeze(const Fold &f) {
  KnownTensor result = f.operand(0);
  Extents axes = f.integers(1);
  size_t rank = result.shape.size() + axes.size();
  for (int64_t &axis : axes)
    axis = normalizeAxis(axis, rank, f.node.place);
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end())
    f.node.place.badInput("an axis is given twice");
  for (int64_t axis : axes)
    result.shape.insert(result.shape.begin() + axis, 1);
  return result;
}

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

Folded gather(const Fold &f) {
  const KnownTensor &data = f.operand(0), &indices = f.operand(1);
  Extents wanted = f.integers(1);
  size_t axis = size_t(normalizeAxis(f.node.integer("axis", 0), data.shape.size(), f.node.place));
  int64_t extent = data.shape[axis];
  for (int64_t &index : wanted) {
    index += index < 0 ? extent : 0;
    if (index < 0 || index >= extent)
      f.node.place.badInput("index " + std::to_string(index) + " is outside a tensor of " +
                            std::to_string(extent) + " elements");
  }
  Extents shape(data.shape.begin(), data.shape.begin() + int64_t(axis));
  shape.insert(shape.end(), indices.shape.begin(), indices.shape.end());
  shape.insert(shape.end(), data.shape.begin() + int64_t(axis) + 1, data.shape.end());
  return gathered(data, shape, [&](const Extents &index) {
    auto part = index.begin() + int64_t(axis);
    Extents source(index.begin(), part), which(part, part + int64_t(indices.shape.size()));
    source.push_back(wanted[placeIn(indices.shape, which)]);
    source.insert(source.end(), part + int64_t(indices.shape.size()), index.end());
    return placeIn(data.shape, source);
  });
}

Folded slice(const Fold &f) {
  const KnownTensor &data = f.operand(0);
  std::optional<SliceRange> range = sliceRange(f.node, fixedShape(data.shape), f.in);
  if (!range) {
    bool isVector = data.shape.size() == 1; // an empty list of extents
    return isVector ? Folded(pick(data, {}, {0})) : Folded();
  }
  return gathered(data, range->sizes, [&](const Extents &index) {
    Extents source(index.size());
    for (size_t i = 0; i < index.size(); ++i)
      source[i] = range->starts[i] + index[i] * range->steps[i];
    return placeIn(data.shape, source);
  });
}

Folded concat(const Fold &f) {
  KnownTensor result = f.operand(0);
  size_t axis = size_t(normalizeAxis(f.node.integer("axis", 0), result.shape.size(), f.node.place));
  size_t outer = 1, rows = 0;
  for (size_t i = 0; i < axis; ++i)
    outer *= size_t(result.shape[i]);
  Extents frame = result.shape;
  for (size_t i = 0; i < f.in.size(); ++i) {
    Extents shape = f.operand(i).shape;
    if (f.operand(i).integer != result.integer || shape.size() != frame.size())
      return {};
    rows += size_t(shape[axis]);
    shape[axis] = frame[axis];
    if (shape != frame)
      return {};
  }
  result.shape[axis] = int64_t(rows);
  if (!foldedCount(result.shape))
    return {};
  result.integers.clear();
  result.numbers.clear();
  for (size_t row = 0; row < outer; ++row)
    for (const KnownTensor *piece : f.in) {
      size_t length = piece->size() / std::max<size_t>(outer, 1);
      auto append = [&](auto &to, const auto &from) {
        to.insert(to.end(), from.begin() + int64_t(row * length), from.begin() + int64_t((row + 1) * length));
      };
      result.integer ? append(result.integers, piece->integers) : append(result.numbers, piece->numbers);
    }
  return result;
}

Folded transpose(const Fold &f) {
  const KnownTensor &data = f.operand(0);
  size_t rank = data.shape.size();
  Extents reversed(rank);
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  Extents perm = f.node.integers("perm", reversed), sorted = perm, shape;
  std::sort(sorted.begin(), sorted.end());
  std::reverse(reversed.begin(), reversed.end());
  if (sorted != reversed)
    f.node.place.badInput("'perm' must name each of the " + std::to_string(rank) + " dimensions once");
  for (int64_t dim : perm)
    shape.push_back(data.shape[size_t(dim)]);
  return gathered(data, shape, [&](const Extents &index) {
    Extents source(rank);
    for (size_t i = 0; i < rank; ++i)
      source[size_t(perm[i])] = index[i];
    return placeIn(data.shape, source);
  });
}

//===----------------------------------------------------------------------===//
// Repetition
//===----------------------------------------------------------------------===//

/// A shape that depends on the batch has no constant: its tensor is made when the batch is known.
bool isFixed(const KnownTensor &shape) {
  return std::none_of(shape.integers.begin(), shape.integers.end(), [](Dim dim) { return dim.perSample; });
}

Folded expand(const Fold &f) {
  const KnownTensor &data = f.operand(0);
  if (!isFixed(f.operand(1)))
    return {};
  auto shape = broadcastExtents(data.shape, f.integers(1));
  if (!shape)
    f.node.place.badInput("the tensor does not broadcast to the shape asked for");
  return gathered(data, *shape, [&](const Extents &index) { return broadcastPlace(data.shape, index); });
}

Folded constantOfShape(const Fold &f) {
  if (!isFixed(f.operand(0)))
    return {};
  Extents shape = f.integers(0);
  std::optional<size_t> count = foldedCount(shape);
  const auto *value = f.node.find("value");
  KnownTensor element;
  element.numbers = {0};
  if (value)
    element = readTensor(value->t(), "", f.node.place);
  if (!count || !element.isScalar())
    return {};
  return pick(element, std::vector<size_t>(*count, 0), shape);
}

Folded tile(const Fold &f) {
  const KnownTensor &data = f.operand(0);
  if (!isFixed(f.operand(1)))
    return {};
  Extents repeats = f.integers(1), shape = data.shape;
  if (repeats.size() != shape.size())
    f.node.place.badInput("'repeats' must have a value for each dimension");
  for (size_t i = 0; i < shape.size(); ++i) {
    if (repeats[i] < 0 || repeats[i] > kMaxFolded)
      return {};
    shape[i] *= repeats[i];
  }
  return gathered(data, shape, [&](const Extents &index) {
    Extents source(index.size());
    for (size_t i = 0; i < index.size(); ++i)
      source[i] = index[i] % data.shape[i];
    return placeIn(data.shape, source);
  });
}

Folded range(const Fold &f) {
  for (size_t i = 0; i < 3; ++i)
    if (f.operand(i).integer != f.operand(0).integer || !f.operand(i).isScalar())
      return {};
  auto at = [&](size_t i) {
    return f.operand(0).integer ? double(f.integers(i)[0]) : f.operand(i).numbers[0];
  };
  double start = at(0), limit = at(1), delta = at(2);
  double count = std::ceil((limit - start) / delta);
  if (delta == 0 || !(std::abs(start) + std::abs(limit) < double(kMaxElements)) ||
      !(count <= double(kMaxFolded)))
    return {};
  KnownTensor result = vectorOf({});
  result.integer = f.operand(0).integer;
  result.shape = {std::max<int64_t>(0, int64_t(count))};
  for (int64_t i = 0; i < result.shape[0]; ++i)
    if (double value = start + double(i) * delta; result.integer)
      result.integers.push_back({int64_t(value), false});
    else
      result.numbers.push_back(value);
  return result;
}

Folded trilu(const Fold &f) {
  KnownTensor result = f.operand(0);
  size_t rank = result.shape.size();
  if (rank < 2)
    f.node.place.badInput("'Trilu' needs a matrix");
  bool upper = f.node.integer("upper", 1) != 0;
  int64_t diagonal = f.has(1) && f.operand(1).isScalar() ? f.integers(1)[0] : 0;
  diagonal = std::clamp(diagonal, -kMaxFolded, kMaxFolded);
  size_t place = 0;
  forEachIndex(result.shape, [&](const Extents &index) {
    int64_t distance = index[rank - 1] - index[rank - 2] - diagonal;
    bool kept = upper ? distance >= 0 : distance <= 0;
    if (!kept && result.integer)
      result.integers[place] = {0, false};
    else if (!kept)
      result.numbers[place] = 0;
    ++place;
  });
  return result;
}

//===----------------------------------------------------------------------===//
// Sums and products
//===----------------------------------------------------------------------===//

/// All elements to one number; reductions over some of the dimensions are not shape arithmetic.
Folded reduceAll(const Fold &f) {
  const KnownTensor &data = f.operand(0);
  size_t rank = data.shape.size();
  Extents axes = f.has(1) ? f.integers(1) : f.node.integers("axes");
  if ((rank > 1 && !axes.empty()) || data.size() == 0 ||
      (axes.empty() && f.node.integer("noop_with_empty_axes", 0)))
    return {};
  KnownTensor result = pick(data, {0}, Extents(f.node.integer("keepdims", 1) ? rank : 0, 1));
  const std::string &op = f.node.op();
  auto combine = [&](auto a, auto b) {
    return op == "ReduceSum"    ? a + b
           : op == "ReduceProd" ? a * b
           : op == "ReduceMax"  ? std::max(a, b)
                                : std::min(a, b);
  };
  if (!data.integer) {
    for (size_t i = 1; i < data.size(); ++i)
      result.numbers[0] = combine(result.numbers[0], data.numbers[i]);
    return result;
  }
  Dim &total = result.integers[0];
  for (size_t i = 1; i < data.size(); ++i) {
    Dim next = data.integers[i];
    bool product = op == "ReduceProd" && !(total.perSample && next.perSample);
    if (!product && (total.perSample || next.perSample))
      return {};
    if (std::abs(double(total.size) * double(next.size)) > double(kMaxElements))
      return {};
    total = {combine(total.size, next.size), total.perSample || next.perSample};
  }
  return result;
}

/// Running sums along a vector.
Folded cumulativeSum(const Fold &f) {
  KnownTensor result = f.operand(0);
  bool plain = f.node.integer("exclusive", 0) == 0 && f.node.integer("reverse", 0) == 0;
  bool line = std::count_if(result.shape.begin(), result.shape.end(),
                            [](int64_t extent) { return extent != 1; }) <= 1;
  int64_t axis = f.has(1) && f.operand(1).isScalar()
                     ? normalizeAxis(f.integers(1)[0], result.shape.size(), f.node.place)
                     : 0;
  if (!plain || !line || !isFixed(result))
    return {};
  if (result.shape[size_t(axis)] == 1)
    return result;
  for (size_t i = 1; i < result.numbers.size(); ++i)
    result.numbers[i] += result.numbers[i - 1];
  for (size_t i = 1; i < result.integers.size(); ++i)
    if (__builtin_add_overflow(result.integers[i].size, result.integers[i - 1].size,
                               &result.integers[i].size))
      return {};
  return result;
}

} // namespace

const FoldRules &partFolds() {
  static const FoldRules table = {
      {"Shape", shapeOf},
      {"Size", sizeOf},
      {"Reshape", reshape},
      {"Squeeze", squeeze},
      {"Unsqueeze", unsqueeze},
      {"Gather", gather},
      {"Slice", slice},
      {"Concat", concat},
      {"Transpose", transpose},
      {"Expand", expand},
      {"Tile", tile},
      {"Range", range},
      {"Trilu", trilu},
      {"CumSum", cumulativeSum},
      {"ReduceSum", reduceAll},
      {"ReduceProd", reduceAll},
      {"ReduceMax", reduceAll},
      {"ReduceMin", reduceAll},
      {"ConstantOfShape", constantOfShape},
  };
  return table;
}

} // namespace halfstep
