// What constants, comparisons, choices, root-mean-square norms and rotary positions become in ONNX. A truth
// value is 1 or 0 in a float tensor here and a bool there.
#include "export/OnnxGraph.h"

namespace halfstep {

void OnnxGraphWriter::addChoiceRows(std::map<std::string, Row> &table) {
  using W = OnnxGraphWriter;
  table.insert({{"constant", &W::constant},
                {"compare", &W::compare},
                {"where", &W::where},
                {"from_ids", &W::fromIds},
                {"log_sigmoid", &W::logSigmoid},
                {"rms_norm", &W::rmsNorm},
                {"rotary", &W::rotary}});
}

void OnnxGraphWriter::constant(const Node &node) {
  onnx::TensorProto &tensor = *proto.add_initializer();
  tensor.set_name(node.outputs[0]);
  for (const Dim &dim : graph.shapeOf(node.outputs[0], node.place)) {
    if (dim.perSample)
      node.place.fail(ExitCode::Unsupported, "a constant for each sample cannot be exported to ONNX yet");
    tensor.add_dims(dim.size);
  }
  if (node.attributes.count("integers")) {
    tensor.set_data_type(onnx::TensorProto::INT64);
    for (int64_t value : node.integers("integers"))
      tensor.add_int64_data(value);
    return;
  }
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (double value : node.numbers("numbers"))
    tensor.add_float_data(float(value));
}

/// `value` as a bool.
std::string OnnxGraphWriter::truth(const Node &node, const std::string &name, const std::string &value) {
  onnx::NodeProto *cast;
  std::string result = step(node, "Cast", name, {value}, &cast);
  set(*cast, "to", int64_t(onnx::TensorProto::BOOL));
  return result;
}

void OnnxGraphWriter::compare(const Node &node) {
  static const std::map<std::string, const char *> ops = {{"equal", "Equal"},
                                                          {"not_equal", "Equal"},
                                                          {"less", "Less"},
                                                          {"greater", "Greater"},
                                                          {"less_equal", "LessOrEqual"},
                                                          {"greater_equal", "GreaterOrEqual"},
                                                          {"and", "And"},
                                                          {"or", "Or"},
                                                          {"xor", "Xor"}};
  const std::string &predicate = node.text("predicate");
  Names operands = node.inputs;
  if (predicate == "and" || predicate == "or" || predicate == "xor")
    for (size_t i : {0, 1})
      operands[i] = truth(node, i ? "right" : "left", operands[i]);
  std::string holds = step(node, ops.at(predicate), "holds", operands);
  if (predicate == "not_equal")
    holds = step(node, "Not", "differs", {holds});
  set(add("Cast", node.name, {holds}, node.outputs), "to", int64_t(onnx::TensorProto::FLOAT));
}

void OnnxGraphWriter::where(const Node &node) {
  add("Where", node.name, {truth(node, "chosen", node.inputs[0]), node.inputs[1], node.inputs[2]},
      node.outputs);
}

void OnnxGraphWriter::fromIds(const Node &node) {
  set(addWhole("Cast", node), "to", int64_t(onnx::TensorProto::FLOAT));
}

/// log(1 / (1 + exp(-x))) = -softplus(-x)
void OnnxGraphWriter::logSigmoid(const Node &node) {
  std::string negated = step(node, "Neg", "negated", {node.inputs[0]});
  add("Neg", node.name, {step(node, "Softplus", "softplus", {negated})}, node.outputs);
}

void OnnxGraphWriter::rmsNorm(const Node &node) {
  const std::string &x = node.inputs[0];
  std::vector<int64_t> axes;
  for (int64_t axis = node.integer("axis"); axis < int64_t(shapeOf(node, 0).size()); ++axis)
    axes.push_back(axis);
  std::string squares = step(node, "Mul", "squares", {x, x});
  std::string mean = step(node, "ReduceMean", "mean", {squares, integers(node, "axes", axes)});
  std::string shifted = step(node, "Add", "shifted", {mean, number(node, "eps", node.number("eps"))});
  std::string scaled = step(node, "Div", "scaled", {x, step(node, "Sqrt", "root", {shifted})});
  add("Mul", node.name, {scaled, node.inputs[1]}, node.outputs);
}

/// x * cos + r(x) * sin with columns apart by heads, where r makes (-b, a) of the halves (a, b) of a head.
void OnnxGraphWriter::rotary(const Node &node) {
  if (node.flag("interleaved"))
    node.place.fail(ExitCode::Unsupported, "interleaved rotary positions cannot be exported to ONNX yet");
  const Shape &shape = shapeOf(node, 0);
  int64_t rows = shape[1].size, depth = shapeOf(node, 1)[1].size;
  std::string apart = integers(node, "heads_shape", {-1, rows, shape[2].size / depth, depth});
  std::string heads = step(node, "Reshape", "heads", {node.inputs[0], apart});
  const std::string first = node.outputs[0] + ".first", second = node.outputs[0] + ".second";
  std::string sizes = integers(node, "halves", {depth / 2, depth / 2});
  set(add("Split", node.name + ".split", {heads, sizes}, {first, second}), "axis", int64_t(3));
  onnx::NodeProto *joined;
  std::string turned =
      step(node, "Concat", "turned", {step(node, "Neg", "negated", {second}), first}, &joined);
  set(*joined, "axis", int64_t(3));
  std::string axis = integers(node, "table_axis", {1});
  std::string cos = step(node, "Unsqueeze", "cos", {node.inputs[1], axis});
  std::string sin = step(node, "Unsqueeze", "sin", {node.inputs[2], axis});
  std::string sum =
      step(node, "Add", "sum",
           {step(node, "Mul", "kept", {heads, cos}), step(node, "Mul", "added", {turned, sin})});
  add("Reshape", node.name, {sum, shapeConstant(node, "shape", shape)}, node.outputs);
}

} // namespace halfstep
