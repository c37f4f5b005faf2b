// From kernels in linalg, scf, vector, memref, math and arith to the LLVM dialect.
#ifndef HALFSTEP_CODEGEN_CPU_LOWERTOLLVM_H
#define HALFSTEP_CODEGEN_CPU_LOWERTOLLVM_H

#include "codegen/cpu/CpuLevel.h"

#include "mlir/IR/BuiltinOps.h"

namespace halfstep {

/// Lowers a module of functions for one level, in place. Memref arguments become bare pointers (static shapes
/// of identity layout only) that do not alias; the innermost loop of each linalg op is marked for
/// vectorisation; exp, tanh, log and erf of f32 become polynomials, other functions calls of libm; bf16 is
/// converted by the level's instructions or in integers. Every function gets the level's target attributes;
/// private ones become internal.
mlir::LogicalResult lowerToLlvm(mlir::ModuleOp module, const CpuLevel &level);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_LOWERTOLLVM_H
