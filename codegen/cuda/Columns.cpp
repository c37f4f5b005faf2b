// See Columns.h.
#include "codegen/cuda/Columns.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace halfstep {

/// Warps of a block: more where there are many rows.
static int64_t warpsFor(int64_t rows) {
  constexpr int64_t manyRows = 1024;
  return rows >= manyRows ? 32 : 8;
}

LaunchShape columnsShape(int64_t columns, int64_t rows) {
  LaunchShape shape;
  shape.block[0] = kWarp * warpsFor(rows);
  shape.grid[0] = llvm::divideCeil(columns, kWarp);
  return shape;
}

Columns::Columns(KernelBuilder &b, int64_t columns, int64_t rows)
    : b(b), rows(rows), warps(warpsFor(rows)), columns(columns) {
  Value thread = threadInBlock(b);
  lane = b.remainder(thread, kWarp);
  warp = b.quotient(thread, kWarp);
  unclamped = b.plus(b.times(blockNumber(b), kWarp), lane);
  place = columns % kWarp == 0 ? unclamped : b.smaller(unclamped, b.index(columns - 1));
}

Values Columns::carry(ValueRange initial, function_ref<Values(Value, ValueRange)> body) {
  return b.carry(warp, b.index(rows), warps, initial, body);
}

Value Columns::sum(Value part) {
  Value slots = sharedBuffer(b, {warps, kWarp}, part.getType());
  memref::StoreOp::create(b, part, slots, ValueRange{warp, lane});
  barrier(b);
  Value total;
  for (int64_t i = 0; i < warps; ++i) {
    Value each = memref::LoadOp::create(b, slots, ValueRange{b.index(i), lane});
    total = total ? Value(arith::AddFOp::create(b, total, each)) : each;
  }
  return total;
}

void Columns::first(function_ref<void()> body) {
  Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, warp, b.index(0));
  if (columns % kWarp != 0)
    isFirst = arith::AndIOp::create(b, isFirst, isBelow(b, unclamped, columns));
  b.when(isFirst, body);
}

} // namespace halfstep
