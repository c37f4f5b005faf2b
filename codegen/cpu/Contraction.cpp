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
/// Rows beyond this many bytes do not stay in the second-level cache: each row panel is then used for a group
/// of column panels while it is in the first level.
static constexpr int64_t residentRowsBytes = 512 << 10;
/// What the packed columns of a group may take of the second-level cache.
static constexpr int64_t groupBytes = 256 << 10;
/// Steps of depth that are summed at once beside rows that are not resident.
static constexpr int64_t blockSteps = 512;
/// Sums that wait for the next block of depth take no more than this.
static constexpr int64_t waitingSumsBytes = 4 << 20;
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
  int64_t itemsPerBatch() const { return splitRows ? tiles.rowPanels : tiles.columnPanels(); }
  /// Row panels packed at a time.
  int64_t blockPanels() const {
    if (!packRows)
      return tiles.rowPanels;
    int64_t fitting = packedRowsBytes / (rowPanelElements() * form.panelBytes());
    return std::clamp<int64_t>(fitting, 1, tiles.rowPanels);
  }

  /// Column panels packed at a time, and the steps of their depth that are. With a group of 1 every row panel
  /// is used for one column panel after the other.
  int64_t group = 1, groupSteps = 1;

  bool grouped() const { return group > 1; }
  /// The depth is summed in blocks, with sums in memory between them.
  bool blocked() const { return groupSteps < depthSteps(); }
  int64_t groupPanelElements() const { return groupSteps * columnWidth(); }
  int64_t sumStride() const { return group * columnWidth(); }
  int64_t sumPanelElements() const { return (tiles.rows + (tiles.tallPanels > 0 ? 1 : 0)) * sumStride(); }
  int64_t sumElements() const { return blocked() ? blockPanels() * sumPanelElements() : 0; }
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

/// Sets the group and its steps.
static void planGroups(Product &p) {
  p.groupSteps = p.depthSteps();
  int64_t rowsBytes = p.tiles.rowPanels * p.rowPanelElements() * p.form.panelBytes();
  if (!p.packColumns || rowsBytes <= residentRowsBytes)
    return;
  int64_t columnBytes = p.columnWidth() * p.form.panelBytes();
  auto fitting = [&] {
    return std::clamp<int64_t>(groupBytes / (p.groupSteps * columnBytes), 1, p.tiles.columnPanels());
  };
  p.group = fitting();
  if (p.depthSteps() < 2 * blockSteps)
    return;
  Product blocks = p;
  p.groupSteps = blockSteps;
  p.group = fitting();
  if (p.sumElements() * p.form.compute.getIntOrFloatBitWidth() / 8 > waitingSumsBytes)
    p = blocks;
}

static Product planProduct(const ContractionSpec &spec, const CpuLevel &level) {
  Product p;
  p.spec = spec;
  p.form = elementForm(p.spec.type, level, /*usePairs=*/true);
  p.tiles = planTiles(p.spec.m, p.spec.n, p.form, level);
  p.packRows = shouldPackRows(p);
  p.packColumns = shouldPackColumns(p);
  p.splitRows = p.tiles.rowPanels >= p.tiles.columnPanels();
  planGroups(p);
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
    plan.scratchBytes += bytesOf(p.group * p.groupPanelElements());
  plan.scratchBytes += llvm::alignTo(p.sumElements() * p.form.compute.getIntOrFloatBitWidth() / 8, 64);
  return plan;
}

namespace {

/// The loop nest of one emitContraction.
struct Emitter {
  ContractionBuilder &b;
  const Product &p;
  Value a, columnsOperand, bias, c;
  StoreSums store;
  Value packedRows, packedColumns, sums;

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

  void storeResult(Value batch, TileShape shape, const Tile &tile, Value row, Value column) {
    const ContractionSpec &spec = p.spec;
    Value at = b.plus(b.times(batch, spec.m * spec.n), b.plus(b.times(row, spec.n), column));
    storeTile(b, shape, tile, {c, at, spec.n, bias, column, /*biasByRow=*/false, store});
  }

  /// All tiles of a block of row panels and a range of column panels.
  void tiles(Value batch, PanelRange block, PanelRange columnRange) {
    if (p.grouped() || p.blocked())
      return groupedTiles(batch, block, columnRange);
    forEachColumnPanel(b, p.tiles, columnRange, [&](Value column, int64_t columns) {
      TileColumns columnData = columnPanel(batch, column, columns);
      forEachRowPanel(b, p.tiles, block, [&](Value panel, Value row, int64_t rows) {
        TileShape shape{rows, columns};
        TileRows rowData = rowPanel(batch, b.minus(panel, block.lo), row);
        Tile tile = accumulateTile(b, shape, rowData, columnData, p.spec.k, zeroTile(b, shape));
        storeResult(batch, shape, tile, row, column);
      });
    });
  }

  void groupedTiles(Value batch, PanelRange block, PanelRange columnRange) {
    b.loop(columnRange.lo, columnRange.hi, p.group, [&](Value first) {
      Group group{batch, block, {first, b.smaller(b.plus(first, p.group), columnRange.hi)}};
      if (p.blocked())
        blockedTiles(group);
      else
        addDepth(group, b.index(0), p.spec.k);
    });
  }

  /// Row panels and a group of column panels, of which packedColumns has a block of the depth.
  struct Group {
    Value batch;
    PanelRange rows, columns;
  };

  void forEachTile(const Group &group,
                   function_ref<void(Value panel, Value row, Value column, TileShape shape)> body) {
    forEachRowPanel(b, p.tiles, group.rows, [&](Value panel, Value row, int64_t rows) {
      forEachColumnPanel(b, p.tiles, group.columns, [&](Value column, int64_t columns) {
        body(b.minus(panel, group.rows.lo), row, column, {rows, columns});
      });
    });
  }

  /// Number of a column's panel in its group.
  Value panelInGroup(const Group &group, Value column) {
    return b.minus(b.quotient(column, p.tiles.columns), group.columns.lo);
  }

  void blockedTiles(const Group &group) {
    int64_t depth = p.groupSteps * p.form.depthPerStep, whole = p.depthSteps() / p.groupSteps;
    auto sumAt = [&](Value panel, Value column) {
      return b.plus(b.times(panel, p.sumPanelElements()),
                    b.times(panelInGroup(group, column), p.columnWidth()));
    };
    emitClear(b, sums, p.sumElements());
    b.loop(whole, [&](Value i) { addDepth(group, b.times(i, p.groupSteps), depth, sumAt); });
    if (int64_t rest = p.spec.k - whole * depth; rest > 0)
      addDepth(group, b.index(whole * p.groupSteps), rest, sumAt);
    forEachTile(group, [&](Value panel, Value row, Value column, TileShape shape) {
      Tile tile = loadTile(b, shape, sums, sumAt(panel, column), p.sumStride());
      storeResult(group.batch, shape, tile, row, column);
    });
  }

  /// Sums `depth` from `step` on: into the sums at `sumAt`, or, where that is all, into the result.
  void addDepth(const Group &group, Value step, int64_t depth,
                function_ref<Value(Value panel, Value column)> sumAt = {}) {
    packGroup(group, step, depth);
    forEachTile(group, [&](Value panel, Value row, Value column, TileShape shape) {
      TileRows rowData = rowPanel(group.batch, panel, row);
      rowData.base = b.plus(rowData.base, b.times(step, rowData.stepStride));
      Value at = b.times(panelInGroup(group, column), p.groupPanelElements());
      TileColumns columnData{packedColumns, at, p.columnWidth(), /*padded=*/true};
      Value place = sumAt ? sumAt(panel, column) : Value();
      Tile tile = sumAt ? loadTile(b, shape, sums, place, p.sumStride()) : zeroTile(b, shape);
      tile = accumulateTile(b, shape, rowData, columnData, depth, tile);
      if (sumAt)
        saveTile(b, shape, tile, sums, place, p.sumStride());
      else
        storeResult(group.batch, shape, tile, row, column);
    });
  }

  /// Packs `depth` from `step` on of a group's columns. Columns that lie side by side are packed a few steps
  /// of all panels at a time, so that memory is read in longer runs.
  void packGroup(const Group &group, Value step, int64_t depth) {
    int64_t steps = p.form.steps(depth), chunk = p.spec.transposeB ? steps : packedSteps;
    int64_t chunked = steps / chunk * chunk;
    b.loop(b.index(0), b.index(chunked), chunk,
           [&](Value at) { packGroupSteps(group, step, at, std::min(chunk * p.form.depthPerStep, depth)); });
    if (chunked != steps)
      packGroupSteps(group, step, b.index(chunked), depth - chunked * p.form.depthPerStep);
  }

  void packGroupSteps(const Group &group, Value step, Value at, int64_t depth) {
    OperandView view = columnsView(group.batch);
    view.base = b.plus(view.base, b.times(b.plus(step, at), p.form.depthPerStep * view.depthStride));
    forEachColumnPanel(b, p.tiles, group.columns, [&](Value column, int64_t columns) {
      Value to =
          b.plus(b.times(panelInGroup(group, column), p.groupPanelElements()), b.times(at, p.columnWidth()));
      emitPack(b, view, column, columns, depth, packedColumns, to, p.columnWidth());
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
                              Value hi, Value scratch, StoreSums store) {
  if (!isProductType(spec.type))
    return emitError(loc) << "contraction of " << spec.type << ": expected f32, f64, bf16 or f16";
  Product product = planProduct(spec, level);
  ContractionBuilder cb(builder, loc, level, product.form);
  Emitter emitter{
      cb,    product, cb.flat(a), cb.flat(b), bias ? cb.flat(bias) : Value(), c ? cb.flat(c) : Value(),
      store, {},      {},         {}};
  int64_t offset = 0;
  if (product.packRows)
    emitter.packedRows =
        cb.carve(scratch, offset, product.blockPanels() * product.rowPanelElements(), product.form.panel);
  if (product.packColumns)
    emitter.packedColumns =
        cb.carve(scratch, offset, product.group * product.groupPanelElements(), product.form.panel);
  if (product.blocked())
    emitter.sums = cb.carve(scratch, offset, product.sumElements(), product.form.compute);
  emitter.run(lo, hi);
  builder.setInsertionPoint(cb.getInsertionBlock(), cb.getInsertionPoint());
  return success();
}

} // namespace halfstep
