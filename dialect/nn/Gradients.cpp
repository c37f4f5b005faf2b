// One gradient rule an op. A rule builds nn ops only; the walker in passes/Differentiate.cpp sums and casts.
#include "dialect/nn/Functions.h"
#include "dialect/nn/NNDialect.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace halfstep::nn {

using Grads = ArrayRef<Value>;
using OperandGrads = SmallVectorImpl<Value>;

static RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

Value sumTo(OpBuilder &builder, Location loc, Value grad, ArrayRef<int64_t> shape) {
  RankedTensorType type = tensorType(grad);
  if (type.getShape() == shape)
    return grad;
  int64_t lead = type.getRank() - static_cast<int64_t>(shape.size());
  SmallVector<int64_t> axes;
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (i < lead || (shape[i - lead] == 1 && type.getDimSize(i) != 1))
      axes.push_back(i);
  Value sum =
      axes.empty() ? grad : ReduceSumOp::create(builder, loc, grad, axes, /*keep_dims=*/true).getResult();
  return ReshapeOp::create(builder, loc, sum, shape);
}

/// `value` times a number.
static Value scaleBy(OpBuilder &builder, Location loc, Value value, double factor) {
  auto type = RankedTensorType::get({}, tensorType(value).getElementType());
  auto splat = DenseElementsAttr::get(type, builder.getFloatAttr(type.getElementType(), factor));
  return MulOp::create(builder, loc, value, ConstantOp::create(builder, loc, splat));
}

//===----------------------------------------------------------------------===//
// Element-wise
//===----------------------------------------------------------------------===//

#define HS_GRADIENT(Op)                                                                                      \
  void Op::buildGradient(OpBuilder &builder, Grads resultGrads, OperandGrads &operandGrads)

#define HS_GRADIENT_UNARY(Name, saved)                                                                       \
  HS_GRADIENT(Name##Op) {                                                                                    \
    operandGrads[0] = Name##BackwardOp::create(builder, getLoc(), resultGrads[0], saved());                  \
  }
HS_GRADIENT_UNARY(Relu, getResult)
HS_GRADIENT_UNARY(Tanh, getResult)
HS_GRADIENT_UNARY(Sigmoid, getResult)
HS_GRADIENT_UNARY(Silu, getInput)
HS_GRADIENT_UNARY(Softmax, getResult)
HS_GRADIENT_UNARY(LogSoftmax, getResult)

HS_GRADIENT(GeluOp) {
  operandGrads[0] = GeluBackwardOp::create(builder, getLoc(), resultGrads[0], getInput(), getTanh());
}

HS_GRADIENT(AddOp) {
  operandGrads[0] = sumTo(builder, getLoc(), resultGrads[0], tensorType(getLhs()).getShape());
  operandGrads[1] = sumTo(builder, getLoc(), resultGrads[0], tensorType(getRhs()).getShape());
}

HS_GRADIENT(SubOp) {
  operandGrads[0] = sumTo(builder, getLoc(), resultGrads[0], tensorType(getLhs()).getShape());
  Value negated = scaleBy(builder, getLoc(), resultGrads[0], -1);
  operandGrads[1] = sumTo(builder, getLoc(), negated, tensorType(getRhs()).getShape());
}

HS_GRADIENT(MulOp) {
  Value left = MulOp::create(builder, getLoc(), resultGrads[0], getRhs());
  Value right = MulOp::create(builder, getLoc(), resultGrads[0], getLhs());
  operandGrads[0] = sumTo(builder, getLoc(), left, tensorType(getLhs()).getShape());
  operandGrads[1] = sumTo(builder, getLoc(), right, tensorType(getRhs()).getShape());
}

HS_GRADIENT(SquaredErrorOp) {
  Value difference = SubOp::create(builder, getLoc(), getLhs(), getRhs());
  Value twice = scaleBy(builder, getLoc(), difference, 2);
  operandGrads[0] = MulOp::create(builder, getLoc(), resultGrads[0], twice);
  operandGrads[1] = scaleBy(builder, getLoc(), operandGrads[0], -1);
}

HS_GRADIENT(BroadcastOp) {
  operandGrads[0] = sumTo(builder, getLoc(), resultGrads[0], tensorType(getInput()).getShape());
}

HS_GRADIENT(DropoutOp) {
  operandGrads[0] =
      DropoutOp::create(builder, getLoc(), resultGrads[0], getSeed(), getStep(), getPAttr(), getIdAttr());
}

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

/// matmul without a bias; both flags as in the op.
static Value product(OpBuilder &builder, Location loc, Value lhs, bool transposeA, Value rhs,
                     bool transposeB) {
  return MatmulOp::create(builder, loc, lhs, rhs, Value(), transposeA, transposeB);
}

/// `value` with all leading dimensions joined into rows.
static Value asMatrix(OpBuilder &builder, Location loc, Value value) {
  RankedTensorType type = tensorType(value);
  int64_t columns = type.getShape().back();
  return type.getRank() == 2 ? value
                             : ReshapeOp::create(builder, loc, value,
                                                 ArrayRef<int64_t>{type.getNumElements() / columns, columns})
                                   .getResult();
}

HS_GRADIENT(MatmulOp) {
  Location loc = getLoc();
  Value grad = resultGrads[0], lhs = getLhs(), rhs = getRhs();
  bool ta = getTransposeA(), tb = getTransposeB();
  // C = A B: dA = dC B', dB = A' dC; an operand stored transposed gets the transposed product.
  operandGrads[0] =
      ta ? product(builder, loc, rhs, tb, grad, true) : product(builder, loc, grad, false, rhs, !tb);
  if (tensorType(rhs).getRank() == 2) {
    grad = asMatrix(builder, loc, grad);
    lhs = asMatrix(builder, loc, lhs);
  }
  operandGrads[1] =
      tb ? product(builder, loc, grad, true, lhs, ta) : product(builder, loc, lhs, !ta, grad, false);
  if (getBias())
    operandGrads[2] =
        sumTo(builder, loc, asMatrix(builder, loc, resultGrads[0]), tensorType(getBias()).getShape());
}

HS_GRADIENT(Conv2dOp) {
  Location loc = getLoc();
  Value grad = resultGrads[0];
  operandGrads[0] =
      Conv2dBackwardDataOp::create(builder, loc, grad, getWeight(), tensorType(getInput()).getShape(),
                                   getStride(), getPadding(), getDilation(), getGroups());
  operandGrads[1] =
      Conv2dBackwardWeightOp::create(builder, loc, getInput(), grad, tensorType(getWeight()).getShape(),
                                     getStride(), getPadding(), getDilation(), getGroups());
  if (getBias())
    operandGrads[2] =
        ReduceSumOp::create(builder, loc, grad, ArrayRef<int64_t>{0, 2, 3}, /*keep_dims=*/false);
}

//===----------------------------------------------------------------------===//
// Normalisation and pooling
//===----------------------------------------------------------------------===//

HS_GRADIENT(BatchNormOp) {
  if (!resultGrads[0])
    return;
  auto params =
      BatchNormBackwardParamsOp::create(builder, getLoc(), resultGrads[0], getInput(), getMean(), getRstd());
  operandGrads[0] =
      BatchNormBackwardInputOp::create(builder, getLoc(), resultGrads[0], getInput(), getMean(), getRstd(),
                                       getScale(), params.getScaleGrad(), params.getShiftGrad());
  operandGrads[1] = params.getScaleGrad();
  operandGrads[2] = params.getShiftGrad();
}

HS_GRADIENT(LayerNormOp) {
  if (!resultGrads[0])
    return;
  auto params = LayerNormBackwardParamsOp::create(builder, getLoc(), resultGrads[0], getInput(), getMean(),
                                                  getRstd(), getAxis());
  operandGrads[0] = LayerNormBackwardInputOp::create(builder, getLoc(), resultGrads[0], getInput(),
                                                     getScale(), getMean(), getRstd(), getAxis());
  operandGrads[1] = params.getScaleGrad();
  operandGrads[2] = params.getShiftGrad();
}

HS_GRADIENT(RmsNormOp) {
  if (!resultGrads[0])
    return;
  operandGrads[0] = RmsNormBackwardInputOp::create(builder, getLoc(), resultGrads[0], getInput(), getScale(),
                                                   getRstd(), getAxis());
  operandGrads[1] =
      RmsNormBackwardScaleOp::create(builder, getLoc(), resultGrads[0], getInput(), getRstd(), getAxis());
}

HS_GRADIENT(MaxPool2dOp) {
  operandGrads[0] = MaxPool2dBackwardOp::create(builder, getLoc(), resultGrads[0], getIndices(),
                                                tensorType(getInput()).getShape());
}

HS_GRADIENT(AvgPool2dOp) {
  operandGrads[0] = AvgPool2dBackwardOp::create(builder, getLoc(), resultGrads[0],
                                                tensorType(getInput()).getShape(), getKernel(), getStride(),
                                                getPadding(), getExcludePad(), getUncountedAttr());
}

//===----------------------------------------------------------------------===//
// Sequences, reductions and data movement
//===----------------------------------------------------------------------===//

HS_GRADIENT(EmbeddingOp) {
  operandGrads[0] = EmbeddingBackwardOp::create(builder, getLoc(), resultGrads[0], getIds(),
                                                tensorType(getTable()).getDimSize(0));
}

HS_GRADIENT(AttentionOp) {
  if (!resultGrads[0])
    return;
  auto backward = AttentionBackwardOp::create(builder, getLoc(), resultGrads[0], getResult(), getLse(),
                                              getTensors(), getHeadsAttr(), getKvHeadsAttr(), getCausalAttr(),
                                              getMaskedAttr(), getScaleAttr());
  llvm::copy(backward.getGrads(), operandGrads.begin());
}

HS_GRADIENT(RotaryOp) {
  auto transposed = getTransposed() ? UnitAttr() : builder.getUnitAttr();
  operandGrads[0] = RotaryOp::create(builder, getLoc(), resultGrads[0], getCos(), getSin(),
                                     getInterleavedAttr(), transposed);
}

/// Undoes a reduction's loss of dimensions and repeats `grad` over the operand's shape.
template <typename Op>
static Value spread(OpBuilder &builder, Op op, Value grad) {
  ArrayRef<int64_t> shape = tensorType(op.getInput()).getShape();
  SmallVector<int64_t> kept(shape);
  for (int64_t axis : op.getAxes())
    kept[axis] = 1;
  Value reshaped = ReshapeOp::create(builder, op.getLoc(), grad, kept);
  return BroadcastOp::create(builder, op.getLoc(), reshaped, shape);
}

HS_GRADIENT(ReduceSumOp) { operandGrads[0] = spread(builder, *this, resultGrads[0]); }

HS_GRADIENT(ReduceMeanOp) {
  double count = static_cast<double>(tensorType(getInput()).getNumElements()) /
                 static_cast<double>(tensorType(getResult()).getNumElements());
  operandGrads[0] = spread(builder, *this, scaleBy(builder, getLoc(), resultGrads[0], 1 / count));
}

HS_GRADIENT(ReshapeOp) {
  operandGrads[0] = ReshapeOp::create(builder, getLoc(), resultGrads[0], tensorType(getInput()).getShape());
}

HS_GRADIENT(TransposeOp) {
  SmallVector<int64_t> inverse(getPerm().size());
  for (auto [i, dim] : llvm::enumerate(getPerm()))
    inverse[dim] = static_cast<int64_t>(i);
  operandGrads[0] = TransposeOp::create(builder, getLoc(), resultGrads[0], inverse);
}

HS_GRADIENT(SplitOp) {
  SmallVector<Value> pieces(resultGrads);
  for (auto [piece, result] : llvm::zip(pieces, getPieces()))
    if (!piece) {
      auto scalar = RankedTensorType::get({}, tensorType(result).getElementType());
      auto zero = DenseElementsAttr::get(scalar, builder.getFloatAttr(scalar.getElementType(), 0));
      piece = BroadcastOp::create(builder, getLoc(), ConstantOp::create(builder, getLoc(), zero),
                                  tensorType(result).getShape());
    }
  operandGrads[0] = ConcatOp::create(builder, getLoc(), pieces, getAxis());
}

HS_GRADIENT(ConcatOp) {
  SmallVector<int64_t> sizes;
  for (Value piece : getPieces())
    sizes.push_back(tensorType(piece).getDimSize(getAxis()));
  auto split = SplitOp::create(builder, getLoc(), resultGrads[0], getAxis(), sizes);
  llvm::copy(split.getPieces(), operandGrads.begin());
}

} // namespace halfstep::nn
