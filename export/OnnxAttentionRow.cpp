// Attention as the products and the softmax that it is, which every ONNX runtime has.
#include "export/OnnxGraph.h"

#include <limits>

namespace halfstep {

/// softmax(scale Q K' + mask) V over heads [n, h, t, d]; queries come as [n, t, h d], or with keys and values
/// side by side in one input.
void OnnxGraphWriter::attention(const Node &node) {
  int64_t heads = node.integer("heads");
  const Shape &result = graph.shapeOf(node.outputs[0], node.place);
  int64_t depth = result[2].size / heads;
  Names parts = node.inputs;
  if (parts.size() == 1) {
    Names pieces;
    for (const char *name : {"query", "key", "value"})
      pieces.push_back(node.outputs[0] + "." + name);
    std::string sizes = integers(node, "sizes", std::vector<int64_t>(3, result[2].size));
    set(add("Split", node.name + ".split", {parts[0], sizes}, pieces), "axis", int64_t(2));
    parts = pieces;
  }
  int64_t queries = result[1].size, keys = node.inputs.size() == 1 ? queries : shapeOf(node, 1)[1].size;
  onnx::NodeProto *added;
  auto byHeads = [&](size_t part, int64_t rows, const std::string &name, const std::vector<int64_t> &perm) {
    std::string shape = integers(node, name + "_shape", {-1, rows, heads, depth});
    std::string apart = step(node, "Reshape", name + "_apart", {parts[part], shape});
    std::string turned = step(node, "Transpose", name + "_heads", {apart}, &added);
    set(*added, "perm", perm);
    return turned;
  };
  std::string query = byHeads(0, queries, "query", {0, 2, 1, 3}), key = byHeads(1, keys, "key", {0, 2, 3, 1}),
              value = byHeads(2, keys, "value", {0, 2, 1, 3});
  std::string products = step(node, "MatMul", "products", {query, key});
  std::string scores = step(node, "Mul", "scores", {products, number(node, "scale", node.number("scale"))});
  if (node.flag("causal"))
    scores = step(node, "Add", "masked", {scores, causalMask(node, queries, keys)});
  std::string weights = step(node, "Softmax", "weights", {scores}, &added);
  set(*added, "axis", int64_t(-1));
  std::string mixed = step(node, "MatMul", "mixed", {weights, value});
  std::string together = step(node, "Transpose", "together", {mixed}, &added);
  set(*added, "perm", std::vector<int64_t>{0, 2, 1, 3});
  add("Reshape", node.name, {together, shapeConstant(node, "shape", result)}, node.outputs);
}

/// [queries, keys]: 0 where a query sees a key, -infinity behind its own place.
std::string OnnxGraphWriter::causalMask(const Node &node, int64_t queries, int64_t keys) {
  onnx::TensorProto &mask = *proto.add_initializer();
  mask.set_name(node.outputs[0] + ".mask");
  mask.set_data_type(onnx::TensorProto::FLOAT);
  mask.add_dims(queries);
  mask.add_dims(keys);
  for (int64_t i = 0; i < queries; ++i)
    for (int64_t j = 0; j < keys; ++j)
      mask.add_float_data(j > i ? -std::numeric_limits<float>::infinity() : 0.0f);
  return mask.name();
}

} // namespace halfstep
