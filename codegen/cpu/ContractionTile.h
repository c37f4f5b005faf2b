// The register tile of a product: a block of c that stays in vector registers while the depth runs.
#ifndef HALFSTEP_CODEGEN_CPU_CONTRACTIONTILE_H
#define HALFSTEP_CODEGEN_CPU_CONTRACTIONTILE_H

#include "codegen/cpu/ContractionBuilder.h"

namespace halfstep {

/// A tile of `rows` x `columns` elements; the last vector of a row may be partly used.
struct TileShape {
  int64_t rows = 1;
  int64_t columns = 1;

  int64_t vectors(const ElementForm &form) const { return (columns + form.lanes - 1) / form.lanes; }
};

/// The scalars of a: element (row, step) is at `base + row * rowStride + step * stepStride` of `flat`. Its
/// element type is that of a panel, or the storage type (then pairs lie side by side: stepStride is 2).
struct TileRows {
  mlir::Value flat, base;
  int64_t rowStride = 1, stepStride = 1;
};

/// The vectors of b: those of a step start at `base + step * stepStride`. `padded` tells that the last vector
/// may be read whole.
struct TileColumns {
  mlir::Value flat, base;
  int64_t stepStride = 1;
  bool padded = false;
};

/// Stores the first `count` lanes of a vector of finished sums, whose first is element `at` of the result.
using StoreSums =
    llvm::function_ref<void(ContractionBuilder &b, mlir::Value sums, mlir::Value at, int64_t count)>;

/// Where a tile of results goes, and what is added before: at most one bias, by column or by row.
struct TileTarget {
  mlir::Value flat; ///< null: `store` knows
  mlir::Value base;
  int64_t rowStride = 1;
  mlir::Value bias, biasAt; ///< flat buffer and index of the tile's first element, or null
  bool biasByRow = false;
  StoreSums store = nullptr; ///< null: rounded to the elements of `flat`
};

/// Accumulators, row by row.
using Tile = llvm::SmallVector<mlir::Value>;

Tile zeroTile(ContractionBuilder &b, TileShape shape);

/// tile + a x b over `depth`, in ascending order of depth.
Tile accumulateTile(ContractionBuilder &b, TileShape shape, const TileRows &a, const TileColumns &columns,
                    int64_t depth, Tile tile);

/// Accumulators from and to a buffer of the compute type; rows there are padded to whole vectors.
Tile loadTile(ContractionBuilder &b, TileShape shape, mlir::Value flat, mlir::Value at, int64_t rowStride);
void saveTile(ContractionBuilder &b, TileShape shape, const Tile &tile, mlir::Value flat, mlir::Value at,
              int64_t rowStride);

/// Zeroes `count` elements of a flat buffer, and up to a vector behind them.
void emitClear(ContractionBuilder &b, mlir::Value flat, int64_t count);

/// Adds the bias, rounds and stores.
void storeTile(ContractionBuilder &b, TileShape shape, const Tile &tile, const TileTarget &target);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_CONTRACTIONTILE_H
