// Panel packing. Two copies cover all cases: rows of contiguous lanes are widened or interleaved in place;
// rows of contiguous depth go through a square transpose in registers.
#include "codegen/cpu/ContractionPack.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace halfstep {

/// Transposes a square of vectors by exchanging blocks of 1, 2, 4, ... lanes between pairs of rows.
static void transpose(ContractionBuilder &b, SmallVectorImpl<Value> &rows) {
  int64_t size = rows.size();
  for (int64_t block = 1; block < size; block *= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < size; ++lane) {
      bool second = lane & block;
      low.push_back(second ? size + lane - block : lane);
      high.push_back(second ? size + lane : lane + block);
    }
    for (int64_t row = 0; row < size; ++row) {
      if (row & block)
        continue;
      Value first = rows[row], other = rows[row + block];
      rows[row] = vector::ShuffleOp::create(b, first, other, low);
      rows[row + block] = vector::ShuffleOp::create(b, first, other, high);
    }
  }
}

namespace {

/// One call of emitPack.
struct Packer {
  ContractionBuilder &b;
  const OperandView &source;
  Value lane0;
  int64_t lanes, depth;
  Value panel, at;
  int64_t width;

  /// Depths, in steps, that are whole: all but an odd last half pair.
  int64_t wholeSteps() const { return depth / b.form.depthPerStep; }

  Value address(Value lane, Value depthAt) {
    Value offset = b.plus(b.times(lane, source.laneStride), b.times(depthAt, source.depthStride));
    return b.plus(source.base, offset);
  }
  Value target(Value step, int64_t lane) { return b.plus(b.plus(at, b.times(step, width)), lane); }

  /// `count` depth-contiguous panel elements of one lane.
  Value loadSteps(Value from, int64_t count) {
    const ElementForm &form = b.form;
    if (!form.pairs())
      return b.widen(b.load(source.flat, from, form.lanes, count));
    Value both = b.load(source.flat, from, 2 * form.lanes, 2 * count);
    return vector::BitCastOp::create(b, b.vectorOf(form.panel), both);
  }

  /// Transposes `count` steps from `step` of the lanes from `lane`.
  void block(Value step, int64_t lane, int64_t count) {
    int64_t size = b.form.lanes;
    SmallVector<Value> rows;
    for (int64_t row = 0; row < size; ++row) {
      if (lane + row >= lanes) {
        rows.push_back(b.zeroVector(b.form.panel));
        continue;
      }
      Value from = address(b.plus(lane0, lane + row), b.times(step, b.form.depthPerStep));
      rows.push_back(loadSteps(from, count));
    }
    transpose(b, rows);
    for (int64_t i = 0; i < count; ++i)
      b.store(rows[i], panel, target(b.plus(step, i), lane), size);
  }

  void depthContiguous() {
    int64_t size = b.form.lanes, steps = wholeSteps();
    if (int64_t count = std::min(size, steps)) {
      // The last block starts early instead of being short: it writes some steps twice.
      b.loop((steps + count - 1) / count, [&](Value i) {
        Value step = b.smaller(b.times(i, count), b.index(steps - count));
        for (int64_t lane = 0; lane < lanes; lane += size)
          block(step, lane, count);
      });
    }
    if (steps == b.form.steps(depth))
      return;
    b.loop(lanes, [&](Value lane) {
      Value from = address(b.plus(lane0, lane), b.index(depth - 1));
      Value bits = b.extended(b.loadScalar(source.flat, from));
      memref::StoreOp::create(b, bits, panel, ValueRange{b.plus(target(b.index(steps), 0), lane)});
    });
  }

  /// One step of lanes that lie side by side; `whole` is false for an odd last half pair.
  void row(Value step, bool whole) {
    int64_t size = b.form.lanes;
    Value depthAt = b.times(step, b.form.depthPerStep);
    for (int64_t lane = 0; lane < lanes; lane += size) {
      Value from = address(b.plus(lane0, lane), depthAt);
      Value first = b.load(source.flat, from, size, lanes - lane);
      Value result = b.form.pairs() ? b.extended(first) : b.widen(first);
      if (b.form.pairs() && whole)
        result = b.paired(first, b.load(source.flat, b.plus(from, source.depthStride), size, lanes - lane));
      b.store(result, panel, target(step, lane), size);
    }
  }

  void laneContiguous() {
    int64_t steps = wholeSteps();
    b.loop(steps, [&](Value step) { row(step, /*whole=*/true); });
    if (steps != b.form.steps(depth))
      row(b.index(steps), /*whole=*/false);
  }
};

} // namespace

void emitPack(ContractionBuilder &b, const OperandView &source, Value lane0, int64_t lanes, int64_t depth,
              Value panel, Value at, int64_t width) {
  Packer packer{b, source, lane0, lanes, depth, panel, at, width};
  if (source.depthContiguous())
    packer.depthContiguous();
  else
    packer.laneContiguous();
}

} // namespace halfstep
