// Normalisation in groups of channels: ONNX's own ops, and the five nodes that torch's exporters write for
// it.
#include "import/GraphShapes.h"
#include "import/OnnxImporter.h"

namespace halfstep {

//===----------------------------------------------------------------------===//
// The pattern
//===----------------------------------------------------------------------===//

/// The node of type `op` that alone uses `value`, and its other operand.
std::optional<int> OnnxImporter::scaledBy(const std::string &value, const std::string &op,
                                          std::string &other) const {
  int user = onlyUse(value);
  if (user < 0 || proto.node(user).op_type() != op || proto.node(user).input_size() != 2)
    return {};
  other = proto.node(user).input(proto.node(user).input(0) == value ? 1 : 0);
  return user;
}

/// The value that a chain of Identity nodes passes on.
std::string OnnxImporter::withoutIdentity(std::string name) const {
  while (const onnx::NodeProto *identity = producerOf(name, "Identity"))
    name = identity->input_size() == 1 ? identity->input(0) : "";
  return name;
}

/// Add(Mul(Reshape(InstanceNormalization(Reshape(x, [0, groups, -1]), ones, zeros), shape), scale), shift).
void OnnxImporter::matchGroupNorm(int instance) {
  const onnx::NodeProto &node = proto.node(instance);
  if (node.input_size() != 3 || node.output_size() != 1 || !producerOf(node.input(0), "Reshape") ||
      !isConstantOf(withoutIdentity(node.input(1)), 1) || !isConstantOf(withoutIdentity(node.input(2)), 0))
    return;
  int toGroups = producers.at(node.input(0)), back = onlyUse(node.output(0));
  if (back < 0 || proto.node(back).op_type() != "Reshape" || proto.node(toGroups).input_size() != 2)
    return;
  const KnownTensor *groups = findKnown(withoutIdentity(proto.node(toGroups).input(1)), placeOf(""));
  if (!groups || !groups->integer || groups->size() != 3 || groups->integers[2].size != -1)
    return;
  GroupNormPattern found{toGroups, instance, back, "", ""};
  std::optional<int> mul = scaledBy(proto.node(back).output(0), "Mul", found.scale);
  std::optional<int> add = mul ? scaledBy(proto.node(*mul).output(0), "Add", found.shift) : std::nullopt;
  auto isVector = [&](const std::string &name) {
    const onnx::NodeProto *unsqueeze = producerOf(name, "Unsqueeze");
    return isParameter(withoutIdentity(unsqueeze ? unsqueeze->input(0) : name));
  };
  if (!add || !isVector(found.scale) || !isVector(found.shift))
    return;
  if (onlyUse(node.input(0)) == instance)
    absorbed.insert(toGroups);
  absorbed.insert({instance, back, *mul});
  groupNorms.emplace(*add, std::move(found));
}

/// A parameter with an element for each channel, [c] or [c, 1, 1], as [c].
std::string OnnxImporter::channelVector(const OnnxNode &node, const std::string &name,
                                        const std::string &role) {
  const std::string &at = resolve(name);
  if (auto stored = initializers.find(at); stored != initializers.end() && !graph.hasValue(at)) {
    // It is read here first: it gets the shape that it has in PyTorch.
    KnownTensor tensor = readTensor(*stored->second, folder, node.place);
    if (!tensor.shape.empty() && int64_t(tensor.size()) == tensor.shape[0])
      tensor.shape.resize(1);
    return addTensor(at, tensor, /*buffer=*/false, node.place);
  }
  std::string vector = operand(name, node.place);
  Shape shape = graph.shapeOf(vector, node.place);
  if (shape.size() <= 1)
    return vector;
  for (size_t i = 1; i < shape.size(); ++i)
    if (!shape[i].isOne())
      node.unsupported("the " + role + " of a normalisation in groups has shape " + toString(shape) +
                       ", expected one element for each channel");
  std::string flat = node.output() + "." + role;
  graph.addNode({"reshape", node.name, {vector}, {flat}, {}, node.place}, {shape[0]});
  return flat;
}

void OnnxImporter::addGroupNormPattern(const OnnxNode &node, const GroupNormPattern &found) {
  OnnxNode instance = nodeAt(found.instance), toGroups = nodeAt(found.toGroups), back = nodeAt(found.back);
  std::string x = operand(toGroups.input(0), node.place);
  const Shape input = graph.shapeOf(x, node.place);
  Shape shape = resolveReshape(input, needKnown(back, 1).integers, back.integer("allowzero", 0) != 0,
                               graph.replacedBatch, back.place);
  int64_t groups = needKnown(toGroups, 1).integers[1].size;
  // [0, groups, -1]: a 0 copies the extent of the input.
  groups = groups == 0 && input.size() > 1 ? input[1].size : groups;
  if (shape != input) {
    std::string view = node.output() + ".view";
    graph.addNode({"reshape", node.name, {x}, {view}, {}, node.place}, shape);
    x = view;
  }
  fusedGroupNorms.push_back(instance.name);
  emit(node, "group_norm",
       {x, channelVector(node, found.scale, "scale"), channelVector(node, found.shift, "shift")},
       {{"groups", groups}, {"eps", epsilonOf(instance)}});
}

//===----------------------------------------------------------------------===//
// The ops
//===----------------------------------------------------------------------===//

static const Dim &channelsOf(const OnnxNode &node, const Shape &shape) {
  if (shape.size() < 3)
    node.place.badInput("'" + node.op() + "' needs an input [n, c, ...], got shape " + toString(shape));
  return shape[1];
}

void OnnxImporter::addInstanceNorm(const OnnxNode &node) {
  std::string x = operand(node.input(0), node.place);
  int64_t channels = channelsOf(node, graph.shapeOf(x, node.place)).size;
  emit(node, "group_norm", {x, operand(node.input(1), node.place), operand(node.input(2), node.place)},
       {{"groups", channels}, {"eps", epsilonOf(node)}});
}

/// Before opset 21 there was one element of scale and shift a group, as no framework has it.
void OnnxImporter::addGroupNorm(const OnnxNode &node) {
  std::string x = operand(node.input(0), node.place);
  int64_t channels = channelsOf(node, graph.shapeOf(x, node.place)).size,
          groups = node.integer("num_groups", 0);
  if (groups < 1)
    node.place.badInput("attribute 'num_groups' must be positive");
  if (opset < 21 && groups != channels)
    node.unsupported("'GroupNormalization' of opset " + std::to_string(opset) +
                     " has one scale a group; export with opset 21 or newer, which has one a channel");
  emit(node, "group_norm", {x, operand(node.input(1), node.place), operand(node.input(2), node.place)},
       {{"groups", groups}, {"eps", epsilonOf(node)}});
}

} // namespace halfstep
