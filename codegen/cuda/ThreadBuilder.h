// The vocabulary of the CUDA forms: a thread's place, loops that a team of threads shares, and reductions
// over it.
#ifndef HALFSTEP_CODEGEN_CUDA_THREADBUILDER_H
#define HALFSTEP_CODEGEN_CUDA_THREADBUILDER_H

#include "codegen/cpu/SliceBuilder.h"
#include "codegen/cuda/Launch.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace halfstep {

using Value = mlir::Value;
using Values = KernelBuilder::Values;

// A thread's place.
Value blockNumber(KernelBuilder &b, mlir::gpu::Dimension dim = mlir::gpu::Dimension::x);
Value threadInBlock(KernelBuilder &b, mlir::gpu::Dimension dim = mlir::gpu::Dimension::x);
/// Number in a grid of one dimension.
Value globalThread(KernelBuilder &b, int64_t blockThreads);
/// Waits for all threads of the block.
void barrier(KernelBuilder &b);
/// A buffer that the block shares; contents undefined. Of few bytes: it is static.
Value sharedBuffer(KernelBuilder &b, llvm::ArrayRef<int64_t> shape, mlir::Type type);

/// lhs < rhs of index values.
Value isBelow(KernelBuilder &b, Value lhs, Value rhs);
Value isBelow(KernelBuilder &b, Value lhs, int64_t rhs);

/// `condition` ? then() : otherwise, where `then` may only be computed if the condition holds.
Value chooseLazily(KernelBuilder &b, Value condition, Value otherwise, llvm::function_ref<Value()> then);
/// body(number) for each of `items` threads of the grid that threadsFor(items, block) gives.
void forThread(KernelBuilder &b, int64_t items, llvm::function_ref<void(Value)> body, int64_t block = 256);

/// The indices of element `linear` of a row-major domain.
Values indicesOf(KernelBuilder &b, Value linear, llvm::ArrayRef<int64_t> extents);
/// Sum of indices times strides.
Value dot(KernelBuilder &b, mlir::ValueRange indices, llvm::ArrayRef<int64_t> strides);

/// Keeps the loop that gave `results` a loop: unrolled, a large body would take more registers than there
/// are.
void keepRolled(mlir::ValueRange results);

/// value of the thread of the warp whose lane differs in the bits of `mask`, or of lane `from`. f32, f64,
/// i32.
Value shuffleXor(KernelBuilder &b, Value value, int64_t mask);
Value shuffleFrom(KernelBuilder &b, Value value, Value lane);

/// The larger of two floats; with a NaN, that or any NaN.
Value largerFloat(KernelBuilder &b, Value lhs, Value rhs);

/// Threads that work on one thing: a warp, or a whole block of several. All of them must come to the
/// reductions.
class Team {
public:
  using Combine = llvm::function_ref<Value(Value, Value)>;

  /// A team of `size` threads: kWarp, or the block's number of threads.
  Team(KernelBuilder &b, int64_t size);

  /// Of the thread in its team.
  Value lane() const { return place; }
  int64_t size() const { return threads; }

  /// The values of all threads combined in an order that never changes, in each thread.
  Value combined(Value value, Combine combine);
  Value sum(Value value);
  Value maximum(Value value);
  /// for (i = lane; i < length; i += size) carried = body(i, carried)
  Values carry(int64_t length, mlir::ValueRange initial,
               llvm::function_ref<Values(Value, mlir::ValueRange)> body);
  void each(int64_t length, llvm::function_ref<void(Value)> body);
  /// body in the team's first thread.
  void first(llvm::function_ref<void()> body);

private:
  KernelBuilder &b;
  int64_t threads;
  Value place;
};

/// Threads of the team that works on `length` elements: a warp, or a block where that has enough to do.
int64_t teamFor(int64_t length);
/// A grid with one team for each of `count` things: several warps a block, or a block each.
LaunchShape teamsFor(int64_t count, int64_t teamSize);
/// The number of the thread's team in that grid.
Value teamNumber(KernelBuilder &b, int64_t teamSize);
/// body(number of the thread's team), if there is work for that.
void forTeam(KernelBuilder &b, int64_t count, int64_t teamSize, llvm::function_ref<void(Value)> body);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CUDA_THREADBUILDER_H
