// What a kernel has to compute and to move at least: what a profile compares its time with.
#ifndef HALFSTEP_CODEGEN_CPU_KERNELCOST_H
#define HALFSTEP_CODEGEN_CPU_KERNELCOST_H

#include "dialect/train/TrainDialect.h"

namespace halfstep {

struct KernelCost {
  /// Multiplications and additions of products and convolutions, padding included; of other ops one for each
  /// element, which is a lower bound.
  double flops = 0;
  /// Each operand read or written once, state read and written. Data in caches counts like data in memory.
  double bytes = 0;
  /// The type whose peak bounds the kernel: bf16 where its products may run as bf16 dot products, f64, or
  /// f32.
  mlir::Type compute;
};

KernelCost costOf(train::KernelOp kernel);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_KERNELCOST_H
