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

namespace {

/// What a worker keeps while it works on a head of keys. What there is for each query lies one head of
/// queries after the other, each padded to whole tiles.
struct BackwardScratch {
  BackwardScratch(AttentionScratch &scratch, const AttentionShape &s) {
    int64_t queries = s.group() * s.padded(s.queries), keys = s.padded(s.keys), depth = s.padded(s.depth);
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
    if (s.isMasked())
      mask = scratch.take(s.masksQueries() ? s.rows * queries : keys, compute);
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
  /// The mask of all keys, or, where queries have masks of their own, of the strip's keys in the form of
  /// their rows of scores.
  Value mask;
  Value keyRows, valueRows;
};

/// The tensors of one head of queries.
struct QueryHead {
  HeadRows query, grad, result, queryGrad;
  Value lse, lseAt;
  Value maskAt; ///< where the mask of its first row begins
};

/// The tensors of one head of keys, and those of head `number` of the queries that share it.
struct BackwardHead {
  HeadRows key, value, keyGrad, valueGrad;
  Value mask; ///< flat; null when there is none
  llvm::function_ref<QueryHead(Value number)> queries;
};

class BackwardEmitter {
public:
  BackwardEmitter(AttentionBuilder &b, const BackwardScratch &scratch)
      : b(b), s(b.shape), scratch(scratch), headStride(s.padded(s.queries)), stride(s.group() * headStride),
        gradStride(s.padded(s.depth)) {}

  void run(const BackwardHead &head) {
    b.packAsColumns(head.key, s.keys, scratch.keyColumnPanels, 1, b.index(0));
    forEachHead([&](Value number) { prepareQueries(head.queries(number), number); });
    if (s.isMasked() && !s.masksQueries())
      b.expandMask(head.mask, head.queries(b.index(0)).maskAt, scratch.mask);
    emitClear(b, scratch.queryGrads, stride * gradStride);
    b.forEachStrip(s.keys, [&](Value row, int64_t rows) { strip(head, row, rows); });
    forEachHead([&](Value number) { storeQueryGrads(head.queries(number).queryGrad, number); });
  }

private:
  AttentionBuilder &b;
  const AttentionShape &s;
  const BackwardScratch &scratch;
  /// Queries of a head, padded, and of all heads that share the keys.
  int64_t headStride, stride;
  int64_t gradStride;

  void forEachHead(function_ref<void(Value)> body) {
    if (s.group() == 1)
      return body(b.index(0));
    b.loop(s.group(), body);
  }

  /// body(first query of a head, its blocks lo..hi) for each head, without the blocks before `skipped`.
  void forEachHeadBlocks(Value skipped, function_ref<void(Value, Value, Value)> body) {
    int64_t blocks = headStride / s.width;
    forEachHead([&](Value number) {
      Value begin = b.times(number, blocks);
      body(b.times(number, headStride), b.plus(begin, skipped), b.plus(begin, blocks));
    });
  }

  /// The rows of a head of queries, its packed forms, delta = rowsum(grad * result), and lse where vectors
  /// may be read whole.
  void prepareQueries(const QueryHead &head, Value number) {
    Value panelAt = b.times(number, b.rowPanelsElements(s.queries));
    b.packAsRows(head.query, s.queries, scratch.queryRowPanels, panelAt);
    b.packAsRows(head.grad, s.queries, scratch.gradRowPanels, panelAt);
    b.packAsColumns(head.query, s.queries, scratch.queryColumnPanels, s.group(), number);
    b.packAsColumns(head.grad, s.queries, scratch.gradColumnPanels, s.group(), number);
    int64_t lanes = b.form.lanes;
    Value zero = b.zeroVector(b.form.compute), begin = b.times(number, headStride);
    for (Value vector : {scratch.lse, scratch.delta})
      for (int64_t at = headStride - s.width; at < headStride; at += lanes)
        b.storeWhole(zero, vector, b.plus(begin, at));
    b.loop(s.queries, [&](Value row) {
      Value sum = zero;
      for (int64_t column = 0; column < s.depth; column += lanes) {
        auto part = [&](const HeadRows &rows) {
          Value at = b.plus(b.plus(rows.base, b.times(row, rows.stride)), column);
          return b.widen(b.load(rows.flat, at, lanes, std::min(lanes, s.depth - column)));
        };
        sum = vector::FMAOp::create(b, part(head.grad), part(head.result), sum);
      }
      Value place = b.plus(begin, row);
      b.storeScalar(b.firstLane(b.sumInAllLanes(sum)), scratch.delta, place);
      b.storeScalar(b.loadScalar(head.lse, b.plus(head.lseAt, row)), scratch.lse, place);
    });
  }

  /// All that depends on `rows` keys from `row` on.
  void strip(const BackwardHead &head, Value row, int64_t rows) {
    Value first = s.causal ? b.smaller(b.quotient(row, s.width), b.index(headStride / s.width)) : b.index(0);
    TileRows keyRows = b.leftRows(head.key, row, rows, scratch.keyRows);
    TileRows valueRows = b.leftRows(head.value, row, rows, scratch.valueRows);
    if (s.masksQueries())
      gatherMask(head, row, rows);
    forEachHeadBlocks(first, [&](Value begin, Value lo, Value hi) {
      b.multiplyIntoStrip(rows, keyRows, scratch.queryRowPanels, lo, hi, scratch.scores, stride);
      b.multiplyIntoStrip(rows, valueRows, scratch.gradRowPanels, lo, hi, scratch.weightGrads, stride);
      differentiate(row, rows, begin, lo, hi);
    });
    b.forEachColumns([&](Value column, Value panel, int64_t columns) {
      TileShape tile{rows, columns};
      Value panelAt = b.times(panel, s.group() * b.columnPanelElements(s.queries));
      auto product = [&](Value left, Value panels, const HeadRows &out) {
        b.storeHead(tile, multiplyHeads(tile, left, panels, panelAt, first), out, row, column);
      };
      product(scratch.weights, scratch.gradColumnPanels, head.valueGrad);
      product(scratch.scoreGrads, scratch.queryColumnPanels, head.keyGrad);
      forEachHeadBlocks(first, [&](Value, Value lo, Value hi) {
        addQueryGrads(row, rows, lo, hi, column, panel, columns);
      });
    });
  }

  /// The strip times the panels of all heads of queries.
  Tile multiplyHeads(TileShape tile, Value left, Value panels, Value panelAt, Value first) {
    int64_t blocks = headStride / s.width;
    auto ofHead = [&](Value number, const Tile &sums) {
      Value begin = b.times(number, blocks);
      return b.multiplyStrip(tile, left, stride, panels, panelAt, b.plus(begin, first), b.plus(begin, blocks),
                             sums);
    };
    if (s.group() == 1)
      return ofHead(b.index(0), zeroTile(b, tile));
    return b.carry(b.index(0), b.index(s.group()), 1, zeroTile(b, tile),
                   [&](Value number, ValueRange sums) { return ofHead(number, Tile(sums)); });
  }

  /// The masks of the strip's keys, as far as there are queries: an element at a time, since they lie by rows
  /// of queries.
  void gatherMask(const BackwardHead &head, Value row, int64_t rows) {
    forEachHead([&](Value number) {
      Value from = head.queries(number).maskAt;
      b.loop(s.queries, [&](Value query) {
        Value at = b.plus(b.plus(from, b.times(query, s.keys)), row);
        Value place = b.plus(b.times(number, headStride), query);
        b.loop(rows, [&](Value i) {
          b.storeScalar(b.maskAt(head.mask, b.plus(at, i)), scratch.mask, b.plus(b.times(i, stride), place));
        });
      });
    });
  }

  /// Exponentials and gradients of the strip's scores.
  void differentiate(Value row, int64_t rows, Value begin, Value lo, Value hi) {
    int64_t step = b.form.depthPerStep, whole = rows / step;
    b.loop(whole,
           [&](Value pair) { differentiateRows(row, b.times(pair, step), pair, step, begin, lo, hi); });
    if (whole * step < rows)
      differentiateRows(row, b.index(rows - 1), b.index(whole), 1, begin, lo, hi);
  }

  /// Rows that go into one step of a product over keys: `count` from row `i` of the strip on.
  void differentiateRows(Value row, Value i, Value pair, int64_t count, Value begin, Value lo, Value hi) {
    b.loop(lo, hi, 1, [&](Value block) {
      for (int64_t v = 0; v < s.width / b.form.lanes; ++v) {
        Value place = b.plus(b.times(block, s.width), v * b.form.lanes);
        SmallVector<Value> stored;
        for (int64_t r = 0; r < count; ++r)
          stored.push_back(differentiateVector(b.plus(row, b.plus(i, r)), b.plus(i, r), begin, place));
        if (!b.form.pairs())
          continue;
        Value both = count == 2 ? b.paired(stored[0], stored[1]) : b.extended(stored[0]);
        b.storeWhole(both, scratch.scoreGradPairs, b.plus(b.times(pair, stride), place));
      }
    });
  }

  /// One vector of queries from `place` on, of the head that begins at `begin`, in row `i`, that of the key
  /// `key`; returns the gradients as stored.
  Value differentiateVector(Value key, Value i, Value begin, Value place) {
    Value at = b.plus(b.times(i, stride), place), zero = b.splat(0), scale = b.splat(s.scale);
    Value score = arith::MulFOp::create(b, b.loadWhole(scratch.scores, at), scale);
    Value mask;
    if (s.isMasked()) {
      mask = s.masksQueries() ? b.loadWhole(scratch.mask, at) : b.broadcast(b.loadScalar(scratch.mask, key));
      score = arith::AddFOp::create(b, score, mask);
    }
    Value distance = arith::SubFOp::create(b, score, b.loadWhole(scratch.lse, place));
    Value weight = math::ExpOp::create(b, distance);
    Value change =
        arith::SubFOp::create(b, b.loadWhole(scratch.weightGrads, at), b.loadWhole(scratch.delta, place));
    Value grad = arith::MulFOp::create(b, arith::MulFOp::create(b, weight, scale), change);
    auto masked = [&](Value value, Value seen) { return arith::SelectOp::create(b, seen, value, zero); };
    Value seen = b.isBelow(place, b.plus(begin, s.queries));
    auto except = [&](Value unseen) {
      Value all = arith::ConstantOp::create(b, DenseElementsAttr::get(b.vectorOf(b.getI1Type()), true));
      seen = arith::AndIOp::create(b, seen, arith::XOrIOp::create(b, unseen, all));
    };
    if (s.causal) // Queries before the key do not see it.
      except(b.isBelow(place, b.plus(begin, key)));
    if (mask)
      except(b.isHidden(mask));
    weight = b.round(masked(weight, seen), scratch.weights);
    grad = b.round(masked(grad, seen), scratch.scoreGrads);
    b.storeWhole(weight, scratch.weights, at);
    b.storeWhole(grad, scratch.scoreGrads, at);
    return grad;
  }

  /// Adds what the strip's keys contribute to `columns` columns of the gradients of the queries.
  void addQueryGrads(Value row, int64_t rows, Value lo, Value hi, Value column, Value panel,
                     int64_t columns) {
    // Divides the width, so that no rows are left over.
    int64_t height = std::min<int64_t>(b.level.registers / 4, s.width);
    TileShape tile{height, columns};
    Value panelAt = b.plus(b.times(panel, b.columnPanelElements(s.keys)),
                           b.times(b.quotient(row, b.form.depthPerStep), s.width));
    b.loop(b.times(lo, s.width), b.times(hi, s.width), height, [&](Value query) {
      TileRows left{scratch.scoreGradPairs, query, 1, stride};
      TileColumns right{scratch.keyColumnPanels, panelAt, s.width, /*padded=*/true};
      Value at = b.plus(b.times(query, gradStride), column);
      Tile sums = loadTile(b, tile, scratch.queryGrads, at, gradStride);
      sums = accumulateTile(b, tile, left, right, rows, sums);
      saveTile(b, tile, sums, scratch.queryGrads, at, gradStride);
    });
  }

  void storeQueryGrads(const HeadRows &out, Value number) {
    b.loop(s.queries, [&](Value row) {
      b.forEachColumns([&](Value column, Value, int64_t columns) {
        TileShape tile{1, columns};
        Value at = b.plus(b.times(b.plus(b.times(number, headStride), row), gradStride), column);
        b.storeHead(tile, loadTile(b, tile, scratch.queryGrads, at, gradStride), out, row, column);
      });
    });
  }
};

/// The memrefs of a call, which heads are parts of.
struct BackwardBuffers {
  BackwardBuffers(AttentionBuilder &b, nn::AttentionBackwardOp op, const KernelCall &call)
      : b(b), grad(call.input(op.getGrad())), result(call.input(op.getResult())),
        lse(b.flat(call.input(op.getLse()))),
        mask(op.getMask() ? b.flat(call.input(op.getMask())) : Value()) {
    for (Value projection : op.getProjections())
      projections.push_back(call.input(projection));
    for (unsigned i = 0; i < op.getNumResults(); ++i)
      grads.push_back(call.result(i));
  }

  AttentionBuilder &b;
  Value grad, result, lse, mask;
  SmallVector<Value> projections, grads;

  void run(BackwardEmitter &emitter, Value item) const {
    Value sample = b.quotient(item, b.shape.keyHeads), keyHead = b.remainder(item, b.shape.keyHeads);
    auto keys = [&](ArrayRef<Value> buffers, int64_t part) {
      return b.keyRows(buffers[b.shape.packed ? 0 : part], sample, keyHead, part);
    };
    auto queries = [&](Value number) {
      Value head = b.plus(b.times(keyHead, b.shape.group()), number);
      return QueryHead{b.queryRows(projections[0], sample, head),
                       b.queryRows(grad, sample, head),
                       b.queryRows(result, sample, head),
                       b.queryRows(grads[0], sample, head),
                       lse,
                       b.headVector(sample, head),
                       mask ? b.maskRow(sample, head, b.index(0)) : Value()};
    };
    emitter.run({keys(projections, 1), keys(projections, 2), keys(grads, 1), keys(grads, 2), mask, queries});
  }
};

} // namespace

ContractionPlan planAttentionBackward(train::KernelOp kernel, const CpuLevel &level) {
  AttentionShape shape(cast<nn::AttentionBackwardOp>(coreOf(kernel)), level);
  AttentionScratch scratch(nullptr, {});
  BackwardScratch parts(scratch, shape);
  ContractionPlan plan;
  plan.items = shape.batch * shape.keyHeads;
  plan.grain = grainFor(5 * shape.group() * shape.queries * shape.keys * shape.depth, plan.items);
  plan.scratchBytes = scratch.bytes();
  return plan;
}

LogicalResult emitAttentionBackward(KernelBuilder &outer, const KernelCall &call) {
  auto op = cast<nn::AttentionBackwardOp>(call.op());
  SmallVector<Value> typed(op.getProjections());
  typed.append({op.getGrad(), op.getResult()});
  if (failed(checkAttentionTypes(op, typed)))
    return failure();
  AttentionShape shape(op, outer.level);
  AttentionBuilder b(outer, shape);
  AttentionScratch scratch(&b, call.scratch);
  BackwardScratch parts(scratch, shape);
  BackwardBuffers buffers(b, op, call);
  BackwardEmitter emitter(b, parts);
  b.loop(call.lo, call.hi, 1, [&](Value item) { buffers.run(emitter, item); });
  outer.setInsertionPoint(b.getInsertionBlock(), b.getInsertionPoint());
  return success();
}

} // namespace halfstep
