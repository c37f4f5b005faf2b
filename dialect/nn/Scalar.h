// The vocabulary in which the scalar formulas of element-wise ops are written.
#ifndef HALFSTEP_DIALECT_NN_SCALAR_H
#define HALFSTEP_DIALECT_NN_SCALAR_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace halfstep::nn {

/// Arithmetic on scalars of one floating type, or on vectors of them, written as formulas.
class Scalar {
public:
  using Value = mlir::Value;
  using Order = mlir::arith::CmpFPredicate;

  Scalar(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type type) : builder(loc, builder), type(type) {}

  Value number(double value) {
    mlir::TypedAttr attribute = builder.getFloatAttr(mlir::getElementTypeOrSelf(type), value);
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(type))
      attribute = mlir::DenseElementsAttr::get(vector, mlir::Attribute(attribute));
    return mlir::arith::ConstantOp::create(builder, attribute);
  }
  Value add(Value a, Value b) { return mlir::arith::AddFOp::create(builder, a, b); }
  Value sub(Value a, Value b) { return mlir::arith::SubFOp::create(builder, a, b); }
  Value mul(Value a, Value b) { return mlir::arith::MulFOp::create(builder, a, b); }
  Value div(Value a, Value b) { return mlir::arith::DivFOp::create(builder, a, b); }
  Value square(Value a) { return mul(a, a); }
  Value oneMinus(Value a) { return sub(number(1), a); }
  Value exp(Value a) { return mlir::math::ExpOp::create(builder, a); }
  Value log(Value a) { return mlir::math::LogOp::create(builder, a); }
  Value tanh(Value a) { return mlir::math::TanhOp::create(builder, a); }
  Value erf(Value a) { return mlir::math::ErfOp::create(builder, a); }
  Value sqrt(Value a) { return mlir::math::SqrtOp::create(builder, a); }
  Value sin(Value a) { return mlir::math::SinOp::create(builder, a); }
  Value cos(Value a) { return mlir::math::CosOp::create(builder, a); }
  Value pow(Value a, Value b) { return mlir::math::PowFOp::create(builder, a, b); }
  Value absolute(Value a) { return mlir::math::AbsFOp::create(builder, a); }
  Value floor(Value a) { return mlir::math::FloorOp::create(builder, a); }
  Value ceil(Value a) { return mlir::math::CeilOp::create(builder, a); }
  Value roundEven(Value a) { return mlir::math::RoundEvenOp::create(builder, a); }
  Value negate(Value a) { return mlir::arith::NegFOp::create(builder, a); }
  Value sigmoid(Value a) { return div(number(1), add(number(1), exp(negate(a)))); }
  /// The larger, the smaller; NaN if one is.
  Value larger(Value a, Value b) { return mlir::arith::MaximumFOp::create(builder, a, b); }
  Value smaller(Value a, Value b) { return mlir::arith::MinimumFOp::create(builder, a, b); }

  Value compare(Order order, Value a, Value b) { return mlir::arith::CmpFOp::create(builder, order, a, b); }
  Value both(Value a, Value b) { return mlir::arith::AndIOp::create(builder, a, b); }
  Value select(Value condition, Value a, Value b) {
    return mlir::arith::SelectOp::create(builder, condition, a, b);
  }
  /// `a > 0 ? value : 0`; with `orUnordered`, NaN in a selects value.
  Value wherePositive(Value a, Value value, bool orUnordered) {
    return select(compare(orUnordered ? Order::UGT : Order::OGT, a, number(0)), value, number(0));
  }

private:
  mlir::ImplicitLocOpBuilder builder;
  mlir::Type type;
};

} // namespace halfstep::nn

#endif // HALFSTEP_DIALECT_NN_SCALAR_H
