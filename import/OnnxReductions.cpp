// ONNX reductions over any axes, and softmax.
#include "import/OnnxImporter.h"

#include "import/GraphShapes.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace halfstep {

/// The axes of a reduction, sorted: an input since opset 18 (ReduceSum 13), an attribute before; none are
/// all.
std::vector<int64_t> OnnxImporter::reducedAxes(const OnnxNode &node, size_t rank) {
  std::vector<int64_t> axes =
      node.hasInput(1) ? needKnown(node, 1).fixedIntegers(node.place) : node.integers("axes");
  for (int64_t &axis : axes)
    axis = normalizeAxis(axis, rank, node.place);
  if (axes.empty() && !node.integer("noop_with_empty_axes", 0)) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
  }
  std::sort(axes.begin(), axes.end());
  return axes;
}

void OnnxImporter::addReduceMean(const OnnxNode &node) {
  bool keepDims = node.integer("keepdims", 1) != 0;
  std::string x = operand(node.input(0), node.place);
  const Shape &shape = graph.shapeOf(x, node.place);
  std::vector<int64_t> axes = reducedAxes(node, shape.size());
  if (shape.size() == 4 && axes == std::vector<int64_t>{2, 3} && !shape[2].perSample && !shape[3].perSample)
    return addGlobalMean(node, keepDims);
  emit(node, "reduce_mean", {x}, {{"axes", axes}, {"keep_dims", keepDims}});
}

namespace {

/// A reduction as a function before it, the reduction itself, and a function after it; empty: none.
struct ReductionEntry {
  std::string before, reduction, after;
};

} // namespace

static const std::map<std::string, ReductionEntry> &reductionTable() {
  static const std::map<std::string, ReductionEntry> table = {
      {"ReduceSum", {"", "reduce_sum", ""}},
      {"ReduceMax", {"", "reduce_max", ""}},
      {"ReduceMin", {"", "reduce_min", ""}},
      {"ReduceProd", {"", "reduce_prod", ""}},
      {"ReduceL1", {"abs", "reduce_sum", ""}},
      {"ReduceL2", {"square", "reduce_sum", "norm_root"}},
      {"ReduceSumSquare", {"square", "reduce_sum", ""}},
      {"ReduceLogSum", {"", "reduce_sum", "log"}},
  };
  return table;
}

/// Adds a node with a name of its own unless it is the last of `node`; returns what it makes.
std::string OnnxImporter::addStep(const OnnxNode &node, const std::string &op,
                                  std::vector<std::string> inputs, Attributes attributes, bool last) {
  std::string result = last ? node.output() : freshName(node.output() + "." + op);
  graph.addNode({op, node.name, std::move(inputs), {result}, std::move(attributes), node.place});
  return result;
}

void OnnxImporter::addReduction(const OnnxNode &node) {
  const ReductionEntry &entry = reductionTable().at(node.op());
  std::string x = numbersOf(node.input(0), node.place);
  std::vector<int64_t> axes = reducedAxes(node, graph.shapeOf(x, node.place).size());
  Attributes over = {{"axes", axes}, {"keep_dims", node.integer("keepdims", 1) != 0}};
  if (entry.before == "square")
    x = addStep(node, "mul", {x, x}, {}, false);
  else if (!entry.before.empty())
    x = addStep(node, entry.before, {x}, {}, false);
  x = addStep(node, entry.reduction, {x}, over, entry.after.empty());
  if (!entry.after.empty())
    addStep(node, entry.after, {x}, {}, true);
}

/// ln(sum(exp(x - m))) + m with m the largest element, taken as a constant: the gradients through it would
/// cancel. Where it is infinite it is the largest number instead, so that no difference is NaN.
void OnnxImporter::addReduceLogSumExp(const OnnxNode &node) {
  std::string x = operand(node.input(0), node.place);
  std::vector<int64_t> axes = reducedAxes(node, graph.shapeOf(x, node.place).size());
  bool keepDims = node.integer("keepdims", 1) != 0;
  constexpr double most = std::numeric_limits<float>::max();
  std::string fixed = addStep(node, "detach", {x}, {}, false);
  Attributes kept = {{"axes", axes}, {"keep_dims", true}}, over = {{"axes", axes}, {"keep_dims", keepDims}};
  Attributes finite = {{"alpha", -most}, {"beta", most}};
  std::string largest =
      addStep(node, "clip", {addStep(node, "reduce_max", {fixed}, kept, false)}, finite, false);
  std::string powers = addStep(node, "exp", {addStep(node, "sub", {x, largest}, {}, false)}, {}, false);
  std::string sum = addStep(node, "log", {addStep(node, "reduce_sum", {powers}, over, false)}, {}, false);
  if (!keepDims) {
    Shape shape = graph.shapeOf(sum, node.place);
    std::string flat = freshName(node.output() + ".reshape");
    graph.addNode({"reshape", node.name, {largest}, {flat}, {}, node.place}, shape);
    largest = flat;
  }
  addStep(node, "add", {sum, largest}, {}, true);
}

void OnnxImporter::addSoftmax(const OnnxNode &node) {
  std::string x = operand(node.input(0), node.place);
  int64_t axis = normalizeAxis(node.integer("axis", -1), graph.shapeOf(x, node.place).size(), node.place);
  emit(node, node.op() == "Softmax" ? "softmax" : "log_softmax", {x}, {{"axis", axis}});
}

void OnnxImporter::addReductions(std::map<std::string, Handler> &table) {
  using I = OnnxImporter;
  for (const auto &[op, entry] : reductionTable())
    table[op] = &I::addReduction;
  table.insert({{"ReduceMean", &I::addReduceMean},
                {"ReduceLogSumExp", &I::addReduceLogSumExp},
                {"Softmax", &I::addSoftmax},
                {"LogSoftmax", &I::addSoftmax}});
}

} // namespace halfstep
