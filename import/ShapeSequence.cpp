// Shape rules of the ops on sequences, and their lines in the vocabulary.
#include "import/ShapeRules.h"

namespace halfstep {

namespace {

void checkMask(const RuleInput &s, Dim batch, Dim heads, Dim queries, Dim keys) {
  const Shape &mask = s.operands.back();
  const std::string name =
      "the mask '" + s.node.inputs[s.operands.size() - 1] + "' of shape " + toString(mask);
  if (mask.size() == 2) {
    if (!(mask == Shape{batch, keys}))
      s.bad(name + " does not fit keys of shape " + toString({batch, keys}));
    return;
  }
  const Dim wanted[] = {batch, heads, queries, keys};
  bool fits = mask.size() == 4 && mask[3] == keys;
  for (size_t i = 0; i < 3 && fits; ++i)
    fits = mask[i].isOne() || mask[i] == wanted[i];
  if (!fits)
    s.bad(name + " does not fit scores of shape " + toString({batch, heads, queries, keys}));
}

Results attention(const RuleInput &s) {
  bool masked = s.node.flag("masked");
  size_t count = s.operands.size() - (masked ? 1 : 0);
  if (count != 1 && count != 3)
    s.bad("attention takes query, key and value, or one input that holds the three side by side; got " +
          std::to_string(count));
  for (size_t i = 0; i < count; ++i)
    s.needRank(s.operands[i], 3, "an operand [n, t, columns]");
  Shape result = s.input();
  int64_t heads = s.node.integer("heads"), keyHeads = s.node.integer("kv_heads");
  if (heads % keyHeads != 0)
    s.bad(std::to_string(heads) + " heads of queries cannot share " + std::to_string(keyHeads) + " of keys");
  int64_t parts = heads + (count == 1 ? 2 * keyHeads : 0);
  if (result[1].perSample || result[2].perSample || heads > result[2].size || result[2].size % parts != 0)
    s.bad("the last extent of an operand of shape " + toString(result) + " does not hold " +
          (count == 1 ? "query, key and value of " : "") + std::to_string(heads) + " equal heads");
  int64_t depth = result[2].size / parts;
  result[2].size = depth * heads;
  Dim keys = s.operands[count == 1 ? 0 : 1][1];
  for (size_t i = 1; i < count; ++i)
    s.needShape(i, {result[0], keys, {depth * keyHeads, false}}, i == 1 ? "key" : "value");
  if (masked)
    checkMask(s, result[0], {heads, false}, result[1], keys);
  return {result};
}

Results rotary(const RuleInput &s) {
  const Shape &x = s.input(), &table = s.operands[1];
  s.needRank(x, 3, "an operand [n, t, columns]");
  s.needRank(table, 2, "a table [t, columns of a head]");
  int64_t depth = table[1].size;
  if (x[1].perSample || x[2].perSample || depth % 2 != 0 || x[2].size % depth != 0)
    s.bad("rotary positions of " + std::to_string(depth) + " columns do not fit an operand of shape " +
          toString(x));
  for (size_t i : {1, 2})
    s.needShape(i, {x[1], {depth, false}}, "table");
  return {x};
}

Results rmsNorm(const RuleInput &s) {
  int64_t axis = normalizeAxis(s.node.integer("axis"), s.input().size(), s.node.place);
  s.needShape(1, Shape(s.input().begin() + axis, s.input().end()), "scale");
  return {s.input()};
}

} // namespace

const ShapeRules &sequenceRules() {
  static const ShapeRules rules = {
      // query, key?, value?, mask?; heads, kv_heads, causal: bool, masked: bool, scale: number
      {"attention", {1, 4, attention}},
      {"rotary", {3, 3, rotary}},    // x, cos, sin; interleaved: bool
      {"rms_norm", {2, 2, rmsNorm}}, // x, scale; axis, eps
  };
  return rules;
}

} // namespace halfstep
