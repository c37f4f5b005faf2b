// Matrix products on the CPU, emitted directly as loops over vector tiles: the route that reaches the
// machine's peak, which the generic linalg lowering does not.
#ifndef HALFSTEP_CODEGEN_CPU_CONTRACTION_H
#define HALFSTEP_CODEGEN_CPU_CONTRACTION_H

#include "codegen/cpu/ContractionTile.h"

namespace halfstep {

/// c[b] = op(a[b]) x op(b[b]) + bias, over `batch` products of static size.
///
///   a     batch x m x k   (k x m when transposeA)
///   b     batch x k x n   (n x k when transposeB)
///   bias  n, added to each row
///   c     batch x m x n
///
/// Accumulation is in f32 (f64 for f64), one rounding to nearest-even at the store. The order of summation
/// does not depend on how the work items are split, only on the spec and the level. f16 keeps its denormal
/// values; levels with bf16 dot products read, sum and store those of bf16 as zero where these instructions
/// do.
struct ContractionSpec {
  int64_t batch = 1, m = 1, n = 1, k = 1;
  /// Element type of a and b: f32, f64, bf16 or f16. Beside f64, bias and c are f64; beside the others, each
  /// is f32, bf16 or f16.
  mlir::Type type;
  bool transposeA = false, transposeB = false;
  bool hasBias = false;
};

/// How the work is cut: `items` independent work items (the range of lo..hi), best handed out in chunks of at
/// least `grain`, and the scratch bytes each worker needs (64-byte aligned, contents undefined).
struct ContractionPlan {
  int64_t items = 1;
  int64_t grain = 1;
  int64_t scratchBytes = 0;
};

/// The grain of `items` items of so many multiply-adds each.
int64_t grainFor(int64_t operations, int64_t items);

ContractionPlan planContraction(const ContractionSpec &spec, const CpuLevel &level);

/// Emits the items lo..hi (index values) of the product at the builder's insertion point. Operands are
/// memrefs of static shape and identity layout that do not overlap; any rank whose elements are those of the
/// spec's shape in row-major order is taken. `bias` is null unless `spec.hasBias`. `scratch` is a
/// memref<Sxi8> with S
/// >= `planContraction(...).scratchBytes`. With a `store`, that takes the sums in place of `c`, which is
/// null. Fails (with an error at `loc`) on an element type it does not know.
mlir::LogicalResult emitContraction(mlir::OpBuilder &builder, mlir::Location loc, const ContractionSpec &spec,
                                    const CpuLevel &level, mlir::Value a, mlir::Value b, mlir::Value bias,
                                    mlir::Value c, mlir::Value lo, mlir::Value hi, mlir::Value scratch,
                                    StoreSums store = nullptr);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_CONTRACTION_H
