// Matrix products whose operands are read through functions, so that contractions and convolutions share the
// code that cuts them into tiles.
#ifndef HALFSTEP_CODEGEN_CUDA_PRODUCT_H
#define HALFSTEP_CODEGEN_CUDA_PRODUCT_H

#include "codegen/cuda/ThreadBuilder.h"

namespace halfstep {

/// c[batch][row][column] = sum over k of a[batch][row][k] * b[batch][k][column].
struct ProductShape {
  int64_t batch = 1, m = 1, n = 1, k = 1;
  mlir::Type compute; ///< f32 or f64: what sums are taken in
  /// Which index neighbours in memory: of a, k rather than the row; of b, the column rather than k.
  bool aAlongK = true, bAlongColumns = true;
};

/// How a product is cut.
///
///   Tile     a block computes a tile through shared memory
///   Warp     a warp computes an element, its lanes sharing k
///   Thread   a thread computes an element
struct ProductPlan {
  enum class Kind { Tile, Warp, Thread };
  Kind kind = Kind::Tile;
  /// Of a tile: a multiple of 16 each.
  int64_t rows = 64, columns = 64;

  LaunchShape launch(const ProductShape &shape) const;
};
ProductPlan planProduct(const ProductShape &shape);

/// What a product reads and writes. Indices are inside the shape; elements are scalars of the compute type.
struct ProductAccess {
  llvm::function_ref<Value(Value batch, Value row, Value k)> a;
  llvm::function_ref<Value(Value batch, Value k, Value column)> b;
  llvm::function_ref<void(Value batch, Value row, Value column, Value sum)> store;
};

/// Emits the work of a thread of the plan's launch.
void emitProduct(KernelBuilder &b, const ProductShape &shape, const ProductAccess &access);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CUDA_PRODUCT_H
