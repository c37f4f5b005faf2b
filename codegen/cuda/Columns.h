// Sums down the columns of a matrix: lanes of a warp take neighbouring columns, the warps of a block take the
// rows in turn, and their parts are added in order.
#ifndef HALFSTEP_CODEGEN_CUDA_COLUMNS_H
#define HALFSTEP_CODEGEN_CUDA_COLUMNS_H

#include "codegen/cuda/ThreadBuilder.h"

namespace halfstep {

/// A grid with a block for each 32 columns.
LaunchShape columnsShape(int64_t columns, int64_t rows);

/// The thread's column and rows. Threads beyond the last column do the last one's work, and store nothing.
class Columns {
public:
  Columns(KernelBuilder &b, int64_t columns, int64_t rows);

  Value column() const { return place; }
  /// carried = body(row, carried) over the thread's rows.
  Values carry(mlir::ValueRange initial, llvm::function_ref<Values(Value, mlir::ValueRange)> body);
  /// The parts of all threads of the column; of use in its first thread.
  Value sum(Value part);
  /// body in the first thread of each column that there is.
  void first(llvm::function_ref<void()> body);

private:
  KernelBuilder &b;
  int64_t rows, warps;
  Value lane, warp, unclamped, place;
  int64_t columns;
};

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CUDA_COLUMNS_H
