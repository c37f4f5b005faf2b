// Which ops of a function run as one kernel.
#ifndef HALFSTEP_PASSES_FUSECLUSTERS_H
#define HALFSTEP_PASSES_FUSECLUSTERS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace halfstep {

/// Ops of one kernel, in the order of the function. The kernel takes the place of the last one.
struct Cluster {
  llvm::SmallVector<mlir::Operation *> ops;
  /// The op that is not element-wise; null when all are.
  mlir::Operation *core = nullptr;

  /// The members' results that ops outside read; all of an op that is alone.
  llvm::SmallVector<mlir::Value> results() const;
};

/// Groups all ops of the function that become kernels. Element-wise ops of one shape join the producers of
/// their operands where nothing in between needs those; a row op takes in those before and after it that have
/// its shape, and a reduction what only it uses. Any other op is alone. Ops that are inlined or recomputed
/// (FuseRules.h) are in no group.
llvm::SmallVector<Cluster> findClusters(mlir::func::FuncOp function);

} // namespace halfstep

#endif // HALFSTEP_PASSES_FUSECLUSTERS_H
