// Kernels for NVIDIA GPUs, from the same train.kernel form and the same emitters as the CPU's: what differs
// is that threads take the items that loops take there.
#ifndef HALFSTEP_CODEGEN_CUDA_PTX_H
#define HALFSTEP_CODEGEN_CUDA_PTX_H

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace halfstep {

/// PTX for sm_80 of the kernels of @train_step that have a CUDA form: the kinds `map` and `update`. A kernel
/// takes one pointer an operand (kernelOperands), at least as aligned as its elements, and runs with any
/// launch shape. Comments at the head list the kernels and those of other kinds that were left out. Fails,
/// with an error, on invalid IR.
mlir::FailureOr<std::string> emitPtx(mlir::ModuleOp planned);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CUDA_PTX_H
