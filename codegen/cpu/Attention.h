// What the forward and the backward kernel of attention share: the shape, views of a head, packed operands
// and rows of the matrix of scores.
#ifndef HALFSTEP_CODEGEN_CPU_ATTENTION_H
#define HALFSTEP_CODEGEN_CPU_ATTENTION_H

#include "codegen/cpu/Contraction.h"
#include "codegen/cpu/ContractionPack.h"
#include "codegen/cpu/ContractionTile.h"
#include "codegen/cpu/KernelEmitters.h"

namespace halfstep {

/// The extents of an attention op and how its matrices are cut. A head is an item of work.
struct AttentionShape {
  AttentionShape(mlir::ValueRange projections, int64_t heads, bool causal, double scale,
                 const CpuLevel &level);

  ElementForm form;
  int64_t batch, heads, queries, keys;
  int64_t depth; ///< columns of a head
  bool causal, packed;
  double scale;

  /// Rows of scores that are held at a time: an even number, since bf16 rows go in pairs.
  int64_t rows;
  /// Columns of a register tile, and the step in which rows of scores are cut.
  int64_t width;

  int64_t items() const { return batch * heads; }
  /// A number of queries, keys or columns, up to whole tiles.
  int64_t padded(int64_t count) const { return int64_t(llvm::alignTo(count, width)); }
  /// Scalars of a must be converted, so rows are packed before they are multiplied.
  bool packsRows() const { return !form.pairs() && form.storage != form.compute; }
  int64_t packedRowWidth() const { return int64_t(llvm::alignTo(rows, form.lanes)); }
};

/// Takes parts of the scratch buffer, or counts what they need when there is none.
class AttentionScratch {
public:
  AttentionScratch(ContractionBuilder *b, mlir::Value scratch) : b(b), scratch(scratch) {}

  mlir::Value take(int64_t count, mlir::Type type);
  int64_t bytes() const { return offset; }

private:
  ContractionBuilder *b;
  mlir::Value scratch;
  int64_t offset = 0;
};

/// The rows of one head in a tensor [b, t, columns]: `depth` elements from base + t * stride.
struct HeadRows {
  mlir::Value flat, base;
  int64_t stride;

  /// Rows as lanes, columns as depth: what is multiplied as a', or as b where the product runs over columns.
  OperandView byRow() const { return {flat, base, stride, 1}; }
  /// Columns as lanes, rows as depth.
  OperandView byColumn() const { return {flat, base, 1, stride}; }
};

/// A builder for the work on one head.
class AttentionBuilder : public ContractionBuilder {
public:
  AttentionBuilder(KernelBuilder &outer, const AttentionShape &shape)
      : ContractionBuilder(outer, outer.getLoc(), outer.level, shape.form), shape(shape) {}

  const AttentionShape &shape;

  /// Columns [part * heads * depth, ...) of the item's sample, the head's share of them.
  HeadRows headRows(Value buffer, Value item, int64_t part);
  /// The head's elements of a tensor [b, heads, t]: where they begin.
  Value headVector(Value item) { return times(item, shape.queries); }

  /// rows x columns of a head as the right operand of a product over its columns: panels of `width` rows.
  void packAsRows(const HeadRows &head, int64_t rows, Value panels);
  int64_t rowPanelElements() const { return form.steps(shape.depth) * shape.width; }
  int64_t rowPanelsElements(int64_t rows) const {
    return shape.padded(rows) / shape.width * rowPanelElements();
  }
  /// The same as the right operand of a product over its rows: panels of `width` columns, rows beyond the
  /// last being zero.
  void packAsColumns(const HeadRows &head, int64_t rows, Value panels);
  int64_t columnPanelElements(int64_t rows) const { return form.steps(shape.padded(rows)) * shape.width; }
  int64_t columnPanelsElements(int64_t rows) const {
    return shape.padded(shape.depth) / shape.width * columnPanelElements(rows);
  }

  /// body(column, its panel, static number of columns) for each panel of columns of a head.
  void forEachColumns(llvm::function_ref<void(Value column, Value panel, int64_t columns)> body);
  /// body(first row, static number of rows) for `count` rows in strips of shape.rows.
  void forEachStrip(int64_t count, llvm::function_ref<void(Value row, int64_t rows)> body);

  /// `rows` rows of a head from `row` on as the left operand, packed into `panel` where that is needed.
  TileRows leftRows(const HeadRows &head, Value row, int64_t rows, Value panel);
  /// Rows of scores or their like, which a loop below wrote, as the left operand from column `at` on.
  TileRows stripRows(Value strip, Value at, int64_t stride);

  /// strip[r][block * width ...] = rows x panels[block] over a head's columns, for the blocks lo..hi.
  void multiplyIntoStrip(int64_t rows, const TileRows &left, Value panels, Value lo, Value hi, Value strip,
                         int64_t stride);
  /// strip x panel over the blocks lo..hi of `width` rows each.
  Tile multiplyStrip(TileShape tile, Value strip, int64_t stride, Value panels, Value panelAt, Value lo,
                     Value hi);
  /// Rounds a tile of a head's columns and stores it from row `row` on.
  void storeHead(TileShape tile, const Tile &values, const HeadRows &head, Value row, Value column);

  // Vectors and scalars of the compute type.
  Value splat(double value);
  Value broadcast(Value scalar);
  /// Lanes that count from `first` (an index) and are below `bound` (an index).
  Value isBelow(Value first, Value bound);
  /// All lanes combined pairwise, in each lane.
  Value inAllLanes(Value vector, llvm::function_ref<Value(Value, Value)> combine);
  Value sumInAllLanes(Value vector);
  Value firstLane(Value vector);
  Value loadWhole(Value flat, Value at) { return load(flat, at, form.lanes, form.lanes); }
  void storeWhole(Value vector, Value flat, Value at) { store(vector, flat, at, form.lanes); }
};

/// Fails unless `values`, of which there is one, have one element type.
mlir::LogicalResult checkAttentionTypes(mlir::Operation *op, mlir::ValueRange values);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_ATTENTION_H
