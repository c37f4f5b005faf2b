// What functions, reductions and parts of tensors become in ONNX.
#include "export/OnnxGraph.h"

#include <limits>

namespace halfstep {

namespace {

/// ONNX's op for a function, and what it calls the function's numbers alpha and beta.
struct FunctionName {
  const char *op;
  const char *alpha = nullptr, *beta = nullptr;
};

const std::map<std::string, FunctionName> &functionNames() {
  static const std::map<std::string, FunctionName> names = {
      {"exp", {"Exp"}},
      {"log", {"Log"}},
      {"sqrt", {"Sqrt"}},
      {"norm_root", {"Sqrt"}}, // differs in its gradient at 0 only
      {"reciprocal", {"Reciprocal"}},
      {"abs", {"Abs"}},
      {"erf", {"Erf"}},
      {"sin", {"Sin"}},
      {"cos", {"Cos"}},
      {"softplus", {"Softplus"}},
      {"softsign", {"Softsign"}},
      {"mish", {"Mish"}},
      {"hardswish", {"HardSwish"}},
      {"sign", {"Sign"}},
      {"floor", {"Floor"}},
      {"ceil", {"Ceil"}},
      {"round", {"Round"}},
      {"detach", {"Identity"}},
      {"div", {"Div"}},
      {"pow", {"Pow"}},
      {"maximum", {"Max"}},
      {"minimum", {"Min"}},
      {"prelu", {"PRelu"}},
      {"leaky_relu", {"LeakyRelu", "alpha"}},
      {"elu", {"Elu", "alpha"}},
      {"celu", {"Celu", "alpha"}},
      {"thresholded_relu", {"ThresholdedRelu", "alpha"}},
      {"selu", {"Selu", "alpha", "gamma"}},
      {"hardsigmoid", {"HardSigmoid", "alpha", "beta"}},
  };
  return names;
}

} // namespace

void OnnxGraphWriter::addGeneralRows(std::map<std::string, Row> &table) {
  using W = OnnxGraphWriter;
  for (const auto &[name, onnx] : functionNames())
    table[name] = &W::function;
  table.insert({{"clip", &W::clip},
                {"log_softmax", &W::softmax},
                {"reduce_mean", &W::reduction},
                {"reduce_sum", &W::reduction},
                {"reduce_max", &W::reduction},
                {"reduce_min", &W::reduction},
                {"reduce_prod", &W::reduction},
                {"expand", &W::expand},
                {"slice", &W::slice},
                {"pad", &W::pad}});
}

void OnnxGraphWriter::function(const Node &node) {
  const FunctionName &name = functionNames().at(node.op);
  onnx::NodeProto &made = addWhole(name.op, node);
  if (name.alpha)
    set(made, name.alpha, node.number("alpha"));
  if (name.beta)
    set(made, name.beta, node.number("beta"));
}

void OnnxGraphWriter::clip(const Node &node) {
  add("Clip", node.name,
      {node.inputs[0], number(node, "least", node.number("alpha")),
       number(node, "most", node.number("beta"))},
      node.outputs);
}

void OnnxGraphWriter::reduction(const Node &node) {
  static const std::map<std::string, const char *> names = {{"reduce_mean", "ReduceMean"},
                                                            {"reduce_sum", "ReduceSum"},
                                                            {"reduce_max", "ReduceMax"},
                                                            {"reduce_min", "ReduceMin"},
                                                            {"reduce_prod", "ReduceProd"}};
  std::string axes = integers(node, "axes", node.integers("axes"));
  set(add(names.at(node.op), node.name, {node.inputs[0], axes}, node.outputs), "keepdims",
      int64_t(node.flag("keep_dims")));
}

/// Expand's target of 1 keeps an extent, so it stands for the batch.
void OnnxGraphWriter::expand(const Node &node) {
  std::vector<int64_t> extents;
  for (const Dim &dim : graph.shapeOf(node.outputs[0], node.place))
    extents.push_back(dim.perSample ? 1 : dim.size);
  const Shape &input = shapeOf(node, 0), &result = graph.shapeOf(node.outputs[0], node.place);
  for (size_t i = 0; i < result.size(); ++i)
    if (size_t lead = result.size() - input.size();
        result[i].perSample && (i < lead || !input[i - lead].perSample))
      node.place.fail(ExitCode::Unsupported, "'expand' along the batch cannot be exported to ONNX yet");
  add("Expand", node.name, {node.inputs[0], integers(node, "extents", extents)}, node.outputs);
}

void OnnxGraphWriter::slice(const Node &node) {
  std::vector<int64_t> starts, ends, axes, steps;
  const Shape &input = shapeOf(node, 0);
  for (size_t i = 0; i < input.size(); ++i) {
    int64_t start = node.integers("starts")[i], size = node.integers("sizes")[i],
            step = node.integers("steps")[i];
    if (size == 0 && start == 0 && step == 1)
      continue;
    int64_t end = start + size * step;
    axes.push_back(int64_t(i));
    starts.push_back(start);
    steps.push_back(step);
    // Before the first element: a number that is not taken as counted from the end.
    ends.push_back(end < 0 ? std::numeric_limits<int64_t>::min() : end);
  }
  add("Slice", node.name,
      {node.inputs[0], integers(node, "starts", starts), integers(node, "ends", ends),
       integers(node, "axes", axes), integers(node, "steps", steps)},
      node.outputs);
}

void OnnxGraphWriter::pad(const Node &node) {
  std::vector<int64_t> pads = node.integers("before");
  const std::vector<int64_t> &after = node.integers("after");
  pads.insert(pads.end(), after.begin(), after.end());
  add("Pad", node.name,
      {node.inputs[0], integers(node, "pads", pads), number(node, "value", node.number("value"))},
      node.outputs);
}

} // namespace halfstep
