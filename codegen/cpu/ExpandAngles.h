// Sine and cosine of f32 without calls, so that their loops are vectorised.
#ifndef HALFSTEP_CODEGEN_CPU_EXPANDANGLES_H
#define HALFSTEP_CODEGEN_CPU_EXPANDANGLES_H

#include "mlir/IR/PatternMatch.h"

namespace halfstep {

/// Patterns that expand math.sin and math.cos of scalar f32. Results are within two units in the last place
/// for angles up to 2^50; beyond they lie in [-1, 1]. Infinity and NaN give NaN.
void populateAnglePatterns(mlir::RewritePatternSet &patterns);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_EXPANDANGLES_H
