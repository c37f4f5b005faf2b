// Finds rotary positions, x * cos + r(x) * sin, where r exchanges the columns of each pair and negates one.
#include "import/GraphShapes.h"
#include "import/OnnxImporter.h"

#include <algorithm>

namespace halfstep {

static const std::vector<int64_t> kSwapHeads = {0, 2, 1, 3};

/// True for what is computed from initialisers, constants and extents alone; adds the nodes that do it.
bool OnnxImporter::isTable(const std::string &name, int depth, std::set<int> &nodes) {
  if (initializers.count(name) || known.count(name))
    return true;
  auto producer = producers.find(name);
  if (producer == producers.end() || depth == 0)
    return false;
  const onnx::NodeProto &node = proto.node(producer->second);
  if (node.op_type() == "Constant" || node.op_type() == "Shape")
    return true;
  if (!isSampleOp(node.op_type()))
    return false;
  for (const std::string &input : node.input())
    if (!input.empty() && !isTable(input, depth - 1, nodes))
      return false;
  nodes.insert(producer->second);
  return true;
}

/// What `name` is r of; "" when it is not. Concat(Neg(upper half), lower half) of the last dimension, from
/// slices or a split.
std::string OnnxImporter::turned(const std::string &name, RotaryPattern &found) {
  const onnx::NodeProto *joined = producerOf(name, "Concat");
  if (!joined || joined->input_size() != 2)
    return "";
  int64_t axis = nodeAt(producers.at(name)).integer("axis", 0);
  const onnx::NodeProto *negated = producerOf(joined->input(0), "Neg");
  if ((axis != -1 && axis != 3) || !negated)
    return "";
  const std::string &upper = negated->input(0), &lower = joined->input(1);
  auto first = producers.find(lower), second = producers.find(upper);
  if (first == producers.end() || second == producers.end())
    return "";
  const onnx::NodeProto &low = proto.node(first->second), &high = proto.node(second->second);
  if (low.input_size() == 0 || high.input_size() == 0 || low.input(0) != high.input(0))
    return "";
  bool split = first->second == second->second && low.op_type() == "Split" && low.output_size() == 2 &&
               low.output(0) == lower;
  if (!split && !(isHalf(first->second, 0) && isHalf(second->second, 1)))
    return "";
  found.nodes.insert({producers.at(name), producers.at(joined->input(0)), first->second, second->second});
  return low.input(0);
}

/// A slice of the last dimension that begins at 0 (which = 0), or that ends with it.
bool OnnxImporter::isHalf(int index, int which) {
  OnnxNode node = nodeAt(index);
  if (node.op() != "Slice" || node.proto.input_size() < 4)
    return false;
  Place place = node.place;
  auto number = [&](int input) -> std::optional<int64_t> {
    std::optional<SampleTensor> value =
        node.hasInput(input) ? constantOf(node.input(input), place) : std::nullopt;
    if (!value || value->cells.size() != 1 || !value->isConstant())
      return {};
    return wholeNumber(value->cells[0].number);
  };
  std::optional<int64_t> begin = number(1), end = number(2), axis = number(3), step = 1;
  if (node.hasInput(4))
    step = number(4);
  if (!begin || !end || !axis || step != 1 || (*axis != -1 && *axis != 3))
    return false;
  constexpr int64_t toEnd = int64_t(1) << 31;
  return which == 0 ? *begin == 0 && *end > 0 && *end < toEnd : *begin > 0 && *end >= toEnd;
}

void OnnxImporter::matchRotary(int add) {
  const onnx::NodeProto &sum = proto.node(add);
  if (sum.input_size() != 2 || sum.output_size() != 1)
    return;
  constexpr int depth = 32;
  for (int side : {0, 1}) {
    const onnx::NodeProto *straight = producerOf(sum.input(side), "Mul");
    const onnx::NodeProto *crossed = producerOf(sum.input(1 - side), "Mul");
    if (!straight || !crossed || straight->input_size() != 2 || crossed->input_size() != 2)
      return;
    for (int turn : {0, 1}) {
      RotaryPattern found;
      found.input = turned(crossed->input(turn), found);
      int at = straight->input(0) == found.input ? 0 : 1;
      if (found.input.empty() || straight->input(at) != found.input)
        continue;
      found.cos = straight->input(1 - at);
      found.sin = crossed->input(1 - turn);
      if (!isTable(found.cos, depth, found.nodes) || !isTable(found.sin, depth, found.nodes))
        continue;
      found.nodes.insert({producers.at(sum.input(0)), producers.at(sum.input(1))});
      rotaries.emplace(add, std::move(found));
      return;
    }
  }
}

/// The value of a tensor that is computed from constants, initialisers of numbers among them, and extents.
std::optional<SampleTensor> OnnxImporter::constantOf(const std::string &name, const Place &place) {
  if (const SampleTensor *sample = sampleOf(name, place))
    return *sample;
  if (auto initializer = initializers.find(resolve(name)); initializer != initializers.end())
    return sampleTensorOf(readTensor(*initializer->second, folder, place));
  auto producer = producers.find(name);
  if (producer == producers.end())
    return {};
  OnnxNode node = nodeAt(producer->second);
  if (node.op() == "Shape") {
    Shape shape = shapeOf(node.input(0), node.place);
    std::optional<KnownTensor> extents = foldNode(node, {nullptr}, &shape, batch);
    return extents ? sampleTensorOf(*extents) : std::nullopt;
  }
  std::vector<SampleTensor> operands;
  std::vector<const SampleTensor *> pointers;
  for (const std::string &input : node.proto.input()) {
    std::optional<SampleTensor> operand =
        input.empty() ? std::optional(SampleTensor()) : constantOf(input, place);
    if (!operand)
      return {};
    operands.push_back(std::move(*operand));
  }
  for (size_t i = 0; i < operands.size(); ++i)
    pointers.push_back(node.proto.input(int(i)).empty() ? nullptr : &operands[i]);
  std::optional<SampleTensor> result = evaluateSamples(node, pointers, graph.replacedBatch);
  if (result)
    samples.emplace(name, *result);
  return result;
}

void OnnxImporter::addRotary(const OnnxNode &node, const RotaryPattern &found) {
  std::optional<SampleTensor> tables[] = {constantOf(found.cos, node.place),
                                          constantOf(found.sin, node.place)};
  Shape input = graph.shapeOf(operand(found.input, node.place), node.place);
  bool fits = input.size() == 4 && tables[0] && tables[1] && tables[0]->shape.size() <= 4;
  // [b, h, t, d], or with the places second when the table says so.
  bool byRows = fits && tables[0]->shape.size() > 2 &&
                tables[0]->shape[tables[0]->shape.size() - 2].isOne() && !input[2].isOne();
  Dim places = fits ? input[byRows ? 1 : 2] : Dim(), columns = fits ? input[3] : Dim();
  std::string names[2];
  for (int i = 0; i < 2 && fits; ++i) {
    Shape wanted(4);
    wanted[byRows ? 1 : 2] = places;
    wanted[3] = columns;
    std::optional<SampleTensor> wide = broadcastSamples(*tables[i], wanted);
    fits = wide && wide->isConstant() && !places.perSample && !columns.perSample && columns.size % 2 == 0;
    if (!fits)
      break;
    wide->shape = {places, columns};
    wide->integer = false;
    // One constant for all that are turned by the same table.
    names[i] = (i == 0 ? found.cos : found.sin) + (i == 0 ? ".cos" : ".sin");
    KnownTensor tensor{*knownTensorOf(*wide)};
    if (!graph.hasValue(names[i]))
      addConstantNode(names[i], tensor, node.place);
  }
  if (!fits)
    node.unsupported("rotary positions of a value of shape " + toString(input) +
                     " need constant tables for its places and columns");
  std::string rows = rowsOf(node, found.input, byRows), joined = joinHeads(node, rows);
  std::string turnedRows = node.output() + ".rotated";
  graph.addNode({"rotary",
                 node.name,
                 {joined, names[0], names[1]},
                 {turnedRows},
                 {{"interleaved", found.interleaved}},
                 node.place});
  std::string split = byRows ? node.output() : node.output() + ".heads";
  graph.addNode({"reshape", node.name, {turnedRows}, {split}, {}, node.place},
                graph.shapeOf(rows, node.place));
  if (!byRows) {
    rowForms.emplace(node.output(), split);
    emit(node, "transpose", {split}, {{"perm", kSwapHeads}});
  }
  fusedNodes["rotary position"].push_back(node.name);
}

} // namespace halfstep
