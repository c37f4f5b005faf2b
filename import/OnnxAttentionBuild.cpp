// Attention that was found, into the graph.
#include "import/OnnxImporter.h"

#include <algorithm>
#include <cmath>

namespace halfstep {

static const std::vector<int64_t> kSwapHeads = {0, 2, 1, 3};

/// A value [b, t, h, d]: `name`, or what its transpose to [b, h, t, d] read, or that transposed back.
std::string OnnxImporter::rowsOf(const OnnxNode &node, const std::string &name, bool byRows) {
  if (auto made = rowForms.find(resolve(name)); made != rowForms.end() && !byRows)
    return made->second;
  const onnx::NodeProto *swap = byRows ? nullptr : producerOf(resolve(name), "Transpose");
  if (byRows || (swap && nodeAt(producers.at(resolve(name))).integers("perm") == kSwapHeads))
    return operand(byRows ? name : swap->input(0), node.place);
  std::string rows = node.output() + ".rows_of." + name;
  graph.addNode(
      {"transpose", node.name, {operand(name, node.place)}, {rows}, {{"perm", kSwapHeads}}, node.place});
  return rows;
}

/// A value [b, t, h, d] as [b, t, h * d].
std::string OnnxImporter::joinHeads(const OnnxNode &node, const std::string &rows) {
  const std::string made = node.output() + ".joined." + rows;
  if (graph.hasValue(made))
    return made;
  Shape shape = graph.shapeOf(rows, node.place);
  shape[2].size *= shape[3].size;
  shape.pop_back();
  // A view of a value that has this shape already is that value.
  if (const onnx::NodeProto *view = producerOf(rows, "Reshape")) {
    std::string source = operand(view->input(0), node.place);
    if (graph.shapeOf(source, node.place) == shape)
      return source;
  }
  graph.addNode({"reshape", node.name, {rows}, {made}, {}, node.place}, shape);
  return made;
}

/// The one value that query, key and value are the parts of, in this order; "" when there is none.
std::string OnnxImporter::packedProjections(const std::vector<std::string> &parts) const {
  for (const Node &split : graph.nodes)
    if (split.op == "split" && split.outputs == parts && split.integer("axis") == 2)
      return split.inputs[0];
  return "";
}

double OnnxImporter::scaleOf(const OnnxNode &node, const AttentionPattern &found, int64_t depth) {
  if (found.asNode)
    return found.scale != 0 ? found.scale : 1 / std::sqrt(double(depth));
  double scale = 1;
  for (const auto &[name, divides] : found.factors) {
    auto initializer = initializers.find(name);
    std::optional<double> factor = scalarOf(name, node.place);
    if (!factor && initializer != initializers.end())
      if (KnownTensor tensor = readTensor(*initializer->second, folder, node.place); !tensor.integer)
        factor = tensor.numbers.at(0);
    if (!factor || !std::isfinite(*factor) || *factor == 0)
      node.unsupported("the scale of attention must be a constant other than 0, '" + name + "' is none");
    scale *= divides ? 1 / *factor : *factor;
  }
  return scale;
}

/// True for a value that depends on a parameter, or on too much to tell.
bool OnnxImporter::readsParameters(const std::string &name, int depth) const {
  if (auto initializer = initializers.find(name); initializer != initializers.end())
    return isParameter(name);
  auto producer = producers.find(name);
  if (producer == producers.end())
    return false;
  if (depth == 0)
    return true;
  const auto &inputs = proto.node(producer->second).input();
  return std::any_of(inputs.begin(), inputs.end(),
                     [&](const std::string &input) { return readsParameters(input, depth - 1); });
}

/// The mask as an operand of attention, "" for none; nothing for one that attention cannot take.
std::optional<std::string> OnnxImporter::maskOperand(const OnnxNode &node, AttentionPattern &found,
                                                     int64_t queries, int64_t keys) {
  if (found.mask.empty())
    return "";
  if (const SampleTensor *sample = sampleOf(found.mask, node.place)) {
    SampleTensor mask = *sample;
    bool added = found.asNode ? !mask.integer : found.maskAdded;
    if (found.maskHides)
      for (Cell &cell : mask.cells) {
        if (!cell.isNumber() && !cell.isChoice())
          return {};
        cell.number = cell.number == 0;
        cell.otherwise = cell.isChoice() && cell.otherwise == 0;
      }
    std::optional<MaskForm> form = maskForm(mask, added, queries, keys);
    if (!form)
      return {};
    found.causal |= form->causal;
    return form->constant ? addMaskConstant(node, *form->constant) : form->input;
  }
  constexpr int depth = 64;
  if ((!found.asNode && !found.maskAdded) || readsParameters(found.mask, depth))
    return {};
  std::string mask = operand(found.mask, node.place);
  Shape shape = graph.shapeOf(mask, node.place);
  if (shape.size() == 4 && shape[3] == Dim{keys, false})
    return mask;
  return {};
}

void OnnxImporter::addAttention(const OnnxNode &node, const AttentionPattern &pattern) {
  AttentionPattern found = pattern;
  std::vector<std::string> parts;
  Shape shapes[3];
  for (const std::string *name : {&found.query, &found.key, &found.value}) {
    std::string rows = rowsOf(node, *name, found.keyByRows && name == &found.key);
    Shape &shape = shapes[parts.size()] = graph.shapeOf(rows, node.place);
    bool fits = shape.size() == 4 && !shape[1].perSample && !shape[2].perSample && !shape[3].perSample;
    if (!fits || !(shape[3] == shapes[0][3]) || shapes[0][2].size % shape[2].size != 0 ||
        !(shape[2] == shapes[parts.empty() ? 0 : 1][2] || parts.size() == 1))
      node.unsupported("attention is supported on values [n, heads, t, columns] of equal columns, with heads "
                       "of keys that divide those of queries; '" +
                       *name + "' has shape " + toString(shape));
    parts.push_back(joinHeads(node, rows));
  }
  Shape query = shapes[0];
  double scale = scaleOf(node, found, query[3].size);
  std::optional<std::string> mask = maskOperand(node, found, query[1].size, shapes[1][1].size);
  if (!mask)
    return addPlainAttention(node, found, scale);
  if (std::string packed = packedProjections(parts); !packed.empty())
    parts = {packed};
  if (!mask->empty())
    parts.push_back(*mask);
  std::string rows = node.output() + ".rows";
  graph.addNode({"attention",
                 node.name,
                 parts,
                 {rows},
                 {{"heads", query[2].size},
                  {"kv_heads", shapes[1][2].size},
                  {"causal", found.causal},
                  {"masked", !mask->empty()},
                  {"scale", scale}},
                 node.place});
  std::string split = found.swapped ? node.output() : node.output() + ".heads";
  graph.addNode({"reshape", node.name, {rows}, {split}, {}, node.place}, query);
  if (!found.swapped)
    emit(node, "transpose", {split}, {{"perm", kSwapHeads}});
  if (!found.asNode)
    fusedAttentions.push_back(node.name);
}

/// Attention as the ops it stands for, whose mask gets a gradient too.
void OnnxImporter::addPlainAttention(const OnnxNode &node, const AttentionPattern &found, double scale) {
  if (!found.maskAdded || found.repeated || found.causal)
    node.unsupported("attention with a mask of this form is not supported; its mask must follow from extents "
                     "and an input of integers, or be a value that is added");
  auto add = [&](const std::string &op, std::vector<std::string> inputs, const std::string &suffix,
                 Attributes attributes) {
    std::string made = node.output() + suffix;
    graph.addNode({op, node.name, std::move(inputs), {made}, std::move(attributes), node.place});
    return made;
  };
  std::string key = operand(found.key, node.place);
  if (found.keyByRows)
    key = add("transpose", {key}, ".key", {{"perm", kSwapHeads}});
  std::string scores =
      add("matmul", {operand(found.query, node.place), key}, ".scores", {{"transpose_b", true}});
  if (scale != 1)
    scores = add("mul_number", {scores}, ".scaled", {{"value", scale}});
  scores = add("add", {scores, operand(found.mask, node.place)}, ".masked", {});
  std::string weights = add("softmax", {scores}, ".weights", {{"axis", int64_t(3)}});
  std::string value = operand(found.value, node.place);
  if (!found.swapped)
    return emit(node, "matmul", {weights, value}, {{"transpose_b", false}});
  std::string result = add("matmul", {weights, value}, ".heads", {{"transpose_b", false}});
  emit(node, "transpose", {result}, {{"perm", kSwapHeads}});
}

/// Attention of opset 23 on values [b, t, h * d].
void OnnxImporter::addAttentionNode(const OnnxNode &node) {
  AttentionPattern options = optionsOf(node);
  int64_t heads = node.integer("q_num_heads", 0), keyHeads = node.integer("kv_num_heads", heads);
  if (heads < 1 || keyHeads < 1 || heads % keyHeads != 0)
    node.place.badInput("'Attention' with q_num_heads = " + std::to_string(heads) + " and kv_num_heads = " +
                        std::to_string(keyHeads) + ", expected a number that the second divides");
  std::vector<std::string> parts;
  for (int input : {0, 1, 2})
    parts.push_back(operand(node.input(input), node.place));
  Shape query = graph.shapeOf(parts[0], node.place), key = graph.shapeOf(parts[1], node.place);
  if (key.back() != graph.shapeOf(parts[2], node.place).back())
    node.unsupported("'Attention' is supported with values as wide as keys only");
  int64_t depth = query.size() == 3 ? std::max<int64_t>(query[2].size / heads, 1) : 1;
  std::optional<std::string> mask = "";
  if (query.size() == 3 && key.size() == 3)
    mask = maskOperand(node, options, query[1].size, key[1].size);
  if (!mask)
    node.unsupported(
        "the mask of 'Attention' must follow from extents and an input of integers, or be a value "
        "[n, heads, q, k] that no parameter takes part in");
  if (std::string packed = packedProjections(parts); !packed.empty())
    parts = {packed};
  if (!mask->empty())
    parts.push_back(*mask);
  emit(node, "attention", parts,
       {{"heads", heads},
        {"kv_heads", keyHeads},
        {"causal", options.causal},
        {"masked", !mask->empty()},
        {"scale", scaleOf(node, options, depth)}});
}

} // namespace halfstep
