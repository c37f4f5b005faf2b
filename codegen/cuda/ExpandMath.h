// Functions that a GPU has no instruction for, as arithmetic.
#ifndef HALFSTEP_CODEGEN_CUDA_EXPANDMATH_H
#define HALFSTEP_CODEGEN_CUDA_EXPANDMATH_H

#include "mlir/Pass/Pass.h"

namespace halfstep {

/// A pass on gpu.module: what libdevice would give, partly approximated, becomes correctly rounded
/// instructions, the polynomials that the CPU's kernels use (f32), or the series of DoubleFunctions (f64). No
/// call is left.
std::unique_ptr<mlir::Pass> createExpandMathPass();

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CUDA_EXPANDMATH_H
