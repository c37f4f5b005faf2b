// ONNX ops that move, rename or reshape values.
#include "import/GraphShapes.h"
#include "import/OnnxImporter.h"

#include <algorithm>
#include <numeric>

namespace halfstep {

void OnnxImporter::addConstant(const OnnxNode &node) {
  KnownTensor result;
  if (const auto *tensor = node.find("value")) {
    result = readTensor(tensor->t(), folder, node.place);
  } else if (const auto *ints = node.find("value_ints")) {
    result.integer = true;
    result.shape = {ints->ints_size()};
    result.integers = fixedShape({ints->ints().begin(), ints->ints().end()});
  } else if (const auto *floats = node.find("value_floats")) {
    result.shape = {floats->floats_size()};
    result.numbers.assign(floats->floats().begin(), floats->floats().end());
  } else if (node.find("value_int")) {
    result.integer = true;
    result.integers = {{node.integer("value_int", 0), false}};
  } else if (node.find("value_float")) {
    result.numbers = {node.number("value_float", 0)};
  } else {
    node.unsupported("a constant of this form is not supported");
  }
  known.emplace(node.output(), std::move(result));
}

/// Identity of a parameter is a parameter of its own: exporters merge equal tensors that are trained apart.
void OnnxImporter::addIdentity(const OnnxNode &node) {
  const std::string &source = resolve(node.input(0));
  if (!isParameter(source)) {
    aliases.emplace(node.output(), operand(source, node.place));
    return;
  }
  KnownTensor copy = readTensor(*initializers.at(source), folder, node.place);
  addTensor(node.output(), copy, /*buffer=*/false, node.place);
  initializers.emplace(node.output(), initializers.at(source));
}

void OnnxImporter::addFlatten(const OnnxNode &node) {
  std::string x = operand(node.input(0), node.place);
  const Shape &shape = graph.shapeOf(x, node.place);
  int64_t axis = node.integer("axis", 1), rank = int64_t(shape.size());
  if (axis < -rank || axis > rank)
    node.place.badInput("attribute 'axis' is outside a shape of rank " + std::to_string(rank));
  axis += axis < 0 ? rank : 0;
  Shape flat(2);
  for (int64_t i = 0; i < rank; ++i) {
    Dim &part = flat[i < axis ? 0 : 1];
    part = {part.size * shape[i].size, part.perSample || shape[i].perSample};
  }
  emit(node, "reshape", {x}, {}, flat);
}

void OnnxImporter::addReshape(const OnnxNode &node) {
  std::string x = operand(node.input(0), node.place);
  const KnownTensor &wanted = needKnown(node, 1);
  if (!wanted.integer)
    node.place.badInput("the shape of 'Reshape' must be integers");
  emit(node, "reshape", {x}, {},
       resolveReshape(graph.shapeOf(x, node.place), wanted.integers, node.integer("allowzero", 0) != 0,
                      graph.replacedBatch, node.place));
}

void OnnxImporter::addSqueeze(const OnnxNode &node) {
  std::string x = operand(node.input(0), node.place);
  const Shape &shape = graph.shapeOf(x, node.place);
  std::set<int64_t> axes;
  if (node.hasInput(1))
    for (int64_t axis : needKnown(node, 1).fixedIntegers(node.place))
      axes.insert(normalizeAxis(axis, shape.size(), node.place));
  Shape rest;
  for (size_t i = 0; i < shape.size(); ++i) {
    bool wanted = node.hasInput(1) ? axes.count(int64_t(i)) != 0 : shape[i].isOne();
    if (wanted && !shape[i].isOne())
      node.place.badInput("dimension " + std::to_string(i) + " of " + toString(shape) + " is not 1");
    if (!wanted)
      rest.push_back(shape[i]);
  }
  emit(node, "reshape", {x}, {}, rest);
}

void OnnxImporter::addUnsqueeze(const OnnxNode &node) {
  std::string x = operand(node.input(0), node.place);
  std::vector<int64_t> axes = needKnown(node, 1).fixedIntegers(node.place);
  Shape shape = graph.shapeOf(x, node.place);
  size_t rank = shape.size() + axes.size();
  for (int64_t &axis : axes)
    axis = normalizeAxis(axis, rank, node.place);
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end())
    node.place.badInput("an axis is given twice");
  for (int64_t axis : axes)
    shape.insert(shape.begin() + axis, Dim{});
  emit(node, "reshape", {x}, {}, shape);
}

/// A transposed matrix parameter is kept as a view until something but a matrix product needs it.
void OnnxImporter::addTranspose(const OnnxNode &node) {
  Shape shape = shapeOf(node.input(0), node.place);
  std::vector<int64_t> reversed(shape.size());
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  std::vector<int64_t> perm = node.integers("perm", reversed);
  if (isParameter(node.input(0)) && perm == std::vector<int64_t>{1, 0} && shape.size() == 2) {
    transposed.emplace(node.output(), resolve(node.input(0)));
    return;
  }
  emit(node, "transpose", {operand(node.input(0), node.place)}, {{"perm", perm}});
}

/// `count` pieces of equal extent; the last may be smaller.
static std::vector<int64_t> equalPieces(const OnnxNode &node, Dim whole, int64_t count) {
  if (whole.perSample || count < 1 || count > whole.size)
    node.place.badInput("cannot split an extent of " + std::to_string(whole.size) + " into " +
                        std::to_string(count));
  int64_t each = (whole.size + count - 1) / count;
  std::vector<int64_t> sizes(size_t(count), each);
  sizes.back() = whole.size - each * (count - 1);
  return sizes;
}

void OnnxImporter::addSplit(const OnnxNode &node) {
  std::string x = operand(node.input(0), node.place);
  const Shape &shape = graph.shapeOf(x, node.place);
  int64_t axis = normalizeAxis(node.integer("axis", 0), shape.size(), node.place);
  std::vector<int64_t> sizes = node.hasInput(1) ? needKnown(node, 1).fixedIntegers(node.place)
                                                : equalPieces(node, shape[axis], node.proto.output_size());
  if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end())
    node.unsupported("'Split' into pieces of which one has no elements is not supported");
  Node split{"split", node.name, {x}, {}, {{"axis", axis}, {"sizes", sizes}}, node.place};
  for (int i = 0; i < node.proto.output_size(); ++i)
    split.outputs.push_back(node.proto.output(i).empty() ? node.name + ".unused" + std::to_string(i)
                                                         : node.proto.output(i));
  graph.addNode(std::move(split));
}

void OnnxImporter::addSplitToSequence(const OnnxNode &node) {
  std::string x = operand(node.input(0), node.place);
  const Shape &shape = graph.shapeOf(x, node.place);
  int64_t axis = normalizeAxis(node.integer("axis", 0), shape.size(), node.place);
  const KnownTensor &given = needKnown(node, 1);
  std::vector<int64_t> sizes = given.fixedIntegers(node.place);
  if (given.shape.empty()) // One number is the extent of every piece.
    sizes = equalPieces(node, shape[axis], sizes[0] > 0 ? (shape[axis].size + sizes[0] - 1) / sizes[0] : 0);
  if (node.integer("keepdims", 1) == 0 && given.shape.empty())
    node.unsupported("keepdims = 0 is not supported");
  Node split{"split", node.name, {x}, {}, {{"axis", axis}, {"sizes", sizes}}, node.place};
  for (size_t i = 0; i < sizes.size(); ++i)
    split.outputs.push_back(node.output() + "." + std::to_string(i));
  sequences[node.output()] = split.outputs;
  graph.addNode(std::move(split));
}

void OnnxImporter::addSequenceAt(const OnnxNode &node) {
  auto sequence = sequences.find(node.input(0));
  if (sequence == sequences.end())
    node.unsupported("a sequence that 'SplitToSequence' did not make is not supported");
  std::vector<int64_t> index = needKnown(node, 1).fixedIntegers(node.place);
  int64_t count = int64_t(sequence->second.size());
  if (index.size() != 1 || index[0] < -count || index[0] >= count)
    node.place.badInput("the index is outside a sequence of " + std::to_string(count));
  aliases.emplace(node.output(), sequence->second[size_t(index[0] < 0 ? index[0] + count : index[0])]);
}

void OnnxImporter::addConcat(const OnnxNode &node) {
  std::vector<std::string> pieces;
  for (int i = 0; i < node.proto.input_size(); ++i)
    pieces.push_back(operand(node.input(i), node.place));
  if (pieces.empty())
    node.place.badInput("'Concat' needs an input");
  int64_t axis =
      normalizeAxis(node.integer("axis", 0), graph.shapeOf(pieces[0], node.place).size(), node.place);
  emit(node, "concat", pieces, {{"axis", axis}});
}

void OnnxImporter::addFoldOnly(const OnnxNode &node) {
  node.unsupported("'" + node.op() + "' is supported on constants and shapes only");
}

} // namespace halfstep
