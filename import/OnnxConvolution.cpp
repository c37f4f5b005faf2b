// Convolutions of ONNX, and what they share with its pools: windows, and lines as images of height 1.
#include "import/GraphShapes.h"
#include "import/OnnxImporter.h"
#include "import/OnnxWindow.h"

#include <algorithm>

namespace halfstep {

static constexpr int64_t kMost = int64_t(1) << 31;

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

OnnxWindow::OnnxWindow(const OnnxNode &node, size_t rank, const std::vector<int64_t> &weight)
    : node(node), axes(rank - 2) {
  if (rank != 3 && rank != 4)
    node.unsupported("'" + node.op() +
                     "' is supported on lines [n, c, w] and images [n, c, h, w], the input has " +
                     std::to_string(rank) + " dimensions");
  stride = numbers("strides", 1, 1);
  dilation = numbers("dilations", 1, 1);
  if (weight.empty() && !node.find("kernel_shape"))
    node.place.badInput("attribute 'kernel_shape' is missing");
  kernel = weight.empty() || node.find("kernel_shape") ? numbers("kernel_shape", 1, 1) : weight;
  if (!weight.empty() && kernel != weight)
    node.place.badInput("attribute 'kernel_shape' differs from the weight's shape");
}

std::vector<int64_t> OnnxWindow::numbers(const std::string &key, int64_t fallback, int64_t least) const {
  std::vector<int64_t> values = node.integers(key, std::vector<int64_t>(axes, fallback));
  bool fits = std::all_of(values.begin(), values.end(),
                          [&](int64_t value) { return value >= least && value <= kMost; });
  if (values.size() != axes || !fits)
    node.place.badInput("attribute '" + key + "' must be " + std::to_string(axes) + " numbers of " +
                        std::to_string(least) + " or more");
  // A line is one row: a window of 1 that moves by 1, and nothing around it.
  if (axes == 1)
    values.insert(values.begin(), least);
  return values;
}

std::optional<bool> OnnxWindow::sameUpper() const {
  std::string automatic = node.text("auto_pad", "NOTSET");
  if (automatic != "NOTSET" && automatic != "VALID" && automatic != "SAME_UPPER" && automatic != "SAME_LOWER")
    node.place.badInput("attribute 'auto_pad' is '" + automatic +
                        "', expected NOTSET, VALID, SAME_UPPER or SAME_LOWER");
  return automatic[0] == 'S' ? std::optional(automatic == "SAME_UPPER") : std::nullopt;
}

std::pair<int64_t, int64_t> splitPadding(int64_t total, bool upper) {
  int64_t less = total / 2, more = total - less;
  return upper ? std::pair(less, more) : std::pair(more, less);
}

std::vector<int64_t> OnnxWindow::padding(const std::vector<int64_t> &extents) const {
  std::vector<int64_t> pads(4);
  if (std::optional<bool> upper = sameUpper()) {
    for (size_t i = 0; i < 2; ++i) {
      int64_t windows = (extents[i] + stride[i] - 1) / stride[i];
      int64_t total = std::max<int64_t>(0, (windows - 1) * stride[i] + reach(i) - extents[i]);
      std::tie(pads[i], pads[2 + i]) = splitPadding(total, *upper);
    }
    return pads;
  }
  if (node.text("auto_pad", "NOTSET") == "VALID")
    return pads;
  std::vector<int64_t> given = node.integers("pads", std::vector<int64_t>(2 * axes));
  bool fits = std::all_of(given.begin(), given.end(), [](int64_t pad) { return pad >= 0 && pad <= kMost; });
  if (given.size() != 2 * axes || !fits)
    node.place.badInput("attribute 'pads' must be " + std::to_string(2 * axes) + " numbers of 0 or more");
  for (size_t i = 0; i < axes; ++i) {
    pads[2 - axes + i] = given[i];
    pads[4 - axes + i] = given[axes + i];
  }
  return pads;
}

//===----------------------------------------------------------------------===//
// Lines
//===----------------------------------------------------------------------===//

std::string OnnxImporter::asImage(const OnnxNode &node, int input) {
  std::string x = operand(node.input(input), node.place);
  Shape shape = graph.shapeOf(x, node.place);
  if (shape.size() != 3)
    return x;
  shape.insert(shape.begin() + 2, Dim{});
  std::string image = x + ".image";
  if (!graph.hasValue(image))
    graph.addNode({"reshape", node.name, {x}, {image}, {}, node.place}, shape);
  return image;
}

void OnnxImporter::emitImage(const OnnxNode &node, const std::string &op, std::vector<std::string> inputs,
                             Attributes attributes) {
  if (shapeOf(node.input(0), node.place).size() != 3)
    return emit(node, op, std::move(inputs), std::move(attributes));
  std::string image = node.output() + ".image";
  graph.addNode({op, node.name, std::move(inputs), {image}, std::move(attributes), node.place});
  Shape line = graph.shapeOf(image, node.place);
  line.erase(line.begin() + 2);
  emit(node, "reshape", {image}, {}, line);
}

//===----------------------------------------------------------------------===//
// Convolutions
//===----------------------------------------------------------------------===//

/// Extents of the input's image; its batch is no extent of it.
static std::vector<int64_t> extentsOf(const Shape &image) { return {image[2].size, image[3].size}; }

static int64_t groupsOf(const OnnxNode &node) {
  int64_t groups = node.integer("group", 1);
  if (groups < 1 || groups > kMost)
    node.place.badInput("attribute 'group' must be positive");
  return groups;
}

/// Remembers a node whose weights an exporter multiplied with those of a BatchNormalization: torch's newer
/// exporter says so, the older one leaves weights without the names of their parameters.
void OnnxImporter::noteFolded(const OnnxNode &node) {
  bool isAnonymous = resolve(node.input(1)).rfind("onnx::" + node.op() + "_", 0) == 0;
  bool isFused =
      node.metadata("pkg.onnxscript.rewriter.rule_name").find("FuseBatchNorm") != std::string::npos;
  if (isFused || isAnonymous)
    foldedBatchNorms.push_back(node.name);
}

void OnnxImporter::addConv(const OnnxNode &node) {
  std::string x = asImage(node, 0), weight = asImage(node, 1);
  const Shape &shape = graph.shapeOf(weight, node.place);
  size_t rank = shapeOf(node.input(1), node.place).size();
  if (rank != shapeOf(node.input(0), node.place).size() || shape.size() != 4)
    node.unsupported("'Conv' is supported on lines [n, c, w] and images [n, c, h, w], the weight has shape " +
                     toString(shape));
  noteFolded(node);
  OnnxWindow window(node, rank, extentsOf(shape));
  std::vector<std::string> inputs = {x, weight};
  const KnownTensor *bias = node.hasInput(2) ? findKnown(node.input(2), node.place) : nullptr;
  bool zeros =
      bias && std::all_of(bias->numbers.begin(), bias->numbers.end(), [](double v) { return v == 0; });
  if (node.hasInput(2) && !zeros)
    inputs.push_back(operand(node.input(2), node.place));
  emitImage(node, "conv2d", inputs,
            {{"stride", window.stride},
             {"padding", window.padding(extentsOf(graph.shapeOf(x, node.place)))},
             {"dilation", window.dilation},
             {"groups", groupsOf(node)}});
}

namespace {
/// What a transposed convolution cuts off and adds, (top, left, bottom, right) and (vertical, horizontal).
struct TransposedPadding {
  std::vector<int64_t> padding, more;
};
} // namespace

/// From `pads`, or, where the extents of the result are given or implied by auto_pad, from these.
static TransposedPadding transposedPadding(const OnnxNode &node, const OnnxWindow &window,
                                           const std::vector<int64_t> &extents) {
  TransposedPadding result{std::vector<int64_t>(4), window.numbers("output_padding", 0, 0)};
  std::optional<bool> upper = window.sameUpper();
  bool isGiven = node.find("output_shape") != nullptr;
  if (!isGiven && !upper) {
    result.padding = window.padding(extents);
    return result;
  }
  std::vector<int64_t> wanted = isGiven ? window.numbers("output_shape", 1, 1) : std::vector<int64_t>();
  for (size_t i = 0; i < 2; ++i) {
    int64_t whole = (extents[i] - 1) * window.stride[i] + window.reach(i) + result.more[i];
    int64_t total = whole - (isGiven ? wanted[i] : extents[i] * window.stride[i]);
    result.more[i] += std::max<int64_t>(0, -total);
    std::tie(result.padding[i], result.padding[2 + i]) =
        splitPadding(std::max<int64_t>(0, total), upper.value_or(false));
  }
  return result;
}

void OnnxImporter::addConvTranspose(const OnnxNode &node) {
  std::string x = asImage(node, 0), weight = asImage(node, 1);
  const Shape &shape = graph.shapeOf(weight, node.place);
  size_t rank = shapeOf(node.input(1), node.place).size();
  if (rank != shapeOf(node.input(0), node.place).size() || shape.size() != 4)
    node.unsupported(
        "'ConvTranspose' is supported on lines [n, c, w] and images [n, c, h, w], the weight has shape " +
        toString(shape));
  noteFolded(node);
  OnnxWindow window(node, rank, extentsOf(shape));
  std::vector<int64_t> extents = extentsOf(graph.shapeOf(x, node.place));
  for (int64_t extent : {extents[0], extents[1], window.reach(0), window.reach(1)})
    if (extent > kMost)
      node.place.badInput("an extent of " + std::to_string(extent) + " is out of range");
  TransposedPadding padding = transposedPadding(node, window, extents);
  std::vector<std::string> inputs = {x, weight};
  if (node.hasInput(2))
    inputs.push_back(operand(node.input(2), node.place));
  emitImage(node, "conv_transpose2d", inputs,
            {{"stride", window.stride},
             {"padding", padding.padding},
             {"dilation", window.dilation},
             {"output_padding", padding.more},
             {"groups", groupsOf(node)}});
}

} // namespace halfstep
