// ONNX matrix products: any ranks, broadcasting of leading dimensions, and the factors of Gemm.
#include "import/OnnxImporter.h"

#include "import/GraphShapes.h"

#include <algorithm>
#include <numeric>

namespace halfstep {

//===----------------------------------------------------------------------===//
// Gemm
//===----------------------------------------------------------------------===//

/// `value` times a number; itself for 1.
std::string OnnxImporter::scaled(const OnnxNode &node, const std::string &value, double factor) {
  return factor == 1 ? value : addStep(node, "mul_number", {value}, {{"value", factor}}, false);
}

void OnnxImporter::addGemm(const OnnxNode &node) {
  Attributes attributes = {{"transpose_b", node.integer("transB", 0) != 0}};
  std::string a = operand(node.input(0), node.place), b = operand(node.input(1), node.place);
  if (node.integer("transA", 0) != 0)
    a = addStep(node, "transpose", {a}, {{"perm", std::vector<int64_t>{1, 0}}}, false);
  double alpha = decimalOf(node.number("alpha", 1)), beta = decimalOf(node.number("beta", 1));
  bool hasBias = node.hasInput(2) && beta != 0;
  if (!hasBias && alpha == 1)
    return emit(node, "matmul", {a, b}, attributes);
  if (!hasBias)
    return emit(node, "mul_number", {addStep(node, "matmul", {a, b}, attributes, false)}, {{"value", alpha}});
  std::string bias = scaled(node, operand(node.input(2), node.place), beta);
  const Shape &shape = graph.shapeOf(bias, node.place);
  if (alpha == 1 && shape.size() == 1 && !shape[0].isOne())
    return emit(node, "matmul", {a, b, bias}, attributes);
  // A bias that is broadcast otherwise is added by itself.
  emit(node, "add", {scaled(node, addStep(node, "matmul", {a, b}, attributes, false), alpha), bias});
}

//===----------------------------------------------------------------------===//
// MatMul
//===----------------------------------------------------------------------===//

std::string OnnxImporter::reshaped(const OnnxNode &node, const std::string &value, const Shape &shape) {
  if (graph.shapeOf(value, node.place) == shape)
    return value;
  std::string made = freshName(node.output() + ".reshape");
  graph.addNode({"reshape", node.name, {value}, {made}, {}, node.place}, shape);
  return made;
}

/// `value`, whose last two dimensions are a matrix, with the given leading dimensions.
std::string OnnxImporter::withLead(const OnnxNode &node, const std::string &value, const Shape &lead) {
  const Shape &shape = graph.shapeOf(value, node.place);
  Shape wide = lead;
  wide.insert(wide.end(), shape.end() - 2, shape.end());
  if (wide == shape)
    return value;
  std::string made = freshName(node.output() + ".wide");
  graph.addNode({"expand", node.name, {value}, {made}, {}, node.place}, wide);
  return made;
}

/// The common leading dimensions of two operands, as numpy's broadcasting gives them.
static Shape commonLead(const OnnxNode &node, const Shape &a, const Shape &b) {
  Shape lead(std::max(a.size(), b.size()) - 2);
  for (size_t i = 0; i < lead.size(); ++i) {
    Dim x = i + 2 < a.size() ? a[a.size() - 3 - i] : Dim{},
        y = i + 2 < b.size() ? b[b.size() - 3 - i] : Dim{};
    if (!(x == y) && !x.isOne() && !y.isOne())
      node.place.badInput("the leading extents of " + toString(a) + " and " + toString(b) +
                          " do not broadcast");
    lead[lead.size() - 1 - i] = x.isOne() ? y : x;
  }
  return lead;
}

/// Brings the operands of a product to forms that it has: one matrix on the right, or equal leading
/// dimensions.
void OnnxImporter::broadcastProduct(const OnnxNode &node, std::string &a, std::string &b) {
  Shape left = graph.shapeOf(a, node.place), right = graph.shapeOf(b, node.place);
  if (left.empty() || right.empty())
    node.place.badInput("'MatMul' of a number");
  if (left.size() == 1)
    a = reshaped(node, a, left = {Dim{}, left[0]});
  if (right.size() == 1)
    b = reshaped(node, b, right = {right[0], Dim{}});
  if (right.size() == 2)
    return;
  bool single = std::all_of(right.begin(), right.end() - 2, [](const Dim &dim) { return dim.isOne(); });
  if (single && left.size() >= right.size()) {
    b = reshaped(node, b, {right.end()[-2], right.back()});
    return;
  }
  Shape lead = commonLead(node, left, right);
  a = withLead(node, a, lead);
  b = withLead(node, b, lead);
}

/// A product with a matrix takes a following Add of a vector parameter as its bias.
void OnnxImporter::addMatMul(const OnnxNode &node) {
  std::string a = operand(node.input(0), node.place);
  const std::string &right = resolve(node.input(1));
  auto view = transposed.find(right);
  bool transposeB = view != transposed.end() && !graph.hasValue(right);
  std::string b = operand(transposeB ? view->second : right, node.place);
  bool vectorA = graph.shapeOf(a, node.place).size() == 1, vectorB = graph.shapeOf(b, node.place).size() == 1;
  if (!transposeB)
    broadcastProduct(node, a, b);
  else if (vectorA)
    a = reshaped(node, a, {Dim{}, graph.shapeOf(a, node.place)[0]});
  Attributes attributes = {{"transpose_b", transposeB}};
  if (vectorA || vectorB) {
    // The dimension that a vector got goes again.
    std::string product = addStep(node, "matmul", {a, b}, attributes, false);
    Shape shape = graph.shapeOf(product, node.place);
    if (vectorB)
      shape.pop_back();
    if (vectorA)
      shape.erase(shape.end() - (vectorB ? 1 : 2));
    return emit(node, "reshape", {product}, {}, shape);
  }

  const Shape &weight = graph.shapeOf(b, node.place);
  int add = onlyUse(node.output());
  if (weight.size() == 2 && add >= 0 && !absorbed.count(add) && proto.node(add).op_type() == "Add" &&
      proto.node(add).input_size() == 2) {
    OnnxNode sum = nodeAt(add);
    const std::string &other = sum.input(sum.input(0) == node.output() ? 1 : 0);
    Shape columns = {weight[transposeB ? 0 : 1]};
    if (isParameter(other) && shapeOf(other, node.place) == columns) {
      absorbed.insert(add);
      Node linear{"matmul",       node.name,  {a, b, operand(other, node.place)},
                  {sum.output()}, attributes, node.place};
      return graph.addNode(std::move(linear));
    }
  }
  emit(node, "matmul", {a, b}, attributes);
}

} // namespace halfstep
