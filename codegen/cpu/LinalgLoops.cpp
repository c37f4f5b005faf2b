// linalg to scf, with the annotations that carry vector width and interleaving to LLVM's loop vectoriser.
//
// LLVM's own choice of width halves the speed of kernels that mix 16-bit and 32-bit elements: it counts the
// conversions too dear. A width that is given is taken. A short loop of known length would be unrolled
// before the vectoriser sees it unless unrolling is forbidden; that forbids interleaving too, unless its
// count is given. What a loop of known length leaves over behind its whole vectors LLVM does element by
// element, so such loops are cut here.
#include "codegen/cpu/LinalgLoops.h"

#include "codegen/cpu/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;

namespace halfstep {

static constexpr StringLiteral kLoopAnnotation = "loop_annotation";

/// A `width` of 1 keeps the order of the loop. There is no `enable` beside other widths: that would make
/// LLVM complain about each loop that it leaves alone. `interleaved` is the number of vectors in flight; 0
/// leaves it, and unrolling, to LLVM.
static LLVM::LoopAnnotationAttr vectorAnnotation(MLIRContext *context, int64_t width,
                                                 int64_t interleaved = 0) {
  auto number = [&](int64_t value) { return IntegerAttr::get(IntegerType::get(context, 32), value); };
  auto disable = width == 1 ? BoolAttr::get(context, true) : BoolAttr();
  LLVM::LoopAnnotationAttr none;
  auto vectorize =
      LLVM::LoopVectorizeAttr::get(context, disable, /*predicateEnable=*/{}, /*scalableEnable=*/{},
                                   width == 1 ? IntegerAttr() : number(width), none, none, none);
  LLVM::LoopInterleaveAttr interleave;
  LLVM::LoopUnrollAttr unroll;
  if (interleaved != 0) {
    interleave = LLVM::LoopInterleaveAttr::get(context, number(interleaved));
    unroll = LLVM::LoopUnrollAttr::get(context, BoolAttr::get(context, true), {}, {}, {}, {}, {}, {});
  }
  return LLVM::LoopAnnotationAttr::get(context, /*disableNonforced=*/{}, vectorize, interleave, unroll, {},
                                       {}, {}, {}, {}, {}, {}, {}, {}, {}, {});
}

/// Elements a vector of the op's loops: of f64 if one of its buffers is, else of f32.
static int64_t vectorWidth(linalg::LinalgOp op, const CpuLevel &level) {
  if (op->hasAttr(kOrderedAttr))
    return 1;
  bool isWide =
      llvm::any_of(op->getOperandTypes(), [](Type type) { return getElementTypeOrSelf(type).isF64(); });
  return level.vectorBits / (isWide ? 64 : 32);
}

/// Vectors in flight in the op's loops: as many as cover the latency of an addition, unless the body is so
/// long that it keeps the machine busy by itself and would run out of registers.
static int64_t interleaving(linalg::LinalgOp op) {
  constexpr int64_t covering = 4, mostOps = 64;
  return int64_t(op.getBlock()->getOperations().size()) > mostOps ? 1 : covering;
}

/// Cuts a loop of known length into loops without a remainder: of interleaved vectors, of single ones, and
/// of vectors of half the width, a quarter and so on.
static void cutByVectors(RewriterBase &rewriter, scf::ForOp loop, int64_t length, int64_t width,
                         int64_t interleaved) {
  int64_t from = 0;
  auto take = [&](int64_t lanes, int64_t vectors) {
    int64_t count = (length - from) / (lanes * vectors) * (lanes * vectors);
    if (count == 0)
      return;
    bool isLast = from + count == length;
    rewriter.setInsertionPoint(loop);
    auto piece = isLast ? loop : cast<scf::ForOp>(rewriter.clone(*loop));
    rewriter.setInsertionPoint(piece);
    piece.setLowerBound(arith::ConstantIndexOp::create(rewriter, piece.getLoc(), from));
    piece.setUpperBound(arith::ConstantIndexOp::create(rewriter, piece.getLoc(), from + count));
    if (lanes > 1)
      piece->setAttr(kLoopAnnotation, vectorAnnotation(rewriter.getContext(), lanes, vectors));
    from += count;
  };
  if (interleaved > 1)
    take(width, interleaved);
  for (int64_t lanes = width; lanes > 0; lanes /= 2)
    take(lanes, 1);
}

LogicalResult lowerLinalgToLoops(ModuleOp module, const CpuLevel &level) {
  SmallVector<linalg::LinalgOp> ops;
  module.walk([&](linalg::LinalgOp op) { ops.push_back(op); });
  IRRewriter rewriter(module.getContext());
  for (linalg::LinalgOp op : ops) {
    int64_t width = vectorWidth(op, level), interleaved = interleaving(op);
    SmallVector<int64_t> lengths = op.getStaticLoopRanges();
    rewriter.setInsertionPoint(op);
    FailureOr<linalg::LinalgLoops> loops = linalg::linalgOpToLoops(rewriter, op);
    if (failed(loops))
      return op->emitOpError() << "cannot be turned into loops";
    rewriter.eraseOp(op);
    if (loops->empty())
      continue;
    // The name is the one that scf-to-cf hands on; with a dialect's prefix it would be dropped.
    if (width == 1 || ShapedType::isDynamic(lengths.back()))
      loops->back()->setAttr(kLoopAnnotation, vectorAnnotation(module.getContext(), width));
    else
      cutByVectors(rewriter, cast<scf::ForOp>(loops->back()), lengths.back(), width, interleaved);
  }
  return success();
}

} // namespace halfstep
