// The inner loop over the depth: a broadcast scalar of a times a few vectors of b for each row of the tile.
#include "codegen/cpu/ContractionTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"

using namespace mlir;

namespace halfstep {

Tile zeroTile(ContractionBuilder &b, TileShape shape) {
  return Tile(shape.rows * shape.vectors(b.form), b.zeroVector(b.form.compute));
}

static Type elementOf(Value flat) { return cast<MemRefType>(flat.getType()).getElementType(); }

/// The scalar of a at `at` in all lanes: compute type, or bf16 pairs. `half`: the pair's second is missing.
static Value broadcastScalar(ContractionBuilder &b, Value flat, Value at, bool half) {
  const ElementForm &form = b.form;
  if (!form.pairs()) {
    Value scalar = b.widen(b.loadScalar(flat, at));
    return vector::BroadcastOp::create(b, b.vectorOf(form.compute), scalar);
  }
  Value pair;
  if (elementOf(flat) == form.panel) {
    pair = b.loadScalar(flat, at);
  } else if (half) {
    pair = b.extended(b.loadScalar(flat, at));
  } else {
    Value both = b.load(flat, at, 2, 2);
    Value bits = vector::BitCastOp::create(b, b.vectorOf(form.panel, 1), both);
    pair = vector::ExtractOp::create(b, bits, 0);
  }
  Value lanes = vector::BroadcastOp::create(b, b.vectorOf(form.panel), pair);
  return vector::BitCastOp::create(b, b.vectorOf(form.storage, 2 * form.lanes), lanes);
}

static Value columnVector(ContractionBuilder &b, const TileColumns &columns, Value at, int64_t count) {
  const ElementForm &form = b.form;
  Value loaded = b.load(columns.flat, at, form.lanes, columns.padded ? form.lanes : count);
  if (form.pairs())
    return vector::BitCastOp::create(b, b.vectorOf(form.storage, 2 * form.lanes), loaded);
  return b.widen(loaded);
}

/// One step of the depth.
static void accumulateStep(ContractionBuilder &b, TileShape shape, const TileRows &a,
                           const TileColumns &columns, Value step, bool half, Tile &tile) {
  int64_t vectors = shape.vectors(b.form), lanes = b.form.lanes;
  Value columnAt = b.plus(columns.base, b.times(step, columns.stepStride));
  SmallVector<Value> vectorsOfB;
  for (int64_t v = 0; v < vectors; ++v)
    vectorsOfB.push_back(
        columnVector(b, columns, b.plus(columnAt, v * lanes), std::min(lanes, shape.columns - v * lanes)));
  Value rowAt = b.plus(a.base, b.times(step, a.stepStride));
  for (int64_t row = 0; row < shape.rows; ++row) {
    Value scalar = broadcastScalar(b, a.flat, b.plus(rowAt, row * a.rowStride), half);
    for (int64_t v = 0; v < vectors; ++v) {
      Value &sum = tile[row * vectors + v];
      if (b.form.pairs())
        sum = x86vector::DotBF16Op::create(b, sum, scalar, vectorsOfB[v]);
      else
        sum = vector::FMAOp::create(b, scalar, vectorsOfB[v], sum);
    }
  }
}

/// Steps an iteration: small tiles need several for the loop's own instructions not to count.
static int64_t unrollFor(int64_t accumulators) {
  if (accumulators >= 12)
    return 1;
  return accumulators >= 6 ? 2 : 4;
}

Tile accumulateTile(ContractionBuilder &b, TileShape shape, const TileRows &a, const TileColumns &columns,
                    int64_t depth, Tile tile) {
  bool directPairs = b.form.pairs() && elementOf(a.flat) != b.form.panel;
  int64_t steps = directPairs ? depth / 2 : b.form.steps(depth);
  int64_t unroll = unrollFor(tile.size());
  int64_t unrolled = steps / unroll * unroll;
  if (unrolled > 0) {
    tile = b.carry(b.index(0), b.index(unrolled), unroll, tile, [&](Value step, ValueRange carried) {
      Tile next(carried);
      for (int64_t i = 0; i < unroll; ++i)
        accumulateStep(b, shape, a, columns, b.plus(step, i), /*half=*/false, next);
      return next;
    });
  }
  for (int64_t step = unrolled; step < steps; ++step)
    accumulateStep(b, shape, a, columns, b.index(step), /*half=*/false, tile);
  if (steps != b.form.steps(depth))
    accumulateStep(b, shape, a, columns, b.index(steps), /*half=*/true, tile);
  return tile;
}

/// Calls `body` with the row, the column and the lanes in use for each accumulator.
static void
forEachVector(const ElementForm &form, TileShape shape,
              function_ref<void(int64_t index, int64_t row, int64_t column, int64_t count)> body) {
  int64_t vectors = shape.vectors(form);
  for (int64_t row = 0; row < shape.rows; ++row)
    for (int64_t v = 0; v < vectors; ++v)
      body(row * vectors + v, row, v * form.lanes, std::min(form.lanes, shape.columns - v * form.lanes));
}

Tile loadTile(ContractionBuilder &b, TileShape shape, Value flat, Value at, int64_t rowStride) {
  Tile tile;
  forEachVector(b.form, shape, [&](int64_t, int64_t row, int64_t column, int64_t) {
    tile.push_back(b.load(flat, b.plus(at, row * rowStride + column), b.form.lanes, b.form.lanes));
  });
  return tile;
}

void saveTile(ContractionBuilder &b, TileShape shape, const Tile &tile, Value flat, Value at,
              int64_t rowStride) {
  forEachVector(b.form, shape, [&](int64_t i, int64_t row, int64_t column, int64_t) {
    b.store(tile[i], flat, b.plus(at, row * rowStride + column), b.form.lanes);
  });
}

void emitClear(ContractionBuilder &b, Value flat, int64_t count) {
  Value zero = b.zeroVector(cast<MemRefType>(flat.getType()).getElementType());
  b.loop(b.index(0), b.index(count), b.form.lanes, [&](Value at) { b.store(zero, flat, at, b.form.lanes); });
}

void storeTile(ContractionBuilder &b, TileShape shape, const Tile &tile, const TileTarget &target) {
  SmallVector<Value> biasOfColumn;
  if (target.bias && !target.biasByRow)
    for (int64_t column = 0; column < shape.columns; column += b.form.lanes)
      biasOfColumn.push_back(b.widen(b.load(target.bias, b.plus(target.biasAt, column), b.form.lanes,
                                            std::min(b.form.lanes, shape.columns - column))));
  Value biasOfRow;
  forEachVector(b.form, shape, [&](int64_t i, int64_t row, int64_t column, int64_t count) {
    if (target.bias && target.biasByRow && column == 0) {
      Value scalar = b.loadScalar(target.bias, b.plus(target.biasAt, row));
      biasOfRow = vector::BroadcastOp::create(b, b.vectorOf(b.form.compute), b.widen(scalar));
    }
    Value sum = tile[i];
    if (target.bias)
      sum = arith::AddFOp::create(b, sum, target.biasByRow ? biasOfRow : biasOfColumn[column / b.form.lanes]);
    Value at = b.plus(target.base, row * target.rowStride + column);
    if (target.store)
      target.store(b, sum, at, count);
    else
      b.store(b.round(sum, target.flat), target.flat, at, count);
  });
}

} // namespace halfstep
