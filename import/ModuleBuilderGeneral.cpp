// Emits functions, choices, constants, reductions, and parts and places of tensors.
#include "import/ModuleBuilderFunction.h"

#include "dialect/nn/Functions.h"
#include "dialect/nn/NNDialect.h"

#include <numeric>

using namespace mlir;

namespace halfstep {

static ArrayRef<int64_t> shapeOf(Value value) { return cast<RankedTensorType>(value.getType()).getShape(); }

void GraphEmitter::addGeneralEmitters(std::map<std::string, Emit> &table) {
  using E = GraphEmitter;
  for (const char *name :
       {"exp",      "log",         "sqrt",     "norm_root",  "reciprocal", "abs",         "erf",
        "sin",      "cos",         "clip",     "leaky_relu", "elu",        "selu",        "celu",
        "softplus", "log_sigmoid", "softsign", "mish",       "hardswish",  "hardsigmoid", "thresholded_relu",
        "sign",     "floor",       "ceil",     "round",      "detach",     "div",         "pow",
        "maximum",  "minimum",     "prelu"})
    table[name] = &E::emitFunction;
  table.insert({
      {"compare", &E::emitCompare},
      {"where", &E::emitWhere},
      {"from_ids", &E::emitFromIds},
      {"constant", &E::emitConstant},
      {"expand", &E::emitExpand},
      {"slice", &E::emitSlice},
      {"pad", &E::emitPad},
      {"reduce_sum", &E::emitReduction<nn::ReduceSumOp>},
      {"reduce_mean", &E::emitReduction<nn::ReduceMeanOp>},
      {"reduce_max", &E::emitReduction<nn::ReduceMaxOp>},
      {"reduce_min", &E::emitReduction<nn::ReduceMinOp>},
      {"reduce_prod", &E::emitReduction<nn::ReduceProdOp>},
      {"softmax", &E::emitAlongAxis<nn::SoftmaxOp>},
      {"log_softmax", &E::emitAlongAxis<nn::LogSoftmaxOp>},
  });
}

/// The op has the node's name, and its attributes where it has any.
void GraphEmitter::emitFunction(const Node &node, Location loc) {
  OperationState state(loc, "nn." + node.op);
  for (size_t i = 0; i < node.inputs.size(); ++i)
    state.addOperands(operand(node, i));
  for (const char *key : {"alpha", "beta"})
    if (node.attributes.count(key))
      state.addAttribute(key, builder.getF64FloatAttr(node.number(key)));
  if (failed(nn::inferFunction(std::nullopt, state.operands, state.types)))
    node.place.fail(ExitCode::Internal, "the operands of '" + node.op + "' do not broadcast");
  define(node, builder.create(state)->getResults());
}

void GraphEmitter::emitCompare(const Node &node, Location loc) {
  UnitAttr wide = element.isF64() ? builder.getUnitAttr() : UnitAttr();
  define(node, Value(nn::CompareOp::create(builder, loc, operand(node, 0), operand(node, 1),
                                           builder.getStringAttr(node.text("predicate")), wide)));
}

void GraphEmitter::emitWhere(const Node &node, Location loc) {
  define(node,
         Value(nn::WhereOp::create(builder, loc, operand(node, 0), operand(node, 1), operand(node, 2))));
}

void GraphEmitter::emitFromIds(const Node &node, Location loc) {
  UnitAttr wide = element.isF64() ? builder.getUnitAttr() : UnitAttr();
  define(node, Value(nn::FromIdsOp::create(builder, loc, operand(node, 0), wide)));
}

void GraphEmitter::emitConstant(const Node &node, Location loc) {
  const Shape &shape = graph.shapeOf(node.outputs[0], node.place);
  DenseElementsAttr value;
  if (node.attributes.count("integers")) {
    value = DenseElementsAttr::get(tensorType(shape, batch, builder.getI64Type()),
                                   ArrayRef<int64_t>(node.integers("integers")));
  } else if (element.isF64()) {
    value =
        DenseElementsAttr::get(tensorType(shape, batch, element), ArrayRef<double>(node.numbers("numbers")));
  } else {
    const std::vector<double> &wide = node.numbers("numbers");
    std::vector<float> single(wide.begin(), wide.end());
    value = DenseElementsAttr::get(tensorType(shape, batch, element), ArrayRef<float>(single));
  }
  define(node, Value(nn::ConstantOp::create(builder, loc, value)));
}

void GraphEmitter::emitExpand(const Node &node, Location loc) {
  Value input = operand(node, 0);
  RankedTensorType wanted = tensorType(graph.shapeOf(node.outputs[0], node.place), batch, element);
  if (input.getType() != wanted)
    input = nn::BroadcastOp::create(builder, loc, input, wanted.getShape());
  define(node, input);
}

void GraphEmitter::emitSlice(const Node &node, Location loc) {
  Value input = operand(node, 0);
  Type kept = cast<RankedTensorType>(input.getType()).getElementType();
  RankedTensorType result = tensorType(graph.shapeOf(node.outputs[0], node.place), batch, kept);
  define(node, Value(nn::SliceOp::create(builder, loc, input, node.integers("starts"), result.getShape(),
                                         node.integers("steps"))));
}

void GraphEmitter::emitPad(const Node &node, Location loc) {
  RankedTensorType result = tensorType(graph.shapeOf(node.outputs[0], node.place), batch, element);
  std::vector<int64_t> steps(size_t(result.getRank()), 1);
  define(node,
         Value(nn::PlaceOp::create(builder, loc, operand(node, 0), result.getShape(), node.integers("before"),
                                   steps, llvm::APFloat(node.number("value")))));
}

template <typename Op>
void GraphEmitter::emitReduction(const Node &node, Location loc) {
  define(node,
         Value(Op::create(builder, loc, operand(node, 0), node.integers("axes"), node.flag("keep_dims"))));
}

/// An op over the last dimension, along another one.
template <typename Op>
void GraphEmitter::emitAlongAxis(const Node &node, Location loc) {
  Value input = operand(node, 0);
  int64_t rank = int64_t(shapeOf(input).size()), axis = node.integer("axis");
  Value result = Op::create(builder, loc, moveAxisLast(builder, loc, input, axis));
  if (axis != rank - 1) {
    SmallVector<int64_t> back(rank);
    std::iota(back.begin(), back.begin() + axis, 0);
    back[axis] = rank - 1;
    std::iota(back.begin() + axis + 1, back.end(), axis);
    result = nn::TransposeOp::create(builder, loc, result, back);
  }
  define(node, result);
}

} // namespace halfstep
