// What rewrites leave behind.
#ifndef HALFSTEP_PASSES_ERASEDEAD_H
#define HALFSTEP_PASSES_ERASEDEAD_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace halfstep {

/// Erases the ops of the function's only block that have no effect and whose results nobody uses.
void eraseDead(mlir::func::FuncOp function);

} // namespace halfstep

#endif // HALFSTEP_PASSES_ERASEDEAD_H
