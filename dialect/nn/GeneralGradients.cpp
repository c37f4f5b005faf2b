// Gradient rules of choices, of reductions beside sum and mean, and of parts and places.
#include "dialect/nn/Functions.h"
#include "dialect/nn/NNDialect.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace halfstep::nn {

using Grads = ArrayRef<Value>;
using OperandGrads = SmallVectorImpl<Value>;

#define HS_GRADIENT(Op)                                                                                      \
  void Op::buildGradient(OpBuilder &builder, Grads resultGrads, OperandGrads &operandGrads)

static RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Builds ops at one place, as formulas on tensors.
class Formula {
public:
  Formula(OpBuilder &builder, Location loc) : builder(builder), loc(loc) {}

  Value number(double value, Value like) {
    auto type = RankedTensorType::get({}, tensorType(like).getElementType());
    return ConstantOp::create(
        builder, loc, DenseElementsAttr::get(type, builder.getFloatAttr(type.getElementType(), value)));
  }
  Value mul(Value a, Value b) { return MulOp::create(builder, loc, a, b); }
  Value div(Value a, Value b) { return DivOp::create(builder, loc, a, b); }
  Value where(Value condition, Value a, Value b) { return WhereOp::create(builder, loc, condition, a, b); }
  Value equal(Value a, Value b) {
    return CompareOp::create(builder, loc, a, b, builder.getStringAttr("equal"), UnitAttr());
  }
  Value sum(Value value, ArrayRef<int64_t> axes) {
    return ReduceSumOp::create(builder, loc, value, axes, /*keep_dims=*/true);
  }
  /// A result of a reduction of `input` with its lost dimensions back, as extents of 1.
  Value kept(Value result, Value input, ArrayRef<int64_t> axes) {
    SmallVector<int64_t> shape(tensorType(input).getShape());
    for (int64_t axis : axes)
      shape[axis] = 1;
    return ReshapeOp::create(builder, loc, result, shape);
  }

private:
  OpBuilder &builder;
  Location loc;
};

//===----------------------------------------------------------------------===//
// Comparison and choice
//===----------------------------------------------------------------------===//

HS_GRADIENT(CompareOp) {}

HS_GRADIENT(WhereOp) {
  Formula f(builder, getLoc());
  Value zero = f.number(0, resultGrads[0]);
  Value left = f.where(getCondition(), resultGrads[0], zero);
  Value right = f.where(getCondition(), zero, resultGrads[0]);
  operandGrads[1] = sumTo(builder, getLoc(), left, tensorType(getLhs()).getShape());
  operandGrads[2] = sumTo(builder, getLoc(), right, tensorType(getRhs()).getShape());
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

/// Each of the elements that equal the result gets the same share.
template <typename Op>
static Value sharedGradient(OpBuilder &builder, Op op, Value grad) {
  Formula f(builder, op.getLoc());
  Value input = op.getInput();
  ArrayRef<int64_t> axes = op.getAxes();
  Value hit = f.equal(input, f.kept(op.getResult(), input, axes));
  Value share = f.div(f.kept(grad, input, axes), f.sum(hit, axes));
  return f.where(hit, share, f.number(0, grad));
}
HS_GRADIENT(ReduceMaxOp) { operandGrads[0] = sharedGradient(builder, *this, resultGrads[0]); }
HS_GRADIENT(ReduceMinOp) { operandGrads[0] = sharedGradient(builder, *this, resultGrads[0]); }

/// The product of the other elements: result / input, but where there is a zero. If it is the only one, the
/// others' product is its gradient; else all gradients are 0.
HS_GRADIENT(ReduceProdOp) {
  Formula f(builder, getLoc());
  Value input = getInput(), zero = f.number(0, input), one = f.number(1, input);
  Value isZero = f.equal(input, zero);
  Value others = ReduceProdOp::create(builder, getLoc(), f.where(isZero, one, input), getAxes(),
                                      /*keep_dims=*/true);
  Value zeros = f.sum(isZero, getAxes());
  Value grad = f.kept(resultGrads[0], input, getAxes()), result = f.kept(getResult(), input, getAxes());
  Value atZero = f.where(f.equal(zeros, f.number(1, zeros)), others, zero);
  // The quotient is not used where it is 0 / 0.
  operandGrads[0] = f.mul(grad, f.where(isZero, atZero, f.div(result, input)));
}

//===----------------------------------------------------------------------===//
// Parts and places
//===----------------------------------------------------------------------===//

HS_GRADIENT(SliceOp) {
  operandGrads[0] = PlaceOp::create(builder, getLoc(), resultGrads[0], tensorType(getInput()).getShape(),
                                    getStarts(), getSteps(), llvm::APFloat(0.0));
}

HS_GRADIENT(PlaceOp) {
  operandGrads[0] = SliceOp::create(builder, getLoc(), resultGrads[0], getStarts(),
                                    tensorType(getInput()).getShape(), getSteps());
}

} // namespace halfstep::nn
