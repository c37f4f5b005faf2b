// Exchanges of casts with the ops that only move elements.
#include "passes/FuseCasts.h"

#include "passes/EraseDead.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/nn/NNDialect.h"
#include "dialect/train/TrainDialect.h"

using namespace mlir;

namespace halfstep {

/// True for an op whose result has the elements of its operand, elsewhere.
static bool isMove(Operation *op) { return isa_and_present<nn::ReshapeOp, nn::TransposeOp>(op); }

/// The move on another operand, at the builder's place.
static Value moved(OpBuilder &builder, Operation *move, Value operand) {
  Operation *made = builder.clone(*move);
  made->setOperand(0, operand);
  auto type = cast<RankedTensorType>(move->getResult(0).getType());
  made->getResult(0).setType(type.clone(getElementTypeOrSelf(operand)));
  return made->getResult(0);
}

static Value castTo(OpBuilder &builder, Location loc, Value value, Type element) {
  auto type = cast<RankedTensorType>(value.getType());
  return amp::CastOp::create(builder, loc, type.clone(element), value);
}

/// move(widened x) becomes widened move(x).
static void sinkWidening(Operation *move) {
  auto widening = move->getOperand(0).getDefiningOp<amp::CastOp>();
  if (!widening || !widening.isWidening())
    return;
  OpBuilder builder(move);
  Value narrow = moved(builder, move, widening.getInput());
  Value wide = castTo(builder, widening.getLoc(), narrow, getElementTypeOrSelf(widening));
  move->replaceAllUsesWith(ValueRange{wide});
  move->erase();
}

/// narrowed move(x) becomes move(narrowed x), unless that moves elements twice.
static void hoistNarrowing(amp::CastOp narrowing) {
  Operation *producer = narrowing.getInput().getDefiningOp();
  while (isMove(producer) && (isa<nn::ReshapeOp>(producer) || producer->hasOneUse())) {
    OpBuilder builder(narrowing);
    Value narrow =
        castTo(builder, narrowing.getLoc(), producer->getOperand(0), getElementTypeOrSelf(narrowing));
    narrowing.replaceAllUsesWith(moved(builder, producer, narrow));
    narrowing.erase();
    narrowing = narrow.getDefiningOp<amp::CastOp>();
    producer = narrowing.getInput().getDefiningOp();
  }
  if (producer && !isa<train::ReadOp, train::ScalarOp>(producer))
    narrowing->moveAfter(producer);
}

void moveCasts(func::FuncOp function) {
  Block &block = function.getBody().front();
  for (Operation &op : llvm::make_early_inc_range(block))
    if (isMove(&op))
      sinkWidening(&op);
  eraseDead(function);
  SmallVector<amp::CastOp> casts = llvm::to_vector(block.getOps<amp::CastOp>());
  for (amp::CastOp cast : casts)
    if (!cast.isWidening())
      hoistNarrowing(cast);
  eraseDead(function);
}

} // namespace halfstep
