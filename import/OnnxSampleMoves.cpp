// Ops that move cells of tensors that are evaluated at import; OnnxSampleMath.cpp has those that compute.
#include "import/GraphShapes.h"
#include "import/OnnxSampleValues.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace halfstep {
namespace {

using Made = std::optional<SampleTensor>;
using Indices = std::vector<int64_t>;

/// A result of `shape` whose cell at some indices is the cell of `source` at the place that `from` gives.
template <typename From>
Made arranged(const SampleTensor &source, Shape shape, From from) {
  SampleTensor result{source.integer, std::move(shape), {}, source.input};
  size_t count = countCells(result.shape);
  if (count == 0)
    return {};
  result.cells.reserve(count);
  Indices at(result.shape.size());
  for (size_t i = 0; i < count; ++i) {
    int64_t place = from(at);
    if (place < 0 || place >= int64_t(source.cells.size()))
      return {};
    result.cells.push_back(source.cells[size_t(place)]);
    for (size_t dim = at.size(); dim-- > 0;) {
      if (++at[dim] < result.shape[dim].size)
        break;
      at[dim] = 0;
    }
  }
  return result;
}

std::vector<int64_t> stridesOf(const Shape &shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;)
    strides[i - 1] = strides[i] * shape[i].size;
  return strides;
}

int64_t dot(const Indices &at, const std::vector<int64_t> &strides) {
  return std::inner_product(at.begin(), at.end(), strides.begin(), int64_t(0));
}

struct Context {
  const OnnxNode &node;
  const SampleOperands &in;
  int64_t replacedBatch;

  const SampleTensor &x() const { return *in[0]; }
  bool has(size_t index) const { return index < in.size() && in[index]; }
  int64_t axis(int64_t fallback) const {
    return normalizeAxis(node.integer("axis", fallback), x().shape.size(), node.place);
  }
  /// Integers of operand `index` that do not depend on the batch.
  std::optional<Indices> integers(size_t index) const {
    if (!has(index) || !in[index]->isConstant())
      return {};
    Indices values;
    for (const Cell &cell : in[index]->cells)
      values.push_back(wholeNumber(cell.number));
    return values;
  }
  /// Extents, of which the batch may be a part.
  std::optional<Shape> extents(size_t index) const {
    std::optional<KnownTensor> known = has(index) ? knownTensorOf(*in[index]) : std::nullopt;
    return known && known->integer ? std::optional(known->integers) : std::nullopt;
  }
};

Made reshaped(const SampleTensor &x, Shape shape) {
  SampleTensor result = x;
  result.shape = std::move(shape);
  return result;
}

Made reshape(const Context &c) {
  std::optional<Shape> wanted = c.extents(1);
  if (!wanted)
    return {};
  return reshaped(c.x(), resolveReshape(c.x().shape, *wanted, c.node.integer("allowzero", 0) != 0,
                                        c.replacedBatch, c.node.place));
}

Made flatten(const Context &c) {
  int64_t rank = int64_t(c.x().shape.size()), axis = c.node.integer("axis", 1);
  axis += axis < 0 ? rank : 0;
  Shape flat(2);
  for (int64_t i = 0; i < rank; ++i) {
    Dim &part = flat[i < axis ? 0 : 1];
    part = {part.size * c.x().shape[i].size, part.perSample || c.x().shape[i].perSample};
  }
  return reshaped(c.x(), flat);
}

Made unsqueeze(const Context &c) {
  std::optional<Indices> axes = c.integers(1);
  if (!axes)
    return {};
  Shape shape = c.x().shape;
  size_t rank = shape.size() + axes->size();
  for (int64_t &axis : *axes)
    axis = normalizeAxis(axis, rank, c.node.place);
  std::sort(axes->begin(), axes->end());
  for (int64_t axis : *axes) {
    if (axis > int64_t(shape.size()))
      return {};
    shape.insert(shape.begin() + axis, Dim{});
  }
  return reshaped(c.x(), shape);
}

Made squeeze(const Context &c) {
  Shape rest;
  std::optional<Indices> axes = c.has(1) ? c.integers(1) : Indices();
  if (!axes)
    return {};
  for (int64_t &axis : *axes)
    axis = normalizeAxis(axis, c.x().shape.size(), c.node.place);
  for (size_t i = 0; i < c.x().shape.size(); ++i) {
    bool named = std::find(axes->begin(), axes->end(), int64_t(i)) != axes->end();
    bool goes = c.has(1) ? named : c.x().shape[i].isOne();
    if (goes && !c.x().shape[i].isOne())
      return {};
    if (!goes)
      rest.push_back(c.x().shape[i]);
  }
  return reshaped(c.x(), rest);
}

Made transpose(const Context &c) {
  std::vector<int64_t> perm(c.x().shape.size());
  std::iota(perm.rbegin(), perm.rend(), 0);
  perm = c.node.integers("perm", perm);
  std::vector<int64_t> strides = stridesOf(c.x().shape), moved;
  Shape shape;
  for (int64_t dim : perm) {
    if (dim < 0 || dim >= int64_t(strides.size()) || perm.size() != strides.size())
      return {};
    moved.push_back(strides[size_t(dim)]);
    shape.push_back(c.x().shape[size_t(dim)]);
  }
  return arranged(c.x(), shape, [&](const Indices &at) { return dot(at, moved); });
}

Made expand(const Context &c) {
  std::optional<Shape> wanted = c.extents(1);
  std::optional<Shape> shape = wanted ? broadcastOf(c.x().shape, *wanted) : std::nullopt;
  return shape ? broadcastSamples(c.x(), *shape) : std::nullopt;
}

Made constantOfShape(const Context &c) {
  std::optional<Shape> shape = c.extents(0);
  if (!shape || std::count_if(shape->begin(), shape->end(), [](Dim d) { return d.perSample; }) > 1)
    return {};
  SampleTensor one;
  one.integer = false;
  one.cells.resize(1);
  if (const auto *value = c.node.find("value")) {
    std::optional<SampleTensor> given = sampleTensorOf(readTensor(value->t(), "", c.node.place));
    if (!given || given->cells.size() != 1)
      return {};
    one.integer = given->integer;
    one.cells = given->cells;
  }
  return broadcastSamples(one, *shape);
}

/// From a constant to a constant or, in steps of 1, to the batch's size: numbers of samples.
Made range(const Context &c) {
  if (c.in.size() != 3 || c.in[0]->cells.size() != 1 || c.in[1]->cells.size() != 1 ||
      c.in[2]->cells.size() != 1 || !c.in[0]->isConstant() || !c.in[2]->isConstant())
    return {};
  double start = c.in[0]->cells[0].number, step = c.in[2]->cells[0].number;
  const Cell &limit = c.in[1]->cells[0];
  SampleTensor result;
  result.integer = c.in[0]->integer;
  if (limit.batches == 1 && limit.number == 0 && start == 0 && step == 1) {
    Cell number;
    number.samples = 1;
    result.cells = {number};
    result.shape = {Dim{1, true}};
    return result;
  }
  if (!limit.isNumber() || !(step > 0) || (limit.number - start) / step > double(kMostSampleCells))
    return {};
  for (int64_t i = 0; start + double(i) * step < limit.number; ++i)
    result.cells.push_back({start + double(i) * step});
  result.shape = {Dim{int64_t(result.cells.size()), false}};
  return result.cells.empty() ? Made() : Made(result);
}

Made concat(const Context &c) {
  size_t axis = size_t(c.axis(0));
  SampleTensor result = c.x();
  for (size_t i = 1; i < c.in.size(); ++i) {
    const SampleTensor &piece = *c.in[i];
    if (piece.shape.size() != result.shape.size() || piece.shape[axis].perSample ||
        result.shape[axis].perSample ||
        (!piece.input.empty() && !result.input.empty() && piece.input != result.input))
      return {};
    Shape shape = result.shape;
    for (size_t dim = 0; dim < shape.size(); ++dim)
      if (dim != axis && shape[dim].size != piece.shape[dim].size)
        return {};
      else if (dim != axis)
        shape[dim].perSample |= piece.shape[dim].perSample;
    shape[axis].size += piece.shape[axis].size;
    SampleTensor both{result.integer, shape, result.cells, result.input.empty() ? piece.input : result.input};
    int64_t before = int64_t(result.cells.size()), cut = result.shape[axis].size;
    both.cells.insert(both.cells.end(), piece.cells.begin(), piece.cells.end());
    std::vector<int64_t> first = stridesOf(result.shape), second = stridesOf(piece.shape);
    Made joined = arranged(both, shape, [&](Indices at) {
      if (at[axis] < cut)
        return dot(at, first);
      at[axis] -= cut;
      return before + dot(at, second);
    });
    if (!joined)
      return {};
    result = std::move(*joined);
  }
  return result;
}

/// An end of a slice from here on is that of the tensor.
constexpr int64_t kToEnd = int64_t(1) << 31;

Made slice(const Context &c) {
  std::optional<Indices> starts = c.integers(1), ends = c.integers(2);
  if (!starts || !ends || starts->size() != ends->size())
    return {};
  Indices axes(starts->size()), steps(starts->size(), 1);
  std::iota(axes.begin(), axes.end(), 0);
  if (c.has(3))
    axes = c.integers(3).value_or(Indices());
  if (c.has(4))
    steps = c.integers(4).value_or(Indices());
  if (axes.size() != starts->size() || steps.size() != starts->size())
    return {};
  Shape shape = c.x().shape;
  Indices from(shape.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    size_t axis = size_t(normalizeAxis(axes[i], shape.size(), c.node.place));
    int64_t size = shape[axis].size;
    auto clamp = [&](int64_t at) {
      return std::clamp<int64_t>(at < 0 ? std::max(at, -size) + size : at, 0, size);
    };
    int64_t begin = clamp((*starts)[i]), end = clamp((*ends)[i]);
    if (shape[axis].perSample && begin == 0 && (*ends)[i] >= kToEnd && steps[i] == 1)
      continue;
    if (shape[axis].perSample || steps[i] != 1 || end <= begin)
      return {};
    from[axis] = begin;
    shape[axis].size = end - begin;
  }
  std::vector<int64_t> strides = stridesOf(c.x().shape);
  int64_t offset = dot(from, strides);
  return arranged(c.x(), shape, [&](const Indices &at) { return offset + dot(at, strides); });
}

/// The index that a cell is: of an extent that is the batch, it must be the sample's own.
std::optional<int64_t> indexOf(const Cell &cell, Dim extent) {
  if (cell.unknown || cell.element >= 0 || cell.batches)
    return {};
  int64_t index = wholeNumber(cell.number);
  if (extent.perSample ? cell.samples != int32_t(extent.size) : cell.samples != 0)
    return {};
  return index < 0 ? index + extent.size : index;
}

Made gather(const Context &c) {
  if (c.in.size() != 2)
    return {};
  size_t axis = size_t(c.axis(0));
  const SampleTensor &x = c.x(), &indices = *c.in[1];
  Shape shape(x.shape.begin(), x.shape.begin() + int64_t(axis));
  shape.insert(shape.end(), indices.shape.begin(), indices.shape.end());
  shape.insert(shape.end(), x.shape.begin() + int64_t(axis) + 1, x.shape.end());
  std::vector<int64_t> strides = stridesOf(x.shape), picks = stridesOf(indices.shape);
  size_t rank = indices.shape.size();
  return arranged(x, shape, [&](const Indices &at) -> int64_t {
    Indices inner(at.begin() + int64_t(axis), at.begin() + int64_t(axis + rank));
    std::optional<int64_t> index = indexOf(indices.cells[size_t(dot(inner, picks))], x.shape[axis]);
    if (!index || *index < 0 || *index >= x.shape[axis].size)
      return -1;
    Indices source(at.begin(), at.begin() + int64_t(axis));
    source.push_back(*index);
    source.insert(source.end(), at.begin() + int64_t(axis + rank), at.end());
    return dot(source, strides);
  });
}

Made gatherNd(const Context &c) {
  if (c.in.size() != 2 || c.node.integer("batch_dims", 0) != 0 || c.in[1]->shape.empty())
    return {};
  const SampleTensor &x = c.x(), &indices = *c.in[1];
  int64_t depth = indices.shape.back().size;
  if (indices.shape.back().perSample || depth > int64_t(x.shape.size()))
    return {};
  size_t lead = indices.shape.size() - 1;
  Shape shape(indices.shape.begin(), indices.shape.end() - 1);
  shape.insert(shape.end(), x.shape.begin() + depth, x.shape.end());
  std::vector<int64_t> strides = stridesOf(x.shape), picks = stridesOf(indices.shape);
  return arranged(x, shape, [&](const Indices &at) -> int64_t {
    Indices source;
    for (int64_t k = 0; k < depth; ++k) {
      Indices pick(at.begin(), at.begin() + int64_t(lead));
      pick.push_back(k);
      std::optional<int64_t> index = indexOf(indices.cells[size_t(dot(pick, picks))], x.shape[size_t(k)]);
      if (!index || *index < 0 || *index >= x.shape[size_t(k)].size)
        return -1;
      source.push_back(*index);
    }
    source.insert(source.end(), at.begin() + int64_t(lead), at.end());
    return dot(source, strides);
  });
}

Made gatherElements(const Context &c) {
  if (c.in.size() != 2 || c.x().shape.size() != c.in[1]->shape.size())
    return {};
  size_t axis = size_t(c.axis(0));
  std::vector<int64_t> strides = stridesOf(c.x().shape), picks = stridesOf(c.in[1]->shape);
  return arranged(c.x(), c.in[1]->shape, [&](Indices at) -> int64_t {
    std::optional<int64_t> index = indexOf(c.in[1]->cells[size_t(dot(at, picks))], c.x().shape[axis]);
    for (size_t dim = 0; dim < at.size(); ++dim)
      if (dim != axis && at[dim] >= c.x().shape[dim].size)
        return -1;
    if (!index || *index < 0 || *index >= c.x().shape[axis].size)
      return -1;
    at[axis] = *index;
    return dot(at, strides);
  });
}

/// The lower or upper triangle of the last two dimensions.
Made triangle(const Context &c) {
  const Shape &shape = c.x().shape;
  std::optional<Indices> given = c.has(1) ? c.integers(1) : Indices{0};
  if (shape.size() < 2 || !given || given->size() != 1)
    return {};
  bool upper = c.node.integer("upper", 1) != 0;
  SampleTensor result = c.x();
  int64_t columns = shape.back().size, rows = shape[shape.size() - 2].size;
  for (size_t i = 0; i < result.cells.size(); ++i) {
    int64_t distance = int64_t(i) % columns - int64_t(i) / columns % rows - (*given)[0];
    if (upper ? distance < 0 : distance > 0)
      result.cells[i] = {};
  }
  return result;
}

using Evaluate = Made (*)(const Context &);
const std::map<std::string, Evaluate> &moves() {
  static const std::map<std::string, Evaluate> table = {
      {"Reshape", reshape},
      {"Flatten", flatten},
      {"Unsqueeze", unsqueeze},
      {"Squeeze", squeeze},
      {"Transpose", transpose},
      {"Expand", expand},
      {"Range", range},
      {"ConstantOfShape", constantOfShape},
      {"Concat", concat},
      {"Slice", slice},
      {"Gather", gather},
      {"GatherND", gatherNd},
      {"Trilu", triangle},
      {"GatherElements", gatherElements},
      {"Identity", [](const Context &c) { return Made(c.x()); }},
  };
  return table;
}

} // namespace

std::optional<SampleTensor> broadcastSamples(const SampleTensor &tensor, const Shape &shape) {
  if (shape.size() < tensor.shape.size())
    return {};
  size_t lead = shape.size() - tensor.shape.size();
  std::vector<int64_t> own = stridesOf(tensor.shape), strides(shape.size(), 0);
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    Dim from = tensor.shape[i], to = shape[lead + i];
    if (from.size != to.size && from.size != 1)
      return {};
    if (from.size != 1)
      strides[lead + i] = own[i];
  }
  return arranged(tensor, shape, [&](const Indices &at) { return dot(at, strides); });
}

bool isSampleOp(const std::string &op) { return isSampleMath(op) || moves().count(op); }

std::optional<SampleTensor> evaluateSamples(const OnnxNode &node, const SampleOperands &operands,
                                            int64_t replacedBatch) {
  if (operands.empty() || !operands[0])
    return {};
  if (auto move = moves().find(node.op()); move != moves().end()) {
    return move->second({node, operands, replacedBatch});
  }
  if (std::find(operands.begin(), operands.end(), nullptr) != operands.end())
    return {};
  return evaluateSampleMath(node, operands);
}

} // namespace halfstep
