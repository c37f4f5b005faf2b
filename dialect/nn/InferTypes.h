// What the inference of result types is written with: checks whose failures are errors with got and expected.
#ifndef HALFSTEP_DIALECT_NN_INFERTYPES_H
#define HALFSTEP_DIALECT_NN_INFERTYPES_H

#include "dialect/nn/NNDialect.h"

#include "mlir/IR/Builders.h"

namespace halfstep::nn {

using Types = llvm::SmallVectorImpl<mlir::Type>;

inline mlir::RankedTensorType tensorType(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}
inline mlir::Type elementType(mlir::Value value) { return tensorType(value).getElementType(); }
inline mlir::RankedTensorType makeTensor(llvm::ArrayRef<int64_t> shape, mlir::Type element) {
  return mlir::RankedTensorType::get(shape, element);
}
/// The type of statistics and losses of an op on `value`.
inline mlir::Type statisticsType(mlir::Value value) { return computeType(elementType(value)); }

template <typename... Parts>
llvm::LogicalResult fail(std::optional<mlir::Location> loc, Parts &&...parts) {
  if (!loc)
    return mlir::failure();
  mlir::InFlightDiagnostic diagnostic = mlir::emitError(*loc);
  (void)std::initializer_list<int>{(diagnostic << std::forward<Parts>(parts), 0)...};
  return diagnostic;
}

inline llvm::LogicalResult expectRank(std::optional<mlir::Location> loc, llvm::StringRef what,
                                      mlir::Value value, int64_t rank) {
  if (tensorType(value).getRank() == rank)
    return mlir::success();
  return fail(loc, what, " has type ", value.getType(), ", expected rank ", rank);
}

inline llvm::LogicalResult expectShape(std::optional<mlir::Location> loc, llvm::StringRef what,
                                       mlir::Value value, llvm::ArrayRef<int64_t> shape) {
  if (tensorType(value).getShape() == shape)
    return mlir::success();
  return fail(loc, what, " has type ", value.getType(), ", expected the shape ",
              makeTensor(shape, elementType(value)));
}

inline llvm::LogicalResult expectSize(std::optional<mlir::Location> loc, llvm::StringRef what,
                                      llvm::ArrayRef<int64_t> values, size_t size, int64_t least) {
  if (values.size() != size)
    return fail(loc, what, " has ", static_cast<int64_t>(values.size()), " values, expected ",
                static_cast<int64_t>(size));
  for (int64_t value : values)
    if (value < least)
      return fail(loc, what, " has the value ", value, ", expected at least ", least);
  return mlir::success();
}

/// The result of element-wise ops: the shape that numpy's broadcasting gives `operands`, and the widest
/// element type of `numbers`, where those of rank 0 count only if all have it.
llvm::LogicalResult inferBroadcast(std::optional<mlir::Location> loc, mlir::ValueRange operands,
                                   mlir::ValueRange numbers, Types &types);

/// The result of a reduction over `axes`.
llvm::LogicalResult inferReduce(std::optional<mlir::Location> loc, mlir::Value input,
                                llvm::ArrayRef<int64_t> axes, bool keepDims, Types &types);

/// The head of an op's inference: its body appends to `types`, and reports what does not fit with fail(loc,
/// ...).
#define HS_INFER(Op)                                                                                         \
  llvm::LogicalResult Op::inferReturnTypes(mlir::MLIRContext *context, std::optional<mlir::Location> loc,    \
                                           Op::Adaptor adaptor, Types &types)

} // namespace halfstep::nn

#endif // HALFSTEP_DIALECT_NN_INFERTYPES_H
