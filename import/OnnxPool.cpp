// Pools of ONNX. Global pools are windows of the image's size.
#include "import/GraphShapes.h"
#include "import/OnnxImporter.h"
#include "import/OnnxWindow.h"

namespace halfstep {

static Attributes windowAttributes(const std::vector<int64_t> &kernel, const std::vector<int64_t> &stride,
                                   const std::vector<int64_t> &padding) {
  return {{"kernel", kernel}, {"stride", stride}, {"padding", padding}};
}

/// What ceil_mode = 1 adds below and to the right: enough for one more window, unless that would begin behind
/// the image and the padding before it (ONNX and PyTorch).
static std::vector<int64_t> addedByCeil(const OnnxNode &node, const OnnxWindow &window, const Shape &image,
                                        const std::vector<int64_t> &pads) {
  std::vector<int64_t> added(2);
  if (!node.integer("ceil_mode", 0))
    return added;
  for (size_t i = 0; i < 2; ++i) {
    int64_t extent = image[2 + i].size, room = extent + pads[i] + pads[2 + i] - window.reach(i);
    if (room < 0)
      continue; // the shape rule says what does not fit
    int64_t rest = room % window.stride[i], nextStart = (room / window.stride[i] + 1) * window.stride[i];
    if (rest != 0 && nextStart < extent + pads[i])
      added[i] = window.stride[i] - rest;
  }
  return added;
}

/// PyTorch has no pool whose windows may lie in the padding alone.
static void needHalfPads(const OnnxNode &node, const OnnxWindow &window, const std::vector<int64_t> &pads) {
  for (size_t i = 0; i < pads.size(); ++i)
    if (2 * pads[i] > window.kernel[i % 2])
      node.unsupported("padding of more than half of the window is not supported");
}

void OnnxImporter::addMaxPool(const OnnxNode &node) {
  onlyFirstOutput(node);
  std::string x = asImage(node, 0);
  OnnxWindow window(node, shapeOf(node.input(0), node.place).size());
  const Shape &image = graph.shapeOf(x, node.place);
  std::vector<int64_t> pads = window.padding({image[2].size, image[3].size});
  std::vector<int64_t> added = addedByCeil(node, window, image, pads);
  needHalfPads(node, window, pads);
  pads[2] += added[0], pads[3] += added[1];
  Attributes attributes = windowAttributes(window.kernel, window.stride, pads);
  if (window.dilation != std::vector<int64_t>{1, 1})
    attributes["dilation"] = window.dilation;
  emitImage(node, "max_pool2d", {x}, attributes);
}

void OnnxImporter::addAveragePool(const OnnxNode &node) {
  onlyFirstOutput(node);
  std::string x = asImage(node, 0);
  OnnxWindow window(node, shapeOf(node.input(0), node.place).size());
  if (window.dilation != std::vector<int64_t>{1, 1})
    node.unsupported("'AveragePool' with dilation is not supported");
  const Shape &image = graph.shapeOf(x, node.place);
  std::vector<int64_t> pads = window.padding({image[2].size, image[3].size});
  std::vector<int64_t> added = addedByCeil(node, window, image, pads);
  needHalfPads(node, window, pads);
  pads[2] += added[0], pads[3] += added[1];
  Attributes attributes = windowAttributes(window.kernel, window.stride, pads);
  bool excludePad = node.integer("count_include_pad", 0) == 0;
  attributes["exclude_pad"] = excludePad;
  if (!excludePad && added != std::vector<int64_t>{0, 0})
    attributes["uncounted"] = added;
  emitImage(node, "avg_pool2d", {x}, attributes);
}

static Attributes wholeImage(const Shape &image) {
  std::vector<int64_t> extents = {image[2].size, image[3].size};
  return windowAttributes(extents, extents, std::vector<int64_t>(4));
}

void OnnxImporter::addGlobalPool(const OnnxNode &node) {
  std::string x = asImage(node, 0);
  const Shape &image = graph.shapeOf(x, node.place);
  if (image.size() != 4)
    node.unsupported("'" + node.op() +
                     "' is supported on lines [n, c, w] and images [n, c, h, w], the input has shape " +
                     toString(image));
  Attributes attributes = wholeImage(image);
  if (node.op() == "GlobalMaxPool")
    return emitImage(node, "max_pool2d", {x}, attributes);
  attributes["exclude_pad"] = false;
  emitImage(node, "avg_pool2d", {x}, attributes);
}

/// The mean over an image's pixels.
void OnnxImporter::addGlobalMean(const OnnxNode &node, bool keepDims) {
  std::string x = operand(node.input(0), node.place);
  Shape shape = graph.shapeOf(x, node.place);
  Attributes attributes = wholeImage(shape);
  attributes["exclude_pad"] = false;
  if (keepDims)
    return emit(node, "avg_pool2d", {x}, attributes);
  std::string pooled = node.output() + ".pooled";
  graph.addNode({"avg_pool2d", node.name, {x}, {pooled}, attributes, node.place});
  emit(node, "reshape", {pooled}, {}, {shape[0], shape[1]});
}

} // namespace halfstep
