// Result types of ops that broadcast, reduce, choose, and take or place parts.
#include "dialect/nn/InferTypes.h"

using namespace mlir;

namespace halfstep::nn {

//===----------------------------------------------------------------------===//
// Broadcasting
//===----------------------------------------------------------------------===//

static Type widestOf(ValueRange numbers) {
  bool allScalars = llvm::all_of(numbers, [](Value value) { return tensorType(value).getRank() == 0; });
  Type widest;
  for (Value value : numbers)
    if (allScalars || tensorType(value).getRank() > 0)
      widest = widest ? promoteTypes(widest, elementType(value)) : elementType(value);
  return widest;
}

LogicalResult inferBroadcast(std::optional<Location> loc, ValueRange operands, ValueRange numbers,
                             Types &types) {
  SmallVector<int64_t> shape;
  for (auto [i, operand] : llvm::enumerate(operands)) {
    auto joined = broadcastShape(shape, tensorType(operand).getShape());
    if (failed(joined))
      return fail(loc, "operands of types ", operands[i - 1].getType(), " and ", operand.getType(),
                  " do not broadcast");
    shape = *joined;
  }
  types.push_back(makeTensor(shape, widestOf(numbers)));
  return success();
}

//===----------------------------------------------------------------------===//
// Comparison and choice
//===----------------------------------------------------------------------===//

HS_INFER(CompareOp) {
  static constexpr StringLiteral predicates[] = {
      "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "and", "or", "xor"};
  if (!llvm::is_contained(predicates, adaptor.getPredicate()))
    return fail(loc, "predicate is '", adaptor.getPredicate(),
                "', expected equal, not_equal, less, less_equal, greater, greater_equal, and, or, xor");
  Type left = elementType(adaptor.getLhs()), right = elementType(adaptor.getRhs());
  if (isa<IntegerType>(left) != isa<IntegerType>(right))
    return fail(loc, "comparison of ", adaptor.getLhs().getType(), " and ", adaptor.getRhs().getType(),
                ", expected ids or floating numbers on both sides");
  if (failed(inferBroadcast(loc, adaptor.getOperands(), adaptor.getOperands(), types)))
    return failure();
  bool wide = adaptor.getWide() || left.isF64() || right.isF64();
  types.back() = cast<RankedTensorType>(types.back())
                     .clone(wide ? Type(Float64Type::get(context)) : Type(Float32Type::get(context)));
  return success();
}

HS_INFER(WhereOp) {
  return inferBroadcast(loc, adaptor.getOperands(), adaptor.getOperands().drop_front(), types);
}

HS_INFER(FromIdsOp) {
  Type element = adaptor.getWide() ? Type(Float64Type::get(context)) : Type(Float32Type::get(context));
  types.push_back(makeTensor(tensorType(adaptor.getInput()).getShape(), element));
  return success();
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

LogicalResult inferReduce(std::optional<Location> loc, Value operand, ArrayRef<int64_t> axes, bool keepDims,
                          Types &types) {
  RankedTensorType input = tensorType(operand);
  for (auto [i, axis] : llvm::enumerate(axes))
    if (axis < 0 || axis >= input.getRank() || (i && axis <= axes[i - 1]))
      return fail(loc, "axes of a reduction of ", input, " name ", axis,
                  ", expected sorted dimensions, none twice");
  SmallVector<int64_t> shape;
  for (auto [i, extent] : llvm::enumerate(input.getShape()))
    if (!llvm::is_contained(axes, static_cast<int64_t>(i)))
      shape.push_back(extent);
    else if (keepDims)
      shape.push_back(1);
  types.push_back(makeTensor(shape, input.getElementType()));
  return success();
}

//===----------------------------------------------------------------------===//
// Parts and places
//===----------------------------------------------------------------------===//

/// Checks that `sizes` elements from `starts` on, `steps` apart, lie in a tensor of type `whole`.
static LogicalResult checkPart(std::optional<Location> loc, RankedTensorType whole, ArrayRef<int64_t> starts,
                               ArrayRef<int64_t> sizes, ArrayRef<int64_t> steps) {
  size_t rank = size_t(whole.getRank());
  if (starts.size() != rank || sizes.size() != rank || steps.size() != rank)
    return fail(loc, "starts, sizes and steps must have a value for each dimension of ", whole);
  for (size_t i = 0; i < rank; ++i) {
    int64_t extent = whole.getDimSize(unsigned(i)), last = extent - 1;
    // Where an element more than the extent is asked for, the product below could overflow.
    bool fits = sizes[i] >= 1 && sizes[i] <= extent && steps[i] != 0 && std::abs(steps[i]) <= extent &&
                starts[i] >= 0 && starts[i] <= last;
    if (fits) {
      int64_t end = starts[i] + (sizes[i] - 1) * steps[i];
      fits = end >= 0 && end <= last;
    }
    if (!fits)
      return fail(loc, sizes[i], " elements from ", starts[i], " on, ", steps[i],
                  " apart, do not lie in the extent ", extent, " of dimension ", static_cast<int64_t>(i),
                  " of ", whole);
  }
  return success();
}

HS_INFER(SliceOp) {
  RankedTensorType input = tensorType(adaptor.getInput());
  if (failed(checkPart(loc, input, adaptor.getStarts(), adaptor.getSizes(), adaptor.getSteps())))
    return failure();
  types.push_back(makeTensor(adaptor.getSizes(), input.getElementType()));
  return success();
}

HS_INFER(PlaceOp) {
  RankedTensorType input = tensorType(adaptor.getInput());
  if (llvm::any_of(adaptor.getShape(), [](int64_t extent) { return extent < 1; }))
    return fail(loc, "shape has an extent below 1");
  auto whole = makeTensor(adaptor.getShape(), input.getElementType());
  types.push_back(whole);
  return checkPart(loc, whole, adaptor.getStarts(), input.getShape(), adaptor.getSteps());
}

} // namespace halfstep::nn
