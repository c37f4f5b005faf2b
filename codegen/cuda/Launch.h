// How many threads a kernel runs with, and the form that makes threads of a kernel.
#ifndef HALFSTEP_CODEGEN_CUDA_LAUNCH_H
#define HALFSTEP_CODEGEN_CUDA_LAUNCH_H

#include "codegen/cpu/KernelEmitters.h"

#include <array>

namespace halfstep {

inline constexpr int64_t kWarp = 32;

/// Extents of the grid in blocks and of a block in threads.
struct LaunchShape {
  std::array<int64_t, 3> grid = {1, 1, 1};
  std::array<int64_t, 3> block = {1, 1, 1};
  /// Bytes of global scratch memory that the launch needs; its contents are undefined.
  int64_t scratchBytes = 0;

  int64_t threads() const { return block[0] * block[1] * block[2]; }
};

/// A grid of blocks of `block` threads with a thread for each of `items`.
LaunchShape threadsFor(int64_t items, int64_t block = 256);

/// The way in which a kernel becomes threads. `emit` builds the body of one thread; lo and hi of the call are
/// null, and scratch is unless the shape asks for it.
struct CudaForm {
  LaunchShape (*shape)(train::KernelOp kernel) = nullptr;
  mlir::LogicalResult (*emit)(KernelBuilder &b, const KernelCall &call) = nullptr;
};

/// The form of a kernel; without `emit` for one that has none.
CudaForm cudaFormOf(train::KernelOp kernel);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CUDA_LAUNCH_H
