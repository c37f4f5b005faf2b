// Result types of the nn ops: the one place where their shape constraints are checked, so that builders,
// verifiers and importers agree.
#include "dialect/nn/InferTypes.h"

using namespace mlir;

namespace halfstep::nn {

//===----------------------------------------------------------------------===//
// Element-wise
//===----------------------------------------------------------------------===//

static LogicalResult inferSame(std::optional<Location> loc, Value grad, Value saved, Types &types) {
  types.push_back(
      makeTensor(tensorType(grad).getShape(), promoteTypes(elementType(grad), elementType(saved))));
  return expectShape(loc, "the saved value", saved, tensorType(grad).getShape());
}

#define HS_INFER_UNARY(Op)                                                                                   \
  HS_INFER(Op) {                                                                                             \
    types.push_back(adaptor.getInput().getType());                                                           \
    return success();                                                                                        \
  }
HS_INFER_UNARY(ReluOp)
HS_INFER_UNARY(TanhOp)
HS_INFER_UNARY(SigmoidOp)
HS_INFER_UNARY(SiluOp)
HS_INFER_UNARY(GeluOp)
HS_INFER_UNARY(SoftmaxOp)
HS_INFER_UNARY(LogSoftmaxOp)
HS_INFER_UNARY(CopyOp)

#define HS_INFER_BACKWARD(Op)                                                                                \
  HS_INFER(Op) { return inferSame(loc, adaptor.getGrad(), adaptor.getSaved(), types); }
HS_INFER_BACKWARD(ReluBackwardOp)
HS_INFER_BACKWARD(TanhBackwardOp)
HS_INFER_BACKWARD(SigmoidBackwardOp)
HS_INFER_BACKWARD(SiluBackwardOp)
HS_INFER_BACKWARD(GeluBackwardOp)
HS_INFER_BACKWARD(SoftmaxBackwardOp)
HS_INFER_BACKWARD(LogSoftmaxBackwardOp)

#define HS_INFER_BINARY(Op)                                                                                  \
  HS_INFER(Op) { return inferBroadcast(loc, adaptor.getOperands(), adaptor.getOperands(), types); }
HS_INFER_BINARY(AddOp)
HS_INFER_BINARY(SubOp)
HS_INFER_BINARY(MulOp)

HS_INFER(SquaredErrorOp) { return inferSame(loc, adaptor.getLhs(), adaptor.getRhs(), types); }

HS_INFER(BroadcastOp) {
  auto input = tensorType(adaptor.getInput());
  auto shape = broadcastShape(input.getShape(), adaptor.getShape());
  if (failed(shape) || ArrayRef<int64_t>(*shape) != adaptor.getShape())
    return fail(loc, "an operand of type ", input, " does not broadcast to ",
                makeTensor(adaptor.getShape(), input.getElementType()));
  types.push_back(makeTensor(adaptor.getShape(), input.getElementType()));
  return success();
}

HS_INFER(DropoutOp) {
  double p = adaptor.getP().convertToDouble();
  if (!(p >= 0 && p < 1))
    return fail(loc, "dropout probability p is ", p, ", expected 0 <= p < 1");
  types.push_back(adaptor.getInput().getType());
  return success();
}

HS_INFER(ConstantOp) {
  types.push_back(adaptor.getValue().getShapedType());
  return success();
}

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

/// Rows and columns of a matrix operand after its transposition.
static std::pair<int64_t, int64_t> matrixExtents(RankedTensorType type, bool transposed) {
  int64_t rows = type.getDimSize(type.getRank() - 2), columns = type.getDimSize(type.getRank() - 1);
  return transposed ? std::make_pair(columns, rows) : std::make_pair(rows, columns);
}

HS_INFER(MatmulOp) {
  RankedTensorType lhs = tensorType(adaptor.getLhs()), rhs = tensorType(adaptor.getRhs());
  if (lhs.getRank() < 2 || rhs.getRank() < 2)
    return fail(loc, "matrix product of ", lhs, " and ", rhs, ", expected operands of rank 2 or more");
  if (lhs.getElementType() != rhs.getElementType())
    return fail(loc, "matrix product of ", lhs, " and ", rhs, ", expected one element type");
  if (rhs.getRank() == 2 && lhs.getRank() != 2 && adaptor.getTransposeA())
    return fail(loc, "transpose_a with lhs of type ", lhs, ", expected rank 2 where rhs has rank 2");
  if (rhs.getRank() != 2 && lhs.getShape().drop_back(2) != rhs.getShape().drop_back(2))
    return fail(loc, "batched matrix product of ", lhs, " and ", rhs, ", expected equal leading extents");
  auto [m, k] = matrixExtents(lhs, adaptor.getTransposeA());
  auto [rhsK, n] = matrixExtents(rhs, adaptor.getTransposeB());
  if (k != rhsK)
    return fail(loc, "matrix product of ", lhs, " and ", rhs, " sums over ", k, " and ", rhsK,
                " elements, expected equal extents");
  if (adaptor.getBias() && failed(expectShape(loc, "bias", adaptor.getBias(), {n})))
    return failure();
  SmallVector<int64_t> shape(lhs.getShape());
  shape[shape.size() - 2] = m;
  shape.back() = n;
  types.push_back(makeTensor(shape, lhs.getElementType()));
  return success();
}

/// Extent of the result of a window that slides over `extent`; 0 or less when the window does not fit.
static int64_t windowCount(int64_t extent, int64_t window, int64_t stride, int64_t padding,
                           int64_t dilation) {
  int64_t span = dilation * (window - 1) + 1;
  return extent + padding < span ? 0 : (extent + padding - span) / stride + 1;
}

template <typename Adaptor>
static LogicalResult checkConvAttrs(std::optional<Location> loc, Adaptor adaptor) {
  if (adaptor.getGroups() < 1)
    return fail(loc, "groups is ", static_cast<int64_t>(adaptor.getGroups()), ", expected at least 1");
  return success(succeeded(expectSize(loc, "stride", adaptor.getStride(), 2, 1)) &&
                 succeeded(expectSize(loc, "dilation", adaptor.getDilation(), 2, 1)) &&
                 succeeded(expectSize(loc, "padding", adaptor.getPadding(), 4, 0)));
}

HS_INFER(Conv2dOp) {
  if (failed(checkConvAttrs(loc, adaptor)) || failed(expectRank(loc, "input", adaptor.getInput(), 4)) ||
      failed(expectRank(loc, "weight", adaptor.getWeight(), 4)))
    return failure();
  RankedTensorType input = tensorType(adaptor.getInput()), weight = tensorType(adaptor.getWeight());
  int64_t groups = adaptor.getGroups(), out = weight.getDimSize(0);
  if (input.getDimSize(1) != weight.getDimSize(1) * groups || out % groups != 0)
    return fail(loc, "weight has type ", weight, " for input of type ", input, " in ", groups,
                " groups, expected [out, in / groups, kh, kw] with out a multiple of groups");
  if (input.getElementType() != weight.getElementType())
    return fail(loc, "convolution of ", input, " with ", weight, ", expected one element type");
  if (adaptor.getBias() && failed(expectShape(loc, "bias", adaptor.getBias(), {out})))
    return failure();
  SmallVector<int64_t> shape{input.getDimSize(0), out};
  for (int i = 0; i < 2; ++i)
    shape.push_back(windowCount(input.getDimSize(2 + i), weight.getDimSize(2 + i), adaptor.getStride()[i],
                                adaptor.getPadding()[i] + adaptor.getPadding()[2 + i],
                                adaptor.getDilation()[i]));
  if (shape[2] < 1 || shape[3] < 1)
    return fail(loc, "a kernel of type ", weight, " does not fit into padded input of type ", input);
  types.push_back(makeTensor(shape, input.getElementType()));
  return success();
}

HS_INFER(Conv2dBackwardDataOp) {
  types.push_back(makeTensor(adaptor.getInputShape(), elementType(adaptor.getWeight())));
  return checkConvAttrs(loc, adaptor);
}

HS_INFER(Conv2dBackwardWeightOp) {
  types.push_back(makeTensor(adaptor.getWeightShape(), elementType(adaptor.getInput())));
  return checkConvAttrs(loc, adaptor);
}

//===----------------------------------------------------------------------===//
// Normalisation
//===----------------------------------------------------------------------===//

static LogicalResult expectChannels(std::optional<Location> loc, Value input, ValueRange vectors) {
  if (tensorType(input).getRank() < 2)
    return fail(loc, "input has type ", input.getType(), ", expected rank 2 or more with channels second");
  for (Value vector : vectors)
    if (failed(expectShape(loc, "a vector over channels", vector, {tensorType(input).getDimSize(1)})))
      return failure();
  return success();
}

HS_INFER(BatchNormOp) {
  Value input = adaptor.getInput();
  if (failed(expectChannels(loc, input, adaptor.getOperands().drop_front())))
    return failure();
  Type vector = makeTensor({tensorType(input).getDimSize(1)}, statisticsType(adaptor.getRunningMean()));
  types.assign({input.getType(), vector, vector, adaptor.getRunningMean().getType(),
                adaptor.getRunningVar().getType()});
  return success();
}

HS_INFER(BatchNormStatsOp) {
  Value input = adaptor.getInput();
  if (failed(expectChannels(loc, input, adaptor.getOperands().drop_front())))
    return failure();
  Type vector = makeTensor({tensorType(input).getDimSize(1)}, statisticsType(adaptor.getRunningMean()));
  types.assign({vector, vector, adaptor.getRunningMean().getType(), adaptor.getRunningVar().getType()});
  return success();
}

#define HS_INFER_CHANNELS(Op, first)                                                                         \
  HS_INFER(Op) {                                                                                             \
    types.push_back(adaptor.getInput().getType());                                                           \
    return expectChannels(loc, adaptor.getInput(), adaptor.getOperands().drop_front(first));                 \
  }
HS_INFER_CHANNELS(BatchNormApplyOp, 1)
HS_INFER_CHANNELS(BatchNormInferenceOp, 1)
HS_INFER_CHANNELS(BatchNormBackwardInputOp, 2)

HS_INFER(BatchNormBackwardParamsOp) {
  types.assign(2, adaptor.getMean().getType());
  return expectChannels(loc, adaptor.getInput(), adaptor.getOperands().drop_front(2));
}

HS_INFER(LayerNormOp) {
  RankedTensorType input = tensorType(adaptor.getInput());
  int64_t axis = adaptor.getAxis();
  if (axis < 0 || axis >= input.getRank())
    return fail(loc, "axis is ", axis, " for input of type ", input, ", expected 0 <= axis < ",
                input.getRank());
  ArrayRef<int64_t> trailing = input.getShape().drop_front(axis);
  if (failed(expectShape(loc, "scale", adaptor.getScale(), trailing)) ||
      failed(expectShape(loc, "shift", adaptor.getShift(), trailing)))
    return failure();
  Type rows = makeTensor(input.getShape().take_front(axis), statisticsType(adaptor.getInput()));
  types.assign({input, rows, rows});
  return success();
}

HS_INFER(LayerNormBackwardInputOp) {
  types.push_back(adaptor.getInput().getType());
  return success();
}

HS_INFER(LayerNormBackwardParamsOp) {
  types.assign(2, makeTensor(tensorType(adaptor.getInput()).getShape().drop_front(adaptor.getAxis()),
                             elementType(adaptor.getMean())));
  return success();
}

//===----------------------------------------------------------------------===//
// Pooling
//===----------------------------------------------------------------------===//

/// The attribute's two numbers; `fallback` twice where it is absent.
static SmallVector<int64_t> pairOr(std::optional<ArrayRef<int64_t>> pair, int64_t fallback) {
  return pair ? SmallVector<int64_t>(*pair) : SmallVector<int64_t>(2, fallback);
}

template <typename Adaptor>
static FailureOr<SmallVector<int64_t>> pooledShape(std::optional<Location> loc, Adaptor adaptor,
                                                   ArrayRef<int64_t> dilation = {1, 1}) {
  if (failed(expectRank(loc, "input", adaptor.getInput(), 4)) ||
      failed(expectSize(loc, "kernel", adaptor.getKernel(), 2, 1)) ||
      failed(expectSize(loc, "stride", adaptor.getStride(), 2, 1)) ||
      failed(expectSize(loc, "dilation", dilation, 2, 1)) ||
      failed(expectSize(loc, "padding", adaptor.getPadding(), 4, 0)))
    return failure();
  ArrayRef<int64_t> padding = adaptor.getPadding();
  SmallVector<int64_t> shape(tensorType(adaptor.getInput()).getShape());
  for (int i = 0; i < 2; ++i) {
    int64_t kernel = adaptor.getKernel()[i], extent = shape[2 + i], stride = adaptor.getStride()[i];
    if (2 * padding[i] > kernel)
      return fail(loc, "padding is ", padding[i], ", expected at most half of the kernel's extent ", kernel);
    shape[2 + i] = windowCount(extent, kernel, stride, padding[i] + padding[2 + i], dilation[i]);
    if (shape[2 + i] < 1)
      return fail(loc, "a window of extent ", kernel, " does not fit into input of type ",
                  adaptor.getInput().getType());
    if ((shape[2 + i] - 1) * stride - padding[i] >= extent)
      return fail(loc, "padding is ", padding[2 + i],
                  " after the image, expected no window that lies in the padding alone");
  }
  return shape;
}

HS_INFER(MaxPool2dOp) {
  auto shape = pooledShape(loc, adaptor, pairOr(adaptor.getDilation(), 1));
  if (failed(shape))
    return failure();
  types.assign({makeTensor(*shape, elementType(adaptor.getInput())),
                makeTensor(*shape, IntegerType::get(context, 32))});
  return success();
}

HS_INFER(AvgPool2dOp) {
  auto shape = pooledShape(loc, adaptor);
  SmallVector<int64_t> uncounted = pairOr(adaptor.getUncounted(), 0);
  if (failed(shape) || failed(expectSize(loc, "uncounted", uncounted, 2, 0)))
    return failure();
  for (int i = 0; i < 2; ++i)
    if (uncounted[i] > adaptor.getPadding()[2 + i])
      return fail(loc, "uncounted is ", uncounted[i], ", expected at most the padding ",
                  adaptor.getPadding()[2 + i]);
  types.push_back(makeTensor(*shape, elementType(adaptor.getInput())));
  return success();
}

#define HS_INFER_INPUT_SHAPE(Op)                                                                             \
  HS_INFER(Op) {                                                                                             \
    types.push_back(makeTensor(adaptor.getInputShape(), elementType(adaptor.getGrad())));                    \
    return success();                                                                                        \
  }
HS_INFER_INPUT_SHAPE(MaxPool2dBackwardOp)
HS_INFER_INPUT_SHAPE(AvgPool2dBackwardOp)

//===----------------------------------------------------------------------===//
// Reductions and data movement
//===----------------------------------------------------------------------===//

#define HS_INFER_REDUCTION(Op)                                                                               \
  HS_INFER(Op) {                                                                                             \
    return inferReduce(loc, adaptor.getInput(), adaptor.getAxes(), adaptor.getKeepDims(), types);            \
  }
HS_INFER_REDUCTION(ReduceSumOp)
HS_INFER_REDUCTION(ReduceMeanOp)
HS_INFER_REDUCTION(ReduceMaxOp)
HS_INFER_REDUCTION(ReduceMinOp)
HS_INFER_REDUCTION(ReduceProdOp)

HS_INFER(ReshapeOp) {
  auto result = makeTensor(adaptor.getShape(), elementType(adaptor.getInput()));
  if (result.getNumElements() != tensorType(adaptor.getInput()).getNumElements())
    return fail(loc, "reshape of ", adaptor.getInput().getType(), " to ", result,
                ", expected as many elements");
  types.push_back(result);
  return success();
}

HS_INFER(TransposeOp) {
  RankedTensorType input = tensorType(adaptor.getInput());
  SmallVector<int64_t> sorted(adaptor.getPerm()), shape;
  llvm::sort(sorted);
  if (!llvm::equal(sorted, llvm::seq<int64_t>(0, input.getRank())))
    return fail(loc, "perm does not name each dimension of ", input, " once");
  for (int64_t dim : adaptor.getPerm())
    shape.push_back(input.getDimSize(dim));
  types.push_back(makeTensor(shape, input.getElementType()));
  return success();
}

HS_INFER(SplitOp) {
  RankedTensorType input = tensorType(adaptor.getInput());
  int64_t axis = adaptor.getAxis(), total = 0;
  if (axis < 0 || axis >= input.getRank())
    return fail(loc, "axis is ", axis, " for input of type ", input, ", expected 0 <= axis < ",
                input.getRank());
  for (int64_t size : adaptor.getSizes()) {
    SmallVector<int64_t> shape(input.getShape());
    shape[axis] = size;
    total += size;
    if (size < 1)
      return fail(loc, "sizes has the value ", size, ", expected at least 1");
    types.push_back(makeTensor(shape, input.getElementType()));
  }
  if (total != input.getDimSize(axis))
    return fail(loc, "sizes sum to ", total, ", expected the extent ", input.getDimSize(axis),
                " of dimension ", axis);
  return success();
}

HS_INFER(ConcatOp) {
  if (adaptor.getPieces().empty())
    return fail(loc, "concatenation of nothing, expected at least one operand");
  RankedTensorType first = tensorType(adaptor.getPieces().front());
  int64_t axis = adaptor.getAxis(), total = 0;
  if (axis < 0 || axis >= first.getRank())
    return fail(loc, "axis is ", axis, " for operands of type ", first, ", expected 0 <= axis < ",
                first.getRank());
  Type element = first.getElementType();
  SmallVector<int64_t> shape(first.getShape());
  for (Value piece : adaptor.getPieces()) {
    if (tensorType(piece).getRank() != first.getRank())
      return fail(loc, "concatenation of ", first, " and ", piece.getType(), ", expected one rank");
    shape[axis] = tensorType(piece).getDimSize(axis);
    total += shape[axis];
    element = promoteTypes(element, elementType(piece));
    if (failed(expectShape(loc, "an operand", piece, shape)))
      return failure();
  }
  shape[axis] = total;
  types.push_back(makeTensor(shape, element));
  return success();
}

} // namespace halfstep::nn
