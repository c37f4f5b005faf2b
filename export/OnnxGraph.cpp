// The frame of an ONNX graph, and the pieces that rows are made of. See OnnxGraph.h.
#include "export/OnnxGraph.h"

namespace halfstep {

using onnx::AttributeProto;
using onnx::TensorProto;

void OnnxGraphWriter::write() {
  requireRows();
  proto.set_name(graph.name.empty() ? "halfstep" : graph.name);
  for (const GraphInput &input : graph.inputs)
    setShape(*proto.add_input(), input.name,
             input.type == ElementType::I64 ? TensorProto::INT64 : TensorProto::FLOAT);
  for (const Parameter &parameter : graph.parameters) {
    TensorProto &tensor = *proto.add_initializer();
    tensor.set_name(parameter.name);
    tensor.set_data_type(TensorProto::FLOAT);
    for (const Dim &dim : parameter.shape)
      tensor.add_dims(dim.size);
  }
  for (const Node &node : graph.nodes)
    (this->*rows().at(node.op))(node);
  for (const std::string &output : graph.outputs)
    setShape(*proto.add_output(), output, TensorProto::FLOAT);
}

void OnnxGraphWriter::requireRows() const {
  std::string missing;
  for (const Node &node : graph.nodes)
    if (!rows().count(node.op))
      missing += (missing.empty() ? "" : ", ") + node.op + " ('" + node.name + "')";
  if (!missing.empty())
    Place{graph.file, 0, 0, "", 0}.fail(ExitCode::Unsupported,
                                        "ops that cannot be exported to ONNX yet: " + missing);
}

void OnnxGraphWriter::setShape(onnx::ValueInfoProto &info, const std::string &name, int32_t type) {
  info.set_name(name);
  auto &tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  for (const Dim &dim : graph.shapeOf(name, {graph.file, 0, 0, "", 0})) {
    auto &extent = *tensor.mutable_shape()->add_dim();
    if (!dim.perSample)
      extent.set_dim_value(dim.size);
    else
      extent.set_dim_param(dim.size == 1 ? kExportBatch : std::to_string(dim.size) + "*" + kExportBatch);
  }
}

onnx::NodeProto &OnnxGraphWriter::add(const char *op, const std::string &name, const Names &inputs,
                                      const Names &outputs) {
  onnx::NodeProto &node = *proto.add_node();
  node.set_op_type(op);
  // A layer may have made two nodes of its name; ONNX wants names of their own.
  int &same = nodesOfName[name];
  node.set_name(same++ == 0 ? name : name + "." + std::to_string(same));
  for (const std::string &input : inputs)
    node.add_input(input);
  for (const std::string &output : outputs)
    node.add_output(output);
  return node;
}

std::string OnnxGraphWriter::step(const Node &node, const char *op, const std::string &name,
                                  const Names &inputs, onnx::NodeProto **added) {
  std::string result = node.outputs[0] + "." + name;
  onnx::NodeProto &made = add(op, node.name + "." + name, inputs, {result});
  if (added)
    *added = &made;
  return result;
}

std::string OnnxGraphWriter::integers(const Node &node, const std::string &name,
                                      const std::vector<int64_t> &values) {
  TensorProto &tensor = *proto.add_initializer();
  tensor.set_name(node.outputs[0] + "." + name);
  tensor.set_data_type(TensorProto::INT64);
  tensor.add_dims(int64_t(values.size()));
  for (int64_t value : values)
    tensor.add_int64_data(value);
  return tensor.name();
}

std::string OnnxGraphWriter::number(const Node &node, const std::string &name, double value) {
  TensorProto &tensor = *proto.add_initializer();
  tensor.set_name(node.outputs[0] + "." + name);
  tensor.set_data_type(TensorProto::FLOAT);
  tensor.add_float_data(float(value));
  return tensor.name();
}

std::string OnnxGraphWriter::shapeConstant(const Node &node, const std::string &name, const Shape &shape) {
  std::vector<int64_t> extents;
  for (const Dim &dim : shape)
    extents.push_back(dim.perSample ? -1 : dim.size);
  return integers(node, name, extents);
}

static AttributeProto &addAttribute(onnx::NodeProto &node, const char *key,
                                    AttributeProto::AttributeType type) {
  AttributeProto &attribute = *node.add_attribute();
  attribute.set_name(key);
  attribute.set_type(type);
  return attribute;
}

void OnnxGraphWriter::set(onnx::NodeProto &node, const char *key, int64_t value) {
  addAttribute(node, key, AttributeProto::INT).set_i(value);
}

void OnnxGraphWriter::set(onnx::NodeProto &node, const char *key, double value) {
  addAttribute(node, key, AttributeProto::FLOAT).set_f(float(value));
}

void OnnxGraphWriter::set(onnx::NodeProto &node, const char *key, const char *value) {
  addAttribute(node, key, AttributeProto::STRING).set_s(value);
}

void OnnxGraphWriter::set(onnx::NodeProto &node, const char *key, const std::vector<int64_t> &values) {
  AttributeProto &attribute = addAttribute(node, key, AttributeProto::INTS);
  for (int64_t value : values)
    attribute.add_ints(value);
}

} // namespace halfstep
