// Matrix products: which operands are packed, how work is cut into items, and the loop nest.
#include "codegen/cpu/Contraction.h"

#include "codegen/cpu/ContractionPack.h"
#include "codegen/cpu/ContractionPanels.h"

using namespace mlir;

namespace halfstep {

/// Packed rows beyond this many bytes are packed and used in blocks, so that scratch stays bounded.
static constexpr int64_t packedRowsBytes = 4 << 20;
/// An operand up to this size is read where it lies: it stays in the first-level cache.
static constexpr int64_t smallOperandBytes = 32 << 10;
/// The same for b, whose panels are read once a row panel, from the second-level cache.
static constexpr int64_t smallColumnsBytes = 256 << 10;
/// Steps of depth that rows lying side by side are packed in: cache lines of that many stay in one set.
static constexpr int64_t packedSteps = 8;
/// Rows a multiple of this apart share their first-level cache sets.
static constexpr int64_t aliasingBytes = 2048;
namespace {

/// A spec in the terms of the loop nest.
struct Product {
  ContractionSpec spec;
  ElementForm form;
  TilePlan tiles;
  bool packRows = false, packColumns = false;
  /// Items are row panels, or column panels.
  bool splitRows = true;

  int64_t depthSteps() const { return form.steps(spec.k); }
  int64_t rowPanelElements() const { return depthSteps() * tiles.rowWidth; }
  int64_t columnWidth() const { return llvm::alignTo(tiles.columns, form.lanes); }
  int64_t columnPanelElements() const { return depthSteps() * columnWidth(); }
  int64_t itemsPerBatch() const { return splitRows ? tiles.rowPanels : tiles.columnPanels(); }
  /// Row panels packed at a time.
  int64_t blockPanels() const {
    int64_t fitting = packedRowsBytes / (rowPanelElements() * form.panelBytes());
    return std::clamp<int64_t>(fitting, 1, tiles.rowPanels);
  }
};

} // namespace

static bool shouldPackRows(const Product &p) {
  const ContractionSpec &spec = p.spec;
  int64_t bytes = spec.type.getIntOrFloatBitWidth() / 8;
  int64_t rowBytes = (spec.transposeA ? spec.m : spec.k) * bytes;
  bool aliasing = rowBytes % aliasingBytes == 0 && spec.m > 4;
  if (p.form.pairs())
    return spec.transposeA || (aliasing && p.tiles.columnPanels() > 2);
  // Converting a scalar takes as long as converting a vector, so rows that are read once are packed, too.
  if (spec.type.isF16())
    return true;
  if (p.tiles.columnPanels() == 1)
    return false;
  if (spec.type != p.form.compute)
    return true;
  return p.tiles.columnPanels() > 2 && (aliasing || spec.m * spec.k * bytes > smallOperandBytes);
}

static bool shouldPackColumns(const Product &p) {
  const ContractionSpec &spec = p.spec;
  if (p.form.pairs() || spec.transposeB)
    return true;
  if (p.tiles.rowPanels <= 2)
    return false;
  int64_t bytes = spec.type.getIntOrFloatBitWidth() / 8;
  return spec.type != p.form.compute || spec.k * spec.n * bytes > smallColumnsBytes;
}

static Product planProduct(const ContractionSpec &spec, const CpuLevel &level) {
  Product p;
  p.spec = spec;
  p.form = elementForm(p.spec.type, level, /*usePairs=*/true);
  p.tiles = planTiles(p.spec.m, p.spec.n, p.form, level);
  p.packRows = shouldPackRows(p);
  p.packColumns = shouldPackColumns(p);
  p.splitRows = p.tiles.rowPanels >= p.tiles.columnPanels();
  return p;
}

int64_t grainFor(int64_t operations, int64_t items) {
  // A few microseconds; handing work to another thread costs about one.
  constexpr int64_t worthwhile = 512 << 10;
  return std::clamp<int64_t>(llvm::divideCeil(worthwhile, std::max<int64_t>(operations, 1)), 1, items);
}

ContractionPlan planContraction(const ContractionSpec &spec, const CpuLevel &level) {
  Product p = planProduct(spec, level);
  ContractionPlan plan;
  plan.items = spec.batch * p.itemsPerBatch();
  int64_t perItem = spec.m * spec.n * spec.k / p.itemsPerBatch();
  plan.grain = grainFor(perItem, plan.items);
  auto bytesOf = [&](int64_t elements) -> int64_t {
    return llvm::alignTo(elements * p.form.panelBytes(), 64);
  };
  if (p.packRows)
    plan.scratchBytes += bytesOf(p.blockPanels() * p.rowPanelElements());
  if (p.packColumns)
    plan.scratchBytes += bytesOf(p.columnPanelElements());
  return plan;
}

namespace {

/// The loop nest of one emitContraction.
struct Emitter {
  ContractionBuilder &b;
  const Product &p;
  Value a, columnsOperand, bias, c;
  Value packedRows, packedColumns;

  OperandView rowsView(Value batch) {
    const ContractionSpec &spec = p.spec;
    OperandView view{a, b.times(batch, spec.m * spec.k), spec.k, 1};
    if (spec.transposeA)
      std::tie(view.laneStride, view.depthStride) = std::pair<int64_t, int64_t>(1, spec.m);
    return view;
  }

  OperandView columnsView(Value batch) {
    const ContractionSpec &spec = p.spec;
    OperandView view{columnsOperand, b.times(batch, spec.k * spec.n), 1, spec.n};
    if (spec.transposeB)
      std::tie(view.laneStride, view.depthStride) = std::pair<int64_t, int64_t>(spec.k, 1);
    return view;
  }

  /// Packs the rows of a block of panels. Rows that lie side by side are packed a few steps of depth of all
  /// panels at a time: a panel reads less than a cache line a step, and the next one reads the rest of it.
  void packRowPanels(Value batch, PanelRange block) {
    int64_t steps = p.depthSteps(), chunk = p.spec.transposeA ? packedSteps : steps;
    int64_t chunked = steps / chunk * chunk;
    b.loop(b.index(0), b.index(chunked), chunk, [&](Value step) {
      packRowSteps(batch, block, step, std::min(chunk * p.form.depthPerStep, p.spec.k));
    });
    if (chunked != steps)
      packRowSteps(batch, block, b.index(chunked), p.spec.k - chunked * p.form.depthPerStep);
  }

  void packRowSteps(Value batch, PanelRange block, Value step, int64_t depth) {
    OperandView view = rowsView(batch);
    view.base = b.plus(view.base, b.times(step, p.form.depthPerStep * view.depthStride));
    forEachRowPanel(b, p.tiles, block, [&](Value panel, Value row, int64_t rows) {
      Value at =
          b.plus(b.times(b.minus(panel, block.lo), p.rowPanelElements()), b.times(step, p.tiles.rowWidth));
      emitPack(b, view, row, rows, depth, packedRows, at, p.tiles.rowWidth);
    });
  }

  TileColumns columnPanel(Value batch, Value column, int64_t columns) {
    if (!p.packColumns) {
      OperandView view = columnsView(batch);
      return {view.flat, b.plus(view.base, column), view.depthStride, /*padded=*/false};
    }
    emitPack(b, columnsView(batch), column, columns, p.spec.k, packedColumns, b.index(0), p.columnWidth());
    return {packedColumns, b.index(0), p.columnWidth(), /*padded=*/true};
  }

  TileRows rowPanel(Value batch, Value panelInBlock, Value row) {
    if (p.packRows)
      return {packedRows, b.times(panelInBlock, p.rowPanelElements()), 1, p.tiles.rowWidth};
    OperandView view = rowsView(batch);
    Value base = b.plus(view.base, b.times(row, view.laneStride));
    return {view.flat, base, view.laneStride, view.depthStride * p.form.depthPerStep};
  }

  /// All tiles of a block of row panels and a range of column panels.
  void tiles(Value batch, PanelRange block, PanelRange columnRange) {
    const ContractionSpec &spec = p.spec;
    forEachColumnPanel(b, p.tiles, columnRange, [&](Value column, int64_t columns) {
      TileColumns columnData = columnPanel(batch, column, columns);
      forEachRowPanel(b, p.tiles, block, [&](Value panel, Value row, int64_t rows) {
        TileShape shape{rows, columns};
        TileRows rowData = rowPanel(batch, b.minus(panel, block.lo), row);
        Tile tile = accumulateTile(b, shape, rowData, columnData, spec.k, zeroTile(b, shape));
        Value at = b.plus(b.times(batch, spec.m * spec.n), b.plus(b.times(row, spec.n), column));
        storeTile(b, shape, tile, {c, at, spec.n, bias, column, /*biasByRow=*/false});
      });
    });
  }

  void run(Value lo, Value hi) {
    forEachBatch(b, p.spec.batch, p.itemsPerBatch(), lo, hi, [&](Value batch, PanelRange items) {
      PanelRange allRows{b.index(0), b.index(p.tiles.rowPanels)};
      PanelRange allColumns{b.index(0), b.index(p.tiles.columnPanels())};
      PanelRange rowRange = p.splitRows ? items : allRows;
      PanelRange columnRange = p.splitRows ? allColumns : items;
      if (!p.packRows)
        return tiles(batch, {rowRange.lo, rowRange.hi}, columnRange);
      b.loop(rowRange.lo, rowRange.hi, p.blockPanels(), [&](Value first) {
        PanelRange block{first, b.smaller(b.plus(first, p.blockPanels()), rowRange.hi)};
        packRowPanels(batch, block);
        tiles(batch, block, columnRange);
      });
    });
  }
};

} // namespace

LogicalResult emitContraction(OpBuilder &builder, Location loc, const ContractionSpec &spec,
                              const CpuLevel &level, Value a, Value b, Value bias, Value c, Value lo,
                              Value hi, Value scratch) {
  if (!isProductType(spec.type))
    return emitError(loc) << "contraction of " << spec.type << ": expected f32, f64, bf16 or f16";
  Product product = planProduct(spec, level);
  ContractionBuilder cb(builder, loc, level, product.form);
  Emitter emitter{cb, product, cb.flat(a), cb.flat(b), bias ? cb.flat(bias) : Value(), cb.flat(c), {}, {}};
  int64_t offset = 0;
  if (product.packRows)
    emitter.packedRows =
        cb.carve(scratch, offset, product.blockPanels() * product.rowPanelElements(), product.form.panel);
  if (product.packColumns)
    emitter.packedColumns = cb.carve(scratch, offset, product.columnPanelElements(), product.form.panel);
  emitter.run(lo, hi);
  builder.setInsertionPoint(cb.getInsertionBlock(), cb.getInsertionPoint());
  return success();
}

} // namespace halfstep
