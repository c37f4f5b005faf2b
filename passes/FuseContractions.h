// Element-wise kernels that join the matrix product whose result they read.
#ifndef HALFSTEP_PASSES_FUSECONTRACTIONS_H
#define HALFSTEP_PASSES_FUSECONTRACTIONS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace halfstep {

/// Moves the ops of a "map" kernel behind the nn.matmul of the "contraction" kernel whose result only it
/// reads, so that they are computed where sums are stored and the product itself is never written. Only cheap
/// formulas on tensors of the product's shape: an exponential in the same loop would take the registers that
/// hold the sums. Nothing with eager rounding, which rounds each product first.
void fuseContractions(mlir::func::FuncOp function);

} // namespace halfstep

#endif // HALFSTEP_PASSES_FUSECONTRACTIONS_H
