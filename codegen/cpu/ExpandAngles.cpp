// The angle is reduced to a quarter of a turn around 0 in f64, where that is exact enough in two steps, and
// its sine and cosine are Taylor polynomials in f32.
#include "codegen/cpu/ExpandAngles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <numbers>

using namespace mlir;

namespace halfstep {

namespace {

class AngleBuilder : public ImplicitLocOpBuilder {
public:
  AngleBuilder(PatternRewriter &rewriter, Location loc) : ImplicitLocOpBuilder(loc, rewriter) {}

  /// sin(x + quarters * pi / 2).
  Value sine(Value x, double quarters) {
    auto [rest, quadrant] = reduce(x, quarters);
    Value square = mul(rest, rest);
    Value sin = mul(rest, polynomial(square, {1, -1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880}));
    Value cos = polynomial(square, {1, -1.0 / 2, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800});
    Value isOdd = either(is(quadrant, 1), is(quadrant, 3)),
          isBelow = either(is(quadrant, 2), is(quadrant, 3));
    Value magnitude = arith::SelectOp::create(*this, isOdd, cos, sin);
    return arith::SelectOp::create(*this, isBelow, arith::NegFOp::create(*this, magnitude), magnitude);
  }

private:
  Value number(double value, Type type) {
    return arith::ConstantOp::create(*this, getFloatAttr(type, value));
  }
  Value wide(double value) { return number(value, getF64Type()); }
  Value mul(Value a, Value b) { return arith::MulFOp::create(*this, a, b); }
  Value fma(Value a, Value b, Value c) { return math::FmaOp::create(*this, a, b, c); }
  Value is(Value quadrant, double number) {
    return arith::CmpFOp::create(*this, arith::CmpFPredicate::OEQ, quadrant, wide(number));
  }
  Value either(Value a, Value b) { return arith::OrIOp::create(*this, a, b); }

  /// x - k * pi / 2 in [-pi / 4, pi / 4] as f32, and (k + quarters) mod 4 as f64.
  std::pair<Value, Value> reduce(Value x, double quarters) {
    // pi / 2 as a sum of two f64.
    constexpr double high = std::numbers::pi / 2, low = 6.123233995736766e-17;
    Value angle = arith::ExtFOp::create(*this, getF64Type(), x);
    Value turns = math::RoundEvenOp::create(*this, mul(angle, wide(1 / high)));
    Value rest = fma(turns, wide(-low), fma(turns, wide(-high), angle));
    // Only angles that are too large leave more than pi / 4.
    rest = arith::MaximumFOp::create(*this, rest, wide(-0.8));
    rest = arith::MinimumFOp::create(*this, rest, wide(0.8));
    Value quadrant = arith::AddFOp::create(*this, turns, wide(quarters));
    Value whole = math::FloorOp::create(*this, mul(quadrant, wide(0.25)));
    quadrant = fma(whole, wide(-4), quadrant);
    return {arith::TruncFOp::create(*this, getF32Type(), rest), quadrant};
  }

  /// The polynomial with these coefficients, that of the constant first.
  Value polynomial(Value x, ArrayRef<double> coefficients) {
    Value sum = number(coefficients.back(), getF32Type());
    for (double coefficient : llvm::reverse(coefficients.drop_back()))
      sum = fma(sum, x, number(coefficient, getF32Type()));
    return sum;
  }
};

} // namespace

template <typename Op>
static LogicalResult expand(Op op, PatternRewriter &rewriter, double quarters) {
  if (!op.getType().isF32())
    return rewriter.notifyMatchFailure(op, "not of a scalar f32");
  AngleBuilder b(rewriter, op.getLoc());
  rewriter.replaceOp(op, b.sine(op.getOperand(), quarters));
  return success();
}

static LogicalResult expandSine(math::SinOp op, PatternRewriter &rewriter) { return expand(op, rewriter, 0); }
static LogicalResult expandCosine(math::CosOp op, PatternRewriter &rewriter) {
  return expand(op, rewriter, 1);
}

void populateAnglePatterns(RewritePatternSet &patterns) {
  patterns.add(expandSine);
  patterns.add(expandCosine);
}

} // namespace halfstep
