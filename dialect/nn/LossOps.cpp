// Losses: result types, gradients and scalar formulas.
#include "dialect/nn/InferTypes.h"
#include "dialect/nn/Scalar.h"

using namespace mlir;

namespace halfstep::nn {

//===----------------------------------------------------------------------===//
// Classes
//===----------------------------------------------------------------------===//

/// The rows of scores whose classes lie in the last dimension, once `weight`, if given, has one a class.
static FailureOr<ArrayRef<int64_t>> rowsOf(std::optional<Location> loc, StringRef what, Value scores,
                                           Value weight) {
  RankedTensorType type = tensorType(scores);
  if (type.getRank() < 1)
    return fail(loc, what, " have type ", type, ", expected classes in the last dimension");
  if (weight && failed(expectShape(loc, "the weight", weight, type.getShape().take_back())))
    return failure();
  return type.getShape().drop_back();
}

HS_INFER(CrossEntropyOp) {
  auto rows = rowsOf(loc, "logits", adaptor.getLogits(), adaptor.getWeight());
  if (failed(rows) || failed(expectShape(loc, "the target", adaptor.getTarget(), *rows)))
    return failure();
  types.assign(2, makeTensor(*rows, statisticsType(adaptor.getLogits())));
  return success();
}

HS_INFER(SoftCrossEntropyOp) {
  auto rows = rowsOf(loc, "logits", adaptor.getLogits(), adaptor.getWeight());
  if (failed(rows) ||
      failed(expectShape(loc, "the target", adaptor.getTarget(), tensorType(adaptor.getLogits()).getShape())))
    return failure();
  types.assign(2, makeTensor(*rows, statisticsType(adaptor.getLogits())));
  return success();
}

HS_INFER(NllOp) {
  auto rows = rowsOf(loc, "log-probabilities", adaptor.getLogProbabilities(), adaptor.getWeight());
  if (failed(rows) || failed(expectShape(loc, "the target", adaptor.getTarget(), *rows)))
    return failure();
  types.push_back(makeTensor(*rows, statisticsType(adaptor.getLogProbabilities())));
  return success();
}

HS_INFER(CrossEntropyBackwardOp) {
  types.push_back(adaptor.getLogits().getType());
  return success();
}
HS_INFER(SoftCrossEntropyBackwardOp) {
  types.push_back(adaptor.getLogits().getType());
  return success();
}
HS_INFER(NllBackwardOp) {
  types.push_back(adaptor.getLogProbabilities().getType());
  return success();
}

HS_INFER(ClassMeanOp) {
  if (adaptor.getWeight() && failed(expectRank(loc, "the weight", adaptor.getWeight(), 1)))
    return failure();
  types.assign(3, makeTensor({}, statisticsType(adaptor.getValues())));
  return expectShape(loc, "the target", adaptor.getTarget(), tensorType(adaptor.getValues()).getShape());
}

#define HS_LOSS_GRADIENT(Op)                                                                                 \
  void Op::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,                                    \
                         SmallVectorImpl<Value> &operandGrads)

HS_LOSS_GRADIENT(CrossEntropyOp) {
  if (resultGrads[0])
    operandGrads[0] =
        CrossEntropyBackwardOp::create(builder, getLoc(), resultGrads[0], getLogits(), getTarget(), getLse(),
                                       getWeight(), getLabelSmoothingAttr(), getIgnoreIndexAttr());
}

HS_LOSS_GRADIENT(SoftCrossEntropyOp) {
  if (resultGrads[0])
    operandGrads[0] =
        SoftCrossEntropyBackwardOp::create(builder, getLoc(), resultGrads[0], getLogits(), getTarget(),
                                           getLse(), getWeight(), getLabelSmoothingAttr());
}

HS_LOSS_GRADIENT(NllOp) {
  operandGrads[0] = NllBackwardOp::create(builder, getLoc(), resultGrads[0], getLogProbabilities(),
                                          getTarget(), getWeight(), getIgnoreIndexAttr());
}

HS_LOSS_GRADIENT(ClassMeanOp) {
  if (!resultGrads[0])
    return;
  Value each = MulOp::create(builder, getLoc(), resultGrads[0], getInverse());
  operandGrads[0] = BroadcastOp::create(builder, getLoc(), each, tensorType(getValues()).getShape());
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

/// Input and target of one shape.
static LogicalResult inferError(std::optional<Location> loc, Value input, Value target, Types &types) {
  types.push_back(
      makeTensor(tensorType(input).getShape(), promoteTypes(elementType(input), elementType(target))));
  return expectShape(loc, "the target", target, tensorType(input).getShape());
}

static LogicalResult inferErrorGradient(std::optional<Location> loc, Value grad, Value input, Types &types) {
  types.push_back(input.getType());
  return expectShape(loc, "the gradient", grad, tensorType(input).getShape());
}

#define HS_INFER_ERROR(Name)                                                                                 \
  HS_INFER(Name##Op) { return inferError(loc, adaptor.getInput(), adaptor.getTarget(), types); }             \
  HS_INFER(Name##BackwardOp) { return inferErrorGradient(loc, adaptor.getGrad(), adaptor.getInput(), types); }
HS_INFER_ERROR(AbsoluteError)
HS_INFER_ERROR(HuberError)
HS_INFER_ERROR(SmoothL1Error)
HS_INFER_ERROR(Bce)

HS_INFER(BceWithLogitsOp) {
  if (Value weight = adaptor.getPosWeight()) {
    ArrayRef<int64_t> shape = tensorType(adaptor.getInput()).getShape();
    auto common = broadcastShape(tensorType(weight).getShape(), shape);
    if (failed(common) || ArrayRef<int64_t>(*common) != shape)
      return fail(loc, "pos_weight of type ", weight.getType(), " does not broadcast to the input's type ",
                  adaptor.getInput().getType());
  }
  return inferError(loc, adaptor.getInput(), adaptor.getTarget(), types);
}
HS_INFER(BceWithLogitsBackwardOp) {
  return inferErrorGradient(loc, adaptor.getGrad(), adaptor.getInput(), types);
}

/// The gradient of a target is that of the input with the other sign: the error is one of their difference.
static void setDifferenceGradients(OpBuilder &builder, Location loc, Value ofInput,
                                   SmallVectorImpl<Value> &operandGrads) {
  operandGrads[0] = ofInput;
  Type element = elementType(ofInput);
  auto minusOne = DenseElementsAttr::get(makeTensor({}, element), builder.getFloatAttr(element, -1));
  operandGrads[1] = MulOp::create(builder, loc, ofInput, ConstantOp::create(builder, loc, minusOne));
}

HS_LOSS_GRADIENT(AbsoluteErrorOp) {
  setDifferenceGradients(
      builder, getLoc(),
      AbsoluteErrorBackwardOp::create(builder, getLoc(), resultGrads[0], getInput(), getTarget()),
      operandGrads);
}
HS_LOSS_GRADIENT(HuberErrorOp) {
  setDifferenceGradients(
      builder, getLoc(),
      HuberErrorBackwardOp::create(builder, getLoc(), resultGrads[0], getInput(), getTarget(), getDelta()),
      operandGrads);
}
HS_LOSS_GRADIENT(SmoothL1ErrorOp) {
  setDifferenceGradients(
      builder, getLoc(),
      SmoothL1ErrorBackwardOp::create(builder, getLoc(), resultGrads[0], getInput(), getTarget(), getBeta()),
      operandGrads);
}
HS_LOSS_GRADIENT(BceOp) {
  operandGrads[0] = BceBackwardOp::create(builder, getLoc(), resultGrads[0], getInput(), getTarget());
}
HS_LOSS_GRADIENT(BceWithLogitsOp) {
  operandGrads[0] = BceWithLogitsBackwardOp::create(builder, getLoc(), resultGrads[0], getInput(),
                                                    getTarget(), getPosWeight());
}

//===----------------------------------------------------------------------===//
// Scalar formulas
//===----------------------------------------------------------------------===//

#define HS_LOSS_SCALAR(Op)                                                                                   \
  Value Op::emitScalar(OpBuilder &builder, Location loc, ValueRange operands, Type type,                     \
                       llvm::function_ref<Value()> linearIndex)

/// log(1 + x) for x > -1, right to a few units in the last place however small x is: the rounding of 1 + x is
/// undone by the quotient (Goldberg, What every computer scientist should know about floating-point
/// arithmetic, theorem 4).
static Value logOnePlus(Scalar &s, Value x) {
  Value sum = s.add(s.number(1), x), rest = s.sub(sum, s.number(1));
  Value isLost = s.compare(Scalar::Order::OEQ, rest, s.number(0));
  Value quotient = s.div(s.mul(x, s.log(sum)), s.select(isLost, s.number(1), rest));
  return s.select(isLost, x, quotient);
}

/// `value` held within [-bound, bound]; NaN stays NaN.
static Value held(Scalar &s, Value value, double bound) {
  return s.larger(s.smaller(value, s.number(bound)), s.number(-bound));
}

HS_LOSS_SCALAR(AbsoluteErrorOp) {
  Scalar s(builder, loc, type);
  return s.absolute(s.sub(operands[0], operands[1]));
}

HS_LOSS_SCALAR(AbsoluteErrorBackwardOp) {
  Scalar s(builder, loc, type);
  Value difference = s.sub(operands[1], operands[2]), zero = s.number(0);
  // Neither above nor below 0: 0, or NaN.
  Value sign = s.select(s.compare(Scalar::Order::OGT, difference, zero), s.number(1), difference);
  sign = s.select(s.compare(Scalar::Order::OLT, difference, zero), s.number(-1), sign);
  return s.mul(operands[0], sign);
}

HS_LOSS_SCALAR(HuberErrorOp) {
  Scalar s(builder, loc, type);
  double delta = getDelta().convertToDouble();
  Value size = s.absolute(s.sub(operands[0], operands[1]));
  Value inner = s.mul(s.number(0.5), s.square(size));
  Value outer = s.mul(s.number(delta), s.sub(size, s.number(delta / 2)));
  return s.select(s.compare(Scalar::Order::OLT, size, s.number(delta)), inner, outer);
}

HS_LOSS_SCALAR(HuberErrorBackwardOp) {
  Scalar s(builder, loc, type);
  return s.mul(operands[0], held(s, s.sub(operands[1], operands[2]), getDelta().convertToDouble()));
}

HS_LOSS_SCALAR(SmoothL1ErrorOp) {
  Scalar s(builder, loc, type);
  double beta = getBeta().convertToDouble();
  Value size = s.absolute(s.sub(operands[0], operands[1]));
  Value inner = s.div(s.mul(s.number(0.5), s.square(size)), s.number(beta));
  Value outer = s.sub(size, s.number(beta / 2));
  return s.select(s.compare(Scalar::Order::OLT, size, s.number(beta)), inner, outer);
}

HS_LOSS_SCALAR(SmoothL1ErrorBackwardOp) {
  Scalar s(builder, loc, type);
  Value ratio = s.div(s.sub(operands[1], operands[2]), s.number(getBeta().convertToDouble()));
  return s.mul(operands[0], held(s, ratio, 1));
}

HS_LOSS_SCALAR(BceOp) {
  Scalar s(builder, loc, type);
  Value least = s.number(-100), p = operands[0], t = operands[1];
  Value ofOne = s.larger(s.log(p), least), ofZero = s.larger(logOnePlus(s, s.negate(p)), least);
  return s.negate(s.add(s.mul(t, ofOne), s.mul(s.oneMinus(t), ofZero)));
}

HS_LOSS_SCALAR(BceBackwardOp) {
  Scalar s(builder, loc, type);
  Value p = operands[1];
  Value divisor = s.larger(s.mul(p, s.oneMinus(p)), s.number(1e-12));
  return s.div(s.mul(operands[0], s.sub(p, operands[2])), divisor);
}

/// 1 + (p - 1) * t, where `operands` from `from` on are t and, if there is one, p.
static Value positiveFactor(Scalar &s, ValueRange operands, size_t from) {
  return operands.size() > from + 1
             ? s.add(s.number(1), s.mul(s.sub(operands[from + 1], s.number(1)), operands[from]))
             : s.number(1);
}

HS_LOSS_SCALAR(BceWithLogitsOp) {
  Scalar s(builder, loc, type);
  Value x = operands[0];
  Value softplus = s.add(logOnePlus(s, s.exp(s.negate(s.absolute(x)))), s.larger(s.negate(x), s.number(0)));
  return s.add(s.mul(s.oneMinus(operands[1]), x), s.mul(positiveFactor(s, operands, 1), softplus));
}

HS_LOSS_SCALAR(BceWithLogitsBackwardOp) {
  Scalar s(builder, loc, type);
  Value t = operands[2], wanted = operands.size() > 3 ? s.mul(operands[3], t) : t;
  return s.mul(operands[0], s.sub(s.mul(positiveFactor(s, operands, 2), s.sigmoid(operands[1])), wanted));
}

} // namespace halfstep::nn
