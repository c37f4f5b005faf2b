// Where casts stand, so that what is stored between kernels is narrow.
#ifndef HALFSTEP_PASSES_FUSECASTS_H
#define HALFSTEP_PASSES_FUSECASTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace halfstep {

/// Moves casts to a wider type down, behind reshapes and transpositions, and casts to a narrower one up,
/// before those and right behind what makes the value that they round. No value changes.
void moveCasts(mlir::func::FuncOp function);

} // namespace halfstep

#endif // HALFSTEP_PASSES_FUSECASTS_H
