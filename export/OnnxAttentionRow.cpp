// Attention as the products and the softmax that it is, which every ONNX runtime has.
#include "export/OnnxGraph.h"

#include <limits>

namespace halfstep {

static constexpr double kHidden = -1e30; ///< a mask of this and below hides a key
static constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// softmax(scale Q K' + mask) V over heads [n, h, t, d]; queries come as [n, t, h d], or with keys and values
/// side by side in one input.
void OnnxGraphWriter::attention(const Node &node) {
  int64_t heads = node.integer("heads"), keyHeads = node.integer("kv_heads");
  bool masked = node.flag("masked"), packed = node.inputs.size() == size_t(masked ? 2 : 1);
  const Shape &result = graph.shapeOf(node.outputs[0], node.place);
  int64_t depth = result[2].size / heads, queries = result[1].size;
  int64_t keys = packed ? queries : shapeOf(node, 1)[1].size;
  Names parts = node.inputs;
  onnx::NodeProto *added;
  if (packed) {
    parts = {node.outputs[0] + ".query", node.outputs[0] + ".key", node.outputs[0] + ".value"};
    std::string sizes = integers(node, "sizes", {heads * depth, keyHeads * depth, keyHeads * depth});
    set(add("Split", node.name + ".split", {node.inputs[0], sizes}, parts), "axis", int64_t(2));
  }
  auto byHeads = [&](size_t part, int64_t rows, int64_t count, const std::string &name,
                     const std::vector<int64_t> &perm) {
    std::string shape = integers(node, name + "_shape", {-1, rows, count, depth});
    std::string apart = step(node, "Reshape", name + "_apart", {parts[part], shape});
    std::string turned = step(node, "Transpose", name + "_heads", {apart}, &added);
    set(*added, "perm", perm);
    return turned;
  };
  std::string query = byHeads(0, queries, heads, "query", {0, 2, 1, 3});
  std::string key = sharedHeads(node, byHeads(1, keys, keyHeads, "key", {0, 2, 3, 1}), "key");
  std::string value = sharedHeads(node, byHeads(2, keys, keyHeads, "value", {0, 2, 1, 3}), "value");
  std::string products = step(node, "MatMul", "products", {query, key});
  std::string scores = step(node, "Mul", "scores", {products, number(node, "scale", node.number("scale"))});
  if (node.flag("causal"))
    scores = step(node, "Add", "causal_scores", {scores, causalMask(node, queries, keys)});
  if (masked)
    scores = step(node, "Add", "masked_scores", {scores, addedMask(node)});
  std::string weights = step(node, "Softmax", "weights", {scores}, &added);
  set(*added, "axis", int64_t(-1));
  if (masked) { // a row without keys is 0
    std::string none = step(node, "IsNaN", "no_keys", {weights});
    weights = step(node, "Where", "kept_weights", {none, number(node, "zero", 0), weights});
  }
  std::string mixed = step(node, "MatMul", "mixed", {weights, value});
  std::string together = step(node, "Transpose", "together", {mixed}, &added);
  set(*added, "perm", std::vector<int64_t>{0, 2, 1, 3});
  add("Reshape", node.name, {together, shapeConstant(node, "shape", result)}, node.outputs);
}

/// Each head of keys once for every head of queries that it serves.
std::string OnnxGraphWriter::sharedHeads(const Node &node, const std::string &value,
                                         const std::string &name) {
  int64_t heads = node.integer("heads"), keyHeads = node.integer("kv_heads");
  if (heads == keyHeads)
    return value;
  std::vector<int64_t> serving;
  for (int64_t head = 0; head < heads; ++head)
    serving.push_back(head * keyHeads / heads);
  onnx::NodeProto *added;
  std::string shared =
      step(node, "Gather", name + "_shared", {value, integers(node, name + "_serving", serving)}, &added);
  set(*added, "axis", int64_t(1));
  return shared;
}

/// [queries, keys]: 0 where a query sees a key, -infinity behind its own place.
std::string OnnxGraphWriter::causalMask(const Node &node, int64_t queries, int64_t keys) {
  onnx::TensorProto &mask = *proto.add_initializer();
  mask.set_name(node.outputs[0] + ".causal_mask");
  mask.set_data_type(onnx::TensorProto::FLOAT);
  mask.add_dims(queries);
  mask.add_dims(keys);
  for (int64_t i = 0; i < queries; ++i)
    for (int64_t j = 0; j < keys; ++j)
      mask.add_float_data(j > i ? -kInfinity : 0.0f);
  return mask.name();
}

/// The mask operand as what is added to scores [n, h, q, k]: -infinity hides.
std::string OnnxGraphWriter::addedMask(const Node &node) {
  const std::string &mask = node.inputs.back();
  std::string infinity = number(node, "hidden", -double(kInfinity));
  if (shapeOf(node, node.inputs.size() - 1).size() == 4) {
    std::string hides = step(node, "LessOrEqual", "hides", {mask, number(node, "bound", kHidden)});
    return step(node, "Where", "mask", {hides, infinity, mask});
  }
  onnx::NodeProto *cast;
  std::string sees = step(node, "Cast", "sees", {mask}, &cast);
  set(*cast, "to", int64_t(onnx::TensorProto::BOOL));
  std::string flat = step(node, "Where", "flat_mask", {sees, number(node, "seen", 0), infinity});
  return step(node, "Unsqueeze", "mask", {flat, integers(node, "mask_axes", {1, 2})});
}

} // namespace halfstep
