// Finds the activations that exporters write as several nodes: GELU by erf, and SiLU.
#include "import/OnnxImporter.h"

#include <cmath>

namespace halfstep {

/// Exporters round these constants to f32 or less.
static bool isNear(double value, double wanted) { return std::abs(value - wanted) < 1e-3 * std::abs(wanted); }

void OnnxImporter::findPatterns() {
  for (int i = 0; i < proto.node_size(); ++i) {
    if (proto.node(i).op_type() == "Erf")
      matchErfGelu(i);
    else if (proto.node(i).op_type() == "Sigmoid")
      matchSilu(i);
    else if (proto.node(i).op_type() == "Softmax")
      matchAttention(i);
    else if (proto.node(i).op_type() == "Attention")
      matchAttentionNode(i);
    else if (proto.node(i).op_type() == "InstanceNormalization")
      matchGroupNorm(i);
    else if (proto.node(i).op_type() == "Gather")
      matchStrided(i);
  }
  absorbAttentions();
}

/// Mul(x, Sigmoid(x)), in either order, where the sigmoid has no other use.
void OnnxImporter::matchSilu(int sigmoid) {
  const onnx::NodeProto &node = proto.node(sigmoid);
  if (node.input_size() != 1 || node.output_size() != 1)
    return;
  int product = onlyUse(node.output(0));
  if (product < 0 || proto.node(product).op_type() != "Mul" || proto.node(product).input_size() != 2)
    return;
  const onnx::NodeProto &mul = proto.node(product);
  if (mul.input(mul.input(0) == node.output(0) ? 1 : 0) != node.input(0))
    return;
  absorbed.insert(sigmoid);
  fused[product] = {"silu", node.input(0), {}};
}

/// The constant that is operand `side` of a binary op, also through a cast.
std::optional<double> OnnxImporter::factorOf(const onnx::NodeProto &node, int side) {
  if (node.input_size() != 2)
    return {};
  std::string name = node.input(side);
  auto producer = producers.find(name);
  if (producer != producers.end()) {
    const onnx::NodeProto &cast = proto.node(producer->second);
    bool passes = cast.op_type() == "CastLike" || cast.op_type() == "Cast" || cast.op_type() == "Identity";
    if (passes && cast.input_size() > 0)
      name = cast.input(0);
  }
  return scalarOf(name, placeOf(""));
}

/// 0.5 * x * (1 + erf(x / sqrt(2))): from the Erf down through the Add and up a chain of products, whose
/// other factors must come to exactly one x and 0.5 in any order.
void OnnxImporter::matchErfGelu(int erf) {
  OnnxNode node = nodeAt(erf);
  auto scale = producers.find(node.input(0));
  if (scale == producers.end())
    return;
  const onnx::NodeProto &scaled = proto.node(scale->second);
  bool divided = scaled.op_type() == "Div";
  int side = !divided && factorOf(scaled, 0) ? 0 : 1;
  std::optional<double> factor = factorOf(scaled, side);
  if (!factor || (!divided && scaled.op_type() != "Mul") ||
      !isNear(divided ? 1 / *factor : *factor, std::sqrt(0.5)))
    return;
  const std::string &x = scaled.input(1 - side);

  int add = onlyUse(node.output());
  if (add < 0 || proto.node(add).op_type() != "Add")
    return;
  int one = proto.node(add).input(0) == node.output() ? 1 : 0;
  if (std::optional<double> value = factorOf(proto.node(add), one); !value || !isNear(*value, 1))
    return;

  std::set<int> nodes = {erf, add};
  if (onlyUse(scaled.output(0)) == erf)
    nodes.insert(scale->second);
  double coefficient = 1;
  int timesX = 0, last = add;
  while (timesX == 0 || !isNear(coefficient, 0.5)) {
    const std::string &value = proto.node(last).output(0);
    int product = onlyUse(value);
    if (product < 0 || proto.node(product).op_type() != "Mul" || proto.node(product).input_size() != 2)
      return;
    int otherSide = proto.node(product).input(0) == value ? 1 : 0;
    const std::string &other = proto.node(product).input(otherSide);
    auto half = producers.find(other);
    if (other == x) {
      ++timesX;
    } else if (auto number = factorOf(proto.node(product), otherSide)) {
      coefficient *= *number;
    } else if (half != producers.end() && proto.node(half->second).op_type() == "Mul" &&
               onlyUse(other) == product) {
      const onnx::NodeProto &halved = proto.node(half->second);
      int constant = factorOf(halved, 0) ? 0 : 1;
      std::optional<double> number = factorOf(halved, constant);
      if (!number || halved.input(1 - constant) != x)
        return;
      coefficient *= *number;
      ++timesX;
      nodes.insert(half->second);
    } else {
      return;
    }
    last = product;
    nodes.insert(product);
    if (timesX > 1)
      return;
  }
  nodes.erase(last);
  absorbed.insert(nodes.begin(), nodes.end());
  fused[last] = {"gelu", x, {{"tanh", false}}};
}

} // namespace halfstep
