// ONNX ops that work element by element: functions, comparisons, choices and casts.
#include "import/OnnxImporter.h"

#include <limits>

namespace halfstep {

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

namespace {

/// An ONNX op that is a function of the vocabulary, and the defaults of its numbers.
struct FunctionEntry {
  std::string op;
  std::string alpha, beta; ///< names of ONNX's attributes; empty: the function has no such number
  double alphaDefault = 0, betaDefault = 0;
};

} // namespace

static const std::map<std::string, FunctionEntry> &functionTable() {
  static const std::map<std::string, FunctionEntry> table = {
      {"Exp", {"exp", "", ""}},
      {"Log", {"log", "", ""}},
      {"Sqrt", {"sqrt", "", ""}},
      {"Reciprocal", {"reciprocal", "", ""}},
      {"Abs", {"abs", "", ""}},
      {"Erf", {"erf", "", ""}},
      {"Sin", {"sin", "", ""}},
      {"Cos", {"cos", "", ""}},
      {"Sign", {"sign", "", ""}},
      {"Floor", {"floor", "", ""}},
      {"Ceil", {"ceil", "", ""}},
      {"Round", {"round", "", ""}},
      {"Softplus", {"softplus", "", ""}},
      {"Softsign", {"softsign", "", ""}},
      {"Mish", {"mish", "", ""}},
      {"HardSwish", {"hardswish", "", ""}},
      {"LeakyRelu", {"leaky_relu", "alpha", "", 0.01}},
      {"Elu", {"elu", "alpha", "", 1}},
      {"Celu", {"celu", "alpha", "", 1}},
      {"Selu", {"selu", "alpha", "gamma", 1.6732632423543772, 1.0507009873554805}},
      {"HardSigmoid", {"hardsigmoid", "alpha", "beta", 0.2, 0.5}},
      {"ThresholdedRelu", {"thresholded_relu", "alpha", "", 1}},
  };
  return table;
}

/// ONNX keeps numbers in f32; where one is the default rounded, it is the default.
static double numberOf(const OnnxNode &node, const std::string &key, double fallback) {
  float given = node.number(key, float(fallback));
  return given == float(fallback) ? fallback : decimalOf(given);
}

void OnnxImporter::addFunction(const OnnxNode &node) {
  const FunctionEntry &entry = functionTable().at(node.op());
  Attributes attributes;
  if (!entry.alpha.empty())
    attributes["alpha"] = numberOf(node, entry.alpha, entry.alphaDefault);
  if (!entry.beta.empty())
    attributes["beta"] = numberOf(node, entry.beta, entry.betaDefault);
  if (entry.op == "celu" && std::get<double>(attributes["alpha"]) == 0)
    node.place.badInput("attribute 'alpha' of 'Celu' must not be 0");
  emit(node, entry.op, {operand(node.input(0), node.place)}, attributes);
}

void OnnxImporter::addClip(const OnnxNode &node) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  std::string x = operand(node.input(0), node.place);
  std::optional<double> limits[2] = {-infinity, infinity};
  for (int side : {0, 1})
    if (node.hasInput(1 + side))
      limits[side] = scalarOf(node.input(1 + side), node.place);
  if (limits[0] && limits[1])
    return emit(node, "clip", {x},
                {{"alpha", decimalOf(float(*limits[0]))}, {"beta", decimalOf(float(*limits[1]))}});
  // Limits that are computed.
  for (int side : {0, 1})
    if (node.hasInput(1 + side)) {
      std::string limit = operand(node.input(1 + side), node.place);
      bool last = side == 1 || !node.hasInput(2);
      std::string result = last ? node.output() : node.output() + ".least";
      graph.addNode({side ? "minimum" : "maximum", node.name, {x, limit}, {result}, {}, node.place});
      x = result;
    }
}

void OnnxImporter::addPRelu(const OnnxNode &node) {
  emit(node, "prelu", {operand(node.input(0), node.place), operand(node.input(1), node.place)});
}

/// Max, Min, Sum and Mean of any number of operands: one after the other.
void OnnxImporter::addOfMany(const OnnxNode &node) {
  static const std::map<std::string, std::string> names = {
      {"Max", "maximum"}, {"Min", "minimum"}, {"Sum", "add"}, {"Mean", "add"}};
  int count = node.proto.input_size();
  std::string result = operand(node.input(0), node.place);
  for (int i = 1; i < count; ++i) {
    bool last = i + 1 == count && node.op() != "Mean";
    std::string next = last ? node.output() : node.output() + "." + std::to_string(i);
    graph.addNode({names.at(node.op()),
                   node.name,
                   {result, operand(node.input(i), node.place)},
                   {next},
                   {},
                   node.place});
    result = next;
  }
  if (node.op() == "Mean")
    emit(node, "mul_number", {result}, {{"value", 1.0 / count}});
  else if (count == 1)
    aliases.emplace(node.output(), result);
}

void OnnxImporter::addDiv(const OnnxNode &node) {
  auto number = scalarOf(node.input(1), node.place);
  if (number && *number != 0)
    return addNumber(node, "mul_number", node.input(0), 1 / *number);
  if (auto numerator = scalarOf(node.input(0), node.place)) {
    std::string inverse = *numerator == 1 ? node.output() : node.output() + ".reciprocal";
    graph.addNode({"reciprocal", node.name, {operand(node.input(1), node.place)}, {inverse}, {}, node.place});
    return *numerator == 1 ? void() : emit(node, "mul_number", {inverse}, {{"value", *numerator}});
  }
  emit(node, "div", {operand(node.input(0), node.place), operand(node.input(1), node.place)});
}

/// Squares and cubes are products.
void OnnxImporter::addPow(const OnnxNode &node) {
  std::string x = operand(node.input(0), node.place);
  std::optional<double> exponent = numberIn(node.input(1), node.place);
  if (!exponent || (*exponent != 2 && *exponent != 3))
    return emit(node, "pow", {x, numbersOf(node.input(1), node.place)});
  std::string square = x;
  if (*exponent == 3) {
    square = node.output() + ".square";
    graph.addNode({"mul", node.name, {x, x}, {square}, {}, node.place});
  }
  emit(node, "mul", {square, x});
}

//===----------------------------------------------------------------------===//
// Truth
//===----------------------------------------------------------------------===//

std::optional<double> OnnxImporter::numberIn(const std::string &name, const Place &place) {
  const KnownTensor *tensor = findKnown(name, place);
  if (!tensor || !tensor->isScalar())
    return {};
  return tensor->integer ? double(tensor->fixedIntegers(place)[0]) : tensor->numbers[0];
}

/// An operand as floating numbers, which a known tensor of integers and ids become.
std::string OnnxImporter::numbersOf(const std::string &name, const Place &place) {
  const KnownTensor *tensor = findKnown(name, place);
  if (tensor && tensor->integer) {
    KnownTensor numbers;
    numbers.shape = tensor->shape;
    for (int64_t value : tensor->fixedIntegers(place))
      numbers.numbers.push_back(double(value));
    std::string made = resolve(name) + ".numbers";
    return graph.hasValue(made) ? made : addConstantNode(made, numbers, place);
  }
  std::string value = operand(name, place);
  if (!graph.isIds(value))
    return value;
  std::string made = value + ".numbers";
  if (!graph.hasValue(made))
    graph.addNode({"from_ids", made, {value}, {made}, {}, place});
  return made;
}

void OnnxImporter::addCompare(const OnnxNode &node) {
  static const std::map<std::string, std::string> predicates = {{"Equal", "equal"},
                                                                {"Less", "less"},
                                                                {"LessOrEqual", "less_equal"},
                                                                {"Greater", "greater"},
                                                                {"GreaterOrEqual", "greater_equal"},
                                                                {"And", "and"},
                                                                {"Or", "or"},
                                                                {"Xor", "xor"}};
  std::string sides[2];
  // Ids are compared with ids; all else with numbers.
  bool ids = true;
  for (int i : {0, 1}) {
    const KnownTensor *tensor = findKnown(node.input(i), node.place);
    ids = ids && (tensor ? tensor->integer : graph.isIds(operand(node.input(i), node.place)));
  }
  for (int i : {0, 1})
    sides[i] = ids ? operand(node.input(i), node.place) : numbersOf(node.input(i), node.place);
  truths.insert(node.output());
  emit(node, "compare", {sides[0], sides[1]}, {{"predicate", predicates.at(node.op())}});
}

/// 1 where an operand is not 0, else 0.
std::string OnnxImporter::truthOf(const std::string &name, const Place &place) {
  std::string value = numbersOf(name, place);
  if (truths.count(resolve(name)) || findKnown(name, place))
    return value;
  std::string truth = value + ".truth", zero = value + ".zero";
  if (graph.hasValue(truth))
    return truth;
  graph.addNode({"constant", zero, {}, {zero}, {{"numbers", std::vector<double>{0}}}, place});
  graph.addNode({"compare", truth, {value, zero}, {truth}, {{"predicate", std::string("not_equal")}}, place});
  truths.insert(truth);
  return truth;
}

void OnnxImporter::addNot(const OnnxNode &node) {
  std::string zero = node.output() + ".zero";
  graph.addNode({"constant", zero, {}, {zero}, {{"numbers", std::vector<double>{0}}}, node.place});
  truths.insert(node.output());
  emit(node, "compare", {numbersOf(node.input(0), node.place), zero}, {{"predicate", std::string("equal")}});
}

void OnnxImporter::addWhere(const OnnxNode &node) {
  emit(node, "where",
       {truthOf(node.input(0), node.place), numbersOf(node.input(1), node.place),
        numbersOf(node.input(2), node.place)});
}

/// Floating values stay as they are: precision is the compiler's. Truth values are floating already, and ids
/// become numbers.
void OnnxImporter::addCast(const OnnxNode &node) {
  std::string value = operand(node.input(0), node.place);
  int64_t wanted =
      graph.inputs.front().type == ElementType::F64 ? onnx::TensorProto::DOUBLE : onnx::TensorProto::FLOAT;
  int64_t to = node.op() == "Cast" ? node.integer("to", 0) : wanted;
  bool ids = graph.isIds(value), truth = truths.count(value) != 0;
  if (to == wanted) {
    aliases.emplace(node.output(), ids ? numbersOf(node.input(0), node.place) : value);
    return;
  }
  switch (to) {
  case onnx::TensorProto::BOOL:
    value = truth ? value : truthOf(node.input(0), node.place);
    break;
  case onnx::TensorProto::INT32:
  case onnx::TensorProto::INT64:
    if (ids || truth)
      break;
    [[fallthrough]];
  default:
    node.unsupported("a cast to " + onnxTypeName(int32_t(to)) + " is not supported");
  }
  aliases.emplace(node.output(), value);
}

void OnnxImporter::addElementwise(std::map<std::string, Handler> &table) {
  using I = OnnxImporter;
  for (const auto &[op, entry] : functionTable())
    table[op] = &I::addFunction;
  for (const char *op : {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor"})
    table[op] = &I::addCompare;
  for (const char *op : {"Max", "Min", "Sum", "Mean"})
    table[op] = &I::addOfMany;
  table.insert(
      {{"Clip", &I::addClip}, {"PRelu", &I::addPRelu}, {"Not", &I::addNot}, {"Where", &I::addWhere}});
}

} // namespace halfstep
