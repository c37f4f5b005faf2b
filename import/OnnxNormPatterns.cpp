// Finds normalisations that exporters write as several nodes: by the root of the mean square, and layer
// normalisation.
#include "import/GraphShapes.h"
#include "import/OnnxImporter.h"

namespace halfstep {

/// True for the last dimension, given as an attribute or, from opset 18 on, as an input.
static bool isOverLast(const std::vector<int64_t> &axes) { return axes == std::vector<int64_t>{-1}; }

/// The scale or shift that the result of node `last` is multiplied by or increased with: a vector
/// initialiser, in `parameter`. Returns that node, or `last` when there is none.
int OnnxImporter::finishNorm(int last, std::string &parameter, const std::string &op, std::set<int> &nodes) {
  const std::string &value = proto.node(last).output(0);
  int next = onlyUse(value);
  if (next < 0 || proto.node(next).op_type() != op || proto.node(next).input_size() != 2)
    return last;
  const std::string &other = proto.node(next).input(proto.node(next).input(0) == value ? 1 : 0);
  auto initializer = initializers.find(other);
  const onnx::NodeProto *copy = producerOf(other, "Identity");
  if (initializer == initializers.end() && copy)
    initializer = initializers.find(copy->input(0));
  if (initializer == initializers.end() || initializer->second->dims_size() != 1)
    return last;
  parameter = other;
  nodes.insert(next);
  return next;
}

/// x / sqrt(mean(x^2) + eps) * scale, from the ReduceMean on; with a shift, and x being the distance to its
/// mean, layer normalisation.
void OnnxImporter::matchNorm(int root) {
  OnnxNode mean = nodeAt(root);
  const onnx::NodeProto *square = producerOf(mean.proto.input(0), "Pow");
  const onnx::NodeProto *product = producerOf(mean.proto.input(0), "Mul");
  std::optional<double> exponent = square ? factorOf(*square, 1) : std::nullopt;
  bool squares = square ? exponent && *exponent == 2
                        : product && product->input_size() == 2 && product->input(0) == product->input(1);
  const KnownTensor *given = mean.hasInput(1) ? findKnown(mean.input(1), mean.place) : nullptr;
  std::vector<int64_t> axes = given ? given->fixedIntegers(mean.place) : mean.integers("axes");
  if (!squares || !isOverLast(axes) || mean.integer("keepdims", 1) != 1)
    return;
  const std::string x = (square ? square : product)->input(0);
  std::set<int> nodes = {root, producers.at(mean.proto.input(0))};
  // The only use of `value`, when it is of type `op`; -1 else.
  auto next = [&](int last, const char *op) {
    int use = onlyUse(proto.node(last).output(0));
    return use >= 0 && proto.node(use).op_type() == op ? use : -1;
  };
  int add = next(root, "Add"), sqrt = add < 0 ? -1 : next(add, "Sqrt");
  if (sqrt < 0)
    return;
  std::optional<double> eps =
      factorOf(proto.node(add), proto.node(add).input(0) == proto.node(root).output(0) ? 1 : 0);
  if (!eps || !(*eps > 0 && *eps <= 1))
    return;
  nodes.insert({add, sqrt});
  int last = next(sqrt, "Div"), inverse = next(sqrt, "Reciprocal");
  if (inverse < 0 && last >= 0 && proto.node(last).input(1) == proto.node(sqrt).output(0))
    if (std::optional<double> one = factorOf(proto.node(last), 0); one && *one == 1)
      inverse = last;
  if (inverse >= 0) {
    nodes.insert(inverse);
    last = next(inverse, "Mul");
  }
  if (last < 0 || proto.node(last).input_size() != 2)
    return;
  const std::string &divisor = proto.node(inverse >= 0 ? inverse : sqrt).output(0);
  bool fits = inverse >= 0 ? proto.node(last).input(proto.node(last).input(0) == divisor ? 1 : 0) == x
                           : proto.node(last).input(0) == x && proto.node(last).input(1) == divisor;
  if (!fits)
    return;
  nodes.insert(last);
  std::string scale, shift;
  last = finishNorm(last, scale, "Mul", nodes);
  if (scale.empty())
    return;
  Attributes attributes = {{"axis", int64_t(-1)}, {"eps", decimalOf(float(*eps))}};
  const onnx::NodeProto *distance = producerOf(x, "Sub");
  const onnx::NodeProto *center =
      distance && distance->input_size() == 2 ? producerOf(distance->input(1), "ReduceMean") : nullptr;
  if (center && center->input(0) == distance->input(0)) {
    int layer = finishNorm(last, shift, "Add", nodes);
    if (!shift.empty())
      return fuse(layer, nodes, {"layer_norm", {distance->input(0), scale, shift}, attributes},
                  "layer normalisation");
  }
  fuse(last, nodes, {"rms_norm", {x, scale}, attributes}, "root-mean-square normalisation");
}

void OnnxImporter::addFused(const OnnxNode &node, const Fused &made) {
  std::vector<std::string> inputs;
  for (const std::string &input : made.inputs)
    inputs.push_back(operand(input, node.place));
  Attributes attributes = made.attributes;
  if (auto axis = attributes.find("axis"); axis != attributes.end())
    axis->second = normalizeAxis(std::get<int64_t>(axis->second), graph.shapeOf(inputs[0], node.place).size(),
                                 node.place);
  emit(node, made.op, inputs, attributes);
}

/// The node of opset 23.
void OnnxImporter::addRmsNorm(const OnnxNode &node) {
  std::string x = operand(node.input(0), node.place), scale = operand(node.input(1), node.place);
  int64_t axis = normalizeAxis(node.integer("axis", -1), graph.shapeOf(x, node.place).size(), node.place);
  emit(node, "rms_norm", {x, scale}, {{"axis", axis}, {"eps", epsilonOf(node)}});
}

} // namespace halfstep
