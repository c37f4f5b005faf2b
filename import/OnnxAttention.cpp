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

/// The nodes that compute a shape, up to those that read another value's.
void OnnxImporter::collectShape(const std::string &name, std::set<int> &nodes) const {
  auto producer = producers.find(name);
  if (producer == producers.end() || !nodes.insert(producer->second).second)
    return;
  const onnx::NodeProto &node = proto.node(producer->second);
  if (node.op_type() != "Shape")
    for (const std::string &input : node.input())
      collectShape(input, nodes);
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
  for (const onnx::NodeProto *view : {reshape, joined})
    if (view->input_size() > 1)
      collectShape(view->input(1), found.nodes);
  return joined->input(0);
}

bool OnnxImporter::isConstantOf(const std::string &name, double wanted) {
  auto isRepeated = [&](const KnownTensor &tensor) {
    return !tensor.integer && std::all_of(tensor.numbers.begin(), tensor.numbers.end(),
                                          [&](double value) { return value == wanted; });
  };
  if (auto found = initializers.find(name); found != initializers.end())
    return isRepeated(readTensor(*found->second, folder, placeOf("initializer '" + name + "'")));
  if (auto found = known.find(name); found != known.end())
    return isRepeated(found->second);
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

/// What the mask of `scores` is added to, or chooses from; `scores` itself when there is none.
std::string OnnxImporter::withoutMask(const std::string &scores, AttentionPattern &found) {
  if (const onnx::NodeProto *add = producerOf(scores, "Add"); add && add->input_size() == 2) {
    for (int side : {0, 1})
      if (isCausalMask(add->input(side), found)) {
        found.causal = true;
        found.nodes.insert(producers.at(scores));
        return add->input(1 - side);
      }
    for (int side : {0, 1}) {
      AttentionPattern ignored;
      if (!producerOf(withoutFactors(add->input(side), ignored), "MatMul"))
        continue;
      found.mask = add->input(1 - side);
      found.nodes.insert(producers.at(scores));
      return add->input(side);
    }
  }
  const onnx::NodeProto *where = producerOf(scores, "Where");
  for (int side : {1, 2}) {
    std::optional<double> low =
        where && where->input_size() == 3 ? scalarOf(where->input(3 - side), placeOf("")) : std::nullopt;
    constexpr double hiding = -1e30;
    if (!low || *low > hiding)
      continue;
    found.mask = where->input(0);
    found.maskAdded = false;
    found.maskHides = side == 2;
    found.nodes.insert(producers.at(scores));
    return where->input(side);
  }
  return scores;
}

/// The product that takes the softmax's result, also through what makes a row of NaN, whose keys are all
/// hidden, 0; -1 when there is none.
int OnnxImporter::weightedBy(int softmax, AttentionPattern &found) {
  const std::string &weights = proto.node(softmax).output(0);
  auto isProductOf = [&](int use, const std::string &name) {
    return use >= 0 && proto.node(use).op_type() == "MatMul" && proto.node(use).input_size() == 2 &&
           proto.node(use).input(0) == name;
  };
  if (int use = onlyUse(weights); use >= 0)
    return isProductOf(use, weights) ? use : -1;
  for (int use : uses[weights]) {
    if (use < 0 || proto.node(use).op_type() != "Where" || proto.node(use).input_size() != 3)
      continue;
    const onnx::NodeProto &where = proto.node(use);
    const onnx::NodeProto *isNan = producerOf(where.input(0), "IsNaN");
    std::optional<double> zero = scalarOf(where.input(1), placeOf(""));
    int product = onlyUse(where.output(0));
    if (!isNan || isNan->input(0) != weights || where.input(2) != weights || !zero || *zero != 0 ||
        uses[weights].size() != 2 || !isProductOf(product, where.output(0)))
      continue;
    found.nodes.insert({use, producers.at(where.input(0))});
    return product;
  }
  return -1;
}

/// Keys or values before each of their heads is repeated: Reshape(Expand(Unsqueeze(x, 2))).
std::string OnnxImporter::withoutRepeat(const std::string &name, AttentionPattern &found) {
  const onnx::NodeProto *joined = producerOf(name, "Reshape");
  const onnx::NodeProto *repeated = joined ? producerOf(joined->input(0), "Expand") : nullptr;
  const onnx::NodeProto *spaced = repeated ? producerOf(repeated->input(0), "Unsqueeze") : nullptr;
  if (!spaced || spaced->input_size() != 2)
    return name;
  const KnownTensor *axes = findKnown(spaced->input(1), placeOf(""));
  if (!axes || axes->fixedIntegers(placeOf("")) != std::vector<int64_t>{2})
    return name;
  found.repeated = true;
  found.nodes.insert({producers.at(name), producers.at(joined->input(0)), producers.at(repeated->input(0))});
  return spaced->input(0);
}

void OnnxImporter::matchAttention(int softmax) {
  const onnx::NodeProto &node = proto.node(softmax);
  if (node.input_size() != 1 || node.output_size() != 1 ||
      (nodeAt(softmax).integer("axis", -1) != -1 && nodeAt(softmax).integer("axis", -1) != 3))
    return;
  AttentionPattern found;
  std::string scores = withoutFactors(withoutMask(node.input(0), found), found);
  const onnx::NodeProto *product = producerOf(scores, "MatMul");
  int weighted = weightedBy(softmax, found);
  if (!product || product->input_size() != 2 || weighted < 0)
    return;
  found.query = withoutFactors(product->input(0), found);
  found.key = keysOf(withoutFactors(product->input(1), found), found);
  found.value = withoutRepeat(proto.node(weighted).input(1), found);
  if (found.key.empty())
    return;
  if (found.repeated && !found.keyByRows)
    found.key = withoutRepeat(found.key, found);
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
  for (int input = 4; input < node.proto.input_size(); ++input)
    if (node.hasInput(input))
      node.unsupported("'Attention' is supported without past keys only");
  if (node.number("softcap", 0) != 0)
    node.unsupported("'Attention' is supported with softcap = 0 only");
  for (const char *window : {"left_window_size", "right_window_size"})
    if (node.integer(window, -1) >= 0)
      node.unsupported("'Attention' is supported without a window only");
  AttentionPattern found;
  found.asNode = true;
  found.scale = node.number("scale", 0);
  found.causal = node.integer("is_causal", 0) != 0;
  if (node.hasInput(3))
    found.mask = node.input(3);
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

/// The nodes of attention and rotary positions vanish, but for those whose results somebody else needs too.
void OnnxImporter::absorbAttentions() {
  std::set<int> nodes;
  for (const auto &[last, found] : attentions)
    nodes.insert(found.nodes.begin(), found.nodes.end());
  for (const auto &[last, found] : rotaries)
    nodes.insert(found.nodes.begin(), found.nodes.end());
  auto isTaken = [&](int use) {
    return nodes.count(use) || absorbed.count(use) || attentions.count(use) || rotaries.count(use);
  };
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

} // namespace halfstep
