// See DoubleFunctions.h.
#include "codegen/cuda/DoubleFunctions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace halfstep {

namespace {

/// Formulas on f64 scalars.
class Doubles {
public:
  Doubles(OpBuilder &builder, Location loc) : b(loc, builder) {}

  Value number(double value) { return arith::ConstantOp::create(b, b.getF64FloatAttr(value)); }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, x, y); }
  Value div(Value x, Value y) { return arith::DivFOp::create(b, x, y); }
  Value fma(Value x, Value y, Value z) { return math::FmaOp::create(b, x, y, z); }
  Value abs(Value x) { return math::AbsFOp::create(b, x); }
  Value less(Value x, Value y) { return arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, y); }
  Value isNan(Value x) { return arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, x, x); }
  Value choose(Value condition, Value x, Value y) { return arith::SelectOp::create(b, condition, x, y); }
  Value withSignOf(Value magnitude, Value x) { return math::CopySignOp::create(b, magnitude, x); }

  Value i64(int64_t value) { return arith::ConstantOp::create(b, b.getI64IntegerAttr(value)); }
  Value bits(Value x) { return arith::BitcastOp::create(b, b.getI64Type(), x); }
  Value fromBits(Value x) { return arith::BitcastOp::create(b, b.getF64Type(), x); }

  /// Sum of coefficients[i] x^i.
  Value polynomial(Value x, ArrayRef<double> coefficients) {
    Value sum = number(coefficients.back());
    for (double coefficient : llvm::reverse(coefficients.drop_back()))
      sum = fma(sum, x, number(coefficient));
    return sum;
  }

  /// 2^n for a whole number as i64 in [-1022, 1023].
  Value powerOfTwo(Value n) {
    Value biased = arith::AddIOp::create(b, n, i64(1023));
    return fromBits(arith::ShLIOp::create(b, biased, i64(52)));
  }

  Value exp(Value x);
  Value log(Value x);
  Value tanh(Value x);
  Value erf(Value x);

private:
  ImplicitLocOpBuilder b;
};

/// 1 / i! for i = 0..count-1.
SmallVector<double> inverseFactorials(int count) {
  SmallVector<double> values{1};
  double factorial = 1;
  for (int i = 1; i < count; ++i)
    values.push_back(1 / (factorial *= i));
  return values;
}

constexpr double kLog2High = 0x1.62e42feep-1, kLog2Low = 0x1.a39ef35793c76p-33;

} // namespace

/// x = n log 2 + r with |r| <= log 2 / 2, and Taylor's series for r.
Value Doubles::exp(Value x) {
  constexpr double most = 709.782712893384, least = -745.2;
  Value clamped =
      choose(less(number(most), x), number(most), choose(less(x, number(least)), number(least), x));
  clamped = choose(isNan(x), number(0), clamped);
  Value n = math::RoundEvenOp::create(b, mul(clamped, number(1 / std::log(2.0))));
  Value rest = fma(n, number(-kLog2Low), fma(n, number(-kLog2High), clamped));
  Value power = polynomial(rest, inverseFactorials(14));
  // In two steps: 2^n alone may be too small or too large.
  Value whole = arith::FPToSIOp::create(b, b.getI64Type(), n),
        half = arith::ShRSIOp::create(b, whole, i64(1));
  Value result = mul(mul(power, powerOfTwo(half)), powerOfTwo(arith::SubIOp::create(b, whole, half)));
  result = choose(less(number(most), x), number(std::numeric_limits<double>::infinity()), result);
  return choose(isNan(x), x, result);
}

/// x = 2^n m with m in [sqrt(1/2), sqrt(2)), and log m = 2 atanh((m - 1) / (m + 1)).
Value Doubles::log(Value x) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  // Denormal numbers are made normal first.
  Value isSmall = less(x, number(std::numeric_limits<double>::min()));
  Value pattern = bits(choose(isSmall, mul(x, number(0x1p54)), x));
  Value rootOfHalf = i64(0x3fe6a09e667f3bcd);
  Value n = arith::ShRSIOp::create(b, arith::SubIOp::create(b, pattern, rootOfHalf), i64(52));
  Value m = fromBits(arith::SubIOp::create(b, pattern, arith::ShLIOp::create(b, n, i64(52))));
  Value whole = arith::SIToFPOp::create(b, b.getF64Type(), n);
  whole = sub(whole, choose(isSmall, number(54), number(0)));
  Value f = sub(m, number(1)), s = div(f, add(m, number(1))), square = mul(s, s);
  SmallVector<double> coefficients; // of atanh(s) / s - 1, divided by s^2
  for (int i = 3; i < 25; i += 2)
    coefficients.push_back(1.0 / i);
  // log m = f - s (f - 2 s^2 P): the large term is exact.
  Value tail = mul(mul(square, polynomial(square, coefficients)), number(2));
  Value logOfM = sub(f, mul(s, sub(f, tail)));
  Value result = fma(whole, number(kLog2High), fma(whole, number(kLog2Low), logOfM));
  Value isZero = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, number(0));
  result = choose(isZero, number(-infinity), result);
  result = choose(less(x, number(0)), number(std::numeric_limits<double>::quiet_NaN()), result);
  Value isLast = arith::CmpFOp::create(b, arith::CmpFPredicate::UGE, x, number(infinity));
  return choose(isLast, x, result);
}

/// sinh / cosh by their series near 0, and by exp elsewhere.
Value Doubles::tanh(Value x) {
  Value magnitude = abs(x), square = mul(x, x);
  SmallVector<double> factorials = inverseFactorials(20), sinhSeries, coshSeries;
  for (size_t i = 0; i < factorials.size(); ++i)
    (i % 2 ? sinhSeries : coshSeries).push_back(factorials[i]);
  Value near = div(mul(x, polynomial(square, sinhSeries)), polynomial(square, coshSeries));
  Value power = exp(mul(magnitude, number(-2)));
  Value far = div(sub(number(1), power), add(number(1), power));
  return choose(less(magnitude, number(0.5)), near, withSignOf(far, x));
}

/// 2 / sqrt(pi) exp(-x^2) x sum of (2 x^2)^n / (1 3 5 ... (2n + 1)), whose terms are all positive, in
/// Horner's form.
Value Doubles::erf(Value x) {
  constexpr int terms = 150;
  constexpr double one = 5.95; // beyond, erf rounds to 1
  Value magnitude = abs(x), isOne = less(number(one), magnitude);
  Value place = choose(isOne, number(one), magnitude), twice = mul(mul(place, place), number(2));
  Value sum = number(1);
  for (int n = terms; n > 0; --n)
    sum = fma(mul(sum, twice), number(1.0 / (2 * n + 1)), number(1));
  Value result = mul(mul(exp(mul(twice, number(-0.5))), place), mul(sum, number(2 / std::sqrt(M_PI))));
  result = withSignOf(choose(isOne, number(1), result), x);
  return choose(isNan(x), x, result);
}

namespace {

template <typename MathOp, Value (Doubles::*function)(Value)>
struct ToArithmetic : OpRewritePattern<MathOp> {
  using OpRewritePattern<MathOp>::OpRewritePattern;

  LogicalResult matchAndRewrite(MathOp op, PatternRewriter &rewriter) const override {
    if (!op.getType().isF64())
      return rewriter.notifyMatchFailure(op, "not of a scalar f64");
    Doubles doubles(rewriter, op.getLoc());
    rewriter.replaceOp(op, (doubles.*function)(op.getOperand()));
    return success();
  }
};

} // namespace

void populateDoubleFunctions(RewritePatternSet &patterns) {
  patterns.add<ToArithmetic<math::ExpOp, &Doubles::exp>, ToArithmetic<math::LogOp, &Doubles::log>,
               ToArithmetic<math::TanhOp, &Doubles::tanh>, ToArithmetic<math::ErfOp, &Doubles::erf>>(
      patterns.getContext());
}

} // namespace halfstep
