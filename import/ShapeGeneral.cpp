// Shape rules of functions, comparisons, constants, and parts and places of tensors.
#include "import/ShapeRules.h"

#include <algorithm>

namespace halfstep {

namespace {

/// The shape that the operands of a choice have together.
Results chooseShapes(const RuleInput &s) {
  std::vector<Shape> both = {broadcastShapes(s)[0], s.operands[2]};
  return broadcastShapes({s.node, both, s.target, s.replacedBatch});
}

Results expand(const RuleInput &s) {
  std::vector<Shape> both = {s.input(), s.target};
  if (broadcastShapes({s.node, both, s.target, s.replacedBatch})[0] != s.target)
    s.bad("shape " + toString(s.input()) + " does not broadcast to " + toString(s.target));
  return {s.target};
}

/// A part: starts, sizes and steps a dimension; a size of 0 is the whole extent, forwards.
Results slice(const RuleInput &s) {
  const auto &starts = s.node.integers("starts"), &sizes = s.node.integers("sizes"),
             &steps = s.node.integers("steps");
  Shape result = s.input();
  if (starts.size() != result.size() || sizes.size() != result.size() || steps.size() != result.size())
    s.bad("starts, sizes and steps must have a value for each dimension of " + toString(result));
  for (size_t i = 0; i < result.size(); ++i) {
    if (sizes[i] == 0 && starts[i] == 0 && steps[i] == 1)
      continue;
    int64_t extent = result[i].size;
    if (result[i].perSample)
      s.bad("cannot take a part of the batch, dimension " + std::to_string(i) + " of " + toString(result) +
            s.batchHint());
    bool fits = sizes[i] >= 1 && sizes[i] <= extent && steps[i] != 0 && std::abs(steps[i]) <= extent &&
                starts[i] >= 0 && starts[i] < extent;
    int64_t last = fits ? starts[i] + (sizes[i] - 1) * steps[i] : -1;
    if (last < 0 || last >= extent)
      s.bad(std::to_string(sizes[i]) + " elements from " + std::to_string(starts[i]) + " on, " +
            std::to_string(steps[i]) + " apart, do not lie in dimension " + std::to_string(i) + " of " +
            toString(result));
    result[i].size = sizes[i];
  }
  return {result};
}

/// Counts of elements before and after each dimension.
Results pad(const RuleInput &s) {
  const auto &before = s.node.integers("before"), &after = s.node.integers("after");
  Shape result = s.input();
  if (before.size() != result.size() || after.size() != result.size())
    s.bad("pads must have two values for each dimension of " + toString(result));
  for (size_t i = 0; i < result.size(); ++i) {
    if (before[i] == 0 && after[i] == 0)
      continue;
    if (result[i].perSample)
      s.bad("cannot pad the batch, dimension " + std::to_string(i) + " of " + toString(result) +
            s.batchHint());
    for (int64_t count : {before[i], after[i]})
      if (count < 0 || count > kMaxElements)
        s.bad("a pad of " + std::to_string(count) + " elements");
    result[i].size += before[i] + after[i];
  }
  return {result};
}

Results constant(const RuleInput &s) { return {s.target}; }

} // namespace

const ShapeRules &generalRules() {
  static const ShapeRules rules = [] {
    ShapeRules table = {
        {"compare", {2, 2, broadcastShapes}}, // predicate
        {"where", {3, 3, chooseShapes}},
        {"from_ids", {1, 1, sameShape}},
        {"expand", {1, 1, expand}},     // the target shape is given beside the node
        {"slice", {1, 1, slice}},       // starts, sizes (0: all), steps
        {"pad", {1, 1, pad}},           // before, after, value
        {"constant", {0, 0, constant}}, // numbers, or integers; the shape is given beside the node
    };
    // alpha, beta: number, where the function has them
    for (const char *name : {"exp",         "log",         "sqrt",
                             "norm_root",   "reciprocal",  "abs",
                             "erf",         "sin",         "cos",
                             "clip",        "leaky_relu",  "elu",
                             "selu",        "celu",        "softplus",
                             "log_sigmoid", "softsign",    "mish",
                             "hardswish",   "hardsigmoid", "thresholded_relu",
                             "sign",        "floor",       "ceil",
                             "round",       "detach"})
      table[name] = {1, 1, sameShape};
    for (const char *name : {"div", "pow", "maximum", "minimum", "prelu"})
      table[name] = {2, 2, broadcastShapes};
    return table;
  }();
  return rules;
}

} // namespace halfstep
