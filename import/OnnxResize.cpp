// ONNX's Resize: its coordinate modes are maps p = factor * i + offset, and its ways to round become floor or
// ceil of a shifted p.
#include "import/GraphShapes.h"
#include "import/OnnxImporter.h"

#include <cmath>

namespace halfstep {

namespace {

/// One axis: extents before and after, and their ratio as the file gives it.
struct ResizedAxis {
  int64_t from = 1, to = 1;
  double scale = 1;
};

struct PlaceMap {
  double factor = 1, offset = 0;
};

} // namespace

static PlaceMap placeMap(const OnnxNode &node, const std::string &mode, const ResizedAxis &axis) {
  double inverse = 1 / axis.scale, halfPixel = 0.5 * inverse - 0.5;
  if (mode == "half_pixel")
    return {inverse, halfPixel};
  if (mode == "pytorch_half_pixel")
    return axis.to > 1 ? PlaceMap{inverse, halfPixel} : PlaceMap{0, 0};
  if (mode == "asymmetric")
    return {inverse, 0};
  if (mode == "align_corners") {
    // The standard takes the extent before it is cut down to an integer.
    double last = axis.scale * double(axis.from) - 1;
    return {axis.to > 1 ? double(axis.from - 1) / last : 0, 0};
  }
  if (mode == "half_pixel_symmetric") {
    double adjustment = double(axis.to) / (axis.scale * double(axis.from));
    return {inverse, halfPixel + double(axis.from) / 2 * (1 - adjustment)};
  }
  node.unsupported("'Resize' with coordinate_transformation_mode = " + mode +
                   " is not supported; expected half_pixel, pytorch_half_pixel, asymmetric, align_corners or "
                   "half_pixel_symmetric");
}

/// Adds what nearest_mode asks for to the map; true for ceil, false for floor.
static bool roundsUp(const OnnxNode &node, PlaceMap maps[2]) {
  std::string mode = node.text("nearest_mode", "round_prefer_floor");
  double shift = mode == "round_prefer_floor" ? -0.5 : mode == "round_prefer_ceil" ? 0.5 : 0;
  if (shift == 0 && mode != "floor" && mode != "ceil")
    node.place.badInput("attribute 'nearest_mode' is '" + mode +
                        "', expected round_prefer_floor, round_prefer_ceil, floor or ceil");
  maps[0].offset += shift;
  maps[1].offset += shift;
  return mode == "ceil" || mode == "round_prefer_floor";
}

/// The axes of the input that scales or sizes are for.
static std::vector<int64_t> axesOf(const OnnxNode &node, size_t rank) {
  std::vector<int64_t> axes = node.integers("axes");
  for (size_t i = 0; axes.size() < rank && !node.find("axes"); ++i)
    axes.push_back(int64_t(i));
  for (int64_t &axis : axes)
    axis = normalizeAxis(axis, rank, node.place);
  return axes;
}

/// Each axis of an input of `shape`, resized as `scales` or, where that is null, `sizes` say.
static std::vector<ResizedAxis> resizedAxes(const OnnxNode &node, const Shape &shape,
                                            const KnownTensor *scales, const KnownTensor *sizes) {
  std::vector<ResizedAxis> result;
  for (const Dim &dim : shape)
    result.push_back({dim.size, dim.size, 1});
  std::vector<int64_t> axes = axesOf(node, shape.size());
  const KnownTensor &given = scales ? *scales : *sizes;
  if (given.size() != axes.size() || given.integer == (scales != nullptr))
    node.place.badInput(std::string(scales ? "the scales" : "the sizes") + " of 'Resize' must be " +
                        std::to_string(axes.size()) + " numbers");
  for (size_t i = 0; i < axes.size(); ++i) {
    ResizedAxis &axis = result[size_t(axes[i])];
    if (!scales && given.integers[i].perSample)
      continue; // the batch, which stays: the extent is per sample on both sides
    axis.scale = scales ? given.numbers[i] : double(given.integers[i].size) / double(axis.from);
    double extent = scales ? std::floor(axis.scale * double(axis.from)) : double(given.integers[i].size);
    if (!(axis.scale > 0) || !(extent >= 1 && extent <= double(kMaxElements)))
      node.place.badInput("'Resize' of an extent of " + std::to_string(axis.from) + " to " +
                          std::to_string(extent));
    axis.to = int64_t(extent);
  }
  return result;
}

static void checkOptions(const OnnxNode &node, const std::string &mode) {
  if (mode != "nearest" && mode != "linear")
    node.unsupported("'Resize' with mode = " + mode + " is not supported; expected nearest or linear");
  if (node.integer("antialias", 0) != 0)
    node.unsupported("'Resize' with antialias = 1 is not supported; export with antialias=False");
  if (std::string policy = node.text("keep_aspect_ratio_policy", "stretch"); policy != "stretch")
    node.unsupported("'Resize' with keep_aspect_ratio_policy = " + policy +
                     " is not supported; expected stretch");
}

/// A constant of any rank: to other ops a floating initializer is a parameter.
const KnownTensor &OnnxImporter::needNumbers(const OnnxNode &node, int input) {
  const std::string &name = resolve(node.input(input));
  if (auto found = initializers.find(name); found != initializers.end() && !known.count(name))
    known.emplace(name, readTensor(*found->second, folder, node.place));
  return needKnown(node, input);
}

void OnnxImporter::addResize(const OnnxNode &node) {
  std::string mode = node.text("mode", "nearest");
  checkOptions(node, mode);
  Shape shape = shapeOf(node.input(0), node.place);
  if (shape.size() != 3 && shape.size() != 4)
    node.unsupported(
        "'Resize' is supported on lines [n, c, w] and images [n, c, h, w], the input has shape " +
        toString(shape));
  const KnownTensor *scales = node.hasInput(2) ? &needNumbers(node, 2) : nullptr;
  if (scales && scales->size() == 0)
    scales = nullptr;
  const KnownTensor *sizes = scales ? nullptr : &needKnown(node, 3);
  std::vector<ResizedAxis> axes = resizedAxes(node, shape, scales, sizes);
  // The file's own batch among the sizes stands for any.
  bool batchStays = axes[0].to == axes[0].from || (shape[0].perSample && axes[0].to == graph.replacedBatch);
  if (!batchStays || axes[1].to != axes[1].from)
    node.unsupported(
        "'Resize' is supported along the extents of an image only, not along samples and channels");
  if (shape.size() == 3)
    axes.insert(axes.begin() + 2, ResizedAxis{});

  std::string coordinates = node.text("coordinate_transformation_mode", "half_pixel");
  PlaceMap maps[] = {placeMap(node, coordinates, axes[2]), placeMap(node, coordinates, axes[3])};
  bool linear = mode == "linear", ceil = !linear && roundsUp(node, maps);
  emitImage(node, "resize2d", {asImage(node, 0)},
            {{"size", std::vector<int64_t>{axes[2].to, axes[3].to}},
             {"factor_h", maps[0].factor},
             {"factor_w", maps[1].factor},
             {"offset_h", maps[0].offset},
             {"offset_w", maps[1].offset},
             {"linear", linear},
             {"ceil", ceil}});
}

} // namespace halfstep
