// Conversions of 16-bit floats and functions of f32.
#include "codegen/cpu/ExpandNumbers.h"

#include "codegen/cpu/ExpandAngles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace halfstep {

namespace {

/// Integer arithmetic on the bits of scalars.
class Bits : public ImplicitLocOpBuilder {
public:
  Bits(PatternRewriter &rewriter, Location loc) : ImplicitLocOpBuilder(loc, rewriter) {}

  Value word(int64_t value) { return arith::ConstantOp::create(*this, getI32IntegerAttr(int32_t(value))); }
  Value of(Value number) {
    return arith::BitcastOp::create(*this, getIntegerType(number.getType().getIntOrFloatBitWidth()), number);
  }
  Value as(Type type, Value bits) { return arith::BitcastOp::create(*this, type, bits); }
  Value isNan(Value number) {
    return arith::CmpFOp::create(*this, arith::CmpFPredicate::UNO, number, number);
  }
};

} // namespace

static Value fromBf16(Bits &b, Value number) {
  Value wide = arith::ExtUIOp::create(b, b.getI32Type(), b.of(number));
  return b.as(b.getF32Type(), arith::ShLIOp::create(b, wide, b.word(16)));
}

/// Adds half a unit in the last place, less one when the kept part is even. A NaN could carry into infinity,
/// so it keeps its upper half and is made quiet.
static Value toBf16(Bits &b, Value number) {
  Value bits = b.of(number);
  Value high = arith::ShRUIOp::create(b, bits, b.word(16));
  Value half = arith::AddIOp::create(b, arith::AndIOp::create(b, high, b.word(1)), b.word(0x7fff));
  Value rounded = arith::ShRUIOp::create(b, arith::AddIOp::create(b, bits, half), b.word(16));
  Value quiet = arith::OrIOp::create(b, high, b.word(0x40));
  // The choice is made in 32 bits: a select of bf16 would be scalarised.
  Value chosen = arith::SelectOp::create(b, b.isNan(number), quiet, rounded);
  return b.as(b.getBF16Type(), arith::TruncIOp::create(b, b.getI16Type(), chosen));
}

/// f64 to f32, rounded to odd: an inexact result is the neighbour with an odd last bit. A later rounding to
/// fewer bits then sees on which side of a tie the f64 lies (Boldo and Melquiond, Emulation of a FMA and
/// correctly rounded sums, 2008).
static Value toOddF32(Bits &b, Value number) {
  Value nearest = arith::TruncFOp::create(b, b.getF32Type(), number);
  Value back = arith::ExtFOp::create(b, b.getF64Type(), nearest);
  auto magnitude = [&](Value x) -> Value { return math::AbsFOp::create(b, x); };
  Value isBeyond = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, magnitude(back), magnitude(number));
  Value isInexact = arith::CmpFOp::create(b, arith::CmpFPredicate::ONE, back, number);
  auto flag = [&](Value condition) -> Value { return arith::ExtUIOp::create(b, b.getI32Type(), condition); };
  // Bits of a float are ordered as its magnitude: one less is one step towards zero.
  Value towardsZero = arith::SubIOp::create(b, b.of(nearest), flag(isBeyond));
  return b.as(b.getF32Type(), arith::OrIOp::create(b, towardsZero, flag(isInexact)));
}

static LogicalResult expandExtension(arith::ExtFOp op, PatternRewriter &rewriter) {
  if (!op.getIn().getType().isBF16())
    return rewriter.notifyMatchFailure(op, "not from a scalar bf16");
  Bits b(rewriter, op.getLoc());
  Value wide = fromBf16(b, op.getIn());
  if (!op.getType().isF32())
    wide = arith::ExtFOp::create(b, op.getType(), wide);
  rewriter.replaceOp(op, wide);
  return success();
}

static LogicalResult expandFromDouble(arith::TruncFOp op, PatternRewriter &rewriter) {
  if (!op.getIn().getType().isF64() || !(op.getType().isBF16() || op.getType().isF16()))
    return rewriter.notifyMatchFailure(op, "not from f64 to a 16-bit float");
  Bits b(rewriter, op.getLoc());
  Attribute exactly = op->getAttr(kExactAttr);
  auto made = rewriter.replaceOpWithNewOp<arith::TruncFOp>(op, op.getType(), toOddF32(b, op.getIn()));
  if (exactly)
    made->setAttr(kExactAttr, exactly);
  return success();
}

namespace {

struct ToBf16 : OpRewritePattern<arith::TruncFOp> {
  ToBf16(MLIRContext *context, bool hasInstruction)
      : OpRewritePattern(context), hasInstruction(hasInstruction) {}

  LogicalResult matchAndRewrite(arith::TruncFOp op, PatternRewriter &rewriter) const override {
    if (!op.getIn().getType().isF32() || !op.getType().isBF16())
      return rewriter.notifyMatchFailure(op, "not from a scalar f32 to bf16");
    if (hasInstruction && !op->hasAttr(kExactAttr))
      return rewriter.notifyMatchFailure(op, "the instruction will do");
    Bits b(rewriter, op.getLoc());
    rewriter.replaceOp(op, toBf16(b, op.getIn()));
    return success();
  }

  const bool hasInstruction;
};

} // namespace

LogicalResult expandNumbers(ModuleOp module, const CpuLevel &level) {
  RewritePatternSet patterns(module.getContext());
  patterns.add(expandExtension);
  patterns.add(expandFromDouble);
  patterns.add<ToBf16>(module.getContext(), level.bf16Dot);
  populateAnglePatterns(patterns);
  populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
    return llvm::is_contained({"math.exp", "math.tanh", "math.log", "math.erf"}, name);
  });
  return applyPatternsGreedily(module, std::move(patterns));
}

} // namespace halfstep
