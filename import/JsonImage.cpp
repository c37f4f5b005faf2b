// Layers on images of the JSON model format beside convolution and pooling. Defaults and layouts are
// PyTorch's.
#include "import/JsonOpReader.h"

#include <cmath>

namespace halfstep {

void OpReader::convTranspose2d() {
  Dim in = featureExtent(inputShape(4)[1]);
  int64_t out = at("out").asInteger(1, kMaxExtent), groups = integer("groups", 1, 1, kMaxExtent);
  if (in.size % groups || out % groups)
    node.place.badInput("'groups' " + std::to_string(groups) + " must divide the input channels " +
                        std::to_string(in.size) + " and the output channels " + std::to_string(out));
  std::vector<int64_t> kernel = pair("kernel", 1);
  Shape weight = {in, {out / groups, false}, {kernel[0], false}, {kernel[1], false}};
  Init init = uniformInit(1 / std::sqrt(fanIn(weight)));
  node.attributes = {{"stride", pairOr("stride", {1, 1}, 1)},
                     {"padding", paddingOnBothSides()},
                     {"dilation", pairOr("dilation", {1, 1}, 1)},
                     {"output_padding", pairOr("output_padding", {0, 0}, 0)},
                     {"groups", groups}};
  node.inputs.push_back(declare("weight", weight, init));
  if (boolean("bias", true))
    node.inputs.push_back(declare("bias", {{out, false}}, init));
  emit();
}

/// A normalisation of `groups` groups of channels.
void OpReader::normalizeGroups(int64_t groups) {
  Shape channels = {featureExtent(inputShape()[1])};
  node.op = "group_norm";
  node.attributes = {{"groups", groups}, {"eps", epsilon()}};
  node.inputs.push_back(declare("weight", channels, constantInit(1)));
  node.inputs.push_back(declare("bias", channels, constantInit(0)));
  emit();
}

void OpReader::groupNorm() {
  if (inputShape().size() < 2)
    node.place.badInput("expected an input [N, C, ...], got shape " + toString(inputShape()));
  normalizeGroups(at("groups").asInteger(1, kMaxExtent));
}

void OpReader::instanceNorm() {
  if (inputShape().size() < 3)
    node.place.badInput("expected an input [N, C, ...] with more than channels, got shape " +
                        toString(inputShape()));
  normalizeGroups(featureExtent(inputShape()[1]).size);
}

/// As torch's upsample and interpolate: the result has `size`, or `scale` times the extents.
void OpReader::upsample() {
  const Shape &image = inputShape(4);
  if (bool(find("size")) == bool(find("scale")))
    node.place.badInput("'upsample' needs either 'size' or 'scale'");
  std::string mode = find("mode") ? at("mode").asString() : "nearest";
  if (mode != "nearest" && mode != "bilinear")
    at("mode").place.badInput("expected \"nearest\" or \"bilinear\", got '" + mode + "'");
  bool linear = mode == "bilinear", corners = boolean("align_corners", false);
  if (corners && !linear)
    at("align_corners").place.badInput("'align_corners' goes with the mode \"bilinear\"");
  std::vector<int64_t> numbers = pair(find("size") ? "size" : "scale", 1), size = numbers;
  const char *const factors[] = {"factor_h", "factor_w"}, *const offsets[] = {"offset_h", "offset_w"};
  for (size_t i = 0; i < 2; ++i) {
    int64_t extent = featureExtent(image[2 + i]).size;
    size[i] = find("size") ? numbers[i] : numbers[i] * extent;
    if (size[i] > kMaxExtent)
      node.place.badInput("'upsample' of an extent of " + std::to_string(extent) + " to " +
                          std::to_string(size[i]));
    double factor = double(extent) / double(size[i]);
    if (corners)
      factor = size[i] > 1 ? double(extent - 1) / double(size[i] - 1) : 0;
    node.attributes[factors[i]] = factor;
    node.attributes[offsets[i]] = linear && !corners ? 0.5 * factor - 0.5 : 0.0;
  }
  node.op = "resize2d";
  node.attributes["size"] = size;
  node.attributes["linear"] = linear;
  node.attributes["ceil"] = false;
  emit();
}

} // namespace halfstep
