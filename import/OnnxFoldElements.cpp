// Folding of what works element by element.
#include "import/OnnxFoldRules.h"

#include <algorithm>
#include <cmath>

namespace halfstep {
namespace {

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

/// Quotient and remainder as ONNX has them on integers: Div truncates, Mod has the divisor's sign unless
/// fmod.
int64_t remainder(const Fold &f, int64_t a, int64_t b) {
  int64_t rest = a % b;
  return f.node.integer("fmod", 0) == 0 && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

int64_t fixedArithmetic(const Fold &f, int64_t a, int64_t b) {
  const std::string &op = f.node.op();
  constexpr double most = double(int64_t(1) << 62);
  auto inRange = [&](double value) {
    if (std::abs(value) > most)
      f.node.place.badInput("'" + op + "' of " + std::to_string(a) + " and " + std::to_string(b) +
                            " is out of range");
    return true;
  };
  if ((op == "Div" || op == "Mod") && b == 0)
    f.node.place.badInput("'" + op + "' by 0");
  if (b == -1 && op == "Mod")
    return 0;
  if (op == "Mod")
    return remainder(f, a, b);
  if (op == "Div" && inRange(double(a)))
    return a / b;
  if (op == "Mul" && inRange(double(a) * double(b)))
    return a * b;
  if (op == "Add" && inRange(double(a) + double(b)))
    return a + b;
  if (op == "Sub" && inRange(double(a) - double(b)))
    return a - b;
  if (op == "Min" || op == "Max")
    return op == "Min" ? std::min(a, b) : std::max(a, b);
  double power = std::pow(double(a), double(b));
  inRange(power);
  return int64_t(power);
}

/// True or false as 1 or 0; nothing for ops that are no relations.
template <typename Number>
std::optional<bool> relation(const std::string &op, Number a, Number b) {
  if (op == "Equal")
    return a == b;
  if (op == "Less" || op == "LessOrEqual")
    return op == "Less" ? a < b : a <= b;
  if (op == "Greater" || op == "GreaterOrEqual")
    return op == "Greater" ? a > b : a >= b;
  if (op == "And" || op == "Or")
    return op == "And" ? a != 0 && b != 0 : a != 0 || b != 0;
  if (op == "Xor")
    return (a != 0) != (b != 0);
  return {};
}

/// Arithmetic of extents that keeps the batch symbolic where the result is a multiple of it.
Dim combine(const Fold &f, Dim a, Dim b) {
  const std::string &op = f.node.op();
  auto inBatch = [&](Dim dim) { return dim.perSample ? dim.size * f.batch : dim.size; };
  if (std::optional<bool> truth = relation(op, inBatch(a), inBatch(b)))
    return {*truth, false};
  if (!a.perSample && !b.perSample)
    return {fixedArithmetic(f, a.size, b.size), false};
  bool inRange = std::abs(double(a.size) * double(b.size)) < double(kMaxElements);
  if (op == "Mul" && inRange && !(a.perSample && b.perSample))
    return {a.size * b.size, true};
  if (op == "Div" && b.size != 0 && a.size % b.size == 0 && a.perSample)
    return {a.size / b.size, !b.perSample};
  if ((op == "Add" || op == "Sub") && a.perSample == b.perSample && inRange)
    return {op == "Add" ? a.size + b.size : a.size - b.size, a.size != b.size || op == "Add"};
  if ((op == "Add" || op == "Sub") && b == Dim{0, false})
    return a;
  if (op == "Add" && a == Dim{0, false})
    return b;
  if (op == "Min" || op == "Max")
    return (inBatch(a) <= inBatch(b)) == (op == "Min") ? a : b;
  f.node.place.badInput("'" + op + "' of numbers that depend on the batch");
}

//===----------------------------------------------------------------------===//
// Two operands
//===----------------------------------------------------------------------===//

double combine(const Fold &f, double a, double b) {
  const std::string &op = f.node.op();
  if (op == "Mul")
    return a * b;
  if (op == "Div")
    return a / b;
  if (op == "Add")
    return a + b;
  if (op == "Sub")
    return a - b;
  if (op == "Min" || op == "Max")
    return op == "Min" ? std::min(a, b) : std::max(a, b);
  if (op == "Mod")
    return f.node.integer("fmod", 0) ? std::fmod(a, b) : a - b * std::floor(a / b);
  return std::pow(a, b);
}

bool isRelation(const std::string &op) { return relation(op, 0, 0).has_value(); }

Folded combineTensors(const Fold &f, const KnownTensor &a, const KnownTensor &given) {
  KnownTensor b = given;
  if (f.node.op() == "Pow" && a.integer != b.integer) { // the exponent's type is free
    if (a.integer)
      return {};
    for (int64_t value : b.fixedIntegers(f.node.place))
      b.numbers.push_back(double(value));
    b.integer = false;
  }
  auto shape = broadcastExtents(a.shape, b.shape);
  if (a.integer != b.integer || !shape || !foldedCount(*shape))
    return {};
  KnownTensor result;
  result.shape = *shape;
  result.integer = a.integer || isRelation(f.node.op());
  forEachIndex(*shape, [&](const std::vector<int64_t> &index) {
    size_t left = broadcastPlace(a.shape, index), right = broadcastPlace(b.shape, index);
    if (a.integer)
      result.integers.push_back(combine(f, a.integers[left], b.integers[right]));
    else if (result.integer)
      result.integers.push_back({*relation(f.node.op(), a.numbers[left], b.numbers[right]), false});
    else
      result.numbers.push_back(combine(f, a.numbers[left], b.numbers[right]));
  });
  return result;
}

Folded binary(const Fold &f) { return combineTensors(f, f.operand(0), f.operand(1)); }

/// Min and Max of any number of operands.
Folded ofMany(const Fold &f) {
  Folded result = f.operand(0);
  for (size_t i = 1; i < f.in.size() && result; ++i)
    result = combineTensors(f, *result, f.operand(i));
  return result;
}

Folded where(const Fold &f) {
  const KnownTensor &condition = f.operand(0), &a = f.operand(1), &b = f.operand(2);
  auto both = broadcastExtents(a.shape, b.shape);
  auto shape = both ? broadcastExtents(*both, condition.shape) : both;
  if (!shape || !foldedCount(*shape) || !condition.integer || a.integer != b.integer)
    return {};
  KnownTensor result;
  result.shape = *shape;
  result.integer = a.integer;
  forEachIndex(*shape, [&](const std::vector<int64_t> &index) {
    bool left = condition.integers[broadcastPlace(condition.shape, index)].size != 0;
    const KnownTensor &chosen = left ? a : b;
    size_t place = broadcastPlace(chosen.shape, index);
    a.integer ? result.integers.push_back(chosen.integers[place])
              : result.numbers.push_back(chosen.numbers[place]);
  });
  return result;
}

//===----------------------------------------------------------------------===//
// One operand
//===----------------------------------------------------------------------===//

double roundEven(double x) { return std::nearbyint(x); }
double negative(double x) { return -x; }
double inverse(double x) { return 1 / x; }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double signOf(double x) { return double(x > 0) - double(x < 0); }

using Real = double (*)(double);
const std::map<std::string, Real> &realFunctions() {
  static const std::map<std::string, Real> table = {
      {"Sqrt", Real(std::sqrt)}, {"Exp", Real(std::exp)},     {"Log", Real(std::log)},
      {"Sin", Real(std::sin)},   {"Cos", Real(std::cos)},     {"Tanh", Real(std::tanh)},
      {"Erf", Real(std::erf)},   {"Floor", Real(std::floor)}, {"Ceil", Real(std::ceil)},
      {"Abs", Real(std::fabs)},  {"Round", roundEven},        {"Neg", negative},
      {"Reciprocal", inverse},   {"Sigmoid", sigmoid},        {"Sign", signOf},
  };
  return table;
}

Folded unary(const Fold &f) {
  KnownTensor result = f.operand(0);
  const std::string &op = f.node.op();
  for (double &value : result.numbers)
    value = realFunctions().at(op)(value);
  if (!result.integer)
    return result;
  if (op != "Neg" && op != "Abs" && op != "Sign")
    return {};
  for (Dim &dim : result.integers) {
    if (dim.perSample && op == "Sign")
      dim = {1, false};
    else if (op == "Sign")
      dim.size = (dim.size > 0) - (dim.size < 0);
    else if (dim.size != INT64_MIN && (op == "Neg" || dim.size < 0))
      dim.size = -dim.size;
  }
  return result;
}

Folded negation(const Fold &f) {
  KnownTensor result = f.operand(0);
  if (!result.integer)
    return {};
  for (Dim &dim : result.integers)
    dim = {dim.size == 0, false};
  return result;
}

Folded identity(const Fold &f) { return f.operand(0); }

int64_t asInteger(double value) { return int64_t(std::isnan(value) ? 0 : std::clamp(value, -1e15, 1e15)); }

Folded cast(const Fold &f) {
  KnownTensor result = f.operand(0);
  bool integer = result.integer, truth = false;
  if (f.node.op() == "Cast") {
    int64_t to = f.node.integer("to", 0);
    truth = to == onnx::TensorProto::BOOL;
    integer = to != onnx::TensorProto::FLOAT && to != onnx::TensorProto::DOUBLE;
  } else if (f.node.op() == "CastLike") {
    // Values that are not known are floating.
    integer = f.in.size() > 1 && f.in[1] && f.in[1]->integer;
  }
  if (integer && !result.integer)
    for (double value : result.numbers)
      result.integers.push_back({truth ? value != 0 : asInteger(value), false});
  else if (!integer && result.integer)
    for (int64_t value : result.fixedIntegers(f.node.place))
      result.numbers.push_back(double(value));
  result.integer = integer;
  (integer ? result.numbers.clear() : result.integers.clear());
  for (Dim &dim : result.integers)
    if (truth)
      dim = {dim.size != 0, false};
  return result;
}

Folded clip(const Fold &f) {
  KnownTensor result = f.operand(0);
  auto limit = [&](size_t input, bool least) {
    if (!f.has(input) || f.operand(input).integer != result.integer || !f.operand(input).isScalar())
      return;
    for (double &value : result.numbers)
      value =
          least ? std::max(value, f.operand(input).numbers[0]) : std::min(value, f.operand(input).numbers[0]);
    for (Dim &dim : result.integers)
      dim.size = least ? std::max(dim.size, f.integers(input)[0]) : std::min(dim.size, f.integers(input)[0]);
  };
  if (std::any_of(result.integers.begin(), result.integers.end(), [](Dim dim) { return dim.perSample; }))
    return {};
  limit(1, true);
  limit(2, false);
  return result;
}

} // namespace

const FoldRules &elementFolds() {
  static const FoldRules table = [] {
    FoldRules made = {{"Where", where}, {"Not", negation}, {"Cast", cast}, {"CastLike", cast},
                      {"Min", ofMany},  {"Max", ofMany},   {"Clip", clip}, {"Identity", identity}};
    for (const char *op : {"Add", "Sub", "Mul", "Div", "Mod", "Pow", "Equal", "Less", "LessOrEqual",
                           "Greater", "GreaterOrEqual", "And", "Or", "Xor"})
      made[op] = binary;
    for (const auto &[op, function] : realFunctions())
      made[op] = unary;
    return made;
  }();
  return table;
}

} // namespace halfstep
