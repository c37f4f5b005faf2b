// Finds the activations that exporters write as several nodes: GELU by erf or tanh, and SiLU.
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
    else if (proto.node(i).op_type() == "Tanh")
      matchTanhGelu(i);
    else if (proto.node(i).op_type() == "ReduceMean")
      matchNorm(i);
    else if (proto.node(i).op_type() == "Add")
      matchRotary(i);
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
  fuse(product, {sigmoid}, {"silu", {node.input(0)}, {}}, "SiLU");
}

void OnnxImporter::fuse(int last, std::set<int> nodes, Fused made, const std::string &what) {
  nodes.erase(last);
  absorbed.insert(nodes.begin(), nodes.end());
  fused[last] = std::move(made);
  fusedNodes[what].push_back(nodeAt(last).name);
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

/// 0.5 * x * (1 + erf(x / sqrt(2))).
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
  std::set<int> nodes = {erf};
  if (onlyUse(scaled.output(0)) == erf)
    nodes.insert(scale->second);
  finishGelu(erf, scaled.input(1 - side), std::move(nodes), /*tanh=*/false);
}

/// 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))).
void OnnxImporter::matchTanhGelu(int tanh) {
  std::set<int> nodes = {tanh};
  // The node of type `op` that makes `name` and has no other use, with a constant near `wanted` on one side,
  // any number for 0; returns the other side.
  auto step = [&](const std::string &name, const std::string &op, double wanted) -> std::string {
    const onnx::NodeProto *made = producerOf(name, op);
    if (!made || made->input_size() != 2 || onlyUse(name) < 0)
      return "";
    for (int side : {1, 0})
      if (std::optional<double> number = factorOf(*made, side); number && isNear(*number, wanted)) {
        nodes.insert(producers.at(name));
        return made->input(1 - side);
      }
    return "";
  };
  constexpr double cubic = 0.044715;
  std::string inner = step(nodeAt(tanh).input(0), "Mul", std::sqrt(2 / M_PI));
  const onnx::NodeProto *sum = producerOf(inner, "Add");
  if (!sum || sum->input_size() != 2)
    return;
  nodes.insert(producers.at(inner));
  for (int side : {0, 1}) {
    std::string cube = step(sum->input(side), "Mul", cubic);
    const std::string &x = sum->input(1 - side);
    if (!cube.empty() && step(cube, "Pow", 3) == x)
      return finishGelu(tanh, x, nodes, /*tanh=*/true);
  }
}

/// From the function's node down through the Add of 1 and up a chain of products, whose other factors must
/// come to exactly one x and 0.5 in any order.
void OnnxImporter::finishGelu(int function, const std::string &x, std::set<int> nodes, bool tanh) {
  const std::string &value = proto.node(function).output(0);
  int add = onlyUse(value);
  if (add < 0 || proto.node(add).op_type() != "Add" || proto.node(add).input_size() != 2)
    return;
  int one = proto.node(add).input(0) == value ? 1 : 0;
  if (std::optional<double> number = factorOf(proto.node(add), one); !number || !isNear(*number, 1))
    return;
  nodes.insert(add);
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
  fuse(last, std::move(nodes), {"gelu", {x}, {{"tanh", tanh}}}, "GELU");
}

} // namespace halfstep
