// exp, log, tanh and erf of f64, to a few units in the last place. GPUs have no instruction for them, and
// 64-true is the only mode that asks: short code before speed.
#ifndef HALFSTEP_CODEGEN_CUDA_DOUBLEFUNCTIONS_H
#define HALFSTEP_CODEGEN_CUDA_DOUBLEFUNCTIONS_H

#include "mlir/IR/PatternMatch.h"

namespace halfstep {

/// Rewrites math.exp, log, tanh and erf of f64 scalars.
void populateDoubleFunctions(mlir::RewritePatternSet &patterns);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CUDA_DOUBLEFUNCTIONS_H
