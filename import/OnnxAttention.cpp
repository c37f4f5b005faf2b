// Finds scaled dot-product attention, which exporters write as two products around a softmax, and the lookup
// of rows that embeddings are.
#include "import/OnnxImporter.h"

#include <algorithm>
#include <cmath>

namespace halfstep {

static const std::vector<int64_t> kSwapHeads = {0, 2, 1, 3};

const onnx::NodeProto *OnnxImporter::producerOf(const std::string &name, const std::string &op) const {
  auto found = producers.find(name);
  if (found == producers.end() || proto.node(found->second).op_type() != op)
    return nullptr;
  const onnx::NodeProto &node = proto.node(found->second);
  return node.input_size() > 0 && node.output_size() > 0 ? &node : nullptr;
}

static std::vector<int64_t> permutation(const onnx::NodeProto &node) {
  for (const auto &attribute : node.attribute())
    if (attribute.name() == "perm")
      return {attribute.ints().begin(), attribute.ints().end()};
  return {};
}

/// True for what is computed from constants and extents alone, which folding will make a constant. Chains
/// that are deeper than an exporter's are not looked at.
bool OnnxImporter::isFoldable(const std::string &name, int depth) {
  // False while it is looked at: a cycle is no constant.
  auto [seen, isNew] = foldable.emplace(name, false);
  if (!isNew)
    return seen->second;
  if (auto found = initializers.find(name); found != initializers.end())
    return foldable[name] = countElements(*found->second, placeOf("initializer '" + name + "'")) == 1;
  auto producer = producers.find(name);
  if (producer == producers.end() || depth == 0)
    return false;
  const onnx::NodeProto &node = proto.node(producer->second);
  const std::string &op = node.op_type();
  if (op == "Constant" || op == "Shape")
    return foldable[name] = true;
  static const std::set<std::string> ops = {"Sqrt",   "Div",   "Pow",     "Mul",       "Cast",    "CastLike",
                                            "Gather", "Slice", "Squeeze", "Unsqueeze", "Identity"};
  int inputs = op == "CastLike" ? std::min(node.input_size(), 1) : node.input_size();
  bool all = ops.count(op) && inputs > 0;
  for (int i = 0; i < inputs && all; ++i)
    all = isFoldable(node.input(i), depth - 1);
  return foldable[name] = all;
}

std::string OnnxImporter::withoutFactors(std::string name, AttentionPattern &found) {
  for (;;) {
    const onnx::NodeProto *mul = producerOf(name, "Mul"), *div = producerOf(name, "Div");
    const onnx::NodeProto *node = mul ? mul : div;
    if (!node || node->input_size() != 2)
      return name;
    constexpr int depth = 16;
    int side = isFoldable(node->input(1), depth) ? 1 : 0;
    if (!isFoldable(node->input(side), depth) || (div && side == 0))
      return name;
    if (!found.nodes.insert(producers.at(name)).second)
      return name;
    found.factors.push_back({node->input(side), div != nullptr});
    name = node->input(1 - side);
  }
}

/// The keys behind their transpose: [b, h, t, d] with its last two dimensions exchanged, alone or between two
/// reshapes, or [b, t, h, d], which is moved at once.
std::string OnnxImporter::keysOf(const std::string &name, AttentionPattern &found) const {
  const onnx::NodeProto *reshape = producerOf(name, "Reshape");
  const onnx::NodeProto *transpose = producerOf(reshape ? reshape->input(0) : name, "Transpose");
  if (!transpose)
    return "";
  std::vector<int64_t> perm = permutation(*transpose);
  if (!reshape) {
    found.keyByRows = perm == std::vector<int64_t>{0, 2, 3, 1};
    if (!found.keyByRows && perm != std::vector<int64_t>{0, 1, 3, 2})
      return "";
    found.nodes.insert(producers.at(name));
    return transpose->input(0);
  }
  const onnx::NodeProto *joined = producerOf(transpose->input(0), "Reshape");
  if (!joined || perm != std::vector<int64_t>{0, 2, 1})
    return "";
  found.nodes.insert(
      {producers.at(name), producers.at(reshape->input(0)), producers.at(transpose->input(0))});
  return joined->input(0);
}

bool OnnxImporter::isConstantOf(const std::string &name, double wanted) {
  if (auto found = initializers.find(name); found != initializers.end()) {
    KnownTensor tensor = readTensor(*found->second, folder, placeOf("initializer '" + name + "'"));
    return !tensor.integer && std::all_of(tensor.numbers.begin(), tensor.numbers.end(),
                                          [&](double value) { return value == wanted; });
  }
  const onnx::NodeProto *expand = producerOf(name, "Expand");
  std::optional<double> value = scalarOf(expand ? expand->input(0) : name, placeOf(""));
  return value && *value == wanted;
}

/// Where(Equal(Trilu(ones), 0), the lowest number, 0): adds nothing up to the diagonal.
bool OnnxImporter::isCausalMask(const std::string &name, AttentionPattern &found) {
  const onnx::NodeProto *where = producerOf(name, "Where");
  const onnx::NodeProto *equal =
      where && where->input_size() == 3 ? producerOf(where->input(0), "Equal") : nullptr;
  const onnx::NodeProto *lower =
      equal && equal->input_size() == 2 ? producerOf(equal->input(0), "Trilu") : nullptr;
  if (!lower || lower->input_size() != 1 || nodeAt(producers.at(equal->input(0))).integer("upper", 1) != 0)
    return false;
  constexpr double low = -1e30;
  std::optional<double> hidden = scalarOf(where->input(1), placeOf(""));
  if (!hidden || *hidden > low || !isConstantOf(where->input(2), 0) || !isConstantOf(equal->input(1), 0) ||
      !isConstantOf(lower->input(0), 1))
    return false;
  for (const std::string &value : {name, where->input(0), equal->input(0), lower->input(0)})
    if (auto producer = producers.find(value); producer != producers.end())
      found.nodes.insert(producer->second);
  return true;
}

void OnnxImporter::matchAttention(int softmax) {
  const onnx::NodeProto &node = proto.node(softmax);
  if (node.input_size() != 1 || node.output_size() != 1 ||
      (nodeAt(softmax).integer("axis", -1) != -1 && nodeAt(softmax).integer("axis", -1) != 3))
    return;
  AttentionPattern found;
  std::string scores = node.input(0);
  if (const onnx::NodeProto *add = producerOf(scores, "Add"); add && add->input_size() == 2) {
    int mask = isCausalMask(add->input(0), found) ? 0 : 1;
    if (mask == 1 && !isCausalMask(add->input(1), found))
      return;
    found.causal = true;
    found.nodes.insert(producers.at(scores));
    scores = add->input(1 - mask);
  }
  scores = withoutFactors(scores, found);
  const onnx::NodeProto *product = producerOf(scores, "MatMul");
  int weighted = onlyUse(node.output(0));
  if (!product || product->input_size() != 2 || weighted < 0 || proto.node(weighted).op_type() != "MatMul" ||
      proto.node(weighted).input_size() != 2 || proto.node(weighted).input(0) != node.output(0))
    return;
  found.query = withoutFactors(product->input(0), found);
  found.key = keysOf(withoutFactors(product->input(1), found), found);
  found.value = proto.node(weighted).input(1);
  if (found.key.empty())
    return;
  found.nodes.insert({softmax, producers.at(scores)});
  takeAttention(weighted, std::move(found));
}

/// The node of opset 23, on values of four dimensions. Of three, it stands for itself.
void OnnxImporter::matchAttentionNode(int index) {
  OnnxNode node = nodeAt(index);
  if (node.find("q_num_heads") || !node.hasInput(2) || node.proto.output_size() == 0)
    return;
  AttentionPattern found = optionsOf(node);
  found.query = node.input(0);
  found.key = node.input(1);
  found.value = node.input(2);
  takeAttention(index, std::move(found));
}

/// Scale and mask of a node of opset 23; unsupported is what has no counterpart.
OnnxImporter::AttentionPattern OnnxImporter::optionsOf(const OnnxNode &node) const {
  onlyFirstOutput(node);
  for (int input = 3; input < node.proto.input_size(); ++input)
    if (node.hasInput(input))
      node.unsupported("'Attention' is supported without a mask and without past keys only");
  if (node.number("softcap", 0) != 0)
    node.unsupported("'Attention' is supported with softcap = 0 only");
  AttentionPattern found;
  found.asNode = true;
  found.scale = node.number("scale", 0);
  found.causal = node.integer("is_causal", 0) != 0;
  return found;
}

/// The pattern ends with node `last`, or with a transpose to [b, t, h, d] that alone uses that.
void OnnxImporter::takeAttention(int last, AttentionPattern found) {
  int swap = onlyUse(proto.node(last).output(0));
  if (swap >= 0 && proto.node(swap).op_type() == "Transpose" && permutation(proto.node(swap)) == kSwapHeads) {
    found.swapped = true;
    found.nodes.insert(last);
    last = swap;
  }
  attentions.emplace(last, std::move(found));
}

/// The nodes of attention vanish, but for those whose results somebody else needs too.
void OnnxImporter::absorbAttentions() {
  std::set<int> nodes;
  for (const auto &[last, found] : attentions)
    nodes.insert(found.nodes.begin(), found.nodes.end());
  auto isTaken = [&](int use) { return nodes.count(use) || attentions.count(use); };
  for (bool changed = true; changed;) {
    changed = false;
    for (auto at = nodes.begin(); at != nodes.end();) {
      bool shared = false;
      for (const std::string &output : proto.node(*at).output())
        shared |= !std::all_of(uses[output].begin(), uses[output].end(), isTaken);
      at = shared ? nodes.erase(at) : std::next(at);
      changed |= shared;
    }
  }
  absorbed.insert(nodes.begin(), nodes.end());
}

//===----------------------------------------------------------------------===//
// Into the graph
//===----------------------------------------------------------------------===//

/// A value [b, t, h, d]: `name`, or what its transpose to [b, h, t, d] read, or that transposed back.
std::string OnnxImporter::rowsOf(const OnnxNode &node, const std::string &name, bool byRows) {
  const onnx::NodeProto *swap = byRows ? nullptr : producerOf(resolve(name), "Transpose");
  if (byRows || (swap && permutation(*swap) == kSwapHeads))
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

/// The one value that query, key and value are equal parts of, in this order; "" when there is none.
std::string OnnxImporter::packedProjections(const std::vector<std::string> &parts) const {
  for (const Node &split : graph.nodes)
    if (split.op == "split" && split.outputs == parts) {
      const std::vector<int64_t> &sizes = split.integers("sizes");
      if (split.integer("axis") == 2 && std::equal(sizes.begin() + 1, sizes.end(), sizes.begin()))
        return split.inputs[0];
    }
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

void OnnxImporter::addAttention(const OnnxNode &node, const AttentionPattern &found) {
  std::vector<std::string> parts;
  Shape query;
  for (const std::string &name : {found.query, found.key, found.value}) {
    std::string rows = rowsOf(node, name, found.keyByRows && name == found.key);
    Shape shape = graph.shapeOf(rows, node.place);
    query = parts.empty() ? shape : query;
    if (shape.size() != 4 || shape[2].perSample || shape[3].perSample || !(shape[2] == query[2]) ||
        !(shape[3] == query[3]))
      node.unsupported(
          "attention is supported on values [n, heads, t, columns] of equal heads and columns, '" + name +
          "' has shape " + toString(shape));
    parts.push_back(joinHeads(node, rows));
  }
  if (std::string packed = packedProjections(parts); !packed.empty())
    parts = {packed};
  std::string rows = node.output() + ".rows";
  graph.addNode(
      {"attention",
       node.name,
       parts,
       {rows},
       {{"heads", query[2].size}, {"causal", found.causal}, {"scale", scaleOf(node, found, query[3].size)}},
       node.place});
  std::string split = found.swapped ? node.output() : node.output() + ".heads";
  graph.addNode({"reshape", node.name, {rows}, {split}, {}, node.place}, query);
  if (!found.swapped)
    emit(node, "transpose", {split}, {{"perm", kSwapHeads}});
  if (!found.asNode)
    fusedAttentions.push_back(node.name);
}

/// Attention of opset 23 on values [b, t, h * d].
void OnnxImporter::addAttentionNode(const OnnxNode &node) {
  AttentionPattern options = optionsOf(node);
  int64_t heads = node.integer("q_num_heads", 0);
  if (heads < 1 || node.integer("kv_num_heads", heads) != heads)
    node.unsupported("'Attention' is supported with as many heads of keys as of queries only");
  std::vector<std::string> parts;
  for (int input : {0, 1, 2})
    parts.push_back(operand(node.input(input), node.place));
  const Shape &query = graph.shapeOf(parts[0], node.place);
  int64_t depth = query.size() == 3 ? std::max<int64_t>(query[2].size / heads, 1) : 1;
  if (std::string packed = packedProjections(parts); !packed.empty())
    parts = {packed};
  emit(node, "attention", parts,
       {{"heads", heads}, {"causal", options.causal}, {"scale", scaleOf(node, options, depth)}});
}

/// Rows of a table: by the ids of an input, or the first ones, by numbers that are known.
} // namespace halfstep
