// What each op of the importer's vocabulary becomes in ONNX.
#include "export/OnnxGraph.h"

namespace halfstep {

const std::map<std::string, OnnxGraphWriter::Row> &OnnxGraphWriter::rows() {
  using W = OnnxGraphWriter;
  static const std::map<std::string, Row> table = [] {
    std::map<std::string, Row> made = {
        {"relu", &W::sameName},
        {"tanh", &W::sameName},
        {"sigmoid", &W::sameName},
        {"add", &W::sameName},
        {"sub", &W::sameName},
        {"mul", &W::sameName},
        {"silu", &W::silu},
        {"gelu", &W::gelu},
        {"dropout", &W::dropout},
        {"add_number", &W::withNumber},
        {"mul_number", &W::withNumber},
        {"matmul", &W::matmul},
        {"conv2d", &W::conv2d},
        {"max_pool2d", &W::maxPool},
        {"avg_pool2d", &W::avgPool},
        {"batch_norm", &W::batchNorm},
        {"layer_norm", &W::layerNorm},
        {"softmax", &W::softmax},
        {"embedding", &W::embedding},
        {"reshape", &W::reshape},
        {"transpose", &W::transpose},
        {"split", &W::split},
        {"concat", &W::concat},
        {"attention", &W::attention},
        {"conv_transpose2d", &W::convTranspose2d},
        {"group_norm", &W::groupNorm},
        {"resize2d", &W::resize2d},
    };
    addGeneralRows(made);
    addChoiceRows(made);
    return made;
  }();
  return table;
}

void OnnxGraphWriter::sameName(const Node &node) {
  static const std::map<std::string, const char *> names = {{"relu", "Relu"},       {"tanh", "Tanh"},
                                                            {"sigmoid", "Sigmoid"}, {"add", "Add"},
                                                            {"sub", "Sub"},         {"mul", "Mul"}};
  addWhole(names.at(node.op), node);
}

void OnnxGraphWriter::silu(const Node &node) {
  std::string gate = step(node, "Sigmoid", "gate", {node.inputs[0]});
  add("Mul", node.name, {node.inputs[0], gate}, node.outputs);
}

void OnnxGraphWriter::gelu(const Node &node) {
  set(addWhole("Gelu", node), "approximate", node.flag("tanh") ? "tanh" : "none");
}

/// Inference drops nothing.
void OnnxGraphWriter::dropout(const Node &node) { addWhole("Identity", node); }

void OnnxGraphWriter::withNumber(const Node &node) {
  std::string value = number(node, "value", node.number("value"));
  add(node.op == "add_number" ? "Add" : "Mul", node.name, {node.inputs[0], value}, node.outputs);
}

/// A product of matrices is a Gemm, which keeps a weight [out, in] as it is.
void OnnxGraphWriter::matmul(const Node &node) {
  bool turned = node.flag("transpose_b");
  const Shape &right = shapeOf(node, 1);
  if (shapeOf(node, 0).size() == 2 && right.size() == 2) {
    set(addWhole("Gemm", node), "transB", int64_t(turned));
    return;
  }
  std::string weight = node.inputs[1];
  if (turned) {
    std::vector<int64_t> perm;
    for (size_t i = 0; i < right.size(); ++i)
      perm.push_back(int64_t(i));
    std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
    onnx::NodeProto *transposed;
    weight = step(node, "Transpose", "transposed", {weight}, &transposed);
    set(*transposed, "perm", perm);
  }
  if (!node.hasInput(2)) {
    add("MatMul", node.name, {node.inputs[0], weight}, node.outputs);
    return;
  }
  std::string product = step(node, "MatMul", "product", {node.inputs[0], weight});
  add("Add", node.name, {product, node.inputs[2]}, node.outputs);
}

void OnnxGraphWriter::conv2d(const Node &node) {
  onnx::NodeProto &conv = addWhole("Conv", node);
  const Shape &weight = shapeOf(node, 1);
  set(conv, "kernel_shape", std::vector<int64_t>{weight[2].size, weight[3].size});
  set(conv, "strides", node.integers("stride"));
  set(conv, "pads", node.integers("padding"));
  set(conv, "dilations", node.integers("dilation"));
  set(conv, "group", node.integer("groups"));
}

void OnnxGraphWriter::maxPool(const Node &node) {
  onnx::NodeProto &pool = addWhole("MaxPool", node);
  if (node.attributes.count("dilation"))
    set(pool, "dilations", node.integers("dilation"));
  set(pool, "kernel_shape", node.integers("kernel"));
  set(pool, "strides", node.integers("stride"));
  set(pool, "pads", node.integers("padding"));
}

void OnnxGraphWriter::avgPool(const Node &node) {
  if (node.attributes.count("uncounted"))
    node.place.fail(ExitCode::Unsupported, "windows beyond the padding cannot be exported to ONNX yet");
  onnx::NodeProto &pool = addWhole("AveragePool", node);
  set(pool, "kernel_shape", node.integers("kernel"));
  set(pool, "strides", node.integers("stride"));
  set(pool, "pads", node.integers("padding"));
  set(pool, "count_include_pad", int64_t(!node.flag("exclude_pad")));
}

void OnnxGraphWriter::batchNorm(const Node &node) {
  set(addWhole("BatchNormalization", node), "epsilon", node.number("eps"));
}

void OnnxGraphWriter::layerNorm(const Node &node) {
  onnx::NodeProto &norm = addWhole("LayerNormalization", node);
  set(norm, "axis", node.integer("axis"));
  set(norm, "epsilon", node.number("eps"));
}

void OnnxGraphWriter::softmax(const Node &node) {
  set(addWhole(node.op == "softmax" ? "Softmax" : "LogSoftmax", node), "axis", node.integer("axis"));
}

void OnnxGraphWriter::embedding(const Node &node) { set(addWhole("Gather", node), "axis", int64_t(0)); }

void OnnxGraphWriter::reshape(const Node &node) {
  std::string shape = shapeConstant(node, "shape", graph.shapeOf(node.outputs[0], node.place));
  add("Reshape", node.name, {node.inputs[0], shape}, node.outputs);
}

void OnnxGraphWriter::transpose(const Node &node) {
  set(addWhole("Transpose", node), "perm", node.integers("perm"));
}

void OnnxGraphWriter::split(const Node &node) {
  std::string sizes = integers(node, "sizes", node.integers("sizes"));
  set(add("Split", node.name, {node.inputs[0], sizes}, node.outputs), "axis", node.integer("axis"));
}

void OnnxGraphWriter::concat(const Node &node) {
  set(addWhole("Concat", node), "axis", node.integer("axis"));
}

} // namespace halfstep
