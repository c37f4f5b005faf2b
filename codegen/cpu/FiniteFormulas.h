// How kernels of all targets find out that a gradient is not finite.
#ifndef HALFSTEP_CODEGEN_CPU_FINITEFORMULAS_H
#define HALFSTEP_CODEGEN_CPU_FINITEFORMULAS_H

#include "codegen/cpu/KernelBuilder.h"

namespace halfstep {

/// The bits of an element without its sign, as an integer of its width: ordered as the magnitude, with
/// infinity and then all NaN above every number. Floating-point comparisons would do less: optimisers may
/// assume that there are no infinities.
mlir::Value magnitudeBits(KernelBuilder &b, mlir::Value element);

/// The bits of infinity.
mlir::Value infinityBits(KernelBuilder &b, mlir::Type compute);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_FINITEFORMULAS_H
