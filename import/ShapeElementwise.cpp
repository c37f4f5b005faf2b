// Shape rules of element-wise ops: one function an op, and its line in the vocabulary.
#include "import/ShapeRules.h"

#include <algorithm>
#include <set>

namespace halfstep {

Results sameShape(const RuleInput &s) { return {s.input()}; }

Results broadcastShapes(const RuleInput &s) {
  const Shape &a = s.operands[0], &b = s.operands[1];
  Shape result(std::max(a.size(), b.size()));
  for (size_t i = 0; i < result.size(); ++i) {
    Dim x = i < a.size() ? a[a.size() - 1 - i] : Dim{};
    Dim y = i < b.size() ? b[b.size() - 1 - i] : Dim{};
    if (!(x == y) && !x.isOne() && !y.isOne())
      s.bad("shapes " + toString(a) + " and " + toString(b) + " do not broadcast" +
            (x.perSample != y.perSample ? s.batchHint() : ""));
    result[result.size() - 1 - i] = x.isOne() ? y : x;
  }
  return {result};
}

const ShapeRules &elementwiseRules() {
  static const ShapeRules rules = {
      {"relu", {1, 1, sameShape}},       {"tanh", {1, 1, sameShape}},      {"sigmoid", {1, 1, sameShape}},
      {"silu", {1, 1, sameShape}},       {"gelu", {1, 1, sameShape}}, // tanh: bool
      {"dropout", {1, 1, sameShape}},                                 // p: number in [0, 1)
      {"add_number", {1, 1, sameShape}},                              // value: number
      {"mul_number", {1, 1, sameShape}},                              // value: number
      {"add", {2, 2, broadcastShapes}},  {"sub", {2, 2, broadcastShapes}}, {"mul", {2, 2, broadcastShapes}},
  };
  return rules;
}

} // namespace halfstep
