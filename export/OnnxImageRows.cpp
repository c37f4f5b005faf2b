// What ops on images become in ONNX, beside convolution and pooling.
#include "export/OnnxGraph.h"

namespace halfstep {

void OnnxGraphWriter::convTranspose2d(const Node &node) {
  onnx::NodeProto &conv = addWhole("ConvTranspose", node);
  const Shape &weight = shapeOf(node, 1);
  set(conv, "kernel_shape", std::vector<int64_t>{weight[2].size, weight[3].size});
  set(conv, "strides", node.integers("stride"));
  set(conv, "pads", node.integers("padding"));
  set(conv, "dilations", node.integers("dilation"));
  set(conv, "output_padding", node.integers("output_padding"));
  set(conv, "group", node.integer("groups"));
}

void OnnxGraphWriter::groupNorm(const Node &node) {
  onnx::NodeProto &norm = addWhole("GroupNormalization", node);
  set(norm, "num_groups", node.integer("groups"));
  set(norm, "epsilon", node.number("eps"));
}

/// The JSON format's ways to resize: nearest by floor(factor * i), and linear with or without aligned
/// corners.
void OnnxGraphWriter::resize2d(const Node &node) {
  const Shape &image = shapeOf(node, 0);
  const std::vector<int64_t> &size = node.integers("size");
  bool linear = node.flag("linear"), corners = linear;
  for (size_t i = 0; i < 2; ++i) { // both ways have an offset of 0 where an extent stays
    double offset = node.number(i == 0 ? "offset_h" : "offset_w");
    corners = corners && offset == 0;
    if (size[i] == image[2 + i].size)
      continue;
    if (node.flag("ceil") || (!linear && offset != 0))
      node.place.fail(ExitCode::Unsupported,
                      "this way to round in 'resize2d' cannot be exported to ONNX yet");
  }
  std::string extents = integers(node, "extents", size);
  onnx::NodeProto &resize = add("Resize", node.name, {node.inputs[0], "", "", extents}, node.outputs);
  set(resize, "axes", std::vector<int64_t>{2, 3});
  set(resize, "mode", linear ? "linear" : "nearest");
  set(resize, "coordinate_transformation_mode",
      !linear   ? "asymmetric"
      : corners ? "align_corners"
                : "half_pixel");
  if (!linear)
    set(resize, "nearest_mode", "floor");
}

} // namespace halfstep
