// linalg ops on memrefs as loops that LLVM vectorises.
#ifndef HALFSTEP_CODEGEN_CPU_LINALGLOOPS_H
#define HALFSTEP_CODEGEN_CPU_LINALGLOOPS_H

#include "codegen/cpu/CpuLevel.h"

#include "mlir/IR/BuiltinOps.h"

namespace halfstep {

/// Turns every linalg op of the module into a nest of scf.for, the last dimension innermost, whose innermost
/// loop asks for vectors of the level's width. That also lets LLVM reorder a reduction there; an op with the
/// attribute kOrderedAttr keeps its order.
mlir::LogicalResult lowerLinalgToLoops(mlir::ModuleOp module, const CpuLevel &level);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_LINALGLOOPS_H
