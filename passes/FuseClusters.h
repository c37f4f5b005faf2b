// Which ops of a function run as one kernel.
#ifndef HALFSTEP_PASSES_FUSECLUSTERS_H
#define HALFSTEP_PASSES_FUSECLUSTERS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace halfstep {

/// True for an op whose one-element result (or constant) is computed anew wherever it is used, instead of
/// being stored.
bool isInlined(mlir::Operation *op);

/// Ops of one kernel, in the order of the function. The kernel takes the place of the last one.
struct Cluster {
  llvm::SmallVector<mlir::Operation *> ops;
};

/// Groups all ops of the function that become kernels. Element-wise ops of one shape join the producers of
/// their operands where nothing in between needs those, and a reduction takes in what only it uses; any other
/// op is alone.
llvm::SmallVector<Cluster> findClusters(mlir::func::FuncOp function);

} // namespace halfstep

#endif // HALFSTEP_PASSES_FUSECLUSTERS_H
