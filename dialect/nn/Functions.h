// Functions of one number or two, as a table: what every op of NNFunctionOps.td is implemented by.
#ifndef HALFSTEP_DIALECT_NN_FUNCTIONS_H
#define HALFSTEP_DIALECT_NN_FUNCTIONS_H

#include "dialect/nn/Scalar.h"

#include "llvm/ADT/StringRef.h"

namespace halfstep::nn {

/// The numbers that some functions take as attributes.
struct FunctionNumbers {
  double alpha = 0, beta = 0;
};

/// A function: its value, and its gradients by its operands.
struct Function {
  using Values = mlir::ValueRange;
  using Formula = mlir::Value (*)(Scalar &s, Values operands, FunctionNumbers numbers);
  /// `grad` times the derivative; `saved` holds the operands, or the result.
  using Gradient = mlir::Value (*)(Scalar &s, mlir::Value grad, Values saved, FunctionNumbers numbers);

  Formula value;
  /// By operand; null for one without a gradient.
  Gradient gradients[2] = {nullptr, nullptr};
  bool savesResult = false;
  unsigned operands = 1;
};

/// The function called `name`, which is the mnemonic of its op; null when there is none.
const Function *findFunction(llvm::StringRef name);

// The methods of each op of the table.
mlir::Value emitFunction(mlir::Operation *op, mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::ValueRange operands, mlir::Type type);
void buildFunctionGradient(mlir::Operation *op, mlir::OpBuilder &builder, mlir::Value grad,
                           llvm::SmallVectorImpl<mlir::Value> &operandGrads);
llvm::LogicalResult inferFunction(std::optional<mlir::Location> loc, mlir::ValueRange operands,
                                  llvm::SmallVectorImpl<mlir::Type> &types);

/// Sums `grad` over the dimensions along which an operand of `shape` was broadcast.
mlir::Value sumTo(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value grad,
                  llvm::ArrayRef<int64_t> shape);

} // namespace halfstep::nn

#endif // HALFSTEP_DIALECT_NN_FUNCTIONS_H
