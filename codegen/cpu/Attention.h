// What the forward and the backward kernel of attention share: the shape, views of a head, packed operands
// and rows of the matrix of scores.
#ifndef HALFSTEP_CODEGEN_CPU_ATTENTION_H
#define HALFSTEP_CODEGEN_CPU_ATTENTION_H

#include "codegen/cpu/Contraction.h"
#include "codegen/cpu/ContractionPack.h"
#include "codegen/cpu/ContractionTile.h"
#include "codegen/cpu/KernelEmitters.h"

namespace halfstep {

/// What stands in the mask of an attention op.
enum class AttentionMask { None, Keys, Added };

/// The extents of an attention op and how its matrices are cut. A head is an item of work: of queries
/// forward, of keys, with all heads of queries that share it, backward.
struct AttentionShape {
  /// `Op`: nn.attention or its backward.
  template <typename Op>
  AttentionShape(Op op, const CpuLevel &level) : AttentionShape(op.getProjections(), op.getMask(), level) {
    heads = int64_t(op.getHeads());
    keyHeads = op.getKeyHeads();
    causal = op.getCausal();
    scale = op.getScale().convertToDouble();
    depth = depth / (heads + (packed ? 2 * keyHeads : 0));
  }

  ElementForm form;
  int64_t batch, heads, keyHeads, queries, keys;
  int64_t depth; ///< columns of a head
  bool causal, packed;
  double scale;
  AttentionMask mask = AttentionMask::None;
  int64_t maskBatch = 1, maskHeads = 1, maskQueries = 1; ///< extents of a mask that is added

  /// Rows of scores that are held at a time: an even number, since bf16 rows go in pairs.
  int64_t rows;
  /// Columns of a register tile, and the step in which rows of scores are cut.
  int64_t width;

  /// Heads of queries that share one of keys.
  int64_t group() const { return heads / keyHeads; }
  bool isMasked() const { return mask != AttentionMask::None; }
  /// True where the rows of a head have masks of their own.
  bool masksQueries() const { return isMasked() && maskQueries > 1; }
  /// A number of queries, keys or columns, up to whole tiles.
  int64_t padded(int64_t count) const { return int64_t(llvm::alignTo(count, width)); }
  /// Scalars of a must be converted, so rows are packed before they are multiplied.
  bool packsRows() const { return !form.pairs() && form.storage != form.compute; }
  int64_t packedRowWidth() const { return int64_t(llvm::alignTo(rows, form.lanes)); }

private:
  AttentionShape(mlir::ValueRange projections, mlir::Value mask, const CpuLevel &level);
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

  /// A head's rows of the queries, or of a tensor of the result's form.
  HeadRows queryRows(Value buffer, Value sample, Value head);
  /// A head's rows of the keys (part 1) or values (part 2), or of their gradients.
  HeadRows keyRows(Value buffer, Value sample, Value keyHead, int64_t part);
  /// Where a head's elements of a tensor [b, heads, t] begin.
  Value headVector(Value sample, Value head) {
    return times(plus(times(sample, shape.heads), head), shape.queries);
  }

  /// rows x columns of a head as the right operand of a product over its columns: panels of `width` rows from
  /// element `at` on.
  void packAsRows(const HeadRows &head, int64_t rows, Value panels, Value at);
  int64_t rowPanelElements() const { return form.steps(shape.depth) * shape.width; }
  int64_t rowPanelsElements(int64_t rows) const {
    return shape.padded(rows) / shape.width * rowPanelElements();
  }
  /// The same as the right operand of a product over its rows: panels of `width` columns, rows beyond the
  /// last being zero. `count` heads of `rows` rows each may lie in the panels; this is number `at`.
  void packAsColumns(const HeadRows &head, int64_t rows, Value panels, int64_t count, Value at);
  int64_t columnPanelElements(int64_t rows) const { return form.steps(shape.padded(rows)) * shape.width; }

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
  /// sums + strip x panel over the blocks lo..hi of `width` rows each.
  Tile multiplyStrip(TileShape tile, Value strip, int64_t stride, Value panels, Value panelAt, Value lo,
                     Value hi, const Tile &sums);
  /// Rounds a tile of a head's columns and stores it from row `row` on.
  void storeHead(TileShape tile, const Tile &values, const HeadRows &head, Value row, Value column);

  // Masks (AttentionMask.cpp), as numbers of the compute type that are added to scores, infinitely low for
  // hidden keys.
  /// The place in a flat mask where the keys of a row begin.
  Value maskRow(Value sample, Value head, Value query);
  /// The mask of all keys from `at` of the flat mask on.
  void expandMask(Value mask, Value at, Value expanded);
  /// Element `at` of a flat mask.
  Value maskAt(Value mask, Value at);
  Value isHidden(Value expanded);

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
