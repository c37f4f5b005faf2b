// Functions, comparisons, reductions, and parts and places of tensors in the JSON model format.
#include "import/GraphShapes.h"
#include "import/JsonOpReader.h"

#include <algorithm>
#include <limits>

namespace halfstep {

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

static constexpr double kMost = std::numeric_limits<float>::max();

void OpReader::clip() {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  node.attributes = {{"alpha", find("min") ? number("min", 0, -kMost, kMost) : -infinity},
                     {"beta", find("max") ? number("max", 0, -kMost, kMost) : infinity}};
  if (node.number("alpha") > node.number("beta"))
    at("min").place.badInput("'min' must not be above 'max'");
  emit();
}

/// Functions of one number `alpha`, whose default is that of PyTorch.
void OpReader::ofAlpha() {
  double fallback = node.op == "leaky_relu" ? 0.01 : 1;
  double alpha = number("alpha", fallback, -kMost, kMost);
  if (node.op == "celu" && alpha == 0)
    at("alpha").place.badInput("'alpha' must not be 0");
  node.attributes["alpha"] = alpha;
  emit();
}

void OpReader::selu() {
  // Klambauer et al., Self-normalizing neural networks, 2017.
  node.attributes = {{"alpha", 1.6732632423543772}, {"beta", 1.0507009873554805}};
  emit();
}

void OpReader::hardsigmoid() {
  node.attributes = {{"alpha", 1.0 / 6}, {"beta", 0.5}};
  emit();
}

void OpReader::secondOperand() {
  const JsonValue *value = find("value");
  if (!value && node.inputs.size() != 2)
    node.place.badInput("'" + node.op + "' takes two inputs, or one and a number 'value'; got " +
                        std::to_string(node.inputs.size()));
  if (!value)
    return;
  if (node.inputs.size() != 1)
    value->place.badInput("'value' goes with one input, got " + std::to_string(node.inputs.size()));
  std::string name = json.name + ".value";
  Node constant{"constant", name, {}, {name}, {}, node.place};
  if (graph.isIds(node.inputs[0]))
    constant.attributes["integers"] = std::vector<int64_t>{
        value->asInteger(std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max())};
  else
    constant.attributes["numbers"] = std::vector<double>{value->asNumber()};
  graph.addNode(std::move(constant));
  node.inputs.push_back(name);
}

void OpReader::ofTwo() {
  secondOperand();
  emit();
}

void OpReader::compare() {
  static constexpr const char *predicates[] = {"equal",         "not_equal", "less", "less_equal", "greater",
                                               "greater_equal", "and",       "or",   "xor"};
  std::string predicate = at("predicate").asString();
  if (std::find(std::begin(predicates), std::end(predicates), predicate) == std::end(predicates))
    at("predicate")
        .place.badInput("'" + predicate +
                        "' is no predicate; expected equal, not_equal, less, less_equal, "
                        "greater, greater_equal, and, or, xor");
  node.attributes["predicate"] = predicate;
  secondOperand();
  emit();
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

void OpReader::reduce() {
  size_t rank = inputShape().size();
  std::vector<int64_t> axes = integers("axes", -64, 63);
  for (int64_t &axis : axes)
    axis = normalizeAxis(axis, rank, node.place);
  std::sort(axes.begin(), axes.end());
  node.attributes = {{"axes", axes}, {"keep_dims", boolean("keep_dims", false)}};
  emit();
}

//===----------------------------------------------------------------------===//
// Parts and places
//===----------------------------------------------------------------------===//

/// Elements `start`, `start + step` and so on before `end` along one axis; places below 0 count from the end.
void OpReader::slice() {
  const Shape &shape = inputShape();
  size_t along = size_t(normalizeAxis(at("axis").asInteger(-64, 63), shape.size(), node.place));
  if (shape[along].perSample)
    node.place.badInput("a part of the batch cannot be taken");
  int64_t extent = shape[along].size, step = integer("step", 1, 1, kMaxExtent);
  auto place = [&](const char *key, int64_t fallback) {
    int64_t at = integer(key, fallback, -kMaxExtent, kMaxExtent);
    return std::clamp<int64_t>(at < 0 ? at + extent : at, 0, extent);
  };
  int64_t start = place("start", 0), end = place("end", extent);
  if (start >= end)
    node.place.badInput("the slice from " + std::to_string(start) + " to " + std::to_string(end) +
                        " has no elements");
  std::vector<int64_t> starts(shape.size(), 0), sizes(shape.size(), 0), steps(shape.size(), 1);
  starts[along] = start;
  sizes[along] = (end - start + step - 1) / step;
  // One element has no next: a step beyond the extent is as good as the extent.
  steps[along] = std::min(step, extent);
  node.attributes = {{"starts", starts}, {"sizes", sizes}, {"steps", steps}};
  emit();
}

void OpReader::pad() {
  node.attributes = {{"before", integers("before", 0, kMaxExtent)},
                     {"after", integers("after", 0, kMaxExtent)},
                     {"value", number("value", 0, -kMost, kMost)}};
  emit();
}

void OpReader::concat() {
  node.attributes["axis"] = normalizeAxis(at("axis").asInteger(-64, 63), inputShape().size(), node.place);
  emit();
}

void OpReader::expand() {
  Shape wanted;
  for (const JsonValue &item : at("shape").asArray()) {
    bool named = item.kind == JsonValue::Kind::String;
    if (named && (json.batchName.empty() || item.text != json.batchName))
      item.place.badInput("'" + item.text + "' is not the name of the batch");
    wanted.push_back(named ? Dim{1, true} : Dim{item.asInteger(1, kMaxExtent), false});
  }
  inputShape();
  emit(wanted);
}

} // namespace halfstep
