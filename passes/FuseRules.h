// What fusion knows of ops: which are computed anew by each kernel that reads them, and which may share one.
#ifndef HALFSTEP_PASSES_FUSERULES_H
#define HALFSTEP_PASSES_FUSERULES_H

#include "mlir/IR/Operation.h"

namespace halfstep {

/// True for an op of a module whose ops stay apart (kSeparateOpsAttr): no rule below then holds but that of
/// constants.
bool isKeptApart(mlir::Operation *op);

/// True for an op whose one-element result (or constant) is computed anew wherever it is used, instead of
/// being stored.
bool isInlined(mlir::Operation *op);

/// True for a cast to a wider type that each kernel which reads it makes for itself: what is stored is the
/// narrow value.
bool isRecomputed(mlir::Operation *op);

/// True when the user of an operand reads it element by element, in the order in which it is stored.
bool readsAligned(mlir::OpOperand &use);

/// True for ops whose kernels take in element-wise ops before and after them: they hold a row at a time.
bool isRowOp(mlir::Operation *op);
/// True for an operand, or result, of a row op that has an element for each position of its rows.
bool isRowOperand(mlir::OpOperand &use);
bool isRowResult(mlir::Value value);

/// True for an element-wise op that reads, for each element of its result, the one at the same place of each
/// operand, or a number.
bool isPlain(mlir::Operation *op);

/// True for the rounding of a result that nothing else reads, where the op's kernel can do it as it stores.
bool isStoredRounding(mlir::Operation *op);

} // namespace halfstep

#endif // HALFSTEP_PASSES_FUSERULES_H
