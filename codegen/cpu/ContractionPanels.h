// How c is cut into register tiles, and the loops that visit them: columns outside, rows inside.
#ifndef HALFSTEP_CODEGEN_CPU_CONTRACTIONPANELS_H
#define HALFSTEP_CODEGEN_CPU_CONTRACTIONPANELS_H

#include "codegen/cpu/ContractionTile.h"

namespace halfstep {

/// The cut of an m x n result. Row panels differ by at most one row, so that a tile body for each of two
/// heights covers every m without masks: the first `tallPanels` have `rows + 1` rows, the others `rows`.
/// Column panels have `columns` columns; a last one has `tailColumns` unless that is 0.
struct TilePlan {
  int64_t rowPanels = 1, tallPanels = 0, rows = 1;
  int64_t fullPanels = 1, columns = 1, tailColumns = 0;
  /// Lanes of a packed row panel: the greatest height in whole vectors.
  int64_t rowWidth = 1;

  int64_t columnPanels() const { return fullPanels + (tailColumns > 0 ? 1 : 0); }
};

TilePlan planTiles(int64_t m, int64_t n, const ElementForm &form, const CpuLevel &level);

/// A half-open range of index values.
struct PanelRange {
  mlir::Value lo, hi;
};

/// for each row panel in `range`: body(panel, its first row, its static number of rows)
void forEachRowPanel(ContractionBuilder &b, const TilePlan &plan, PanelRange range,
                     llvm::function_ref<void(mlir::Value panel, mlir::Value row, int64_t rows)> body);

/// for each column panel in `range`: body(its first column, its static number of columns)
void forEachColumnPanel(ContractionBuilder &b, const TilePlan &plan, PanelRange range,
                        llvm::function_ref<void(mlir::Value column, int64_t columns)> body);

/// Splits lo..hi, which counts `panels` a batch: body(batch, range of panels in it) for each batch touched.
void forEachBatch(ContractionBuilder &b, int64_t batch, int64_t panels, mlir::Value lo, mlir::Value hi,
                  llvm::function_ref<void(mlir::Value batch, PanelRange panels)> body);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_CONTRACTIONPANELS_H
