// torch's as_strided, which its newer exporter leaves behind a mean over pixels: a Gather from the flat
// tensor by places that are written out as sums of ranges. Where they are all places in order it is a
// reshape, and nothing else occurs.
#include "import/GraphShapes.h"
#include "import/OnnxImporter.h"

#include <algorithm>

namespace halfstep {

/// Unsqueeze(Mul(Range(0, extent, 1), stride), axes): one axis of the places.
bool OnnxImporter::matchStridedAxis(const std::string &name, StridedView &found) const {
  const onnx::NodeProto *unsqueeze = producerOf(name, "Unsqueeze");
  const onnx::NodeProto *mul = unsqueeze ? producerOf(unsqueeze->input(0), "Mul") : nullptr;
  const onnx::NodeProto *range = mul ? producerOf(mul->input(0), "Range") : nullptr;
  if (!range || range->input_size() != 3 || mul->input_size() != 2)
    return false;
  found.axes.push_back({range->input(0), range->input(1), range->input(2), mul->input(1)});
  for (const std::string &value : {name, unsqueeze->input(0), mul->input(0)})
    found.nodes.insert(producers.at(value));
  return true;
}

/// Gather(Reshape(x, [-1]), start + axis + ... + axis), outermost axis first.
void OnnxImporter::matchStrided(int gather) {
  const onnx::NodeProto &node = proto.node(gather);
  const onnx::NodeProto *flat = node.input_size() == 2 ? producerOf(node.input(0), "Reshape") : nullptr;
  if (!flat || flat->input_size() != 2 || nodeAt(gather).integer("axis", 0) != 0)
    return;
  StridedView found{flat->input(0), flat->input(1), node.input(1), {}, {}};
  while (const onnx::NodeProto *sum = producerOf(found.start, "Add")) {
    if (sum->input_size() != 2 || !matchStridedAxis(sum->input(1), found))
      return;
    found.nodes.insert(producers.at(found.start));
    found.start = sum->input(0);
  }
  for (int index : found.nodes) // read by nobody else, or they stay
    if (onlyUse(proto.node(index).output(0)) < 0)
      return;
  if (!found.axes.empty()) {
    std::reverse(found.axes.begin(), found.axes.end());
    absorbed.insert(found.nodes.begin(), found.nodes.end());
    stridedViews.emplace(gather, std::move(found));
  }
}

/// The one integer that a name is known to stand for.
Dim OnnxImporter::needInteger(const OnnxNode &node, const std::string &name) {
  const KnownTensor *tensor = findKnown(name, node.place);
  if (!tensor || !tensor->integer || !tensor->isScalar())
    node.unsupported("'Gather' by places that are not known when the model is compiled");
  return tensor->integers[0];
}

void OnnxImporter::addStridedView(const OnnxNode &node, const StridedView &found) {
  const KnownTensor *flat = findKnown(found.flat, node.place);
  bool inOrder = flat && flat->integer && flat->isScalar() && flat->integers[0] == Dim{-1, false} &&
                 needInteger(node, found.start) == Dim{0, false};
  Shape shape;
  Dim places;
  for (auto axis = found.axes.rbegin(); axis != found.axes.rend(); ++axis) {
    Dim extent = needInteger(node, axis->extent), stride = needInteger(node, axis->stride);
    inOrder &= needInteger(node, axis->start) == Dim{0, false} &&
               needInteger(node, axis->step) == Dim{1, false} && (extent.isOne() || stride == places);
    places = {places.size * extent.size, places.perSample || extent.perSample};
    shape.insert(shape.begin(), extent);
  }
  if (!inOrder)
    node.unsupported("'Gather' by places of a flat tensor is supported for all of them in order only");
  emit(node, "reshape", {operand(found.source, node.place)}, {}, shape);
}

} // namespace halfstep
