// linalg to scf, with the annotation that carries the vector width to LLVM's loop vectoriser.
//
// LLVM's own choice of width halves the speed of kernels that mix 16-bit and 32-bit elements: it counts the
// conversions too dear. A width that is given is taken.
#include "codegen/cpu/LinalgLoops.h"

#include "codegen/cpu/KernelBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;

namespace halfstep {

/// A `width` of 1 keeps the order of the loop. There is no `enable` beside other widths: that would make LLVM
/// complain about each loop that it leaves alone.
static LLVM::LoopAnnotationAttr vectorAnnotation(MLIRContext *context, int64_t width) {
  auto disable = width == 1 ? BoolAttr::get(context, true) : BoolAttr();
  auto widthAttr = width == 1 ? IntegerAttr() : IntegerAttr::get(IntegerType::get(context, 32), width);
  LLVM::LoopAnnotationAttr none;
  auto vectorize = LLVM::LoopVectorizeAttr::get(context, disable, /*predicateEnable=*/{},
                                                /*scalableEnable=*/{}, widthAttr, none, none, none);
  return LLVM::LoopAnnotationAttr::get(context, /*disableNonforced=*/{}, vectorize, {}, {}, {}, {}, {}, {},
                                       {}, {}, {}, {}, {}, {}, {});
}

/// Elements a vector of the op's loops: of f64 if one of its buffers is, else of f32.
static int64_t vectorWidth(linalg::LinalgOp op, const CpuLevel &level) {
  if (op->hasAttr(kOrderedAttr))
    return 1;
  bool isWide =
      llvm::any_of(op->getOperandTypes(), [](Type type) { return getElementTypeOrSelf(type).isF64(); });
  return level.vectorBits / (isWide ? 64 : 32);
}

LogicalResult lowerLinalgToLoops(ModuleOp module, const CpuLevel &level) {
  SmallVector<linalg::LinalgOp> ops;
  module.walk([&](linalg::LinalgOp op) { ops.push_back(op); });
  IRRewriter rewriter(module.getContext());
  for (linalg::LinalgOp op : ops) {
    rewriter.setInsertionPoint(op);
    FailureOr<linalg::LinalgLoops> loops = linalg::linalgOpToLoops(rewriter, op);
    if (failed(loops))
      return op->emitOpError() << "cannot be turned into loops";
    // The name is the one that scf-to-cf hands on; with a dialect's prefix it would be dropped.
    if (!loops->empty())
      loops->back()->setAttr("loop_annotation",
                             vectorAnnotation(module.getContext(), vectorWidth(op, level)));
    rewriter.eraseOp(op);
  }
  return success();
}

} // namespace halfstep
