// The attributes that ONNX's convolutions and pools share, checked, for images and for lines.
#ifndef HALFSTEP_IMPORT_ONNXWINDOW_H
#define HALFSTEP_IMPORT_ONNXWINDOW_H

#include "import/OnnxNode.h"

namespace halfstep {

/// Windows over an image, (vertical, horizontal); of a line [n, c, w] vertically of one element.
struct OnnxWindow {
  /// Reads strides, dilations and `kernel_shape` (or takes `kernel`, the weight's extents, which the
  /// attribute must not contradict) of a node whose input has `rank` dimensions; Unsupported when that is not
  /// 3 or 4.
  OnnxWindow(const OnnxNode &node, size_t rank, const std::vector<int64_t> &kernel = {});

  std::vector<int64_t> kernel, stride, dilation;

  int64_t reach(size_t dim) const { return dilation[dim] * (kernel[dim] - 1) + 1; }
  /// [top, left, bottom, right] from `pads` and `auto_pad`, over an image of these extents.
  std::vector<int64_t> padding(const std::vector<int64_t> &extents) const;
  /// One number an axis of the input, (vertical, horizontal): `fallback` where the attribute is absent.
  std::vector<int64_t> numbers(const std::string &key, int64_t fallback, int64_t least) const;
  /// True for auto_pad SAME_UPPER, the other way round for SAME_LOWER; none where it is not automatic.
  std::optional<bool> sameUpper() const;

private:
  const OnnxNode &node;
  size_t axes; ///< of the input: 1 or 2
};

/// Splits `total` into what comes before and after; an odd rest goes after when `upper`, else before.
std::pair<int64_t, int64_t> splitPadding(int64_t total, bool upper);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_ONNXWINDOW_H
