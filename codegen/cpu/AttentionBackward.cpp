// nn.attention_backward: a few rows of the transposed scores at a time. With keys as rows, what is saved a
// query (the logarithm of its sum, and delta) lies along the vectors, so no row is summed; the rows of
// exponentials and of their gradients are the left operands of the gradients of values and keys.
#include "codegen/cpu/Attention.h"

#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace halfstep {

static AttentionShape shapeOf(nn::AttentionBackwardOp op, const CpuLevel &level) {
  return {op.getProjections(), int64_t(op.getHeads()), op.getCausal(), op.getScale().convertToDouble(),
          level};
}

namespace {

/// What a worker keeps while it works on a head.
struct BackwardScratch {
  BackwardScratch(AttentionScratch &scratch, const AttentionShape &s) {
    int64_t queries = s.padded(s.queries), keys = s.padded(s.keys), depth = s.padded(s.depth);
    Type panel = s.form.panel, compute = s.form.compute;
    int64_t rowPanels = queries * s.form.steps(s.depth), columnPanels = depth * s.form.steps(queries);
    queryRowPanels = scratch.take(rowPanels, panel);
    gradRowPanels = scratch.take(rowPanels, panel);
    queryColumnPanels = scratch.take(columnPanels, panel);
    gradColumnPanels = scratch.take(columnPanels, panel);
    keyColumnPanels = scratch.take(depth * s.form.steps(keys), panel);
    lse = scratch.take(queries, compute);
    delta = scratch.take(queries, compute);
    scores = scratch.take(s.rows * queries, compute);
    weightGrads = scratch.take(s.rows * queries, compute);
    bool pairs = s.form.pairs();
    weights = pairs ? scratch.take(s.rows * queries, s.form.storage) : scores;
    scoreGrads = pairs ? scratch.take(s.rows * queries, s.form.storage) : weightGrads;
    scoreGradPairs = pairs ? scratch.take(s.rows / 2 * queries, panel) : weightGrads;
    queryGrads = scratch.take(queries * depth, compute);
    if (s.packsRows()) {
      keyRows = scratch.take(s.packedRowWidth() * s.depth, panel);
      valueRows = scratch.take(s.packedRowWidth() * s.depth, panel);
    }
  }

  Value queryRowPanels, gradRowPanels;
  Value queryColumnPanels, gradColumnPanels, keyColumnPanels;
  Value lse, delta;
  /// Rows, one a key of the strip: products with the queries and of the values with the result's gradient, in
  /// the compute type; exponentials and gradients of the scores, as a product over queries takes them.
  Value scores, weightGrads, weights, scoreGrads;
  /// Gradients of the scores as a product over the strip's keys takes them: steps of keys by queries.
  Value scoreGradPairs;
  /// Sums of the gradient of the queries, in the compute type.
  Value queryGrads;
  Value keyRows, valueRows;
};

/// The tensors of one head.
struct BackwardHead {
  HeadRows query, key, value, grad, result, queryGrad, keyGrad, valueGrad;
  Value lse, lseAt;
};

class BackwardEmitter {
public:
  BackwardEmitter(AttentionBuilder &b, const BackwardScratch &scratch)
      : b(b), s(b.shape), scratch(scratch), stride(s.padded(s.queries)), gradStride(s.padded(s.depth)) {}

  void run(const BackwardHead &head) {
    b.packAsRows(head.query, s.queries, scratch.queryRowPanels);
    b.packAsRows(head.grad, s.queries, scratch.gradRowPanels);
    b.packAsColumns(head.query, s.queries, scratch.queryColumnPanels);
    b.packAsColumns(head.grad, s.queries, scratch.gradColumnPanels);
    b.packAsColumns(head.key, s.keys, scratch.keyColumnPanels);
    prepareQueries(head);
    emitClear(b, scratch.queryGrads, stride * gradStride);
    b.forEachStrip(s.keys, [&](Value row, int64_t rows) { strip(head, row, rows); });
    storeQueryGrads(head.queryGrad);
  }

private:
  AttentionBuilder &b;
  const AttentionShape &s;
  const BackwardScratch &scratch;
  int64_t stride, gradStride;

  /// delta = rowsum(grad * result), and lse where vectors may be read whole.
  void prepareQueries(const BackwardHead &head) {
    int64_t lanes = b.form.lanes;
    Value zero = b.zeroVector(b.form.compute);
    for (Value vector : {scratch.lse, scratch.delta})
      for (int64_t at = stride - s.width; at < stride; at += lanes)
        b.storeWhole(zero, vector, b.index(at));
    b.loop(s.queries, [&](Value row) {
      Value sum = zero;
      for (int64_t column = 0; column < s.depth; column += lanes) {
        auto part = [&](const HeadRows &rows) {
          Value at = b.plus(b.plus(rows.base, b.times(row, rows.stride)), column);
          return b.widen(b.load(rows.flat, at, lanes, std::min(lanes, s.depth - column)));
        };
        sum = vector::FMAOp::create(b, part(head.grad), part(head.result), sum);
      }
      b.storeScalar(b.firstLane(b.sumInAllLanes(sum)), scratch.delta, row);
      b.storeScalar(b.loadScalar(head.lse, b.plus(head.lseAt, row)), scratch.lse, row);
    });
  }

  /// All that depends on `rows` keys from `row` on.
  void strip(const BackwardHead &head, Value row, int64_t rows) {
    Value blocks = b.index(stride / s.width);
    Value first = s.causal ? b.smaller(b.quotient(row, s.width), blocks) : b.index(0);
    TileRows keyRows = b.leftRows(head.key, row, rows, scratch.keyRows);
    b.multiplyIntoStrip(rows, keyRows, scratch.queryRowPanels, first, blocks, scratch.scores, stride);
    TileRows valueRows = b.leftRows(head.value, row, rows, scratch.valueRows);
    b.multiplyIntoStrip(rows, valueRows, scratch.gradRowPanels, first, blocks, scratch.weightGrads, stride);
    differentiate(row, rows, first, blocks);
    b.forEachColumns([&](Value column, Value panel, int64_t columns) {
      TileShape tile{rows, columns};
      Value panelAt = b.times(panel, b.columnPanelElements(s.queries));
      auto product = [&](Value left, Value panels, const HeadRows &out) {
        Tile sums = b.multiplyStrip(tile, left, stride, panels, panelAt, first, blocks);
        b.storeHead(tile, sums, out, row, column);
      };
      product(scratch.weights, scratch.gradColumnPanels, head.valueGrad);
      product(scratch.scoreGrads, scratch.queryColumnPanels, head.keyGrad);
      addQueryGrads(row, rows, first, blocks, column, panel, columns);
    });
  }

  /// Exponentials and gradients of the strip's scores.
  void differentiate(Value row, int64_t rows, Value first, Value blocks) {
    int64_t step = b.form.depthPerStep, whole = rows / step;
    b.loop(whole,
           [&](Value pair) { differentiateRows(row, b.times(pair, step), pair, step, first, blocks); });
    if (whole * step < rows)
      differentiateRows(row, b.index(rows - 1), b.index(whole), 1, first, blocks);
  }

  /// Rows that go into one step of a product over keys: `count` from row `i` of the strip on.
  void differentiateRows(Value row, Value i, Value pair, int64_t count, Value first, Value blocks) {
    b.loop(first, blocks, 1, [&](Value block) {
      for (int64_t v = 0; v < s.width / b.form.lanes; ++v) {
        Value place = b.plus(b.times(block, s.width), v * b.form.lanes);
        SmallVector<Value> stored;
        for (int64_t r = 0; r < count; ++r)
          stored.push_back(differentiateVector(b.plus(row, b.plus(i, r)), b.plus(i, r), place));
        if (!b.form.pairs())
          continue;
        Value both = count == 2 ? b.paired(stored[0], stored[1]) : b.extended(stored[0]);
        b.storeWhole(both, scratch.scoreGradPairs, b.plus(b.times(pair, stride), place));
      }
    });
  }

  /// One vector of queries from `place` on in row `i`, that of the key `key`; returns the gradients as
  /// stored.
  Value differentiateVector(Value key, Value i, Value place) {
    Value at = b.plus(b.times(i, stride), place), zero = b.splat(0), scale = b.splat(s.scale);
    Value score = arith::MulFOp::create(b, b.loadWhole(scratch.scores, at), scale);
    Value distance = arith::SubFOp::create(b, score, b.loadWhole(scratch.lse, place));
    Value weight = math::ExpOp::create(b, distance);
    Value change =
        arith::SubFOp::create(b, b.loadWhole(scratch.weightGrads, at), b.loadWhole(scratch.delta, place));
    Value grad = arith::MulFOp::create(b, arith::MulFOp::create(b, weight, scale), change);
    auto masked = [&](Value value, Value seen) { return arith::SelectOp::create(b, seen, value, zero); };
    Value seen = b.isBelow(place, b.index(s.queries));
    if (s.causal) {
      // Queries before the key do not see it.
      Value unseen = b.isBelow(place, key);
      Value all = arith::ConstantOp::create(b, DenseElementsAttr::get(b.vectorOf(b.getI1Type()), true));
      seen = arith::AndIOp::create(b, seen, arith::XOrIOp::create(b, unseen, all));
    }
    weight = b.round(masked(weight, seen), scratch.weights);
    grad = b.round(masked(grad, seen), scratch.scoreGrads);
    b.storeWhole(weight, scratch.weights, at);
    b.storeWhole(grad, scratch.scoreGrads, at);
    return grad;
  }

  /// Adds what the strip's keys contribute to `columns` columns of the gradients of the queries.
  void addQueryGrads(Value row, int64_t rows, Value first, Value blocks, Value column, Value panel,
                     int64_t columns) {
    // Divides the width, so that no rows are left over.
    int64_t height = std::min<int64_t>(b.level.registers / 4, s.width);
    TileShape tile{height, columns};
    Value panelAt = b.plus(b.times(panel, b.columnPanelElements(s.keys)),
                           b.times(b.quotient(row, b.form.depthPerStep), s.width));
    b.loop(b.times(first, s.width), b.times(blocks, s.width), height, [&](Value query) {
      TileRows left{scratch.scoreGradPairs, query, 1, stride};
      TileColumns right{scratch.keyColumnPanels, panelAt, s.width, /*padded=*/true};
      Value at = b.plus(b.times(query, gradStride), column);
      Tile sums = loadTile(b, tile, scratch.queryGrads, at, gradStride);
      sums = accumulateTile(b, tile, left, right, rows, sums);
      saveTile(b, tile, sums, scratch.queryGrads, at, gradStride);
    });
  }

  void storeQueryGrads(const HeadRows &out) {
    b.loop(s.queries, [&](Value row) {
      b.forEachColumns([&](Value column, Value, int64_t columns) {
        TileShape tile{1, columns};
        Value at = b.plus(b.times(row, gradStride), column);
        b.storeHead(tile, loadTile(b, tile, scratch.queryGrads, at, gradStride), out, row, column);
      });
    });
  }
};

/// The memrefs of a call, which heads are parts of.
struct BackwardBuffers {
  BackwardBuffers(nn::AttentionBackwardOp op, const KernelCall &call)
      : grad(call.input(op.getGrad())), result(call.input(op.getResult())), lse(call.input(op.getLse())) {
    for (Value projection : op.getProjections())
      projections.push_back(call.input(projection));
    for (unsigned i = 0; i < op.getNumResults(); ++i)
      grads.push_back(call.result(i));
  }

  Value grad, result, lse;
  SmallVector<Value> projections, grads;

  BackwardHead head(AttentionBuilder &b, Value item) const {
    bool packed = b.shape.packed;
    auto part = [&](ArrayRef<Value> buffers, int64_t i) {
      return b.headRows(buffers[packed ? 0 : i], item, packed ? i : 0);
    };
    return {part(projections, 0),
            part(projections, 1),
            part(projections, 2),
            b.headRows(grad, item, 0),
            b.headRows(result, item, 0),
            part(grads, 0),
            part(grads, 1),
            part(grads, 2),
            b.flat(lse),
            b.headVector(item)};
  }
};

} // namespace

ContractionPlan planAttentionBackward(train::KernelOp kernel, const CpuLevel &level) {
  AttentionShape shape = shapeOf(cast<nn::AttentionBackwardOp>(kernel.getBlock().front()), level);
  AttentionScratch scratch(nullptr, {});
  BackwardScratch parts(scratch, shape);
  ContractionPlan plan;
  plan.items = shape.items();
  plan.grain = grainFor(5 * shape.queries * shape.keys * shape.depth, plan.items);
  plan.scratchBytes = scratch.bytes();
  return plan;
}

LogicalResult emitAttentionBackward(KernelBuilder &outer, const KernelCall &call) {
  auto op = cast<nn::AttentionBackwardOp>(call.op());
  SmallVector<Value> typed(op.getProjections());
  typed.append({op.getGrad(), op.getResult()});
  if (failed(checkAttentionTypes(op, typed)))
    return failure();
  AttentionShape shape = shapeOf(op, outer.level);
  AttentionBuilder b(outer, shape);
  AttentionScratch scratch(&b, call.scratch);
  BackwardScratch parts(scratch, shape);
  BackwardBuffers buffers(op, call);
  BackwardEmitter emitter(b, parts);
  b.loop(call.lo, call.hi, 1, [&](Value item) { emitter.run(buffers.head(b, item)); });
  outer.setInsertionPoint(b.getInsertionBlock(), b.getInsertionPoint());
  return success();
}

} // namespace halfstep
