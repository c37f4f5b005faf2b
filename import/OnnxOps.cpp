// ONNX ops that compute, to the importer's vocabulary. Ops that only move data are in OnnxShapeOps.cpp.
#include "import/GraphShapes.h"
#include "import/OnnxImporter.h"

#include <algorithm>

namespace halfstep {

void OnnxImporter::emit(const OnnxNode &node, const std::string &op, std::vector<std::string> inputs,
                        Attributes attributes, const Shape &target) {
  static const std::set<std::string> movers = {"reshape", "transpose", "slice", "expand"};
  if (movers.count(op) && truths.count(inputs[0]))
    truths.insert(node.output());
  Node result{op, node.name, std::move(inputs), {node.output()}, std::move(attributes), node.place};
  graph.addNode(std::move(result), target);
}

void OnnxImporter::onlyFirstOutput(const OnnxNode &node) const {
  for (int i = 1; i < node.proto.output_size(); ++i)
    if (uses.count(node.proto.output(i)) && !node.proto.output(i).empty())
      node.unsupported("output " + std::to_string(i) + " of '" + node.op() +
                       "' is used; only the first is supported");
}

//===----------------------------------------------------------------------===//
// Element-wise
//===----------------------------------------------------------------------===//

void OnnxImporter::addUnary(const OnnxNode &node) {
  static const std::map<std::string, std::string> names = {
      {"Relu", "relu"}, {"Tanh", "tanh"}, {"Sigmoid", "sigmoid"}};
  emit(node, names.at(node.op()), {operand(node.input(0), node.place)});
}

void OnnxImporter::addGelu(const OnnxNode &node) {
  std::string kind = node.text("approximate", "none");
  if (kind != "none" && kind != "tanh")
    node.place.badInput("attribute 'approximate' is '" + kind + "', expected none or tanh");
  emit(node, "gelu", {operand(node.input(0), node.place)}, {{"tanh", kind == "tanh"}});
}

void OnnxImporter::addNumber(const OnnxNode &node, const std::string &op, const std::string &input,
                             double value) {
  emit(node, op, {operand(input, node.place)}, {{"value", value}});
}

void OnnxImporter::addAdd(const OnnxNode &node) {
  for (int side : {0, 1})
    if (auto number = scalarOf(node.input(side), node.place))
      return addNumber(node, "add_number", node.input(1 - side), *number);
  emit(node, "add", {operand(node.input(0), node.place), operand(node.input(1), node.place)});
}

void OnnxImporter::addSub(const OnnxNode &node) {
  if (auto number = scalarOf(node.input(1), node.place))
    return addNumber(node, "add_number", node.input(0), -*number);
  if (auto number = scalarOf(node.input(0), node.place)) {
    std::string negated = node.output() + ".negated";
    graph.addNode({"mul_number",
                   node.name,
                   {operand(node.input(1), node.place)},
                   {negated},
                   {{"value", -1.0}},
                   node.place});
    return emit(node, "add_number", {negated}, {{"value", *number}});
  }
  emit(node, "sub", {operand(node.input(0), node.place), operand(node.input(1), node.place)});
}

void OnnxImporter::addMul(const OnnxNode &node) {
  for (int side : {0, 1})
    if (auto number = scalarOf(node.input(side), node.place))
      return addNumber(node, "mul_number", node.input(1 - side), *number);
  emit(node, "mul", {operand(node.input(0), node.place), operand(node.input(1), node.place)});
}

void OnnxImporter::addNeg(const OnnxNode &node) { addNumber(node, "mul_number", node.input(0), -1); }

//===----------------------------------------------------------------------===//
// Normalisation, dropout
//===----------------------------------------------------------------------===//

double epsilonOf(const OnnxNode &node) {
  double eps = decimalOf(node.number("epsilon", 1e-5f));
  if (!(eps > 0 && eps <= 1))
    node.place.badInput("attribute 'epsilon' must be in (0, 1]");
  return eps;
}

void OnnxImporter::addBatchNorm(const OnnxNode &node) {
  onlyFirstOutput(node);
  // ONNX weighs the old value, PyTorch and we the new one.
  double momentum = decimalOf(float(1 - decimalOf(node.number("momentum", 0.9f))));
  if (!(momentum >= 0 && momentum <= 1))
    node.place.badInput("attribute 'momentum' must be in [0, 1]");
  if (node.integer("training_mode", 0) == 0)
    trainedBatchNorms.push_back(node.name);
  emit(node, "batch_norm",
       {operand(node.input(0), node.place), operand(node.input(1), node.place),
        operand(node.input(2), node.place), addBuffer(node, 3), addBuffer(node, 4)},
       {{"eps", epsilonOf(node)}, {"momentum", momentum}});
}

void OnnxImporter::addLayerNorm(const OnnxNode &node) {
  onlyFirstOutput(node);
  std::string x = operand(node.input(0), node.place), scale = operand(node.input(1), node.place);
  int64_t axis = normalizeAxis(node.integer("axis", -1), graph.shapeOf(x, node.place).size(), node.place);
  std::string shift = node.hasInput(2) ? operand(node.input(2), node.place) : node.name + ".no_bias";
  if (!node.hasInput(2)) {
    Parameter zeros{shift, graph.shapeOf(scale, node.place), /*buffer=*/true, {}, node.place};
    graph.addParameter(std::move(zeros));
  }
  emit(node, "layer_norm", {x, scale, shift}, {{"axis", axis}, {"eps", epsilonOf(node)}});
}

void OnnxImporter::addDropout(const OnnxNode &node) {
  onlyFirstOutput(node);
  double p = 0.5;
  if (node.hasInput(1)) {
    auto ratio = scalarOf(node.input(1), node.place);
    if (!ratio)
      node.unsupported("the ratio of 'Dropout' must be a constant");
    p = decimalOf(float(*ratio));
  }
  if (!(p >= 0 && p < 1))
    node.place.badInput("the ratio of 'Dropout' must be in [0, 1)");
  bool training = node.hasInput(2) && needKnown(node, 2).isScalar() && needKnown(node, 2).integer &&
                  needKnown(node, 2).integers[0].size != 0;
  if (!training)
    trainedDropouts.push_back(node.name);
  emit(node, "dropout", {operand(node.input(0), node.place)}, {{"p", p}});
}

const std::map<std::string, OnnxImporter::Handler> &OnnxImporter::handlers() {
  using I = OnnxImporter;
  static const std::map<std::string, Handler> table = [] {
    std::map<std::string, Handler> made = {
        {"Relu", &I::addUnary},
        {"Tanh", &I::addUnary},
        {"Sigmoid", &I::addUnary},
        {"Gelu", &I::addGelu},
        {"Add", &I::addAdd},
        {"Sub", &I::addSub},
        {"Mul", &I::addMul},
        {"Div", &I::addDiv},
        {"Neg", &I::addNeg},
        {"Pow", &I::addPow},
        {"Gemm", &I::addGemm},
        {"MatMul", &I::addMatMul},
        {"Conv", &I::addConv},
        {"ConvTranspose", &I::addConvTranspose},
        {"Resize", &I::addResize},
        {"InstanceNormalization", &I::addInstanceNorm},
        {"GroupNormalization", &I::addGroupNorm},
        {"BatchNormalization", &I::addBatchNorm},
        {"LayerNormalization", &I::addLayerNorm},
        {"RMSNormalization", &I::addRmsNorm},
        {"MaxPool", &I::addMaxPool},
        {"AveragePool", &I::addAveragePool},
        {"GlobalAveragePool", &I::addGlobalPool},
        {"GlobalMaxPool", &I::addGlobalPool},
        {"Attention", &I::addAttentionNode},
        {"Dropout", &I::addDropout},
        {"Constant", &I::addConstant},
        {"Identity", &I::addIdentity},
        {"Cast", &I::addCast},
        {"CastLike", &I::addCast},
        {"Flatten", &I::addFlatten},
        {"Reshape", &I::addReshape},
        {"Squeeze", &I::addSqueeze},
        {"Unsqueeze", &I::addUnsqueeze},
        {"Transpose", &I::addTranspose},
        {"Split", &I::addSplit},
        {"SplitToSequence", &I::addSplitToSequence},
        {"SequenceAt", &I::addSequenceAt},
        {"Concat", &I::addConcat},
        {"Shape", &I::addFoldOnly},
        {"Size", &I::addFoldOnly},
        {"Mod", &I::addFoldOnly},
        {"CumSum", &I::addFoldOnly},
        {"Range", &I::addFoldOnly},
    };
    addElementwise(made);
    addReductions(made);
    addParts(made);
    return made;
  }();
  return table;
}

} // namespace halfstep
