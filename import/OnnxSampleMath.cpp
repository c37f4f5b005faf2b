// Element-wise ops and running sums on tensors that are evaluated at import.
#include "import/GraphShapes.h"
#include "import/OnnxSampleValues.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

namespace halfstep {
namespace {

using Result = std::optional<Cell>;

Cell numberCell(double value) {
  Cell cell;
  cell.number = value;
  return cell;
}

Cell truth(bool value) { return numberCell(value ? 1 : 0); }

/// f at both values of a choice, or at a number; nothing for other cells.
Result apply(const Cell &cell, const std::function<double(double)> &f) {
  if (!cell.isNumber() && !cell.isChoice())
    return {};
  Cell result = cell;
  result.number = f(cell.number);
  result.otherwise = cell.isChoice() ? f(cell.otherwise) : 0;
  // What no longer depends on the element is a number.
  return cell.isChoice() && result.number == result.otherwise ? numberCell(result.number) : result;
}

/// f of two cells, of which at most one is a choice, or both are of one element.
Result apply(const Cell &a, const Cell &b, const std::function<double(double, double)> &f) {
  if (b.isNumber())
    return apply(a, [&](double x) { return f(x, b.number); });
  if (a.isNumber())
    return apply(b, [&](double y) { return f(a.number, y); });
  if (!a.isChoice() || !b.isChoice() || a.element != b.element)
    return {};
  Cell result = a;
  result.number = f(a.number, b.number);
  result.otherwise = f(a.otherwise, b.otherwise);
  return result.number == result.otherwise ? numberCell(result.number) : result;
}

/// The truth of a cell: an element itself is true where it is not 0.
Result truthOf(const Cell &cell) {
  if (cell.unknown)
    return {};
  Cell choice = cell;
  if (cell.element >= 0 && cell.slope != 0) {
    if (cell.number != 0 || cell.batches || cell.samples)
      return {};
    choice.slope = 0;
    choice.number = 1;
    return choice;
  }
  return apply(cell, [](double x) { return x != 0 ? 1.0 : 0.0; });
}

Result logical(const std::string &op, const Cell &a, const Cell &b) {
  Result left = truthOf(a), right = truthOf(b);
  // One operand may decide alone.
  double deciding = op == "And" ? 0 : 1;
  for (const Result &side : {left, right})
    if (op != "Xor" && side && side->isNumber() && side->number == deciding)
      return side;
  if (!left || !right)
    return {};
  return apply(*left, *right, [&](double x, double y) -> double {
    bool p = x != 0, q = y != 0;
    return op == "And" ? p && q : op == "Or" ? p || q : p != q;
  });
}

/// Sums and multiples keep what a cell depends on.
Result linear(const Cell &a, double factorA, const Cell &b, double factorB) {
  if (a.unknown || b.unknown)
    return {};
  if (a.isChoice() || b.isChoice())
    return apply(a, b, [&](double x, double y) { return factorA * x + factorB * y; });
  bool both = a.element >= 0 && b.element >= 0;
  bool whole = factorA == std::floor(factorA) && factorB == std::floor(factorB);
  if ((both && a.element != b.element) || (!whole && (a.batches || b.batches || a.samples || b.samples)) ||
      std::abs(factorA) > 1e9 || std::abs(factorB) > 1e9) {
    if (!a.isNumber() || !b.isNumber())
      return {};
    return numberCell(factorA * a.number + factorB * b.number);
  }
  Cell result;
  result.number = factorA * a.number + factorB * b.number;
  result.slope = factorA * a.slope + factorB * b.slope;
  result.element = result.slope == 0 ? -1 : std::max(a.element, b.element);
  result.batches = int32_t(factorA * a.batches + factorB * b.batches);
  result.samples = int32_t(factorA * a.samples + factorB * b.samples);
  return result;
}

Result product(const Cell &a, const Cell &b) {
  if (a.unknown || b.unknown)
    return {};
  const Cell &factor = b.isNumber() ? b : a, &other = b.isNumber() ? a : b;
  if (!factor.isNumber())
    return apply(a, b, [](double x, double y) { return x * y; });
  if (other.element >= 0 && other.slope != 0 && other.batches == 0 && other.samples == 0) {
    Cell result = other;
    result.number *= factor.number;
    result.slope *= factor.number;
    return factor.number == 0 ? numberCell(0) : result;
  }
  if (other.isNumber() || other.isChoice())
    return apply(other, [&](double x) { return x * factor.number; });
  return linear(other, factor.number, numberCell(0), 0);
}

double compare(const std::string &op, double x, double y) {
  return op == "Equal"         ? x == y
         : op == "Less"        ? x < y
         : op == "LessOrEqual" ? x <= y
         : op == "Greater"     ? x > y
                               : x >= y;
}

Result comparison(const std::string &op, const Cell &a, const Cell &b) {
  if (a == b && a.element < 0 && !a.unknown)
    return truth(compare(op, 0, 0) != 0);
  // The batch's size is positive, and places of a sample and elements of an input are not compared with it.
  for (const auto &[extent, other] : {std::pair(a, b), std::pair(b, a)})
    if (op == "Equal" && extent.batches > 0 && extent.number >= 0 && extent.element < 0 && !extent.samples &&
        other.isNumber() && other.number <= 0)
      return truth(false);
  if (op == "Equal") // Of an element with 0.
    for (const auto &[element, other] : {std::pair(a, b), std::pair(b, a)})
      if (element.element >= 0 && element.slope != 0 && other.isNumber() && other.number == 0)
        if (Result shown = truthOf(element))
          return apply(*shown, [](double x) { return 1 - x; });
  return apply(a, b, [&](double x, double y) { return compare(op, x, y); });
}

Result select(const Cell &condition, const Cell &yes, const Cell &no) {
  Result chosen = truthOf(condition);
  if (!chosen)
    return {};
  if (chosen->isNumber())
    return chosen->number != 0 ? yes : no;
  if (!yes.isNumber() || !no.isNumber())
    return {};
  return apply(*chosen, [&](double x) { return x != 0 ? yes.number : no.number; });
}

double arithmetic(const std::string &op, double x, double y, bool integer) {
  if (op == "Max")
    return std::max(x, y);
  if (op == "Min")
    return std::min(x, y);
  if (op == "Pow")
    return std::pow(x, y);
  if (op == "Div")
    return integer ? std::trunc(x / y) : x / y;
  return x - y * std::floor(x / y); // Mod of ONNX's default
}

Result binary(const std::string &op, const Cell &a, const Cell &b, bool integer) {
  if (op == "And" || op == "Or" || op == "Xor")
    return logical(op, a, b);
  if (op == "Add" || op == "Sub")
    return linear(a, 1, b, op == "Add" ? 1 : -1);
  if (op == "Mul")
    return product(a, b);
  if (op == "Equal" || op == "Less" || op == "LessOrEqual" || op == "Greater" || op == "GreaterOrEqual")
    return comparison(op, a, b);
  bool divides = op == "Div" || op == "Mod";
  if (divides && !(b.isNumber() && b.number != 0))
    return {};
  // Exporters take the larger of places and sample numbers only for the shape that both broadcast to.
  Cell unknown;
  unknown.unknown = true;
  if ((op == "Max" || op == "Min") && !(a.isNumber() && b.isNumber()))
    return unknown;
  return apply(a, b, [&](double x, double y) { return arithmetic(op, x, y, integer); });
}

using Unary = double (*)(double);
const std::map<std::string, Unary> &unaries() {
  static const std::map<std::string, Unary> table = {
      {"Cos", [](double x) { return std::cos(x); }},       {"Sin", [](double x) { return std::sin(x); }},
      {"Sqrt", [](double x) { return std::sqrt(x); }},     {"Reciprocal", [](double x) { return 1 / x; }},
      {"Exp", [](double x) { return std::exp(x); }},       {"Abs", [](double x) { return std::abs(x); }},
      {"Not", [](double x) { return x != 0 ? 0.0 : 1.0; }}};
  return table;
}

bool isBinary(const std::string &op) {
  static const std::vector<std::string> ops = {"And",         "Or",      "Xor",   "Add",
                                               "Sub",         "Mul",     "Equal", "Less",
                                               "LessOrEqual", "Greater", "Max",   "GreaterOrEqual",
                                               "Min",         "Pow",     "Div",   "Mod"};
  return std::find(ops.begin(), ops.end(), op) != ops.end();
}

std::optional<SampleTensor> cast(const OnnxNode &node, const SampleTensor &x, const SampleTensor *like) {
  int64_t to = node.integer("to", onnx::TensorProto::UNDEFINED);
  bool toTruth = node.op() == "Cast" && to == onnx::TensorProto::BOOL;
  bool toFloat = node.op() == "CastLike"
                     ? !like || !like->integer
                     : to == onnx::TensorProto::FLOAT || to == onnx::TensorProto::DOUBLE ||
                           to == onnx::TensorProto::FLOAT16 || to == onnx::TensorProto::BFLOAT16;
  SampleTensor result = x;
  result.integer = !toFloat;
  for (Cell &cell : result.cells) {
    Result made = toTruth ? truthOf(cell) : cell;
    if (!toTruth && result.integer && !x.integer)
      made = apply(cell, [](double value) { return std::trunc(value); });
    if (!made)
      return {};
    cell = *made;
  }
  return result;
}

/// Of numbers, along one axis.
std::optional<SampleTensor> cumulate(const OnnxNode &node, const SampleTensor &x,
                                     const SampleTensor &axisOf) {
  if (axisOf.cells.size() != 1 || !axisOf.cells[0].isNumber() || node.integer("exclusive", 0) ||
      node.integer("reverse", 0))
    return {};
  size_t axis = size_t(normalizeAxis(int64_t(axisOf.cells[0].number), x.shape.size(), node.place));
  size_t inner = 1;
  for (size_t i = axis + 1; i < x.shape.size(); ++i)
    inner *= size_t(x.shape[i].size);
  SampleTensor result = x;
  if (x.shape[axis].perSample)
    return {};
  for (size_t i = 0; i < result.cells.size(); ++i) {
    if (!result.cells[i].isNumber())
      return {};
    if (i / inner % size_t(x.shape[axis].size) != 0)
      result.cells[i].number += result.cells[i - inner].number;
  }
  return result;
}

/// Of numbers; operands of more than two dimensions have equal leading ones.
std::optional<SampleTensor> matrixProduct(const SampleOperands &in) {
  if (in.size() != 2 || !in[0]->isConstant() || !in[1]->isConstant())
    return {};
  const Shape &a = in[0]->shape, &b = in[1]->shape;
  size_t rank = a.size();
  if (rank < 2 || b.size() != rank || !std::equal(a.begin(), a.end() - 2, b.begin()) ||
      !(a[rank - 1] == b[rank - 2]))
    return {};
  Shape shape = a;
  shape.back() = b.back();
  SampleTensor result{in[0]->integer, shape, std::vector<Cell>(countCells(shape)), ""};
  int64_t rows = a[rank - 2].size, depth = a[rank - 1].size, columns = b[rank - 1].size;
  for (size_t i = 0; i < result.cells.size(); ++i) {
    int64_t column = int64_t(i) % columns, row = int64_t(i) / columns, matrix = row / rows;
    for (int64_t k = 0; k < depth; ++k)
      result.cells[i].number += in[0]->cells[size_t(row * depth + k)].number *
                                in[1]->cells[size_t((matrix * depth + k) * columns + column)].number;
  }
  return result.cells.empty() ? std::nullopt : std::optional(result);
}

} // namespace

bool isSampleMath(const std::string &op) {
  return isBinary(op) || unaries().count(op) || op == "Where" || op == "Cast" || op == "CastLike" ||
         op == "CumSum" || op == "Neg" || op == "MatMul";
}

std::optional<SampleTensor> evaluateSampleMath(const OnnxNode &node, const SampleOperands &operands) {
  const std::string &op = node.op();
  if (op == "Cast" || op == "CastLike")
    return cast(node, *operands[0], operands.size() > 1 ? operands[1] : nullptr);
  if (op == "MatMul")
    return matrixProduct(operands);
  if (op == "CumSum")
    return operands.size() == 2 ? cumulate(node, *operands[0], *operands[1]) : std::nullopt;
  size_t wanted = op == "Where" ? 3 : isBinary(op) ? 2 : 1;
  if (operands.size() != wanted)
    return {};
  std::optional<Shape> shape = operands[0]->shape;
  for (size_t i = 1; i < operands.size() && shape; ++i)
    shape = broadcastOf(*shape, operands[i]->shape);
  if (!shape)
    return {};
  std::vector<SampleTensor> wide;
  SampleTensor result;
  for (const SampleTensor *operand : operands) {
    std::optional<SampleTensor> repeated = broadcastSamples(*operand, *shape);
    if (!repeated || (!operand->input.empty() && !result.input.empty() && result.input != operand->input))
      return {};
    result.input = operand->input.empty() ? result.input : operand->input;
    wide.push_back(std::move(*repeated));
  }
  result.shape = *shape;
  result.integer = wide.back().integer;
  bool givesTruth = op == "Equal" || op == "Less" || op == "LessOrEqual" || op == "Greater" ||
                    op == "GreaterOrEqual" || op == "And" || op == "Or" || op == "Xor" || op == "Not";
  result.integer |= givesTruth;
  for (size_t i = 0; i < wide[0].cells.size(); ++i) {
    const Cell &a = wide[0].cells[i];
    Result made;
    if (op == "Where")
      made = select(a, wide[1].cells[i], wide[2].cells[i]);
    else if (op == "Neg")
      made = product(a, numberCell(-1));
    else if (op == "Not")
      made = truthOf(a) ? apply(*truthOf(a), unaries().at(op)) : std::nullopt;
    else if (wanted == 1)
      made = apply(a, unaries().at(op));
    else
      made = binary(op, a, wide[1].cells[i], result.integer);
    if (!made)
      return {};
    result.cells.push_back(*made);
  }
  return result;
}

} // namespace halfstep
