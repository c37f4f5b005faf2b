// Formulas in the order in which they need each other.
#include "codegen/cpu/RegionFormulas.h"

#include "dialect/nn/NNDialect.h"

using namespace mlir;

namespace halfstep {

Value RegionFormulas::of(OpOperand &operand) {
  if (Value scalar = read(operand))
    return b.convert(scalar, compute);
  if (Value scalar = scalars.lookup(operand.get()))
    return scalar;
  Value scalar = b.rounded(emit(operand.get().getDefiningOp()), getElementTypeOrSelf(operand.get()));
  scalars[operand.get()] = scalar;
  return scalar;
}

Value RegionFormulas::emit(Operation *op) {
  if (auto constant = dyn_cast<nn::ConstantOp>(op)) {
    Type element = constant.getType().getElementType();
    return isa<IntegerType>(element)
               ? b.integer(constant.getValue().getSplatValue<APInt>().getSExtValue(), element)
               : b.number(constant.getValue().getSplatValue<APFloat>().convertToDouble(), compute);
  }
  SmallVector<Value> operands;
  for (OpOperand &operand : op->getOpOperands())
    operands.push_back(of(operand));
  if (isa<nn::ReshapeOp>(op))
    return operands[0];
  bool isSingle = cast<RankedTensorType>(op->getResult(0).getType()).getNumElements() == 1;
  auto firstIndex = [&]() -> Value { return b.integer(0, b.getI64Type()); };
  auto elementwise = cast<ElementwiseOpInterface>(op);
  return isSingle ? elementwise.emitScalar(b, op->getLoc(), operands, compute, firstIndex)
                  : elementwise.emitScalar(b, op->getLoc(), operands, compute, linearIndex);
}

} // namespace halfstep
