// Arithmetic that the instructions lack, as arithmetic that they have.
#ifndef HALFSTEP_CODEGEN_CPU_EXPANDNUMBERS_H
#define HALFSTEP_CODEGEN_CPU_EXPANDNUMBERS_H

#include "codegen/cpu/CpuLevel.h"

#include "mlir/IR/BuiltinOps.h"

namespace halfstep {

/// The attribute of an arith.truncf to bf16 that must round denormal numbers too, which the instruction makes
/// zero.
inline constexpr llvm::StringLiteral kExactAttr = "codegen.exact";

/// Rewrites scalar conversions and functions so that no call is left that LLVM cannot vectorise, where there
/// is another way:
///
///   bf16 -> f32       a shift
///   f32 -> bf16       integer arithmetic, on levels without an instruction and where it must be exact:
///                     nearest-even, NaN stays NaN
///   f64 -> bf16, f16  by way of f32 rounded to odd, so that the result is rounded once
///   exp, tanh, log, erf of f32   polynomials
mlir::LogicalResult expandNumbers(mlir::ModuleOp module, const CpuLevel &level);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_EXPANDNUMBERS_H
