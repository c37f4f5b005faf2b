// nn.attention: a few rows of scores at a time, from the product with the keys over the softmax to the
// product with the values, all in the first-level cache.
#include "codegen/cpu/Attention.h"

#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;

namespace halfstep {

namespace {

/// What a worker keeps while it works on a head.
struct ForwardScratch {
  ForwardScratch(AttentionScratch &scratch, const AttentionShape &s) {
    int64_t keys = s.padded(s.keys), depth = s.padded(s.depth);
    keyPanels = scratch.take(keys * s.form.steps(s.depth), s.form.panel);
    valuePanels = scratch.take(depth * s.form.steps(keys), s.form.panel);
    scores = scratch.take(s.rows * keys, s.form.compute);
    weights = s.form.pairs() ? scratch.take(s.rows * keys, s.form.storage) : scores;
    int64_t rowVectors = int64_t(llvm::alignTo(s.rows, s.form.lanes));
    greatest = scratch.take(rowVectors, s.form.compute);
    factors = scratch.take(rowVectors, s.form.compute);
    if (s.packsRows())
      queryRows = scratch.take(s.packedRowWidth() * s.depth, s.form.panel);
    if (s.isMasked())
      mask = scratch.take(keys, s.form.compute);
  }

  Value keyPanels, valuePanels;
  /// Rows of scores, in the compute type, and of their exponentials, as a product takes them.
  Value scores, weights;
  /// A row's greatest score, and the sum of its exponentials, which becomes what its products are multiplied
  /// by.
  Value greatest, factors;
  Value queryRows;
  /// The mask of all keys, of a row or of a head.
  Value mask;
};

class ForwardEmitter {
public:
  ForwardEmitter(AttentionBuilder &b, const ForwardScratch &scratch)
      : b(b), s(b.shape), scratch(scratch), stride(s.padded(s.keys)) {}

  /// `mask` is null when there is none.
  void head(Value item, ArrayRef<Value> projections, Value mask, Value result, Value lse) {
    Value sample = b.quotient(item, s.heads), number = b.remainder(item, s.heads);
    Value keyHead = b.quotient(number, s.group());
    HeadRows query = b.queryRows(projections[0], sample, number);
    HeadRows key = b.keyRows(projections[s.packed ? 0 : 1], sample, keyHead, 1);
    HeadRows value = b.keyRows(projections[s.packed ? 0 : 2], sample, keyHead, 2);
    HeadRows out = b.queryRows(result, sample, number);
    b.packAsRows(key, s.keys, scratch.keyPanels, b.index(0));
    b.packAsColumns(value, s.keys, scratch.valuePanels, 1, b.index(0));
    if (mask && !s.masksQueries())
      b.expandMask(mask, b.maskRow(sample, number, b.index(0)), scratch.mask);
    Value lseAt = b.headVector(sample, number), flatLse = b.flat(lse);
    b.forEachStrip(s.queries, [&](Value row, int64_t rows) {
      Value blocks = visibleBlocks(row, rows);
      TileRows left = b.leftRows(query, row, rows, scratch.queryRows);
      b.multiplyIntoStrip(rows, left, scratch.keyPanels, b.index(0), blocks, scratch.scores, stride);
      b.loop(rows, [&](Value i) {
        if (s.masksQueries())
          b.expandMask(mask, b.maskRow(sample, number, b.plus(row, i)), scratch.mask);
        exponentials(i, b.plus(row, i), blocks);
      });
      finishRows(rows, flatLse, b.plus(lseAt, row));
      b.forEachColumns([&](Value column, Value panel, int64_t columns) {
        TileShape tile{rows, columns};
        Tile sums = b.multiplyStrip(tile, scratch.weights, stride, scratch.valuePanels,
                                    b.times(panel, b.columnPanelElements(s.keys)), b.index(0), blocks,
                                    zeroTile(b, tile));
        b.storeHead(tile, normalized(tile, sums), out, row, column);
      });
    });
  }

private:
  AttentionBuilder &b;
  const AttentionShape &s;
  const ForwardScratch &scratch;
  int64_t stride;

  /// Blocks of keys that some of the rows see.
  Value visibleBlocks(Value row, int64_t rows) {
    Value all = b.index(stride / s.width);
    if (!s.causal)
      return all;
    return b.smaller(b.quotient(b.plus(row, rows + s.width - 1), s.width), all);
  }

  /// body(place in the row, the carried vectors) for each vector of the row's visible blocks.
  SmallVector<Value> overRow(Value at, Value blocks, ArrayRef<Value> initial,
                             function_ref<void(Value place, Value address, MutableArrayRef<Value>)> body) {
    return b.carry(b.index(0), blocks, 1, initial, [&](Value block, ValueRange carried) {
      SmallVector<Value> next(carried);
      for (int64_t v = 0; v < s.width / b.form.lanes; ++v) {
        Value place = b.plus(b.times(block, s.width), v * b.form.lanes);
        body(place, b.plus(at, place), MutableArrayRef<Value>(next).slice(v, 1));
      }
      return next;
    });
  }

  /// The greater of two; a NaN loses, and reaches the sum of its row all the same.
  Value greater(Value lhs, Value rhs) {
    Value isGreater = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, lhs, rhs);
    return arith::SelectOp::create(b, isGreater, lhs, rhs);
  }

  /// Scores from the key `place` on with their mask.
  Value masked(Value score, Value place) {
    Value mask = b.loadWhole(scratch.mask, place);
    return arith::SelectOp::create(b, b.isHidden(mask), mask, arith::AddFOp::create(b, score, mask));
  }

  /// Exponentials of row `i` of the strip, which belongs to query `query`, and their sum.
  void exponentials(Value i, Value query, Value blocks) {
    Value at = b.times(i, stride), bound = b.index(s.keys);
    if (s.causal)
      bound = b.smaller(b.plus(query, 1), bound);
    Value lowest = b.splat(-std::numeric_limits<double>::infinity()), scale = b.splat(s.scale);
    SmallVector<Value> most =
        overRow(at, blocks, {lowest, lowest}, [&](Value place, Value address, MutableArrayRef<Value> max) {
          Value score = arith::MulFOp::create(b, b.loadWhole(scratch.scores, address), scale);
          if (s.isMasked())
            score = masked(score, place);
          score = arith::SelectOp::create(b, b.isBelow(place, bound), score, lowest);
          b.storeWhole(score, scratch.scores, address);
          max[0] = greater(score, max[0]);
        });
    Value max =
        b.inAllLanes(greater(most[0], most[1]), [&](Value lhs, Value rhs) { return greater(lhs, rhs); });
    Value zero = b.splat(0);
    if (s.isMasked()) // The exponentials of a row whose keys are all hidden shall be 0, not NaN.
      max = arith::SelectOp::create(b, b.isHidden(max), zero, max);
    SmallVector<Value> sums =
        overRow(at, blocks, {zero, zero}, [&](Value, Value address, MutableArrayRef<Value> sum) {
          Value distance = arith::SubFOp::create(b, b.loadWhole(scratch.scores, address), max);
          Value weight = math::ExpOp::create(b, distance);
          sum[0] = arith::AddFOp::create(b, sum[0], weight);
          b.storeWhole(b.round(weight, scratch.weights), scratch.weights, address);
        });
    Value sum = b.sumInAllLanes(arith::AddFOp::create(b, sums[0], sums[1]));
    b.storeScalar(b.firstLane(max), scratch.greatest, i);
    b.storeScalar(b.firstLane(sum), scratch.factors, i);
  }

  /// From the rows' greatest scores and sums: their logarithms to `lse`, and their factors. A row without
  /// keys has the sum 0; its logarithm is infinite, which makes its exponentials 0 backward too.
  void finishRows(int64_t rows, Value lse, Value lseAt) {
    Value one = b.splat(1), zero = b.splat(0), infinity = b.splat(std::numeric_limits<double>::infinity());
    for (int64_t row = 0; row < rows; row += b.form.lanes) {
      Value sum = b.loadWhole(scratch.factors, b.index(row));
      Value max = b.loadWhole(scratch.greatest, b.index(row));
      Value logarithm = arith::AddFOp::create(b, max, math::LogOp::create(b, sum));
      Value factor = arith::DivFOp::create(b, one, sum);
      if (s.isMasked()) {
        Value isEmpty = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, sum, zero);
        logarithm = arith::SelectOp::create(b, isEmpty, infinity, logarithm);
        factor = arith::SelectOp::create(b, isEmpty, zero, factor);
      }
      b.store(logarithm, lse, b.plus(lseAt, row), std::min(b.form.lanes, rows - row));
      b.storeWhole(factor, scratch.factors, b.index(row));
    }
  }

  Tile normalized(TileShape shape, const Tile &sums) {
    int64_t vectors = shape.vectors(b.form);
    Tile result;
    for (int64_t row = 0; row < shape.rows; ++row) {
      Value factor = b.broadcast(b.loadScalar(scratch.factors, b.index(row)));
      for (int64_t v = 0; v < vectors; ++v)
        result.push_back(arith::MulFOp::create(b, sums[row * vectors + v], factor));
    }
    return result;
  }
};

} // namespace

ContractionPlan planAttention(train::KernelOp kernel, const CpuLevel &level) {
  AttentionShape shape(cast<nn::AttentionOp>(coreOf(kernel)), level);
  AttentionScratch scratch(nullptr, {});
  ForwardScratch parts(scratch, shape);
  ContractionPlan plan;
  plan.items = shape.batch * shape.heads;
  plan.grain = grainFor(2 * shape.queries * shape.keys * shape.depth, plan.items);
  plan.scratchBytes = scratch.bytes();
  return plan;
}

LogicalResult emitAttention(KernelBuilder &outer, const KernelCall &call) {
  auto op = cast<nn::AttentionOp>(call.op());
  SmallVector<Value> typed(op.getProjections());
  typed.push_back(op.getResult());
  if (failed(checkAttentionTypes(op, typed)))
    return failure();
  AttentionShape shape(op, outer.level);
  AttentionBuilder b(outer, shape);
  AttentionScratch scratch(&b, call.scratch);
  ForwardScratch parts(scratch, shape);
  SmallVector<Value> projections;
  for (Value projection : op.getProjections())
    projections.push_back(call.input(projection));
  Value mask = op.getMask() ? b.flat(call.input(op.getMask())) : Value();
  ForwardEmitter emitter(b, parts);
  b.loop(call.lo, call.hi, 1,
         [&](Value item) { emitter.head(item, projections, mask, call.result(0), call.result(1)); });
  outer.setInsertionPoint(b.getInsertionBlock(), b.getInsertionPoint());
  return success();
}

} // namespace halfstep
