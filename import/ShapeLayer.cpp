// Shape rules of layers: one function an op, and its line in the vocabulary.
#include "import/ShapeRules.h"

#include <algorithm>
#include <set>

namespace halfstep {

namespace {

Results matmul(const RuleInput &s) {
  const Shape &a = s.operands[0], &b = s.operands[1];
  if (a.size() < 2 || b.size() < 2)
    s.bad("expected operands of rank 2 or more, got " + toString(a) + " and " + toString(b));
  bool transposed = s.node.flag("transpose_b");
  Dim rows = b[b.size() - (transposed ? 1 : 2)], columns = b[b.size() - (transposed ? 2 : 1)];
  if (!(a.back() == rows))
    s.bad("the inner extents differ: " + toString(a) + " times " + toString(b) +
          (transposed ? " transposed" : "") + s.batchHint());
  if (b.size() > 2 && (a.size() != b.size() || !std::equal(a.begin(), a.end() - 2, b.begin())))
    s.node.place.fail(ExitCode::Unsupported, "a batched product needs equal leading extents, got " +
                                                 toString(a) + " and " + toString(b) + s.batchHint());
  if (s.node.hasInput(2))
    s.needShape(2, {columns}, "bias");
  Shape result = a;
  result.back() = columns;
  return {result};
}

Dim windows(const RuleInput &s, Dim extent, int64_t kernel, int64_t stride, int64_t pads, int64_t dilation) {
  if (extent.perSample)
    s.bad("the batch must be the first dimension of an image, got shape " + toString(s.input()));
  int64_t reach = dilation * (kernel - 1) + 1;
  if (extent.size + pads < reach)
    s.bad("a window of " + std::to_string(reach) + " does not fit into an extent of " +
          std::to_string(extent.size) + " with padding " + std::to_string(pads));
  return {(extent.size + pads - reach) / stride + 1, false};
}

Results conv2d(const RuleInput &s) {
  const Shape &x = s.operands[0], &w = s.operands[1];
  s.needRank(x, 4, "an image [n, c, h, w]");
  s.needRank(w, 4, "a weight [out, in / groups, h, w]");
  int64_t groups = s.node.integer("groups");
  if (x[1].perSample || x[1].size != w[1].size * groups || w[0].size % groups != 0)
    s.bad("input " + toString(x) + " and weight " + toString(w) + " do not fit " + std::to_string(groups) +
          " groups");
  if (s.node.hasInput(2))
    s.needShape(2, {w[0]}, "bias");
  const auto &stride = s.node.integers("stride"), &pads = s.node.integers("padding"),
             &dilation = s.node.integers("dilation");
  return {{x[0], w[0], windows(s, x[2], w[2].size, stride[0], pads[0] + pads[2], dilation[0]),
           windows(s, x[3], w[3].size, stride[1], pads[1] + pads[3], dilation[1])}};
}

Results pool(const RuleInput &s) {
  const Shape &x = s.input();
  s.needRank(x, 4, "an image [n, c, h, w]");
  const auto &kernel = s.node.integers("kernel"), &stride = s.node.integers("stride"),
             &pads = s.node.integers("padding");
  Shape result{x[0], x[1]};
  for (size_t i = 0; i < 2; ++i) {
    if (2 * pads[i] > kernel[i])
      s.bad("padding " + std::to_string(pads[i]) + " is more than half of the window " +
            std::to_string(kernel[i]));
    int64_t dilation = s.node.attributes.count("dilation") ? s.node.integers("dilation")[i] : 1;
    result.push_back(windows(s, x[2 + i], kernel[i], stride[i], pads[i] + pads[2 + i], dilation));
    if ((result.back().size - 1) * stride[i] - pads[i] >= x[2 + i].size)
      s.bad("padding " + std::to_string(pads[2 + i]) +
            " after the image makes a window that holds nothing of it");
  }
  return {result};
}

Results batchNorm(const RuleInput &s) {
  if (s.input().size() < 2 || s.input()[1].perSample)
    s.bad("expected an input [n, c, ...], got shape " + toString(s.input()));
  for (size_t i = 1; i < 5; ++i)
    s.needShape(i, {s.input()[1]}, "operand");
  return {s.input()};
}

Results layerNorm(const RuleInput &s) {
  int64_t axis = normalizeAxis(s.node.integer("axis"), s.input().size(), s.node.place);
  Shape trailing(s.input().begin() + axis, s.input().end());
  s.needShape(1, trailing, "scale");
  s.needShape(2, trailing, "shift");
  return {s.input()};
}

Results softmax(const RuleInput &s) {
  normalizeAxis(s.node.integer("axis"), s.input().size(), s.node.place);
  return {s.input()};
}

Results embedding(const RuleInput &s) {
  s.needRank(s.operands[0], 2, "a table [rows, columns]");
  Shape result = s.operands[1];
  result.push_back(s.operands[0][1]);
  return {result};
}

} // namespace

const ShapeRules &layerRules() {
  static const ShapeRules rules = {
      {"matmul", {2, 3, matmul}}, // lhs, rhs, bias?; transpose_b: bool
      {"conv2d",
       {2, 3, conv2d}}, // x, weight, bias?; stride, padding (top left bottom right), dilation, groups
      {"max_pool2d", {1, 1, pool}},      // kernel, stride, padding, dilation?
      {"avg_pool2d", {1, 1, pool}},      // kernel, stride, padding, uncounted?; exclude_pad: bool
      {"batch_norm", {5, 5, batchNorm}}, // x, scale, shift, running mean, running variance; eps, momentum
      {"layer_norm", {3, 3, layerNorm}}, // x, scale, shift; axis, eps
      {"softmax", {1, 1, softmax}},      // axis
      {"log_softmax", {1, 1, softmax}},  // axis
      {"embedding", {2, 2, embedding}},  // table, ids
  };
  return rules;
}

} // namespace halfstep
