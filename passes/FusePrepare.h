// What fuse does to a function before it forms kernels.
#ifndef HALFSTEP_PASSES_FUSEPREPARE_H
#define HALFSTEP_PASSES_FUSEPREPARE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace halfstep {

/// Splits ops whose parts run as kernels of their own - batch normalisation into statistics and an
/// element-wise part, the finiteness check into chunks and verdict, updates into groups that one sweep can
/// serve - and inserts nn.copy where a value needs memory that nothing else in the function would give it.
void prepareForFusion(mlir::func::FuncOp function);

} // namespace halfstep

#endif // HALFSTEP_PASSES_FUSEPREPARE_H
