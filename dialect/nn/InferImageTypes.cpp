// Result types of transposed convolution, resizing and normalisation in groups of channels.
#include "dialect/nn/InferTypes.h"

#include <cmath>

using namespace mlir;

namespace halfstep::nn {

//===----------------------------------------------------------------------===//
// Transposed convolution
//===----------------------------------------------------------------------===//

static LogicalResult checkTransposeAttrs(std::optional<Location> loc, ConvTranspose2dOp::Adaptor adaptor) {
  if (adaptor.getGroups() < 1)
    return fail(loc, "groups is ", static_cast<int64_t>(adaptor.getGroups()), ", expected at least 1");
  if (failed(expectSize(loc, "stride", adaptor.getStride(), 2, 1)) ||
      failed(expectSize(loc, "dilation", adaptor.getDilation(), 2, 1)) ||
      failed(expectSize(loc, "padding", adaptor.getPadding(), 4, 0)) ||
      failed(expectSize(loc, "output_padding", adaptor.getOutputPadding(), 2, 0)))
    return failure();
  for (int i = 0; i < 2; ++i)
    if (adaptor.getOutputPadding()[i] >= adaptor.getStride()[i])
      return fail(loc, "output_padding is ", adaptor.getOutputPadding()[i],
                  ", expected less than the stride ", adaptor.getStride()[i]);
  return success();
}

HS_INFER(ConvTranspose2dOp) {
  if (failed(checkTransposeAttrs(loc, adaptor)) || failed(expectRank(loc, "input", adaptor.getInput(), 4)) ||
      failed(expectRank(loc, "weight", adaptor.getWeight(), 4)))
    return failure();
  RankedTensorType input = tensorType(adaptor.getInput()), weight = tensorType(adaptor.getWeight());
  int64_t groups = adaptor.getGroups(), out = weight.getDimSize(1) * groups;
  if (input.getDimSize(1) != weight.getDimSize(0) || weight.getDimSize(0) % groups != 0)
    return fail(loc, "weight has type ", weight, " for input of type ", input, " in ", groups,
                " groups, expected [in, out / groups, kh, kw] with in a multiple of groups");
  if (input.getElementType() != weight.getElementType())
    return fail(loc, "transposed convolution of ", input, " with ", weight, ", expected one element type");
  if (adaptor.getBias() && failed(expectShape(loc, "bias", adaptor.getBias(), {out})))
    return failure();
  SmallVector<int64_t> shape{input.getDimSize(0), out};
  for (int i = 0; i < 2; ++i) {
    int64_t reach = adaptor.getDilation()[i] * (weight.getDimSize(2 + i) - 1) + 1;
    shape.push_back((input.getDimSize(2 + i) - 1) * adaptor.getStride()[i] + reach +
                    adaptor.getOutputPadding()[i] - adaptor.getPadding()[i] - adaptor.getPadding()[2 + i]);
    if (shape.back() < 1)
      return fail(loc, "padding of ", adaptor.getPadding()[i], " and ", adaptor.getPadding()[2 + i],
                  " cuts off the whole result of a kernel of type ", weight, " on input of type ", input);
  }
  types.push_back(makeTensor(shape, input.getElementType()));
  return success();
}

//===----------------------------------------------------------------------===//
// Resizing
//===----------------------------------------------------------------------===//

static LogicalResult checkPlaces(std::optional<Location> loc, ArrayRef<double> factor,
                                 ArrayRef<double> offset, bool linear, bool ceil) {
  // Beyond this, places would not fit the integers that count them.
  constexpr double most = 1 << 30;
  for (auto [what, values] : {std::pair("factor", factor), std::pair("offset", offset)}) {
    if (values.size() != 2)
      return fail(loc, what, " has ", static_cast<int64_t>(values.size()), " values, expected 2");
    for (double value : values)
      if (!(std::abs(value) <= most))
        return fail(loc, what, " has the value ", value, ", expected a number of at most 2^30");
  }
  if (linear && ceil)
    return fail(loc, "both linear and ceil, expected one of them");
  return success();
}

HS_INFER(Resize2dOp) {
  if (failed(expectRank(loc, "input", adaptor.getInput(), 4)) ||
      failed(expectSize(loc, "size", adaptor.getSize(), 2, 1)) ||
      failed(
          checkPlaces(loc, adaptor.getFactor(), adaptor.getOffset(), adaptor.getLinear(), adaptor.getCeil())))
    return failure();
  RankedTensorType input = tensorType(adaptor.getInput());
  types.push_back(
      makeTensor({input.getDimSize(0), input.getDimSize(1), adaptor.getSize()[0], adaptor.getSize()[1]},
                 input.getElementType()));
  return success();
}

HS_INFER(Resize2dBackwardOp) {
  if (failed(expectRank(loc, "grad", adaptor.getGrad(), 4)) ||
      failed(expectSize(loc, "input_shape", adaptor.getInputShape(), 4, 1)) ||
      failed(
          checkPlaces(loc, adaptor.getFactor(), adaptor.getOffset(), adaptor.getLinear(), adaptor.getCeil())))
    return failure();
  types.push_back(makeTensor(adaptor.getInputShape(), elementType(adaptor.getGrad())));
  return success();
}

//===----------------------------------------------------------------------===//
// Normalisation in groups of channels
//===----------------------------------------------------------------------===//

static LogicalResult checkGroups(std::optional<Location> loc, Value input, int64_t groups) {
  RankedTensorType type = tensorType(input);
  if (type.getRank() < 2)
    return fail(loc, "input has type ", type, ", expected rank 2 or more with channels second");
  if (groups < 1 || type.getDimSize(1) % groups != 0)
    return fail(loc, "groups is ", groups, ", expected a divisor of the ", type.getDimSize(1),
                " channels of ", type);
  return success();
}

/// Statistics [n, c] of the channels of each image.
static RankedTensorType channelsOfImages(Value input, Type element) {
  return makeTensor(tensorType(input).getShape().take_front(2), element);
}

static LogicalResult expectVectors(std::optional<Location> loc, Value input, ValueRange statistics,
                                   ValueRange vectors) {
  if (tensorType(input).getRank() < 2)
    return fail(loc, "input has type ", input.getType(), ", expected rank 2 or more with channels second");
  ArrayRef<int64_t> shape = tensorType(input).getShape();
  for (Value value : statistics)
    if (failed(expectShape(loc, "a statistic of channels", value, shape.take_front(2))))
      return failure();
  for (Value value : vectors)
    if (failed(expectShape(loc, "a vector over channels", value, {shape[1]})))
      return failure();
  return success();
}

HS_INFER(GroupNormOp) {
  Value input = adaptor.getInput();
  if (failed(checkGroups(loc, input, adaptor.getGroups())) ||
      failed(expectVectors(loc, input, {}, {adaptor.getScale(), adaptor.getShift()})))
    return failure();
  Type statistics = channelsOfImages(input, statisticsType(input));
  types.assign({input.getType(), statistics, statistics});
  return success();
}

HS_INFER(GroupNormStatsOp) {
  if (failed(checkGroups(loc, adaptor.getInput(), adaptor.getGroups())))
    return failure();
  types.assign(2, channelsOfImages(adaptor.getInput(), statisticsType(adaptor.getInput())));
  return success();
}

HS_INFER(GroupNormApplyOp) {
  types.push_back(adaptor.getInput().getType());
  return expectVectors(loc, adaptor.getInput(), {adaptor.getMean(), adaptor.getRstd()},
                       {adaptor.getScale(), adaptor.getShift()});
}

HS_INFER(GroupNormBackwardSumsOp) {
  types.assign(4, channelsOfImages(adaptor.getInput(), elementType(adaptor.getMean())));
  if (failed(checkGroups(loc, adaptor.getInput(), adaptor.getGroups())) ||
      failed(expectShape(loc, "grad", adaptor.getGrad(), tensorType(adaptor.getInput()).getShape())))
    return failure();
  return expectVectors(loc, adaptor.getInput(), {adaptor.getMean(), adaptor.getRstd()}, {adaptor.getScale()});
}

HS_INFER(GroupNormBackwardInputOp) {
  types.push_back(adaptor.getInput().getType());
  return expectVectors(
      loc, adaptor.getInput(),
      {adaptor.getMean(), adaptor.getRstd(), adaptor.getMeanProduct(), adaptor.getMeanGrad()},
      {adaptor.getScale()});
}

} // namespace halfstep::nn
