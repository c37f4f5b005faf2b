// See ExpandMath.h.
#include "codegen/cuda/ExpandMath.h"
#include "codegen/cuda/DoubleFunctions.h"

#include "codegen/cpu/ExpandAngles.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace halfstep {

namespace {

/// To an intrinsic of NVVM with the rounding in its name.
template <typename MathOp>
struct ToIntrinsic : OpRewritePattern<MathOp> {
  ToIntrinsic(MLIRContext *context, StringRef name) : OpRewritePattern<MathOp>(context), name(name) {}

  LogicalResult matchAndRewrite(MathOp op, PatternRewriter &rewriter) const override {
    std::string full = ("llvm.nvvm." + name + (op.getType().isF64() ? ".rn.d" : ".rn.f")).str();
    rewriter.replaceOpWithNewOp<LLVM::CallIntrinsicOp>(op, op.getType(), rewriter.getStringAttr(full),
                                                       op->getOperands());
    return success();
  }

  StringRef name;
};

/// To an intrinsic of LLVM's that is one instruction. (Its op would be taken for a call of libdevice again.)
template <typename MathOp>
struct ToLlvm : OpRewritePattern<MathOp> {
  ToLlvm(MLIRContext *context, StringRef name) : OpRewritePattern<MathOp>(context), name(name) {}

  LogicalResult matchAndRewrite(MathOp op, PatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<LLVM::CallIntrinsicOp>(op, op.getType(), rewriter.getStringAttr(name),
                                                       op->getOperands());
    return success();
  }

  StringRef name;
};

struct ExpandMath : PassWrapper<ExpandMath, OperationPass<gpu::GPUModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandMath)

  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    populateAnglePatterns(patterns);
    populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
      return llvm::is_contained({"math.exp", "math.tanh", "math.log", "math.erf"}, name);
    });
    populateDoubleFunctions(patterns);
    patterns.add<ToIntrinsic<math::SqrtOp>>(context, "sqrt");
    patterns.add<ToIntrinsic<math::FmaOp>>(context, "fma");
    patterns.add<ToLlvm<math::AbsFOp>>(context, "llvm.fabs");
    patterns.add<ToLlvm<math::FloorOp>>(context, "llvm.floor");
    patterns.add<ToLlvm<math::CeilOp>>(context, "llvm.ceil");
    patterns.add<ToLlvm<math::RoundEvenOp>>(context, "llvm.roundeven");
    patterns.add<ToLlvm<math::TruncOp>>(context, "llvm.trunc");
    patterns.add<ToLlvm<math::CopySignOp>>(context, "llvm.copysign");
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

std::unique_ptr<Pass> createExpandMathPass() { return std::make_unique<ExpandMath>(); }

} // namespace halfstep
