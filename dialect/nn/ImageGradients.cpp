// Gradient rules of transposed convolution, resizing and normalisation in groups of channels.
#include "dialect/nn/NNDialect.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace halfstep::nn {

static RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The op is the gradient of a convolution from its result to its input: its own gradient is that
/// convolution.
void ConvTranspose2dOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                      SmallVectorImpl<Value> &operandGrads) {
  Location loc = getLoc();
  Value grad = resultGrads[0];
  operandGrads[0] = Conv2dOp::create(builder, loc, grad, getWeight(), Value(), getStride(), getPadding(),
                                     getDilation(), getGroups());
  operandGrads[1] =
      Conv2dBackwardWeightOp::create(builder, loc, grad, getInput(), tensorType(getWeight()).getShape(),
                                     getStride(), getPadding(), getDilation(), getGroups());
  if (getBias())
    operandGrads[2] =
        ReduceSumOp::create(builder, loc, grad, ArrayRef<int64_t>{0, 2, 3}, /*keep_dims=*/false);
}

void Resize2dOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                               SmallVectorImpl<Value> &operandGrads) {
  operandGrads[0] =
      Resize2dBackwardOp::create(builder, getLoc(), resultGrads[0], tensorType(getInput()).getShape(),
                                 getFactor(), getOffset(), getLinear(), getCeil());
}

void GroupNormOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                SmallVectorImpl<Value> &operandGrads) {
  if (!resultGrads[0])
    return;
  Location loc = getLoc();
  auto sums = GroupNormBackwardSumsOp::create(builder, loc, resultGrads[0], getInput(), getMean(), getRstd(),
                                              getScale(), getGroups());
  operandGrads[0] =
      GroupNormBackwardInputOp::create(builder, loc, resultGrads[0], getInput(), getMean(), getRstd(),
                                       getScale(), sums.getMeanProduct(), sums.getMeanGrad());
  auto overImages = [&](Value sum) {
    return ReduceSumOp::create(builder, loc, sum, ArrayRef<int64_t>{0}, /*keep_dims=*/false).getResult();
  };
  operandGrads[1] = overImages(sums.getProducts());
  operandGrads[2] = overImages(sums.getGrads());
}

} // namespace halfstep::nn
