// Predicates on single ops, by their dialects' interfaces and, for row ops, by name.
#include "passes/FuseRules.h"

#include "passes/ArenaOffsets.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/nn/NNDialect.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace halfstep {

static RankedTensorType tensorOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// One floating number, stored or computed.
static bool isNumber(Value value) {
  return tensorOf(value).getNumElements() == 1 && isa<FloatType>(tensorOf(value).getElementType());
}

bool isKeptApart(Operation *op) { return op->getParentOfType<ModuleOp>()->hasAttr(kSeparateOpsAttr); }

bool isInlined(Operation *op) {
  if (isa<nn::ConstantOp>(op))
    return true;
  if (auto reshape = dyn_cast<nn::ReshapeOp>(op))
    return isNumber(reshape) && reshape.getInput().getDefiningOp() &&
           isInlined(reshape.getInput().getDefiningOp());
  // A copy is there to have memory of its own; dropout depends on the element's index.
  return !isKeptApart(op) && isa<ElementwiseOpInterface>(op) && !isa<nn::CopyOp, nn::DropoutOp>(op) &&
         isNumber(op->getResult(0)) && llvm::all_of(op->getOperands(), isNumber);
}

//===----------------------------------------------------------------------===//
// Casts
//===----------------------------------------------------------------------===//

/// True where the code of a use's kernel reads elements of any floating type.
static bool readsAnyType(OpOperand &use) {
  Operation *user = use.getOwner();
  if (isa<ElementwiseOpInterface>(user))
    return readsAligned(use);
  return isRowOp(user) || nn::isReduction(user) ||
         isa<nn::LayerNormBackwardParamsOp, nn::RmsNormBackwardScaleOp, nn::BatchNormStatsOp,
             nn::BatchNormBackwardParamsOp, nn::GroupNormStatsOp, nn::GroupNormBackwardSumsOp>(user);
}

bool isRecomputed(Operation *op) {
  auto cast = dyn_cast<amp::CastOp>(op);
  return cast && cast.isWidening() && !isKeptApart(op) && !isInlined(op) &&
         llvm::all_of(op->getUses(), readsAnyType);
}

bool isStoredRounding(Operation *op) {
  auto cast = dyn_cast<amp::CastOp>(op);
  if (!cast || !cast.isNarrowing())
    return false;
  Value stored = cast.getInput();
  Operation *source = stored.getDefiningOp();
  return stored.hasOneUse() &&
         (nn::isReduction(source) ||
          isa_and_present<nn::LayerNormBackwardParamsOp, nn::RmsNormBackwardScaleOp>(source));
}

//===----------------------------------------------------------------------===//
// Elements and rows
//===----------------------------------------------------------------------===//

static bool isAtSamePlace(ElementwiseOpInterface op, OpOperand &operand) {
  return tensorOf(operand.get()).getShape() == tensorOf(op->getResult(0)).getShape() &&
         op.getOperandMap(operand.getOperandNumber()).isIdentity();
}

bool readsAligned(OpOperand &use) {
  Operation *user = use.getOwner();
  if (nn::isReduction(user) || isRowOperand(use))
    return true;
  auto elementwise = dyn_cast<ElementwiseOpInterface>(user);
  return elementwise && isAtSamePlace(elementwise, use);
}

bool isPlain(Operation *op) {
  auto elementwise = dyn_cast<ElementwiseOpInterface>(op);
  return elementwise && llvm::all_of(op->getOpOperands(), [&](OpOperand &operand) {
           if (tensorOf(operand.get()).getNumElements() == 1)
             return true;
           auto table = operand.get().getDefiningOp<nn::ConstantOp>();
           return isAtSamePlace(elementwise, operand) && (!table || table.getValue().isSplat());
         });
}

/// Numbers of the operands of a row op that are rows, all of one shape; none for other ops.
static ArrayRef<unsigned> rowOperands(Operation *op) {
  static constexpr unsigned first[] = {0}, second[] = {1}, firstTwo[] = {0, 1}, secondAndThird[] = {1, 2};
  return llvm::TypeSwitch<Operation *, ArrayRef<unsigned>>(op)
      .Case<nn::SoftmaxOp, nn::LogSoftmaxOp, nn::LayerNormOp, nn::RmsNormOp, nn::CrossEntropyOp>(
          [](auto) { return ArrayRef(first); })
      .Case<nn::SoftmaxBackwardOp, nn::LogSoftmaxBackwardOp, nn::LayerNormBackwardInputOp,
            nn::RmsNormBackwardInputOp>([](auto) { return ArrayRef(firstTwo); })
      .Case<nn::CrossEntropyBackwardOp>([](auto) { return ArrayRef(second); })
      .Case<nn::NllOp>([](auto) { return ArrayRef(first); })
      .Case<nn::SoftCrossEntropyOp>([](auto) { return ArrayRef(firstTwo); })
      .Case<nn::NllBackwardOp>([](auto) { return ArrayRef(second); })
      .Case<nn::SoftCrossEntropyBackwardOp>([](auto) { return ArrayRef(secondAndThird); })
      .Default(ArrayRef<unsigned>());
}

bool isRowOp(Operation *op) { return !rowOperands(op).empty(); }

bool isRowOperand(OpOperand &use) {
  return llvm::is_contained(rowOperands(use.getOwner()), use.getOperandNumber());
}

bool isRowResult(Value value) {
  Operation *op = value.getDefiningOp();
  return op && isRowOp(op) && !isa<nn::CrossEntropyOp, nn::SoftCrossEntropyOp, nn::NllOp>(op) &&
         cast<OpResult>(value).getResultNumber() == 0;
}

} // namespace halfstep
