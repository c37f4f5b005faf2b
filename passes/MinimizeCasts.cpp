// minimize-casts: casts that no result needs go away, so that values stay in low precision from op to op.
//
//   %0 = amp.cast %g : tensor<4xbf16> to tensor<4xf32>
//   %found, %norm = amp.check_finite %0 : tensor<4xf32> -> tensor<i32>, tensor<f64>
// becomes
//   %found, %norm = amp.check_finite %g : tensor<4xbf16> -> tensor<i32>, tensor<f64>
//
// Needs: forward, backward and update (optimizer). Leaves: at most one cast of a value to a type, no op
// computed twice, gradients in the type in which they were computed, no amp.loss_seed. No op but the check
// and the update changes the type that it reads. Test: tests/lit/passes/minimize-casts.mlir.
#include "passes/Passes.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/train/TrainDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace halfstep {

#define GEN_PASS_DEF_MINIMIZECASTS
#include "passes/Passes.h.inc"

namespace {

/// The check and the update compute on gradients in f32 or wider, whatever type they are stored in.
void readNarrowGradients(Operation *op) {
  for (OpOperand &operand : op->getOpOperands())
    if (auto cast = operand.get().getDefiningOp<amp::CastOp>(); cast && cast.isWidening())
      operand.set(cast.getInput());
}

/// A seed is its scale in another type.
LogicalResult seedAsCast(amp::LossSeedOp op, PatternRewriter &rewriter) {
  if (!op.getScale())
    return rewriter.notifyMatchFailure(op, "the seed is 1");
  rewriter.replaceOpWithNewOp<amp::CastOp>(op, op.getType(), op.getScale());
  return success();
}

/// Without the rounding in between, fused code keeps a value as it computed it.
LogicalResult dropDownUpPair(amp::CastOp op, PatternRewriter &rewriter) {
  auto inner = op.getInput().getDefiningOp<amp::CastOp>();
  if (!inner || inner.isWidening() || !op.isWidening())
    return rewriter.notifyMatchFailure(op, "not a widening of a narrowed value");
  if (inner.getInput().getType() != op.getType())
    return rewriter.notifyMatchFailure(op, "the pair changes the type");
  rewriter.replaceOp(op, inner.getInput());
  return success();
}

struct MinimizeCasts : impl::MinimizeCastsBase<MinimizeCasts> {
  using MinimizeCastsBase::MinimizeCastsBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    amp::PolicyAttr policy = amp::getPolicy(module);
    if (!policy)
      return signalPassFailure();
    // Gradients first: the rounding of a weight's gradient to the type of its op is one that the check must
    // see, not half of a pair.
    module.walk([](Operation *op) {
      if (isa<amp::CheckFiniteOp, train::AccumulateOp, train::UpdateOp>(op))
        readNarrowGradients(op);
    });
    mergeCommon();
    RewritePatternSet patterns(&getContext());
    amp::CastOp::getCanonicalizationPatterns(patterns, &getContext());
    patterns.add(seedAsCast);
    if (policy.getRounding() == "fused")
      patterns.add(dropDownUpPair);
    if (failed(applyPatternsGreedily(module, std::move(patterns))))
      return signalPassFailure();
    mergeCommon();
  }

  void mergeCommon() {
    IRRewriter rewriter(&getContext());
    DominanceInfo dominance(getOperation());
    eliminateCommonSubExpressions(rewriter, dominance, getOperation());
  }
};

} // namespace
} // namespace halfstep
