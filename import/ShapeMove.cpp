// Shape rules of reductions and data movement: one function an op, and its line in the vocabulary.
#include "import/ShapeRules.h"

#include <algorithm>
#include <set>

namespace halfstep {

namespace {

Results reduce(const RuleInput &s) {
  std::set<int64_t> axes;
  for (int64_t axis : s.node.integers("axes"))
    if (!axes.insert(normalizeAxis(axis, s.input().size(), s.node.place)).second)
      s.bad("axis " + std::to_string(axis) + " is given twice");
  Shape result;
  for (size_t i = 0; i < s.input().size(); ++i)
    if (!axes.count(int64_t(i)))
      result.push_back(s.input()[i]);
    else if (s.node.flag("keep_dims"))
      result.push_back({});
  return {result};
}

Results reshape(const RuleInput &s) {
  return {resolveReshape(s.input(), s.target, /*zeroIsExtent=*/true, /*replacedBatch=*/0, s.node.place)};
}

Results transpose(const RuleInput &s) {
  const auto &perm = s.node.integers("perm");
  std::vector<bool> seen(s.input().size());
  Shape result;
  for (int64_t from : perm) {
    if (from < 0 || size_t(from) >= seen.size() || seen[from])
      break;
    seen[from] = true;
    result.push_back(s.input()[from]);
  }
  if (result.size() != s.input().size() || perm.size() != result.size())
    s.bad("'perm' must name each of the " + std::to_string(seen.size()) + " dimensions once");
  return {result};
}

Results split(const RuleInput &s) {
  int64_t axis = normalizeAxis(s.node.integer("axis"), s.input().size(), s.node.place);
  Dim whole = s.input()[axis];
  Results results;
  int64_t sum = 0;
  for (int64_t size : s.node.integers("sizes")) {
    if (size < 1 || size > kMaxElements)
      s.bad("a piece of " + std::to_string(size) + " elements");
    sum += size;
    results.push_back(s.input());
    results.back()[axis] = {size, false};
  }
  if (whole.perSample || sum != whole.size)
    s.bad("the sizes sum to " + std::to_string(sum) + ", the extent of dimension " + std::to_string(axis) +
          " is " + toString({whole}) + (whole.perSample ? s.batchHint() : ""));
  return results;
}

Results concat(const RuleInput &s) {
  int64_t axis = normalizeAxis(s.node.integer("axis"), s.input().size(), s.node.place);
  Shape result = s.input();
  for (size_t i = 1; i < s.operands.size(); ++i) {
    Shape piece = s.operands[i];
    if (piece.size() != result.size() || piece[axis].perSample || result[axis].perSample)
      s.bad("cannot join shapes " + toString(result) + " and " + toString(piece) + s.batchHint());
    result[axis].size += piece[axis].size;
    piece[axis] = result[axis];
    if (piece != result)
      s.bad("cannot join shapes " + toString(s.input()) + " and " + toString(s.operands[i]) + s.batchHint());
  }
  return {result};
}

} // namespace

const ShapeRules &moveRules() {
  static const ShapeRules rules = {
      {"reduce_mean", {1, 1, reduce}}, // axes, keep_dims: bool
      {"reduce_sum", {1, 1, reduce}},
      {"reduce_max", {1, 1, reduce}},
      {"reduce_min", {1, 1, reduce}},
      {"reduce_prod", {1, 1, reduce}},
      {"reshape", {1, 1, reshape}},        // the target shape is given beside the node
      {"transpose", {1, 1, transpose}},    // perm
      {"split", {1, 1, split}},            // axis, sizes
      {"concat", {1, kAnyNumber, concat}}, // axis
  };
  return rules;
}

} // namespace halfstep
