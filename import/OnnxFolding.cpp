// The frame of folding. Integers are extents that may stand for the batch, so the shape arithmetic of a
// symbolic export folds too.
#include "import/OnnxFoldRules.h"

#include "import/GraphShapes.h"

#include <algorithm>

namespace halfstep {

std::optional<size_t> foldedCount(const std::vector<int64_t> &shape) {
  int64_t count = 1;
  for (int64_t extent : shape) {
    if (extent < 0 || (extent > 0 && count > kMaxFolded / extent))
      return {};
    count *= extent;
  }
  return size_t(count);
}

KnownTensor pick(const KnownTensor &source, const std::vector<size_t> &indices, std::vector<int64_t> shape) {
  KnownTensor result;
  result.integer = source.integer;
  result.shape = std::move(shape);
  for (size_t index : indices)
    source.integer ? result.integers.push_back(source.integers[index])
                   : result.numbers.push_back(source.numbers[index]);
  return result;
}

size_t broadcastPlace(const std::vector<int64_t> &shape, const std::vector<int64_t> &index) {
  size_t place = 0, lead = index.size() - shape.size();
  for (size_t i = 0; i < shape.size(); ++i)
    place = place * size_t(shape[i]) + (shape[i] == 1 ? 0 : size_t(index[lead + i]));
  return place;
}

std::optional<std::vector<int64_t>> broadcastExtents(std::vector<int64_t> a, std::vector<int64_t> b) {
  if (a.size() < b.size())
    std::swap(a, b);
  size_t lead = a.size() - b.size();
  for (size_t i = 0; i < b.size(); ++i) {
    int64_t &extent = a[lead + i];
    if (extent != b[i] && extent != 1 && b[i] != 1)
      return {};
    extent = extent == 1 ? b[i] : extent;
  }
  return a;
}

bool readsShapeOnly(const std::string &op) { return op == "Shape" || op == "Size"; }

/// Start and end as ONNX clamps them, for a step forwards or backwards.
static std::pair<int64_t, int64_t> clampedRange(int64_t start, int64_t end, int64_t step, int64_t extent) {
  // INT64_MIN and INT64_MAX are legal: clamp before adding.
  auto clamp = [&](int64_t at, int64_t least, int64_t most) {
    at = std::clamp(at, -extent - 1, extent);
    return std::clamp(at < 0 ? at + extent : at, least, most);
  };
  return step > 0 ? std::pair(clamp(start, 0, extent), clamp(end, 0, extent))
                  : std::pair(clamp(start, 0, extent - 1), clamp(end, -1, extent - 1));
}

std::optional<SliceRange> sliceRange(const OnnxNode &node, const Shape &shape,
                                     const std::vector<const KnownTensor *> &inputs) {
  auto known = [&](size_t index) { return index < inputs.size() ? inputs[index] : nullptr; };
  if (!known(1) || !known(2) || !known(1)->integer || !known(2)->integer)
    node.place.badInput("'Slice' needs integer starts and ends");
  const std::vector<Dim> &starts = known(1)->integers, &ends = known(2)->integers;
  std::vector<int64_t> axes, steps(starts.size(), 1);
  for (size_t i = 0; i < starts.size(); ++i)
    axes.push_back(int64_t(i));
  if (known(3))
    axes = known(3)->fixedIntegers(node.place);
  if (known(4))
    steps = known(4)->fixedIntegers(node.place);
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    node.place.badInput("starts, ends, axes and steps must have as many values");
  SliceRange range;
  for (const Dim &dim : shape) {
    range.starts.push_back(0);
    range.sizes.push_back(dim.perSample ? 0 : dim.size);
    range.steps.push_back(1);
  }
  for (size_t i = 0; i < starts.size(); ++i) {
    size_t axis = size_t(normalizeAxis(axes[i], shape.size(), node.place));
    Dim extent = shape[axis], start = starts[i], end = ends[i];
    if (steps[i] == 0)
      node.place.badInput("a step of 0");
    if (extent.perSample) {
      bool whole = start == Dim{0, false} && steps[i] == 1 &&
                   (end == extent || (!end.perSample && end.size >= kMaxElements));
      if (!whole)
        node.place.badInput("a part of the batch cannot be taken, dimension " + std::to_string(axis) +
                            " of " + toString(shape));
      continue;
    }
    if (start.perSample || end.perSample)
      node.place.badInput("a number that depends on the batch is used where a fixed one is needed");
    // Beyond the extent a step takes one element, however far it goes.
    int64_t step =
        std::clamp(steps[i], -std::max<int64_t>(extent.size, 1), std::max<int64_t>(extent.size, 1));
    auto [from, to] = clampedRange(start.size, end.size, step, extent.size);
    int64_t count = step > 0 ? (to - from + step - 1) / step : (from - to - step - 1) / -step;
    if (extent.size < 1 || count < 1)
      return {};
    range.starts[axis] = from;
    range.sizes[axis] = count;
    range.steps[axis] = step;
  }
  return range;
}

static FoldRule ruleOf(const std::string &op) {
  for (const FoldRules *rules : {&elementFolds(), &partFolds()})
    if (auto found = rules->find(op); found != rules->end())
      return found->second;
  return nullptr;
}

std::optional<KnownTensor> foldNode(const OnnxNode &node, const std::vector<const KnownTensor *> &inputs,
                                    const Shape *shape, int64_t batch) {
  FoldRule rule = ruleOf(node.op());
  if (!rule)
    return {};
  for (size_t i = 0; i < inputs.size() && !readsShapeOnly(node.op()); ++i) {
    bool onlyForType = node.op() == "CastLike" && i == 1;
    if (!onlyForType && node.hasInput(int(i)) && (!inputs[i] || inputs[i]->size() > size_t(kMaxFolded)))
      return {};
  }
  return rule({node, inputs, shape, batch});
}

} // namespace halfstep
