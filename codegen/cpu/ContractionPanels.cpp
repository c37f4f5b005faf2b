// Tile sizes and panel loops.
#include "codegen/cpu/ContractionPanels.h"

using namespace mlir;

namespace halfstep {

namespace {
/// A tile in rows and vectors.
struct TileSize {
  int64_t rows, vectors;
};
} // namespace

/// The largest tile that leaves registers for the vectors of b and a broadcast scalar, as square as m and the
/// number of vectors in a row of c allow.
static TileSize chooseTile(int64_t m, int64_t rowVectors, const CpuLevel &level) {
  if (level.registers >= 32) {
    if (rowVectors == 1)
      return {16, 1};
    if (m <= 3)
      return {3, std::min<int64_t>(rowVectors, 6)};
    if (m <= 7)
      return {7, std::min<int64_t>(rowVectors, 3)};
    return rowVectors == 3 ? TileSize{9, 3} : TileSize{14, 2};
  }
  if (rowVectors == 1)
    return {12, 1};
  if (m <= 2)
    return {2, std::min<int64_t>(rowVectors, 4)};
  return rowVectors == 3 ? TileSize{4, 3} : TileSize{6, 2};
}

TilePlan planTiles(int64_t m, int64_t n, const ElementForm &form, const CpuLevel &level) {
  int64_t rowVectors = llvm::divideCeil(n, form.lanes);
  TileSize tile = chooseTile(m, rowVectors, level);
  TilePlan plan;
  plan.rowPanels = llvm::divideCeil(m, tile.rows);
  plan.rows = m / plan.rowPanels;
  plan.tallPanels = m % plan.rowPanels;
  plan.columns = std::min(n, tile.vectors * form.lanes);
  plan.fullPanels = n / plan.columns;
  plan.tailColumns = n % plan.columns;
  plan.rowWidth = llvm::alignTo(llvm::divideCeil(m, plan.rowPanels), form.lanes);
  return plan;
}

void forEachRowPanel(ContractionBuilder &b, const TilePlan &plan, PanelRange range,
                     function_ref<void(Value, Value, int64_t)> body) {
  Value tall = b.index(plan.tallPanels);
  if (plan.tallPanels > 0) {
    b.loop(range.lo, b.smaller(range.hi, tall), 1,
           [&](Value panel) { body(panel, b.times(panel, plan.rows + 1), plan.rows + 1); });
  }
  b.loop(b.larger(range.lo, tall), range.hi, 1,
         [&](Value panel) { body(panel, b.plus(b.times(panel, plan.rows), plan.tallPanels), plan.rows); });
}

void forEachColumnPanel(ContractionBuilder &b, const TilePlan &plan, PanelRange range,
                        function_ref<void(Value, int64_t)> body) {
  Value full = b.index(plan.fullPanels);
  b.loop(range.lo, b.smaller(range.hi, full), 1,
         [&](Value panel) { body(b.times(panel, plan.columns), plan.columns); });
  if (plan.tailColumns > 0)
    b.when(b.isLess(full, range.hi),
           [&] { body(b.index(plan.fullPanels * plan.columns), plan.tailColumns); });
}

void forEachBatch(ContractionBuilder &b, int64_t batch, int64_t panels, Value lo, Value hi,
                  function_ref<void(Value, PanelRange)> body) {
  if (batch == 1)
    return body(b.index(0), {lo, hi});
  Value end = b.quotient(b.plus(hi, panels - 1), panels);
  b.loop(b.quotient(lo, panels), end, 1, [&](Value i) {
    Value first = b.times(i, panels);
    body(i, {b.larger(b.minus(lo, first), b.index(0)), b.smaller(b.minus(hi, first), b.index(panels))});
  });
}

} // namespace halfstep
