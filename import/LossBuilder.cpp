// See LossBuilder.h.
#include "import/LossBuilder.h"

#include "import/GraphShapes.h"
#include "import/ModuleBuilderFunction.h"

#include "dialect/nn/NNDialect.h"

#include <numeric>

using namespace mlir;

namespace halfstep {

LossBuilder::LossBuilder(const LossSpec &loss, RankedTensorType output, std::string file,
                         std::string outputName)
    : loss(loss), output(output), file(std::move(file)), outputName(std::move(outputName)) {
  if (isOverClasses(loss))
    findAxis();
  int64_t columns = output.getRank() > 1 ? output.getShape().back() : 1;
  if (loss.posWeight.size() > 1 && int64_t(loss.posWeight.size()) != columns)
    throw Diagnostic(ExitCode::BadInput, "/loss/pos_weight: has " + std::to_string(loss.posWeight.size()) +
                                             " numbers, expected one, or " + std::to_string(columns) +
                                             ", one a column of '" + this->outputName + "'");
}

void LossBuilder::fail(const std::string &what) const {
  throw Diagnostic(ExitCode::BadInput, file + ": output '" + outputName + "': " + what);
}

void LossBuilder::findAxis() {
  if (output.getRank() < 2) {
    std::string extents = "N";
    for (int64_t extent : output.getShape().drop_front())
      extents += ", " + std::to_string(extent);
    fail(loss.kind + " needs an output [N, ..., classes], got shape [" + extents + "]");
  }
  axis = normalizeAxis(loss.axis.value_or(-1), size_t(output.getRank()),
                       {file, 0, 0, "output '" + outputName + "'", 0});
  if (axis == 0)
    fail("the class axis cannot be 0, which is the batch");
  int64_t count = output.getDimSize(axis);
  if (!loss.weight.empty() && int64_t(loss.weight.size()) != count)
    throw Diagnostic(ExitCode::BadInput, "/loss/weight: has " + std::to_string(loss.weight.size()) +
                                             " numbers, expected " + std::to_string(count) +
                                             ", one a class of '" + outputName + "'");
}

RankedTensorType LossBuilder::targetType() const {
  if (!hasIds())
    return output;
  SmallVector<int64_t> extents(output.getShape());
  extents.erase(extents.begin() + axis);
  return RankedTensorType::get(extents, IntegerType::get(output.getContext(), 64));
}

int64_t LossBuilder::classes() const { return hasIds() ? output.getDimSize(axis) : 0; }

Value LossBuilder::constant(OpBuilder &builder, Location loc, ArrayRef<double> values) const {
  Type element = output.getElementType();
  SmallVector<Attribute> numbers;
  for (double value : values)
    numbers.push_back(builder.getFloatAttr(element, value));
  SmallVector<int64_t> shape;
  if (values.size() > 1 || isOverClasses(loss))
    shape.push_back(int64_t(values.size()));
  return nn::ConstantOp::create(builder, loc,
                                DenseElementsAttr::get(RankedTensorType::get(shape, element), numbers));
}

Value LossBuilder::reduced(OpBuilder &builder, Location loc, Value values) const {
  SmallVector<int64_t> axes(cast<RankedTensorType>(values.getType()).getRank());
  std::iota(axes.begin(), axes.end(), 0);
  if (loss.reduction == "sum")
    return nn::ReduceSumOp::create(builder, loc, values, axes, /*keep_dims=*/false);
  return nn::ReduceMeanOp::create(builder, loc, values, axes, /*keep_dims=*/false);
}

Value LossBuilder::emitErrors(OpBuilder &builder, Location loc, Value output, Value target) const {
  // A check of the ops alone names no loss, and any will do.
  if (loss.kind == "mse" || loss.kind.empty())
    return nn::SquaredErrorOp::create(builder, loc, output, target);
  if (loss.kind == "l1")
    return nn::AbsoluteErrorOp::create(builder, loc, output, target);
  if (loss.kind == "huber")
    return nn::HuberErrorOp::create(builder, loc, output, target, builder.getF64FloatAttr(loss.delta));
  if (loss.kind == "smooth_l1")
    return nn::SmoothL1ErrorOp::create(builder, loc, output, target, builder.getF64FloatAttr(loss.beta));
  if (loss.kind == "bce")
    return nn::BceOp::create(builder, loc, output, target);
  assert(loss.kind == "bce_with_logits" && "every loss of the table has its ops");
  Value weight = loss.posWeight.empty() ? Value() : constant(builder, loc, loss.posWeight);
  return nn::BceWithLogitsOp::create(builder, loc, output, target, weight);
}

LossBuilder::Loss LossBuilder::emitClasses(OpBuilder &builder, Location loc, Value output,
                                           Value target) const {
  auto type = cast<RankedTensorType>(output.getType());
  int64_t count = type.getDimSize(axis), rows = type.getNumElements() / count;
  auto asRows = [&](Value value) -> Value {
    return nn::ReshapeOp::create(builder, loc, value, ArrayRef<int64_t>{rows, count});
  };
  Value scores = moveAxisLast(builder, loc, output, axis);
  if (type.getRank() > 2)
    scores = asRows(scores);
  if (!hasIds())
    target = moveAxisLast(builder, loc, target, axis);
  if (type.getRank() > 2)
    target = hasIds() ? nn::ReshapeOp::create(builder, loc, target, ArrayRef<int64_t>{rows}).getResult()
                      : asRows(target);
  Value weight = loss.weight.empty() ? Value() : constant(builder, loc, loss.weight);
  FloatAttr smoothing = builder.getF64FloatAttr(loss.labelSmoothing);
  IntegerAttr ignored = loss.ignoreIndex ? builder.getI64IntegerAttr(*loss.ignoreIndex) : IntegerAttr();
  Value losses;
  if (!hasIds())
    losses = nn::SoftCrossEntropyOp::create(builder, loc, scores, target, weight, smoothing).getResult();
  else if (loss.kind == "nll")
    losses = nn::NllOp::create(builder, loc, scores, target, weight, ignored);
  else
    losses = nn::CrossEntropyOp::create(builder, loc, scores, target, weight, smoothing, ignored).getResult();
  // Torch divides the losses of probabilities by their number, whatever the weights.
  bool isWeighted = hasIds() && (weight || ignored) && loss.reduction == "mean";
  if (!isWeighted)
    return {reduced(builder, loc, losses), {}};
  auto mean = nn::ClassMeanOp::create(builder, loc, losses, target, weight, ignored);
  return {mean.getResult(), mean.getCount()};
}

LossBuilder::Loss LossBuilder::emit(OpBuilder &builder, Location loc, Value output, Value target) const {
  if (isOverClasses(loss))
    return emitClasses(builder, loc, output, target);
  return {reduced(builder, loc, emitErrors(builder, loc, output, target)), {}};
}

} // namespace halfstep
