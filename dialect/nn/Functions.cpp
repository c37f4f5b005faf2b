// The methods of the ops that stand for functions of the table, and of their one gradient op.
#include "dialect/nn/Functions.h"
#include "dialect/nn/InferTypes.h"

using namespace mlir;

namespace halfstep::nn {

static FunctionNumbers numbersOf(Operation *op) {
  auto read = [&](StringRef name) {
    auto number = op->getAttrOfType<FloatAttr>(name);
    return number ? number.getValueAsDouble() : 0;
  };
  return {read("alpha"), read("beta")};
}

static StringRef nameOf(Operation *op) { return op->getName().stripDialect(); }

Value emitFunction(Operation *op, OpBuilder &builder, Location loc, ValueRange operands, Type type) {
  Scalar s(builder, loc, type);
  return findFunction(nameOf(op))->value(s, operands, numbersOf(op));
}

void buildFunctionGradient(Operation *op, OpBuilder &builder, Value grad,
                           SmallVectorImpl<Value> &operandGrads) {
  const Function &function = *findFunction(nameOf(op));
  ValueRange saved = function.savesResult ? ValueRange(op->getResults()) : ValueRange(op->getOperands());
  auto number = [&](StringRef name) { return op->getAttrOfType<FloatAttr>(name); };
  for (unsigned i = 0; i < function.operands; ++i) {
    if (!function.gradients[i])
      continue;
    Value slope =
        FunctionBackwardOp::create(builder, op->getLoc(), grad, saved, builder.getStringAttr(nameOf(op)),
                                   builder.getI64IntegerAttr(i), number("alpha"), number("beta"));
    operandGrads[i] = sumTo(builder, op->getLoc(), slope, tensorType(op->getOperand(i)).getShape());
  }
}

LogicalResult inferFunction(std::optional<Location> loc, ValueRange operands, Types &types) {
  if (operands.size() == 1) {
    types.push_back(operands[0].getType());
    return success();
  }
  return inferBroadcast(loc, operands, operands, types);
}

//===----------------------------------------------------------------------===//
// The gradient
//===----------------------------------------------------------------------===//

HS_INFER(FunctionBackwardOp) {
  const Function *function = findFunction(adaptor.getFunction());
  uint64_t operand = adaptor.getOperand();
  if (!function || operand >= function->operands || !function->gradients[operand])
    return fail(loc, "function_backward of operand ", operand, " of '", adaptor.getFunction(),
                "', expected a function of nn and an operand by which it has a derivative");
  if (adaptor.getSaved().size() != function->operands)
    return fail(loc, "function_backward of '", adaptor.getFunction(), "' saves ", adaptor.getSaved().size(),
                " values, expected ", function->operands);
  return inferBroadcast(loc, adaptor.getOperands(), adaptor.getOperands(), types);
}

Value FunctionBackwardOp::emitScalar(OpBuilder &builder, Location loc, ValueRange operands, Type type,
                                     llvm::function_ref<Value()>) {
  Scalar s(builder, loc, type);
  return findFunction(getFunction())
      ->gradients[getOperand()](s, operands[0], operands.drop_front(), numbersOf(*this));
}

} // namespace halfstep::nn
