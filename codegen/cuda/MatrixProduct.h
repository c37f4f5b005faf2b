// Products of 16-bit matrices by the tensor cores: mma.sync m16n8k16 on tiles that asynchronous copies bring
// to shared memory while the ones before are multiplied.
#ifndef HALFSTEP_CODEGEN_CUDA_MATRIXPRODUCT_H
#define HALFSTEP_CODEGEN_CUDA_MATRIXPRODUCT_H

#include "codegen/cuda/Product.h"

#include <optional>

namespace halfstep {

/// The matrices of a product in memory, row-major: a is m x k (k x m when transposed), b is k x n (n x k).
struct MatrixOperands {
  mlir::Type element; ///< f16 or bf16
  bool transposeA = false, transposeB = false;
};

/// How such a product is cut: square tiles a block, of which each warp has a part.
struct MatrixPlan {
  int64_t side;                  ///< rows and columns of a block's tile
  int64_t warpRows, warpColumns; ///< of a warp's part

  int64_t warps() const { return side / warpRows * (side / warpColumns); }
  LaunchShape launch(const ProductShape &shape) const;
};

/// The plan, where the rows of both operands are aligned to 16 bytes and the product is worth a tile.
std::optional<MatrixPlan> planMatrixProduct(const ProductShape &shape, const MatrixOperands &operands);

/// Emits the work of a thread. `a` and `b` are flat memrefs.
void emitMatrixProduct(KernelBuilder &b, const ProductShape &shape, const MatrixOperands &operands,
                       Value left, Value right,
                       llvm::function_ref<void(Value batch, Value row, Value column, Value sum)> store);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CUDA_MATRIXPRODUCT_H
