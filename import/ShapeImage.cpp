// Shape rules of layers on images beside convolution and pooling: one function an op, and its line in the
// vocabulary.
#include "import/ShapeRules.h"

namespace halfstep {

namespace {

Results convTranspose2d(const RuleInput &s) {
  const Shape &x = s.operands[0], &w = s.operands[1];
  s.needRank(x, 4, "an image [n, c, h, w]");
  s.needRank(w, 4, "a weight [in, out / groups, h, w]");
  int64_t groups = s.node.integer("groups");
  if (x[1].perSample || x[1] != w[0] || w[0].size % groups != 0)
    s.bad("input " + toString(x) + " and weight " + toString(w) + " do not fit " + std::to_string(groups) +
          " groups of a transposed convolution");
  Dim out{w[1].size * groups, false};
  if (s.node.hasInput(2))
    s.needShape(2, {out}, "bias");
  const auto &stride = s.node.integers("stride"), &pads = s.node.integers("padding"),
             &dilation = s.node.integers("dilation"), &more = s.node.integers("output_padding");
  Shape result{x[0], out};
  for (size_t i = 0; i < 2; ++i) {
    Dim extent = x[2 + i];
    if (extent.perSample)
      s.bad("the batch must be the first dimension of an image, got shape " + toString(x));
    if (more[i] >= stride[i])
      s.bad("output padding " + std::to_string(more[i]) + " is not below the stride " +
            std::to_string(stride[i]));
    int64_t reach = dilation[i] * (w[2 + i].size - 1) + 1;
    int64_t size = (extent.size - 1) * stride[i] + reach + more[i] - pads[i] - pads[2 + i];
    if (size < 1)
      s.bad("padding " + std::to_string(pads[i]) + " and " + std::to_string(pads[2 + i]) +
            " cuts off all of an extent of " + std::to_string(size + pads[i] + pads[2 + i]));
    result.push_back({size, false});
  }
  return {result};
}

Results groupNorm(const RuleInput &s) {
  const Shape &x = s.input();
  if (x.size() < 2 || x[1].perSample)
    s.bad("expected an input [n, c, ...], got shape " + toString(x));
  int64_t groups = s.node.integer("groups");
  if (groups < 1 || x[1].size % groups != 0)
    s.bad(std::to_string(groups) + " groups do not divide the " + std::to_string(x[1].size) + " channels");
  s.needShape(1, {x[1]}, "scale");
  s.needShape(2, {x[1]}, "shift");
  return {x};
}

Results resize2d(const RuleInput &s) {
  Shape result = s.input();
  s.needRank(result, 4, "an image [n, c, h, w]");
  for (size_t i = 0; i < 2; ++i) {
    if (result[2 + i].perSample)
      s.bad("the batch must be the first dimension of an image, got shape " + toString(result));
    result[2 + i].size = s.node.integers("size")[i];
  }
  return {result};
}

} // namespace

const ShapeRules &imageRules() {
  static const ShapeRules rules = {
      {"conv_transpose2d",
       {2, 3, convTranspose2d}}, // x, weight, bias?; stride, padding, dilation, output_padding, groups
      {"group_norm", {3, 3, groupNorm}}, // x, scale, shift; groups, eps
      {"resize2d", {1, 1, resize2d}},    // size; factor_h, factor_w, offset_h, offset_w; linear, ceil: bool
  };
  return rules;
}

} // namespace halfstep
