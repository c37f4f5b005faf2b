// The nn dialect's C++ classes.
#ifndef HALFSTEP_DIALECT_NN_NNDIALECT_H
#define HALFSTEP_DIALECT_NN_NNDIALECT_H

#include "dialect/interfaces/OpInterfaces.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/nn/NNDialect.h.inc"
#define GET_OP_CLASSES
#include "dialect/nn/NNOps.h.inc"

namespace halfstep::nn {

/// True for an op that combines elements over the dimensions that its attribute `axes` names.
inline bool isReduction(mlir::Operation *op) {
  return llvm::isa_and_present<ReduceSumOp, ReduceMeanOp, ReduceMaxOp, ReduceMinOp, ReduceProdOp>(op);
}

} // namespace halfstep::nn

#endif // HALFSTEP_DIALECT_NN_NNDIALECT_H
