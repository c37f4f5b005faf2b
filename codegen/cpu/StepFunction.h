// From a planned module to code for one instruction level: its kernels, and the functions that run them in
// order.
#ifndef HALFSTEP_CODEGEN_CPU_STEPFUNCTION_H
#define HALFSTEP_CODEGEN_CPU_STEPFUNCTION_H

#include "codegen/cpu/CpuLevel.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>

namespace halfstep {

/// What all variants of a library share, in bytes. The scratch of worker w begins at arenaBytes + w *
/// scratchBytes.
struct ArenaPlan {
  int64_t arenaBytes = 0;
  int64_t scratchBytes = 0; ///< a worker; a multiple of 64
};

/// Largest scratch that a kernel of the planned module needs at `level`.
int64_t scratchBytesOf(mlir::ModuleOp planned, const CpuLevel &level);

/// Sets `kernel` (symbol), `items`, `grain` and `scratch` on every train.kernel, so that a planned module
/// reads as what its step functions do. Kernels that differ only in their operands share a symbol.
void annotateKernels(mlir::ModuleOp planned, const CpuLevel &level);

/// Emits the kernels of a planned module and its step functions PREFIX_train_step, PREFIX_eval_step and
/// PREFIX_forward, each `void (const hs_step_args *)`, as a new module; lowerToLlvm comes next. All other
/// symbols begin with PREFIX and are private. A kernel with the attribute `codegen.primitive` is a call of
/// hs_primitive_run instead. With a name in `stamps`, the training step leaves the time stamp counter at its
/// start and after each kernel in the external array of u64 of that name. Null, with errors at the kernels,
/// when one cannot be emitted.
mlir::OwningOpRef<mlir::ModuleOp> emitCpuModule(mlir::ModuleOp planned, const CpuLevel &level,
                                                const std::string &prefix, const ArenaPlan &arena,
                                                const std::string &stamps = "");

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_STEPFUNCTION_H
