// ONNX ops that take parts of tensors, put them into larger ones, and repeat them.
#include "import/OnnxImporter.h"

#include "import/GraphShapes.h"

#include <algorithm>
#include <numeric>

namespace halfstep {

using Extents = std::vector<int64_t>;

//===----------------------------------------------------------------------===//
// Slices
//===----------------------------------------------------------------------===//

void OnnxImporter::addSlice(const OnnxNode &node) {
  std::string x = operand(node.input(0), node.place);
  std::vector<const KnownTensor *> inputs = {nullptr};
  for (int i = 1; i < node.proto.input_size(); ++i)
    inputs.push_back(node.hasInput(i) ? &needKnown(node, i) : nullptr);
  Shape shape = graph.shapeOf(x, node.place);
  std::optional<SliceRange> range = sliceRange(node, shape, inputs);
  if (!range)
    node.unsupported("the slice of " + toString(shape) + " has no elements");
  takePart(node, x, *range, node.output());
}

/// Emits the part of `x`, under another name of `x` where it is all of it.
void OnnxImporter::takePart(const OnnxNode &node, const std::string &x, const SliceRange &range,
                            const std::string &result) {
  const Shape &shape = graph.shapeOf(x, node.place);
  bool whole = true;
  for (size_t i = 0; i < shape.size(); ++i)
    whole = whole && range.steps[i] == 1 && range.starts[i] == 0 &&
            (shape[i].perSample || range.sizes[i] == shape[i].size);
  if (whole) {
    aliases.emplace(result, x);
    return;
  }
  graph.addNode({"slice",
                 node.name,
                 {x},
                 {result},
                 {{"starts", range.starts}, {"sizes", range.sizes}, {"steps", range.steps}},
                 node.place});
}

/// All of a tensor of `shape`.
static SliceRange wholeOf(const Shape &shape) {
  SliceRange range;
  for (const Dim &dim : shape) {
    range.starts.push_back(0);
    range.sizes.push_back(dim.perSample ? 0 : dim.size);
    range.steps.push_back(1);
  }
  return range;
}

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

/// Indices at regular distances are a slice.
static bool isRegular(const Extents &indices) {
  int64_t step = indices.size() > 1 ? indices[1] - indices[0] : 1;
  for (size_t i = 1; i < indices.size(); ++i)
    if (step == 0 || indices[i] - indices[i - 1] != step)
      return false;
  return !indices.empty();
}

void OnnxImporter::addGather(const OnnxNode &node) {
  if (auto ids = repeated.find(resolve(node.input(1))); ids != repeated.end())
    return gatherRepeated(node, ids->second);
  const KnownTensor *known = findKnown(node.input(1), node.place);
  std::string x = operand(node.input(0), node.place);
  Shape shape = graph.shapeOf(x, node.place);
  size_t axis = size_t(normalizeAxis(node.integer("axis", 0), shape.size(), node.place));
  if (!known) {
    std::string ids = operand(node.input(1), node.place);
    if (axis != 0 || !graph.isIds(ids))
      node.unsupported("'Gather' with computed indices is supported along axis 0, of ids that are an input");
    return lookUp(node, x, ids, graph.shapeOf(ids, node.place), node.output());
  }
  if (shape[axis].perSample)
    node.place.badInput("a part of the batch cannot be taken, dimension " + std::to_string(axis) + " of " +
                        toString(shape));
  Extents indices = known->fixedIntegers(node.place);
  for (int64_t &index : indices) {
    index += index < 0 ? shape[axis].size : 0;
    if (index < 0 || index >= shape[axis].size)
      node.place.badInput("index " + std::to_string(index) + " is outside dimension " + std::to_string(axis) +
                          " of " + toString(shape));
  }
  gatherKnown(node, x, axis, indices, fixedShape(known->shape));
}

/// Elements of `x` along `axis` at indices that are in range.
void OnnxImporter::gatherKnown(const OnnxNode &node, const std::string &x, size_t axis,
                               const Extents &indices, const Shape &places) {
  Shape shape = graph.shapeOf(x, node.place), result(shape.begin(), shape.begin() + int64_t(axis));
  result.insert(result.end(), places.begin(), places.end());
  result.insert(result.end(), shape.begin() + int64_t(axis) + 1, shape.end());
  if (isRegular(indices)) {
    SliceRange range = wholeOf(shape);
    range.starts[axis] = indices[0];
    range.sizes[axis] = int64_t(indices.size());
    range.steps[axis] = indices.size() > 1 ? indices[1] - indices[0] : 1;
    bool keepsShape = places.size() == 1;
    std::string part = keepsShape ? node.output() : node.output() + ".part";
    takePart(node, x, range, part);
    return keepsShape ? void() : emit(node, "reshape", {resolve(part)}, {}, result);
  }
  if (indices.empty())
    node.unsupported("'Gather' of no indices is not supported");
  std::string ids = node.output() + ".ids";
  graph.addNode({"constant", ids, {}, {ids}, {{"integers", indices}}, node.place}, places);
  if (axis == 0)
    return lookUp(node, x, ids, places, node.output());
  // The axis goes to the front, and what takes its place goes back.
  Extents front(shape.size()), back(result.size());
  std::iota(front.begin(), front.end(), 0);
  std::rotate(front.begin(), front.begin() + int64_t(axis), front.begin() + int64_t(axis) + 1);
  for (size_t i = 0; i < back.size(); ++i)
    back[i] = int64_t(i < axis ? i + places.size() : i < axis + places.size() ? i - axis : i);
  std::string turned = node.output() + ".turned", rows = node.output() + ".rows";
  graph.addNode({"transpose", node.name, {x}, {turned}, {{"perm", front}}, node.place});
  lookUp(node, turned, ids, places, rows);
  emit(node, "transpose", {rows}, {{"perm", back}});
}

/// Rows of a table of any rank: rows of the matrix that has its other dimensions joined.
void OnnxImporter::lookUp(const OnnxNode &node, const std::string &table, const std::string &ids,
                          const Shape &places, const std::string &result) {
  Shape shape = graph.shapeOf(table, node.place);
  if (shape[0].perSample)
    node.place.badInput("rows of the batch cannot be looked up, the table has shape " + toString(shape));
  if (shape.size() == 2) {
    graph.addNode({"embedding", node.name, {table, ids}, {result}, {}, node.place});
    return;
  }
  Dim columns;
  for (size_t i = 1; i < shape.size(); ++i)
    columns = {columns.size * shape[i].size, columns.perSample || shape[i].perSample};
  std::string matrix = result + ".matrix", rows = result + ".rows";
  graph.addNode({"reshape", node.name, {table}, {matrix}, {}, node.place}, {shape[0], columns});
  graph.addNode({"embedding", node.name, {matrix, ids}, {rows}, {}, node.place});
  Shape target = places;
  target.insert(target.end(), shape.begin() + 1, shape.end());
  graph.addNode({"reshape", node.name, {rows}, {result}, {}, node.place}, target);
}

/// A known tensor that is repeated for each sample: what it selects is repeated instead.
void OnnxImporter::gatherRepeated(const OnnxNode &node, const Repeated &ids) {
  std::string x = operand(node.input(0), node.place);
  Shape shape = graph.shapeOf(x, node.place);
  if (normalizeAxis(node.integer("axis", 0), shape.size(), node.place) != 0 || shape[0].perSample)
    node.unsupported("'Gather' with indices that are repeated for each sample is supported along axis 0");
  KnownTensor once = ids.value;
  once.shape.insert(once.shape.begin(), ids.shape.size() - once.shape.size(), 1);
  Extents indices = once.fixedIntegers(node.place);
  for (int64_t &index : indices) {
    index += index < 0 ? shape[0].size : 0;
    if (index < 0 || index >= shape[0].size)
      node.place.badInput("index " + std::to_string(index) + " is outside dimension 0 of " + toString(shape));
  }
  std::string picked = node.output() + ".once", constant = node.output() + ".ids";
  graph.addNode({"constant", constant, {}, {constant}, {{"integers", indices}}, node.place},
                fixedShape(once.shape));
  lookUp(node, x, constant, fixedShape(once.shape), picked);
  Shape target = ids.shape;
  target.insert(target.end(), shape.begin() + 1, shape.end());
  emit(node, "expand", {picked}, {}, target);
}

//===----------------------------------------------------------------------===//
// Repetition
//===----------------------------------------------------------------------===//

/// The shape that numpy's broadcasting gives `shape` and the one asked for.
static Shape expandedShape(const OnnxNode &node, const Shape &shape, const std::vector<Dim> &wanted) {
  Shape result(std::max(shape.size(), wanted.size()));
  for (size_t i = 0; i < result.size(); ++i) {
    Dim own = i < shape.size() ? shape[shape.size() - 1 - i] : Dim{};
    Dim asked = i < wanted.size() ? wanted[wanted.size() - 1 - i] : Dim{};
    if (!own.isOne() && !asked.isOne() && !(own == asked))
      node.place.badInput("shape " + toString(shape) + " does not broadcast to " + toString(wanted));
    result[result.size() - 1 - i] = own.isOne() ? asked : own;
  }
  return result;
}

void OnnxImporter::addExpand(const OnnxNode &node) {
  const KnownTensor &wanted = needKnown(node, 1);
  if (!wanted.integer)
    node.place.badInput("the shape of 'Expand' must be integers");
  // A known tensor comes here when its shape depends on the batch.
  if (const KnownTensor *known = findKnown(node.input(0), node.place)) {
    Shape shape = expandedShape(node, fixedShape(known->shape), wanted.integers);
    repeated.emplace(node.output(), Repeated{*known, shape});
    return;
  }
  std::string x = operand(node.input(0), node.place);
  Shape shape = expandedShape(node, graph.shapeOf(x, node.place), wanted.integers);
  if (shape == graph.shapeOf(x, node.place))
    aliases.emplace(node.output(), x);
  else
    emit(node, "expand", {numbersOf(node.input(0), node.place)}, {}, shape);
}

void OnnxImporter::addConstantOfShape(const OnnxNode &node) {
  const KnownTensor &shape = needKnown(node, 0);
  KnownTensor value;
  value.numbers = {0};
  if (const auto *given = node.find("value"))
    value = readTensor(given->t(), folder, node.place);
  if (!value.isScalar() || !shape.integer)
    node.place.badInput("'ConstantOfShape' needs an integer shape and a value of one element");
  value.shape.clear();
  repeated.emplace(node.output(), Repeated{value, shape.integers});
}

/// Repeats along a dimension: a new dimension before it is broadcast and joined with it.
void OnnxImporter::addTile(const OnnxNode &node) {
  std::string x = operand(node.input(0), node.place);
  Shape shape = graph.shapeOf(x, node.place), split, wide, joined;
  const KnownTensor &repeats = needKnown(node, 1);
  if (!repeats.integer || repeats.integers.size() != shape.size())
    node.place.badInput("'repeats' of 'Tile' must have a value for each dimension of " + toString(shape));
  for (size_t i = 0; i < shape.size(); ++i) {
    Dim count = repeats.integers[i];
    if (count.size < 1 || count.size > kMaxElements || (count.perSample && shape[i].perSample))
      node.place.badInput("cannot repeat dimension " + std::to_string(i) + " of " + toString(shape) + " " +
                          std::to_string(count.size) + " times");
    split.insert(split.end(), {Dim{}, shape[i]});
    wide.insert(wide.end(), {count, shape[i]});
    if (shape[i].size > kMaxElements / count.size)
      node.place.badInput("'Tile' makes too large a tensor");
    joined.push_back({count.size * shape[i].size, count.perSample || shape[i].perSample});
  }
  std::string apart = node.output() + ".apart", repeatedName = node.output() + ".wide";
  graph.addNode({"reshape", node.name, {x}, {apart}, {}, node.place}, split);
  graph.addNode({"expand", node.name, {apart}, {repeatedName}, {}, node.place}, wide);
  emit(node, "reshape", {repeatedName}, {}, joined);
}

//===----------------------------------------------------------------------===//
// Padding
//===----------------------------------------------------------------------===//

/// Counts before and after each dimension; those that an axes input does not name are 0.
std::pair<Extents, Extents> OnnxImporter::padCounts(const OnnxNode &node, size_t rank) {
  Extents given = needKnown(node, 1).fixedIntegers(node.place), axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  if (node.hasInput(3))
    axes = needKnown(node, 3).fixedIntegers(node.place);
  if (given.size() != 2 * axes.size())
    node.place.badInput("'pads' has " + std::to_string(given.size()) + " values, expected " +
                        std::to_string(2 * axes.size()));
  Extents before(rank), after(rank);
  for (size_t i = 0; i < axes.size(); ++i) {
    size_t axis = size_t(normalizeAxis(axes[i], rank, node.place));
    before[axis] = given[i];
    after[axis] = given[i + axes.size()];
    for (int64_t count : {before[axis], after[axis]})
      if (std::abs(double(count)) > double(kMaxElements))
        node.place.badInput("a pad of " + std::to_string(count) + " elements");
  }
  return {before, after};
}

/// What a pad continues a dimension by: its mirror image without the edge, the edge, or its other end.
static SliceRange continuation(const SliceRange &whole, const std::string &mode, size_t axis, int64_t count,
                               bool isBefore) {
  SliceRange range = whole;
  int64_t extent = whole.sizes[axis];
  range.sizes[axis] = mode == "edge" ? 1 : count;
  if (mode == "reflect") {
    range.starts[axis] = isBefore ? count : extent - 2;
    range.steps[axis] = -1;
  } else if (mode == "edge") {
    range.starts[axis] = isBefore ? 0 : extent - 1;
  } else {
    range.starts[axis] = isBefore ? extent - count : 0;
  }
  return range;
}

/// Joins `x` with what continues it along one dimension.
std::string OnnxImporter::padDimension(const OnnxNode &node, const std::string &x, const std::string &mode,
                                       size_t axis, int64_t before, int64_t after) {
  Shape shape = graph.shapeOf(x, node.place);
  int64_t most = mode == "reflect" ? shape[axis].size - 1 : mode == "wrap" ? shape[axis].size : kMaxElements;
  if (shape[axis].perSample || std::max(before, after) > most)
    node.place.badInput("cannot pad dimension " + std::to_string(axis) + " of " + toString(shape) + " by " +
                        std::to_string(std::max(before, after)) + " in mode " + mode);
  std::vector<std::string> pieces;
  auto piece = [&](int64_t count, bool isBefore) {
    if (count == 0)
      return;
    std::string name = freshName(node.output() + (isBefore ? ".before" : ".after"));
    takePart(node, x, continuation(wholeOf(shape), mode, axis, count, isBefore), name);
    name = resolve(name);
    if (mode == "edge" && count > 1) {
      Shape wide = shape;
      wide[axis] = {count, false};
      std::string repeatedName = freshName(name + ".wide");
      graph.addNode({"expand", node.name, {name}, {repeatedName}, {}, node.place}, wide);
      name = repeatedName;
    }
    pieces.push_back(name);
  };
  piece(before, true);
  pieces.push_back(x);
  piece(after, false);
  std::string joined = freshName(node.output() + ".joined");
  graph.addNode({"concat", node.name, pieces, {joined}, {{"axis", int64_t(axis)}}, node.place});
  return joined;
}

void OnnxImporter::addPad(const OnnxNode &node) {
  std::string mode = node.text("mode", "constant"), x = operand(node.input(0), node.place);
  Shape shape = graph.shapeOf(x, node.place);
  auto [before, after] = padCounts(node, shape.size());
  // A pad below 0 cuts off.
  SliceRange range = wholeOf(shape);
  for (size_t i = 0; i < shape.size(); ++i) {
    int64_t cutBefore = std::max<int64_t>(0, -before[i]), cut = cutBefore + std::max<int64_t>(0, -after[i]);
    if (cut == 0)
      continue;
    if (shape[i].perSample || cut >= shape[i].size)
      node.place.badInput("the pads leave nothing of dimension " + std::to_string(i) + " of " +
                          toString(shape));
    range.starts[i] = cutBefore;
    range.sizes[i] -= cut;
    before[i] = std::max<int64_t>(0, before[i]);
    after[i] = std::max<int64_t>(0, after[i]);
  }
  std::string part = node.output() + ".cut";
  takePart(node, x, range, part);
  x = resolve(part);
  if (mode == "constant") {
    double value = node.hasInput(2) ? numberIn(node.input(2), node.place).value_or(0) : 0;
    if (node.hasInput(2) && !numberIn(node.input(2), node.place))
      node.unsupported("the value of 'Pad' must be a constant");
    return emit(node, "pad", {x}, {{"before", before}, {"after", after}, {"value", value}});
  }
  if (mode != "reflect" && mode != "edge" && mode != "wrap")
    node.place.badInput("attribute 'mode' is '" + mode + "', expected constant, reflect, edge or wrap");
  for (size_t i = 0; i < shape.size(); ++i)
    if (before[i] || after[i])
      x = padDimension(node, x, mode, i, before[i], after[i]);
  aliases.emplace(node.output(), x);
}

//===----------------------------------------------------------------------===//
// Triangles
//===----------------------------------------------------------------------===//

/// The upper or lower triangle of the last two dimensions, of a tensor that is computed.
void OnnxImporter::addTrilu(const OnnxNode &node) {
  std::string x = operand(node.input(0), node.place);
  const Shape &shape = graph.shapeOf(x, node.place);
  size_t rank = shape.size();
  if (rank < 2 || shape[rank - 1].perSample || shape[rank - 2].perSample)
    node.place.badInput("'Trilu' needs matrices, got shape " + toString(shape));
  int64_t rows = shape[rank - 2].size, columns = shape[rank - 1].size;
  bool upper = node.integer("upper", 1) != 0;
  int64_t diagonal = node.hasInput(1) ? needKnown(node, 1).fixedIntegers(node.place).at(0) : 0;
  diagonal = std::clamp(diagonal, -rows, columns);
  constexpr int64_t most = int64_t(1) << 24;
  if (rows > most / columns)
    node.unsupported("'Trilu' of a matrix of " + std::to_string(rows) + " x " + std::to_string(columns));
  KnownTensor mask, zero;
  mask.shape = {rows, columns};
  zero.numbers = {0};
  for (int64_t i = 0; i < rows * columns; ++i) {
    int64_t distance = i % columns - i / columns - diagonal;
    mask.numbers.push_back(upper ? distance >= 0 : distance <= 0);
  }
  emit(node, "where",
       {addConstantNode(node.output() + ".mask", mask, node.place), x,
        addConstantNode(node.output() + ".zero", zero, node.place)});
}

void OnnxImporter::addParts(std::map<std::string, Handler> &table) {
  using I = OnnxImporter;
  table.insert({{"Slice", &I::addSlice},
                {"Gather", &I::addGather},
                {"Expand", &I::addExpand},
                {"ConstantOfShape", &I::addConstantOfShape},
                {"Tile", &I::addTile},
                {"Pad", &I::addPad},
                {"Trilu", &I::addTrilu}});
}

} // namespace halfstep
