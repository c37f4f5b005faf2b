// The train dialect's C++ classes.
#ifndef HALFSTEP_DIALECT_TRAIN_TRAINDIALECT_H
#define HALFSTEP_DIALECT_TRAIN_TRAINDIALECT_H

#include "dialect/train/OptimizerTable.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/train/TrainDialect.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/train/TrainAttributes.h.inc"
#define GET_OP_CLASSES
#include "dialect/train/TrainOps.h.inc"

namespace halfstep::train {

inline constexpr llvm::StringLiteral kOptimizerAttrName = "train.optimizer";
inline constexpr llvm::StringLiteral kTrainStep = "train_step";
inline constexpr llvm::StringLiteral kEvalStep = "eval_step";
inline constexpr llvm::StringLiteral kForward = "forward";

} // namespace halfstep::train

#endif // HALFSTEP_DIALECT_TRAIN_TRAINDIALECT_H
