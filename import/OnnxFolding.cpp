// Integers are extents that may stand for the batch, so shape arithmetic of a symbolic export folds too.
#include "import/OnnxFolding.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace halfstep {
namespace {

/// More elements than any shape or scalar has; what is larger is data, not shape arithmetic.
constexpr int64_t kMaxFolded = int64_t(1) << 16;

struct Fold {
  const OnnxNode &node;
  const std::vector<const KnownTensor *> &in;
  const Shape *shape;

  const KnownTensor &operand(size_t index) const {
    if (index >= in.size() || !in[index])
      node.place.badInput("input " + std::to_string(index) + " is missing");
    return *in[index];
  }
};

using Folded = std::optional<KnownTensor>;

KnownTensor vectorOf(std::vector<Dim> integers) {
  KnownTensor result;
  result.integer = true;
  result.shape = {int64_t(integers.size())};
  result.integers = std::move(integers);
  return result;
}

/// The elements of `source` at `indices`, in the given shape.
KnownTensor pick(const KnownTensor &source, const std::vector<size_t> &indices, std::vector<int64_t> shape) {
  KnownTensor result;
  result.integer = source.integer;
  result.shape = std::move(shape);
  for (size_t index : indices)
    source.integer ? result.integers.push_back(source.integers[index])
                   : result.numbers.push_back(source.numbers[index]);
  return result;
}

Folded shapeOf(const Fold &f) {
  if (!f.shape)
    return {};
  int64_t rank = int64_t(f.shape->size());
  auto clamp = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  int64_t start = clamp(f.node.integer("start", 0)), end = clamp(f.node.integer("end", rank));
  return vectorOf(start < end ? std::vector<Dim>(f.shape->begin() + start, f.shape->begin() + end)
                              : std::vector<Dim>());
}

Folded gather(const Fold &f) {
  const KnownTensor &data = f.operand(0);
  std::vector<int64_t> wanted = f.operand(1).fixedIntegers(f.node.place);
  if (data.shape.size() != 1 || f.node.integer("axis", 0) != 0)
    return {};
  std::vector<size_t> indices;
  for (int64_t index : wanted) {
    index += index < 0 ? int64_t(data.size()) : 0;
    if (index < 0 || index >= int64_t(data.size()))
      f.node.place.badInput("index " + std::to_string(index) + " is outside a tensor of " +
                            std::to_string(data.size()) + " elements");
    indices.push_back(size_t(index));
  }
  return pick(data, indices, f.operand(1).shape);
}

Folded slice(const Fold &f) {
  const KnownTensor &data = f.operand(0);
  std::vector<int64_t> starts = f.operand(1).fixedIntegers(f.node.place),
                       ends = f.operand(2).fixedIntegers(f.node.place);
  bool unitStep =
      f.in.size() < 5 || !f.in[4] || f.in[4]->fixedIntegers(f.node.place) == std::vector<int64_t>{1};
  if (data.shape.size() != 1 || starts.size() != 1 || ends.size() != 1 || !unitStep)
    return {};
  int64_t size = int64_t(data.size());
  // INT64_MIN and INT64_MAX are legal: clamp before adding.
  auto clamp = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? std::max(at, -size) + size : at, 0, size);
  };
  std::vector<size_t> indices;
  for (int64_t i = clamp(starts[0]); i < clamp(ends[0]); ++i)
    indices.push_back(size_t(i));
  return pick(data, indices, {int64_t(indices.size())});
}

Folded concat(const Fold &f) {
  KnownTensor result = vectorOf({});
  result.integer = f.operand(0).integer;
  for (const KnownTensor *piece : f.in) {
    if (piece->shape.size() != 1 || piece->integer != result.integer)
      return {};
    result.integers.insert(result.integers.end(), piece->integers.begin(), piece->integers.end());
    result.numbers.insert(result.numbers.end(), piece->numbers.begin(), piece->numbers.end());
  }
  result.shape = {int64_t(result.size())};
  return result;
}

Folded identity(const Fold &f) { return f.operand(0); }

Folded cast(const Fold &f) {
  KnownTensor result = f.operand(0);
  bool integer = result.integer;
  if (f.node.op() == "Cast") {
    int64_t to = f.node.integer("to", 0);
    integer = to != onnx::TensorProto::FLOAT && to != onnx::TensorProto::DOUBLE;
  } else if (f.node.op() == "CastLike") {
    // Values that are not known are floating.
    integer = f.in.size() > 1 && f.in[1] && f.in[1]->integer;
  }
  if (integer == result.integer)
    return result;
  if (integer)
    for (double value : result.numbers)
      result.integers.push_back({int64_t(std::clamp(value, -1e15, 1e15)), false});
  else
    for (int64_t value : result.fixedIntegers(f.node.place))
      result.numbers.push_back(double(value));
  result.integer = integer;
  (integer ? result.numbers.clear() : result.integers.clear());
  return result;
}

/// Squeeze, Unsqueeze and Reshape of vectors and scalars: only the number of elements matters here.
Folded reshape(const Fold &f) {
  KnownTensor result = f.operand(0);
  bool toScalar = f.node.op() == "Squeeze" && result.size() == 1;
  if (!toScalar && result.shape.size() > 1)
    return {};
  result.shape = toScalar ? std::vector<int64_t>() : std::vector<int64_t>{int64_t(result.size())};
  if (f.node.op() == "Reshape" && f.operand(1).size() > 1)
    return {};
  return result;
}

Folded expand(const Fold &f) {
  std::vector<int64_t> shape = f.operand(1).fixedIntegers(f.node.place);
  int64_t count = 1;
  for (int64_t extent : shape) {
    if (extent < 1 || extent > kMaxFolded / count)
      return {};
    count *= extent;
  }
  if (f.operand(0).size() != 1) {
    // A tensor that already has the shape; real repetition is not shape arithmetic.
    return f.operand(0).shape == shape || count == 1 ? Folded(f.operand(0)) : Folded();
  }
  return pick(f.operand(0), std::vector<size_t>(size_t(count), 0), shape);
}

Folded range(const Fold &f) {
  int64_t ends[3];
  for (size_t i = 0; i < 3; ++i) {
    if (!f.operand(i).integer || !f.operand(i).isScalar())
      return {};
    ends[i] = f.operand(i).fixedIntegers(f.node.place)[0];
  }
  auto [start, limit, delta] = ends;
  bool isSmall =
      std::abs(double(start)) < double(kMaxElements) && std::abs(double(limit)) < double(kMaxElements);
  if (delta < 1 || !isSmall || (limit - start) / delta >= kMaxFolded)
    return {};
  std::vector<Dim> numbers;
  for (int64_t number = start; number < limit; number += delta)
    numbers.push_back({number, false});
  return vectorOf(std::move(numbers));
}

Dim combine(const Fold &f, Dim a, Dim b) {
  const std::string &op = f.node.op();
  bool inRange = std::abs(double(a.size) * double(b.size)) < double(kMaxElements);
  if (op == "Mul" && inRange && !(a.perSample && b.perSample))
    return {a.size * b.size, a.perSample || b.perSample};
  if (op == "Div" && b.size != 0 && a.size % b.size == 0 && (a.perSample || !b.perSample))
    return {a.size / b.size, a.perSample && !b.perSample};
  if ((op == "Div" || op == "Add" || op == "Sub") && !a.perSample && !b.perSample && inRange &&
      (op != "Div" || b.size != 0))
    return {op == "Div" ? a.size / b.size : op == "Add" ? a.size + b.size : a.size - b.size, false};
  f.node.place.badInput("'" + op + "' of numbers that depend on the batch");
}

double combine(const std::string &op, double a, double b) {
  if (op == "Mul")
    return a * b;
  if (op == "Div")
    return a / b;
  if (op == "Add")
    return a + b;
  return op == "Sub" ? a - b : std::pow(a, b);
}

Folded binary(const Fold &f) {
  const KnownTensor &a = f.operand(0), &b = f.operand(1);
  if (a.integer != b.integer || (a.size() != b.size() && !a.isScalar() && !b.isScalar()) || a.size() == 0 ||
      b.size() == 0)
    return {};
  if (a.integer && f.node.op() == "Pow")
    return {};
  KnownTensor result;
  result.integer = a.integer;
  result.shape = a.size() >= b.size() && a.shape.size() >= b.shape.size() ? a.shape : b.shape;
  for (size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    size_t left = a.isScalar() ? 0 : i, right = b.isScalar() ? 0 : i;
    if (a.integer)
      result.integers.push_back(combine(f, a.integers[left], b.integers[right]));
    else
      result.numbers.push_back(combine(f.node.op(), a.numbers[left], b.numbers[right]));
  }
  return result;
}

Folded squareRoot(const Fold &f) {
  KnownTensor result = f.operand(0);
  if (result.integer)
    return {};
  for (double &value : result.numbers)
    value = std::sqrt(value);
  return result;
}

const std::map<std::string, Folded (*)(const Fold &)> &folds() {
  static const std::map<std::string, Folded (*)(const Fold &)> table = {
      {"Shape", shapeOf},     {"Gather", gather},   {"Slice", slice},   {"Concat", concat},
      {"Identity", identity}, {"Cast", cast},       {"CastLike", cast}, {"Squeeze", reshape},
      {"Unsqueeze", reshape}, {"Reshape", reshape}, {"Expand", expand}, {"Mul", binary},
      {"Div", binary},        {"Add", binary},      {"Sub", binary},    {"Pow", binary},
      {"Sqrt", squareRoot},   {"Range", range},
  };
  return table;
}

} // namespace

std::optional<KnownTensor> foldNode(const OnnxNode &node, const std::vector<const KnownTensor *> &inputs,
                                    const Shape *shape) {
  auto fold = folds().find(node.op());
  if (fold == folds().end())
    return {};
  for (size_t i = 0; i < inputs.size() && node.op() != "Shape"; ++i) {
    bool onlyForType = node.op() == "CastLike" && i == 1;
    if (!onlyForType && node.hasInput(int(i)) && (!inputs[i] || inputs[i]->size() > size_t(kMaxFolded)))
      return {};
  }
  return fold->second({node, inputs, shape});
}

} // namespace halfstep
