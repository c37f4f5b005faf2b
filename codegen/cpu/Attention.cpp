// Packing and products of one head.
#include "codegen/cpu/Attention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <numeric>

using namespace mlir;

namespace halfstep {

//===----------------------------------------------------------------------===//
// Shape and scratch
//===----------------------------------------------------------------------===//

AttentionShape::AttentionShape(ValueRange projections, Value maskValue, const CpuLevel &level)
    : packed(projections.size() == 1) {
  auto query = cast<RankedTensorType>(projections.front().getType());
  auto key = cast<RankedTensorType>(projections[packed ? 0 : 1].getType());
  form = elementForm(query.getElementType(), level, /*usePairs=*/true);
  batch = query.getDimSize(0);
  queries = query.getDimSize(1);
  keys = key.getDimSize(1);
  depth = query.getDimSize(2);
  // With two vectors a row these leave registers for the vectors of b and a scalar.
  rows = level.registers >= 32 ? 14 : 6;
  width = 2 * form.lanes;
  if (!maskValue)
    return;
  auto type = cast<RankedTensorType>(maskValue.getType());
  mask = isa<FloatType>(type.getElementType()) ? AttentionMask::Added : AttentionMask::Keys;
  if (mask == AttentionMask::Keys)
    return;
  maskBatch = type.getDimSize(0);
  maskHeads = type.getDimSize(1);
  maskQueries = type.getDimSize(2);
}

Value AttentionScratch::take(int64_t count, Type type) {
  if (b)
    return b->carve(scratch, offset, count, type);
  offset += int64_t(llvm::alignTo(count * type.getIntOrFloatBitWidth() / 8, 64));
  return {};
}

LogicalResult checkAttentionTypes(Operation *op, ValueRange values) {
  Type type = getElementTypeOrSelf(values.front().getType());
  for (Value value : values)
    if (getElementTypeOrSelf(value.getType()) != type)
      return op->emitOpError() << "has tensors of " << type << " and "
                               << getElementTypeOrSelf(value.getType())
                               << ", expected one type: cast one of them";
  return success();
}

//===----------------------------------------------------------------------===//
// Heads
//===----------------------------------------------------------------------===//

static HeadRows rowsFrom(AttentionBuilder &b, Value buffer, Value sample, Value head, int64_t heads) {
  auto type = cast<MemRefType>(buffer.getType());
  int64_t stride = type.getDimSize(2);
  Value column = b.times(b.plus(head, heads), b.shape.depth);
  return {b.flat(buffer), b.plus(b.times(sample, type.getDimSize(1) * stride), column), stride};
}

HeadRows AttentionBuilder::queryRows(Value buffer, Value sample, Value head) {
  return rowsFrom(*this, buffer, sample, head, 0);
}

HeadRows AttentionBuilder::keyRows(Value buffer, Value sample, Value keyHead, int64_t part) {
  int64_t before = shape.packed ? shape.heads + (part - 1) * shape.keyHeads : 0;
  return rowsFrom(*this, buffer, sample, keyHead, before);
}

void AttentionBuilder::packAsRows(const HeadRows &head, int64_t rows, Value panels, Value at) {
  int64_t full = rows / shape.width, rest = rows % shape.width;
  auto pack = [&](Value panel, int64_t lanes) {
    emitPack(*this, head.byRow(), times(panel, shape.width), lanes, shape.depth, panels,
             plus(at, times(panel, rowPanelElements())), shape.width);
  };
  loop(full, [&](Value panel) { pack(panel, shape.width); });
  if (rest > 0)
    pack(index(full), rest);
}

void AttentionBuilder::packAsColumns(const HeadRows &head, int64_t rows, Value panels, int64_t count,
                                     Value at) {
  int64_t written = form.steps(rows), steps = form.steps(shape.padded(rows));
  Value zero = zeroVector(form.panel);
  forEachColumns([&](Value column, Value panel, int64_t columns) {
    Value begin = times(plus(times(panel, count), at), columnPanelElements(rows));
    emitPack(*this, head.byColumn(), column, columns, rows, panels, begin, shape.width);
    // What lies there is multiplied by zeros, and must not be NaN.
    loop(index(written * shape.width), index(steps * shape.width), form.lanes,
         [&](Value offset) { storeWhole(zero, panels, plus(begin, offset)); });
  });
}

void AttentionBuilder::forEachColumns(function_ref<void(Value, Value, int64_t)> body) {
  int64_t full = shape.depth / shape.width, rest = shape.depth % shape.width;
  loop(full, [&](Value panel) { body(times(panel, shape.width), panel, shape.width); });
  if (rest > 0)
    body(index(full * shape.width), index(full), rest);
}

void AttentionBuilder::forEachStrip(int64_t count, function_ref<void(Value, int64_t)> body) {
  int64_t full = count / shape.rows, rest = count % shape.rows;
  loop(full, [&](Value strip) { body(times(strip, shape.rows), shape.rows); });
  if (rest > 0)
    body(index(full * shape.rows), rest);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

TileRows AttentionBuilder::leftRows(const HeadRows &head, Value row, int64_t rows, Value panel) {
  if (!shape.packsRows())
    return {head.flat, plus(head.base, times(row, head.stride)), head.stride, form.depthPerStep};
  emitPack(*this, head.byRow(), row, rows, shape.depth, panel, index(0), shape.packedRowWidth());
  return {panel, index(0), 1, shape.packedRowWidth()};
}

TileRows AttentionBuilder::stripRows(Value strip, Value at, int64_t stride) {
  return {strip, at, stride, form.depthPerStep};
}

void AttentionBuilder::multiplyIntoStrip(int64_t rows, const TileRows &left, Value panels, Value lo, Value hi,
                                         Value strip, int64_t stride) {
  TileShape tile{rows, shape.width};
  loop(lo, hi, 1, [&](Value block) {
    TileColumns right{panels, times(block, rowPanelElements()), shape.width, /*padded=*/true};
    Tile sums = accumulateTile(*this, tile, left, right, shape.depth, zeroTile(*this, tile));
    saveTile(*this, tile, sums, strip, times(block, shape.width), stride);
  });
}

Tile AttentionBuilder::multiplyStrip(TileShape tile, Value strip, int64_t stride, Value panels, Value panelAt,
                                     Value lo, Value hi, const Tile &sums) {
  return carry(lo, hi, 1, sums, [&](Value block, ValueRange carried) {
    TileRows left = stripRows(strip, times(block, shape.width), stride);
    Value at = plus(panelAt, times(block, form.steps(shape.width) * shape.width));
    TileColumns right{panels, at, shape.width, /*padded=*/true};
    return accumulateTile(*this, tile, left, right, shape.width, Tile(carried));
  });
}

void AttentionBuilder::storeHead(TileShape tile, const Tile &values, const HeadRows &head, Value row,
                                 Value column) {
  Value at = plus(plus(head.base, times(row, head.stride)), column);
  storeTile(*this, tile, values, {head.flat, at, head.stride, {}, {}, /*biasByRow=*/false});
}

//===----------------------------------------------------------------------===//
// Vectors
//===----------------------------------------------------------------------===//

Value AttentionBuilder::splat(double value) {
  auto type = vectorOf(form.compute);
  return arith::ConstantOp::create(
      *this, DenseElementsAttr::get(type, Attribute(getFloatAttr(form.compute, value))));
}

Value AttentionBuilder::broadcast(Value scalar) {
  return vector::BroadcastOp::create(*this, vectorOf(scalar.getType()), scalar);
}

Value AttentionBuilder::isBelow(Value first, Value bound) {
  SmallVector<int32_t> lanes(form.lanes);
  std::iota(lanes.begin(), lanes.end(), 0);
  Value places = arith::ConstantOp::create(
      *this, DenseElementsAttr::get(vectorOf(getI32Type()), ArrayRef<int32_t>(lanes)));
  Value left = arith::IndexCastOp::create(*this, getI32Type(), minus(bound, first));
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::slt, places, broadcast(left));
}

Value AttentionBuilder::inAllLanes(Value vector, function_ref<Value(Value, Value)> combine) {
  for (int64_t distance = form.lanes / 2; distance > 0; distance /= 2) {
    SmallVector<int64_t> order;
    for (int64_t lane = 0; lane < form.lanes; ++lane)
      order.push_back(lane ^ distance);
    vector = combine(vector, vector::ShuffleOp::create(*this, vector, vector, order));
  }
  return vector;
}

Value AttentionBuilder::sumInAllLanes(Value vector) {
  return inAllLanes(vector,
                    [&](Value lhs, Value rhs) -> Value { return arith::AddFOp::create(*this, lhs, rhs); });
}

Value AttentionBuilder::firstLane(Value vector) { return vector::ExtractOp::create(*this, vector, 0); }

} // namespace halfstep
