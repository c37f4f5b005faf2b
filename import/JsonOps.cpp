// One function an op of the JSON model format. Defaults and parameter layouts are PyTorch's.
#include "import/GraphShapes.h"
#include "import/JsonOpReader.h"

#include <algorithm>
#include <cmath>

namespace halfstep {

std::string OpReader::declare(const std::string &role, const Shape &shape, Init init, bool buffer) {
  if (const JsonValue *params = find("params"))
    if (const JsonValue *shared = params->asObject().find(role); shared && !buffer) {
      parameters.share(shared->asString(), shape, node.place);
      return shared->asString();
    }
  if (const JsonValue *inits = find("init"))
    if (const JsonValue *own = inits->asObject().find(role); own && !buffer)
      init = readJsonInit(own->asObject(), shape);
  Parameter parameter;
  parameter.name = json.name + "." + role;
  parameter.shape = shape;
  parameter.buffer = buffer;
  parameter.init = std::move(init);
  parameter.place = node.place;
  std::string name = parameter.name;
  parameters.own(std::move(parameter));
  return name;
}

void OpReader::gelu() {
  std::string kind = find("approximate") ? at("approximate").asString() : "none";
  if (kind != "none" && kind != "tanh")
    at("approximate").place.badInput("expected \"none\" or \"tanh\", got '" + kind + "'");
  node.attributes["tanh"] = kind == "tanh";
  emit();
}

void OpReader::addOrMul() {
  if (const JsonValue *value = find("value")) {
    if (node.inputs.size() != 1)
      value->place.badInput("'value' goes with one input, got " + std::to_string(node.inputs.size()));
    node.op += "_number";
    node.attributes["value"] = value->asNumber();
  } else if (json.chained) {
    node.place.badInput("in a chain '" + node.op +
                        "' needs a number 'value'; two inputs need the nodes form");
  }
  emit();
}

void OpReader::linear() {
  Dim in = featureExtent(inputShape().empty() ? Dim{1, true} : inputShape().back());
  Dim out{at("out").asInteger(1, kMaxExtent), false};
  Init init = uniformInit(1 / std::sqrt(double(in.size)));
  node.op = "matmul";
  node.attributes["transpose_b"] = true;
  node.inputs.push_back(declare("weight", {out, in}, init));
  if (boolean("bias", true))
    node.inputs.push_back(declare("bias", {out}, init));
  emit();
}

void OpReader::conv2d() {
  Dim in = featureExtent(inputShape(4)[1]);
  Dim out{at("out").asInteger(1, kMaxExtent), false};
  int64_t groups = integer("groups", 1, 1, kMaxExtent);
  if (in.size % groups || out.size % groups)
    node.place.badInput("'groups' " + std::to_string(groups) + " must divide the input channels " +
                        std::to_string(in.size) + " and the output channels " + std::to_string(out.size));
  std::vector<int64_t> kernel = pair("kernel", 1);
  Shape weight = {out, {in.size / groups, false}, {kernel[0], false}, {kernel[1], false}};
  Init init = uniformInit(1 / std::sqrt(fanIn(weight)));
  node.attributes = {{"stride", pairOr("stride", {1, 1}, 1)},
                     {"padding", paddingOnBothSides()},
                     {"dilation", pairOr("dilation", {1, 1}, 1)},
                     {"groups", groups}};
  node.inputs.push_back(declare("weight", weight, init));
  if (boolean("bias", true))
    node.inputs.push_back(declare("bias", {out}, init));
  emit();
}

void OpReader::batchNorm() {
  if (inputShape().size() < 2)
    node.place.badInput("expected an input [N, C, ...], got shape " + toString(inputShape()));
  Shape channels = {featureExtent(inputShape()[1])};
  node.attributes = {{"eps", epsilon()}, {"momentum", number("momentum", 0.1, 0, 1)}};
  node.inputs.push_back(declare("weight", channels, constantInit(1)));
  node.inputs.push_back(declare("bias", channels, constantInit(0)));
  node.inputs.push_back(declare("running_mean", channels, constantInit(0), /*buffer=*/true));
  node.inputs.push_back(declare("running_var", channels, constantInit(1), /*buffer=*/true));
  emit();
}

void OpReader::layerNorm() {
  const Shape &input = inputShape();
  int64_t first = normalizeAxis(axis(-1), input.size(), node.place);
  Shape trailing(input.begin() + first, input.end());
  std::for_each(trailing.begin(), trailing.end(), [&](Dim extent) { featureExtent(extent); });
  node.attributes = {{"axis", first}, {"eps", epsilon()}};
  node.inputs.push_back(declare("weight", trailing, constantInit(1)));
  node.inputs.push_back(declare("bias", trailing, constantInit(0)));
  emit();
}

void OpReader::pool() {
  std::vector<int64_t> kernel = pair("kernel", 1);
  node.attributes["kernel"] = kernel;
  node.attributes["stride"] = pairOr("stride", kernel, 1);
  node.attributes["padding"] = paddingOnBothSides();
  emit();
}

void OpReader::maxPool() { pool(); }

void OpReader::avgPool() {
  node.attributes["exclude_pad"] = !boolean("count_include_pad", true);
  pool();
}

void OpReader::globalAvgPool() {
  Shape input = inputShape(4);
  std::vector<int64_t> image = {featureExtent(input[2]).size, featureExtent(input[3]).size};
  std::vector<std::string> outputs = node.outputs;
  bool flatten = boolean("flatten", false);
  if (flatten)
    node.outputs = {json.name + ".pooled"};
  node.op = "avg_pool2d";
  node.attributes = {
      {"kernel", image}, {"stride", image}, {"padding", std::vector<int64_t>(4)}, {"exclude_pad", false}};
  Node view{"reshape", json.name, node.outputs, outputs, {}, node.place};
  emit();
  if (flatten)
    graph.addNode(std::move(view), {input[0], input[1]});
}

void OpReader::flatten() {
  Shape input = inputShape();
  int64_t start = normalizeAxis(integer("start", 1, -64, 63), input.size(), node.place);
  Dim joined;
  for (size_t i = size_t(start); i < input.size(); ++i)
    joined = {joined.size * input[i].size, joined.perSample || input[i].perSample};
  input.resize(size_t(start));
  input.push_back(joined);
  node.op = "reshape";
  emit(input);
}

void OpReader::reshape() {
  Shape wanted;
  for (const JsonValue &item : at("shape").asArray()) {
    bool named = item.kind == JsonValue::Kind::String;
    if (named && (json.batchName.empty() || item.text != json.batchName))
      item.place.badInput("'" + item.text + "' is not the name of the batch");
    wanted.push_back(named ? Dim{1, true} : Dim{item.asInteger(-1, kMaxElements), false});
  }
  emit(resolveReshape(inputShape(), wanted, /*zeroIsExtent=*/false, graph.replacedBatch, node.place));
}

void OpReader::transpose() {
  node.attributes["perm"] = integers("perm", 0, 63);
  emit();
}

void OpReader::split() {
  node.attributes = {{"axis", normalizeAxis(at("axis").asInteger(-64, 63), inputShape().size(), node.place)},
                     {"sizes", integers("sizes", 1, kMaxExtent)}};
  emit();
}

void OpReader::matmul() {
  if (node.inputs.size() != 2)
    node.place.badInput("'matmul' takes 2 inputs, got " + std::to_string(node.inputs.size()));
  node.attributes["transpose_b"] = boolean("transpose_b", false);
  emit();
}

void OpReader::softmax() {
  node.attributes["axis"] = normalizeAxis(axis(-1), inputShape().size(), node.place);
  emit();
}

void OpReader::dropout() {
  double p = number("p", 0.5, 0, 1);
  if (p == 1)
    at("p").place.badInput("'p' must be below 1");
  node.attributes["p"] = p;
  emit();
}

void OpReader::embedding() {
  inputShape();
  Shape table = {{at("rows").asInteger(1, kMaxExtent), false}, {at("out").asInteger(1, kMaxExtent), false}};
  node.inputs.insert(node.inputs.begin(), declare("weight", table, {Init::Kind::Normal, 0, 1, {}}));
  emit();
}

void OpReader::attention() {
  const Shape &input = inputShape(3);
  int64_t heads = at("heads").asInteger(1, kMaxExtent), keyHeads = integer("kv_heads", heads, 1, kMaxExtent);
  bool masked = boolean("masked", false), packed = node.inputs.size() == (masked ? 2 : 1);
  int64_t depth = input[2].size / (heads + (packed ? 2 * keyHeads : 0));
  node.attributes = {
      {"heads", heads},
      {"kv_heads", keyHeads},
      {"causal", boolean("causal", false)},
      {"masked", masked},
      {"scale", number("scale", 1 / std::sqrt(double(std::max<int64_t>(depth, 1))), -1e6, 1e6)}};
  emit();
}

/// The node makes no op: its output is another name of the parameter.
void OpReader::parameter() {
  Shape shape;
  for (int64_t extent : integers("shape", 1, kMaxExtent))
    shape.push_back({extent, false});
  if (!node.inputs.empty() || node.outputs.size() != 1)
    node.place.badInput("'parameter' has no inputs and one output");
  at("init").at("weight");
  std::string name = declare("weight", shape, {});
  node.op = "reshape";
  node.inputs = {name};
  emit(shape);
}

namespace {

struct OpEntry {
  void (OpReader::*read)();
  std::vector<std::string> attributes;
  std::vector<std::string> parameters; ///< roles that "init" and "params" may name
  bool chained = true;                 ///< allowed in the layers form
};

const std::map<std::string, OpEntry> &opTable() {
  using R = OpReader;
  const std::vector<std::string> both = {"weight", "bias"};
  static const std::map<std::string, OpEntry> table = {
      {"relu", {&R::elementwise, {}, {}}},
      {"tanh", {&R::elementwise, {}, {}}},
      {"sigmoid", {&R::elementwise, {}, {}}},
      {"silu", {&R::elementwise, {}, {}}},
      {"gelu", {&R::gelu, {"approximate"}, {}}},
      {"add", {&R::addOrMul, {"value"}, {}}},
      {"mul", {&R::addOrMul, {"value"}, {}}},
      {"linear", {&R::linear, {"out", "bias"}, both}},
      {"conv2d", {&R::conv2d, {"out", "kernel", "stride", "padding", "dilation", "groups", "bias"}, both}},
      {"batch_norm", {&R::batchNorm, {"eps", "momentum"}, both}},
      {"layer_norm", {&R::layerNorm, {"axis", "eps"}, both}},
      {"max_pool2d", {&R::maxPool, {"kernel", "stride", "padding"}, {}}},
      {"avg_pool2d", {&R::avgPool, {"kernel", "stride", "padding", "count_include_pad"}, {}}},
      {"conv_transpose2d",
       {&R::convTranspose2d,
        {"out", "kernel", "stride", "padding", "dilation", "output_padding", "groups", "bias"},
        both}},
      {"group_norm", {&R::groupNorm, {"groups", "eps"}, both}},
      {"instance_norm", {&R::instanceNorm, {"eps"}, both}},
      {"upsample", {&R::upsample, {"size", "scale", "mode", "align_corners"}, {}}},
      {"global_avg_pool", {&R::globalAvgPool, {"flatten"}, {}}},
      {"flatten", {&R::flatten, {"start"}, {}}},
      {"reshape", {&R::reshape, {"shape"}, {}}},
      {"transpose", {&R::transpose, {"perm"}, {}}},
      {"split", {&R::split, {"axis", "sizes"}, {}, false}},
      {"matmul", {&R::matmul, {"transpose_b"}, {}, false}},
      {"softmax", {&R::softmax, {"axis"}, {}}},
      {"dropout", {&R::dropout, {"p"}, {}}},
      {"embedding", {&R::embedding, {"rows", "out"}, {"weight"}}},
      {"attention", {&R::attention, {"heads", "kv_heads", "causal", "masked", "scale"}, {}}},
      {"parameter", {&R::parameter, {"shape"}, {"weight"}, false}},
      {"clip", {&R::clip, {"min", "max"}, {}}},
      {"leaky_relu", {&R::ofAlpha, {"alpha"}, {}}},
      {"elu", {&R::ofAlpha, {"alpha"}, {}}},
      {"celu", {&R::ofAlpha, {"alpha"}, {}}},
      {"thresholded_relu", {&R::ofAlpha, {"alpha"}, {}}},
      {"selu", {&R::selu, {}, {}}},
      {"hardsigmoid", {&R::hardsigmoid, {}, {}}},
      {"sub", {&R::ofTwo, {"value"}, {}}},
      {"div", {&R::ofTwo, {"value"}, {}}},
      {"pow", {&R::ofTwo, {"value"}, {}}},
      {"maximum", {&R::ofTwo, {"value"}, {}}},
      {"minimum", {&R::ofTwo, {"value"}, {}}},
      {"prelu", {&R::elementwise, {}, {}, false}},
      {"compare", {&R::compare, {"predicate", "value"}, {}}},
      {"where", {&R::elementwise, {}, {}, false}},
      {"reduce_sum", {&R::reduce, {"axes", "keep_dims"}, {}}},
      {"reduce_mean", {&R::reduce, {"axes", "keep_dims"}, {}}},
      {"reduce_max", {&R::reduce, {"axes", "keep_dims"}, {}}},
      {"reduce_min", {&R::reduce, {"axes", "keep_dims"}, {}}},
      {"reduce_prod", {&R::reduce, {"axes", "keep_dims"}, {}}},
      {"log_softmax", {&R::softmax, {"axis"}, {}}},
      {"slice", {&R::slice, {"axis", "start", "end", "step"}, {}}},
      {"pad", {&R::pad, {"before", "after", "value"}, {}}},
      {"concat", {&R::concat, {"axis"}, {}, false}},
      {"expand", {&R::expand, {"shape"}, {}}},
  };
  static const std::map<std::string, OpEntry> all = [] {
    std::map<std::string, OpEntry> made = table;
    for (const char *function :
         {"exp", "log", "sqrt", "reciprocal", "abs", "erf", "sin", "cos", "softplus", "log_sigmoid",
          "softsign", "mish", "hardswish", "sign", "floor", "ceil", "round"})
      made[function] = {&R::elementwise, {}, {}};
    return made;
  }();
  return all;
}

void checkKeys(const OpEntry &entry, const JsonOp &op) {
  if (!op.attributes)
    return;
  std::vector<std::string> keys = entry.attributes;
  if (op.chained)
    keys.insert(keys.end(), {"op", "name"});
  if (!entry.parameters.empty())
    keys.insert(keys.end(), {"init", "params"});
  op.attributes->allowKeys(keys);
  for (const char *key : {"init", "params"})
    if (const JsonValue *roles = op.attributes->find(key))
      roles->allowKeys(entry.parameters);
}

} // namespace

bool isJsonOp(const std::string &op) { return opTable().count(op) != 0; }

void addJsonOp(Graph &graph, JsonParameters &parameters, const JsonOp &op) {
  auto entry = opTable().find(op.op);
  if (op.chained && !entry->second.chained)
    op.place.badInput("'" + op.op + "' needs the nodes form");
  checkKeys(entry->second, op);
  OpReader reader(graph, parameters, op);
  (reader.*entry->second.read)();
}

} // namespace halfstep
