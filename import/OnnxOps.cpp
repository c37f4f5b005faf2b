// ONNX ops that compute, to the importer's vocabulary. Ops that only move data are in OnnxShapeOps.cpp.
#include "import/GraphShapes.h"
#include "import/OnnxImporter.h"

#include <algorithm>

namespace halfstep {

void OnnxImporter::emit(const OnnxNode &node, const std::string &op, std::vector<std::string> inputs,
                        Attributes attributes, const Shape &target) {
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
// Contractions
//===----------------------------------------------------------------------===//

/// [top, left, bottom, right], which is ONNX's order too.
std::vector<int64_t> OnnxImporter::pads(const OnnxNode &node) const {
  std::string automatic = node.text("auto_pad", "NOTSET");
  if (automatic != "NOTSET" && automatic != "VALID")
    node.unsupported("auto_pad = " + automatic + " is not supported; export explicit pads");
  std::vector<int64_t> pads = node.integers("pads", std::vector<int64_t>(4));
  if (automatic == "VALID")
    pads.assign(4, 0);
  constexpr int64_t most = int64_t(1) << 31;
  if (pads.size() != 4 ||
      std::any_of(pads.begin(), pads.end(), [](int64_t pad) { return pad < 0 || pad > most; }))
    node.place.badInput("attribute 'pads' must be four numbers of 0 or more");
  return pads;
}

/// A pair of positive numbers; `fallback` is for both.
static std::vector<int64_t> pairOf(const OnnxNode &node, const std::string &key, int64_t fallback) {
  std::vector<int64_t> pair = node.integers(key, {fallback, fallback});
  constexpr int64_t most = int64_t(1) << 31;
  if (pair.size() != 2 || pair[0] < 1 || pair[1] < 1 || pair[0] > most || pair[1] > most)
    node.place.badInput("attribute '" + key + "' must be two positive numbers");
  return pair;
}

void OnnxImporter::addConv(const OnnxNode &node) {
  std::string weight = operand(node.input(1), node.place);
  const Shape &shape = graph.shapeOf(weight, node.place);
  if (shape.size() != 4)
    node.unsupported("only two-dimensional convolutions are supported, the weight has shape " +
                     toString(shape));
  std::vector<int64_t> kernel = node.integers("kernel_shape", {shape[2].size, shape[3].size});
  if (kernel != std::vector<int64_t>{shape[2].size, shape[3].size})
    node.place.badInput("attribute 'kernel_shape' differs from the weight's shape " + toString(shape));
  int64_t groups = node.integer("group", 1);
  if (groups < 1)
    node.place.badInput("attribute 'group' must be positive");
  std::vector<std::string> inputs = {operand(node.input(0), node.place), weight};
  const KnownTensor *bias = node.hasInput(2) ? findKnown(node.input(2), node.place) : nullptr;
  bool zeros =
      bias && std::all_of(bias->numbers.begin(), bias->numbers.end(), [](double v) { return v == 0; });
  if (node.hasInput(2) && !zeros)
    inputs.push_back(operand(node.input(2), node.place));
  emit(node, "conv2d", inputs,
       {{"stride", pairOf(node, "strides", 1)},
        {"padding", pads(node)},
        {"dilation", pairOf(node, "dilations", 1)},
        {"groups", groups}});
}

//===----------------------------------------------------------------------===//
// Normalisation, pooling, softmax, dropout
//===----------------------------------------------------------------------===//

static double epsilonOf(const OnnxNode &node) {
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

void OnnxImporter::addPool(const OnnxNode &node, const std::string &op, Attributes attributes) {
  onlyFirstOutput(node);
  std::string x = operand(node.input(0), node.place);
  const Shape &shape = graph.shapeOf(x, node.place);
  if (shape.size() != 4)
    node.unsupported("only two-dimensional pooling is supported, the input has shape " + toString(shape));
  if (pairOf(node, "dilations", 1) != std::vector<int64_t>{1, 1})
    node.unsupported("pooling with dilation is not supported");
  if (!node.find("kernel_shape"))
    node.place.badInput("attribute 'kernel_shape' is missing");
  std::vector<int64_t> kernel = pairOf(node, "kernel_shape", 1), stride = pairOf(node, "strides", 1),
                       pad = pads(node);
  for (size_t i = 0; i < 2 && node.integer("ceil_mode", 0); ++i)
    if ((shape[2 + i].size + pad[i] + pad[2 + i] - kernel[i]) % stride[i] != 0)
      node.unsupported("ceil_mode = 1 is not supported where it adds a window");
  attributes.insert({{"kernel", kernel}, {"stride", stride}, {"padding", pad}});
  emit(node, op, {x}, std::move(attributes));
}

void OnnxImporter::addMaxPool(const OnnxNode &node) { addPool(node, "max_pool2d", {}); }

void OnnxImporter::addAveragePool(const OnnxNode &node) {
  addPool(node, "avg_pool2d", {{"exclude_pad", node.integer("count_include_pad", 0) == 0}});
}

/// A window of the image's size.
void OnnxImporter::addGlobalPool(const OnnxNode &node, bool keepDims) {
  std::string x = operand(node.input(0), node.place);
  Shape shape = graph.shapeOf(x, node.place);
  std::vector<int64_t> image = {shape[2].size, shape[3].size};
  Attributes attributes = {
      {"kernel", image}, {"stride", image}, {"padding", std::vector<int64_t>(4)}, {"exclude_pad", false}};
  if (keepDims)
    return emit(node, "avg_pool2d", {x}, attributes);
  std::string pooled = node.output() + ".pooled";
  graph.addNode({"avg_pool2d", node.name, {x}, {pooled}, attributes, node.place});
  emit(node, "reshape", {pooled}, {}, {shape[0], shape[1]});
}

void OnnxImporter::addGlobalAveragePool(const OnnxNode &node) {
  Shape shape = shapeOf(node.input(0), node.place);
  if (shape.size() != 4)
    node.unsupported("only two-dimensional pooling is supported, the input has shape " + toString(shape));
  addGlobalPool(node, /*keepDims=*/true);
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
        {"BatchNormalization", &I::addBatchNorm},
        {"LayerNormalization", &I::addLayerNorm},
        {"MaxPool", &I::addMaxPool},
        {"AveragePool", &I::addAveragePool},
        {"GlobalAveragePool", &I::addGlobalAveragePool},
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
