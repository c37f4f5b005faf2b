// See Product.h.
#include "codegen/cuda/Product.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace halfstep {

/// Threads along a side of a tile, and elements of k that are in shared memory at a time.
static constexpr int64_t kSide = 16, kDepth = 16, kTileThreads = kSide * kSide;

//===----------------------------------------------------------------------===//
// Plan
//===----------------------------------------------------------------------===//

ProductPlan planProduct(const ProductShape &shape) {
  constexpr int64_t thin = 8, deep = 128, fewBlocks = 32;
  ProductPlan plan;
  if (std::min(shape.m, shape.n) < thin) {
    plan.kind = shape.k >= deep ? ProductPlan::Kind::Warp : ProductPlan::Kind::Thread;
    return plan;
  }
  auto side = [](int64_t extent) { return extent <= 32 ? 32 : extent <= 96 ? 64 : 128; };
  plan.rows = side(shape.m);
  plan.columns = side(shape.n);
  auto blocks = [&] {
    return llvm::divideCeil(shape.m, plan.rows) * llvm::divideCeil(shape.n, plan.columns) * shape.batch;
  };
  // Smaller tiles where the large ones would leave most of a GPU idle; registers hold 4 x 4 doubles at most.
  constexpr int64_t enough = 128;
  while ((int64_t(blocks()) < enough || shape.compute.isF64()) && (plan.rows > 64 || plan.columns > 64))
    (plan.rows >= plan.columns ? plan.rows : plan.columns) /= 2;
  if (int64_t(blocks()) < fewBlocks && shape.k >= deep)
    plan.kind = ProductPlan::Kind::Warp;
  return plan;
}

LaunchShape ProductPlan::launch(const ProductShape &shape) const {
  int64_t elements = shape.batch * shape.m * shape.n;
  if (kind == Kind::Warp)
    return teamsFor(elements, kWarp);
  if (kind == Kind::Thread)
    return threadsFor(elements);
  LaunchShape launch;
  launch.block[0] = kTileThreads;
  launch.grid = {int64_t(llvm::divideCeil(shape.n, columns)), int64_t(llvm::divideCeil(shape.m, rows)),
                 shape.batch};
  return launch;
}

//===----------------------------------------------------------------------===//
// Without tiles
//===----------------------------------------------------------------------===//

static Value multiplyAdd(KernelBuilder &b, Value x, Value y, Value z) {
  return math::FmaOp::create(b, x, y, z);
}

static void emitByWarp(KernelBuilder &b, const ProductShape &shape, const ProductAccess &access) {
  forTeam(b, shape.batch * shape.m * shape.n, kWarp, [&](Value element) {
    Team team(b, kWarp);
    Values at = indicesOf(b, element, {shape.batch, shape.m, shape.n});
    Value part = team.carry(shape.k, b.number(0, shape.compute), [&](Value k, ValueRange old) {
      return Values{multiplyAdd(b, access.a(at[0], at[1], k), access.b(at[0], k, at[2]), old[0])};
    })[0];
    Value sum = team.sum(part);
    team.first([&] { access.store(at[0], at[1], at[2], sum); });
  });
}

static void emitByThread(KernelBuilder &b, const ProductShape &shape, const ProductAccess &access) {
  forThread(b, shape.batch * shape.m * shape.n, [&](Value element) {
    Values at = indicesOf(b, element, {shape.batch, shape.m, shape.n});
    Value zero = b.number(0, shape.compute);
    Value sum = b.carry(b.index(0), b.index(shape.k), 1, zero, [&](Value k, ValueRange old) {
      return Values{multiplyAdd(b, access.a(at[0], at[1], k), access.b(at[0], k, at[2]), old[0])};
    })[0];
    access.store(at[0], at[1], at[2], sum);
  });
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

namespace {

class TileProduct {
public:
  TileProduct(KernelBuilder &b, const ProductShape &shape, const ProductPlan &plan,
              const ProductAccess &access)
      : b(b), shape(shape), plan(plan), access(access) {}

  void emit() {
    // One more element a row, so that the threads of a warp write to different banks.
    aTile = sharedBuffer(b, {kDepth, plan.rows + 1}, shape.compute);
    bTile = sharedBuffer(b, {kDepth, plan.columns + 1}, shape.compute);
    thread = threadInBlock(b);
    x = b.remainder(thread, kSide);
    y = b.quotient(thread, kSide);
    batch = blockNumber(b, gpu::Dimension::z);
    firstRow = b.times(blockNumber(b, gpu::Dimension::y), plan.rows);
    firstColumn = b.times(blockNumber(b, gpu::Dimension::x), plan.columns);
    Values zeros(rowsEach() * columnsEach(), b.number(0, shape.compute));
    Values sums = b.carry(b.index(0), b.index(shape.k), kDepth, zeros, [&](Value from, ValueRange old) {
      fill(from);
      barrier(b);
      Values next = multiply(old);
      barrier(b);
      return next;
    });
    keepRolled(sums);
    store(sums);
  }

private:
  KernelBuilder &b;
  const ProductShape &shape;
  const ProductPlan &plan;
  const ProductAccess &access;
  Value aTile, bTile, thread, x, y, batch, firstRow, firstColumn;

  int64_t rowsEach() const { return plan.rows / kSide; }
  int64_t columnsEach() const { return plan.columns / kSide; }

  /// body(k in the tile, place along the side) for the elements of a kDepth x `side` tile that the thread
  /// moves.
  void eachMoved(int64_t side, bool alongK, function_ref<void(Value, Value)> body) {
    for (int64_t i = 0; i < kDepth * side / kTileThreads; ++i) {
      Value number = b.plus(thread, i * kTileThreads);
      Value along = b.remainder(number, alongK ? kDepth : side);
      Value across = b.quotient(number, alongK ? kDepth : side);
      alongK ? body(along, across) : body(across, along);
    }
  }

  /// read(), or 0 where an index is outside.
  Value guarded(Value k, Value place, int64_t bound, int64_t side, function_ref<Value()> read) {
    Value inside;
    auto require = [&](Value index, int64_t extent, int64_t step) {
      if (extent % step == 0)
        return;
      Value below = isBelow(b, index, extent);
      inside = inside ? Value(arith::AndIOp::create(b, inside, below)) : below;
    };
    require(k, shape.k, kDepth);
    require(place, bound, side);
    return inside ? chooseLazily(b, inside, b.number(0, shape.compute), read) : read();
  }

  void fill(Value from) {
    eachMoved(plan.rows, shape.aAlongK, [&](Value inK, Value inRow) {
      Value k = b.plus(from, inK), row = b.plus(firstRow, inRow);
      Value element = guarded(k, row, shape.m, plan.rows, [&] { return access.a(batch, row, k); });
      memref::StoreOp::create(b, element, aTile, ValueRange{inK, inRow});
    });
    eachMoved(plan.columns, !shape.bAlongColumns, [&](Value inK, Value inColumn) {
      Value k = b.plus(from, inK), column = b.plus(firstColumn, inColumn);
      Value element = guarded(k, column, shape.n, plan.columns, [&] { return access.b(batch, k, column); });
      memref::StoreOp::create(b, element, bTile, ValueRange{inK, inColumn});
    });
  }

  Values multiply(ValueRange sums) {
    return b.carry(b.index(0), b.index(kDepth), 1, sums, [&](Value k, ValueRange old) {
      Values rows, columns, next(old);
      for (int64_t i = 0; i < rowsEach(); ++i)
        rows.push_back(memref::LoadOp::create(b, aTile, ValueRange{k, b.plus(y, i * kSide)}));
      for (int64_t j = 0; j < columnsEach(); ++j)
        columns.push_back(memref::LoadOp::create(b, bTile, ValueRange{k, b.plus(x, j * kSide)}));
      for (int64_t i = 0; i < rowsEach(); ++i)
        for (int64_t j = 0; j < columnsEach(); ++j) {
          Value &sum = next[i * columnsEach() + j];
          sum = multiplyAdd(b, rows[i], columns[j], sum);
        }
      return next;
    });
  }

  void store(ValueRange sums) {
    for (int64_t i = 0; i < rowsEach(); ++i)
      for (int64_t j = 0; j < columnsEach(); ++j) {
        Value row = b.plus(firstRow, b.plus(y, i * kSide)),
              column = b.plus(firstColumn, b.plus(x, j * kSide));
        auto write = [&] { access.store(batch, row, column, sums[i * columnsEach() + j]); };
        Value inside;
        if (shape.m % plan.rows != 0)
          inside = isBelow(b, row, shape.m);
        if (shape.n % plan.columns != 0) {
          Value below = isBelow(b, column, shape.n);
          inside = inside ? Value(arith::AndIOp::create(b, inside, below)) : below;
        }
        inside ? b.when(inside, write) : write();
      }
  }
};

} // namespace

void emitProduct(KernelBuilder &b, const ProductShape &shape, const ProductAccess &access) {
  ProductPlan plan = planProduct(shape);
  switch (plan.kind) {
  case ProductPlan::Kind::Warp:
    return emitByWarp(b, shape, access);
  case ProductPlan::Kind::Thread:
    return emitByThread(b, shape, access);
  case ProductPlan::Kind::Tile:
    return TileProduct(b, shape, plan, access).emit();
  }
}

} // namespace halfstep
