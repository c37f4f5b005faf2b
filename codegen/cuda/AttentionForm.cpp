// Attention and its gradients, a warp a row of the matrix of scores, of which no part is stored: lanes take a
// chunk of 32 keys or queries, one score each, and then the columns of the head, to which the scores of all
// lanes are passed.
#include "codegen/cuda/Forms.h"
#include "codegen/cuda/ThreadBuilder.h"

#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;

namespace halfstep {

static RankedTensorType tensorOf(Value value) { return cast<RankedTensorType>(value.getType()); }

namespace {

/// The extents of an attention op.
struct HeadShape {
  template <typename Op>
  explicit HeadShape(Op op)
      : packed(op.getProjections().size() == 1), heads(int64_t(op.getHeads())), causal(op.getCausal()),
        scale(op.getScale().convertToDouble()) {
    RankedTensorType first = tensorOf(op.getProjections().front());
    batch = first.getDimSize(0);
    queries = first.getDimSize(1);
    keys = tensorOf(op.getProjections()[packed ? 0 : 1]).getDimSize(1);
    depth = first.getDimSize(2) / (packed ? 3 * heads : heads);
  }

  bool packed;
  int64_t heads, batch, queries, keys, depth;
  bool causal;
  double scale;

  int64_t columns() const { return heads * depth; }
  int64_t queryRows() const { return batch * heads * queries; }
  int64_t keyRows() const { return batch * heads * keys; }
  /// Columns of a head that a lane holds.
  int64_t columnsEach() const { return llvm::divideCeil(depth, kWarp); }
};

/// Rows of one head: row t of a tensor begins at base + t * stride.
struct HeadRows {
  Value flat, base;
  int64_t stride;
};

/// Builds the work of one warp.
class AttentionThreads : public SliceBuilder {
public:
  AttentionThreads(const KernelBuilder &outer, const KernelCall &call, HeadShape shape)
      : SliceBuilder(outer, call), call(call), shape(shape), team(*this, kWarp) {}

  void emitForward(nn::AttentionOp op, Value number);
  /// The gradient of a query.
  void emitQuery(nn::AttentionBackwardOp op, Value number);
  /// The gradients of a key and its value.
  void emitKey(nn::AttentionBackwardOp op, Value number);

private:
  const KernelCall &call;
  const HeadShape shape;
  Team team;

  /// Query, key or value: part 0, 1 or 2 of tensors, which are three or one.
  HeadRows partRows(ArrayRef<Value> buffers, Value batch, Value head, int64_t part) {
    int64_t width = shape.columns() * (shape.packed ? 3 : 1), rows = part == 0 ? shape.queries : shape.keys;
    Value base = plus(times(times(batch, rows), width), times(head, shape.depth));
    return {buffers[shape.packed ? 0 : part], plus(base, shape.packed ? part * shape.columns() : 0), width};
  }
  /// Rows of a tensor like the result.
  HeadRows resultRows(Value flat, Value batch, Value head) {
    Value base = plus(times(times(batch, shape.queries), shape.columns()), times(head, shape.depth));
    return {flat, base, shape.columns()};
  }
  Values flats(ValueRange tensors, bool areResults) {
    return llvm::map_to_vector(
        tensors, [&](Value tensor) { return flat(areResults ? call.resultOf(tensor) : call.input(tensor)); });
  }
  Value rowStart(const HeadRows &rows, Value row) { return plus(rows.base, times(row, rows.stride)); }

  /// The product of two rows, in each lane for itself.
  Value product(const HeadRows &lhs, Value lhsRow, const HeadRows &rhs, Value rhsRow) {
    Value left = rowStart(lhs, lhsRow), right = rowStart(rhs, rhsRow);
    return carry(index(0), index(shape.depth), 1, number(0), [&](Value column, ValueRange old) {
      return Values{fma(load(lhs.flat, plus(left, column)), load(rhs.flat, plus(right, column)), old[0])};
    })[0];
  }

  Value score(Value product) { return mul(product, number(shape.scale)); }
  Value isAtMost(Value lhs, Value rhs) {
    return arith::CmpIOp::create(*this, arith::CmpIPredicate::sle, lhs, rhs);
  }

  /// body(first of a chunk of 32, the lane's place in the count kept below it, whether there is such a one,
  /// carried)
  Values chunks(Value begin, Value end, ValueRange initial,
                function_ref<Values(Value first, Value mine, Value isThere, ValueRange old)> body) {
    return carry(begin, end, kWarp, initial, [&](Value first, ValueRange old) {
      Value mine = plus(first, team.lane());
      Value isThere = isBelow(*this, mine, end);
      // Lanes beyond the end do the last one's work, and its weight is 0.
      return body(first, smaller(mine, minus(end, index(1))), isThere, old);
    });
  }

  /// sums[i][j] += weights[i] of lane r times rows[i][first + r][the lane's column j], over all lanes r.
  Values addRows(ValueRange sums, ArrayRef<Value> weights, ArrayRef<HeadRows> rows, Value first, Value end) {
    Value count = smaller(minus(end, first), index(kWarp));
    return carry(index(0), count, 1, sums, [&](Value r, ValueRange old) {
      Values next(old);
      for (auto [i, weight] : llvm::enumerate(weights)) {
        Value passed = shuffleFrom(*this, weight, r), start = rowStart(rows[i], plus(first, r));
        for (int64_t j = 0; j < shape.columnsEach(); ++j) {
          Value &sum = next[int64_t(i) * shape.columnsEach() + j];
          sum = fma(passed, load(rows[i].flat, plus(start, column(j))), sum);
        }
      }
      return next;
    });
  }

  /// The lane's column j, or for a lane that has none the head's last.
  Value column(int64_t j) {
    Value own = plus(team.lane(), j * kWarp);
    return (j + 1) * kWarp > shape.depth ? smaller(own, index(shape.depth - 1)) : own;
  }

  void storeRow(ValueRange values, const HeadRows &rows, Value row) {
    for (int64_t j = 0; j < shape.columnsEach(); ++j) {
      auto write = [&] { store(values[j], rows.flat, plus(rowStart(rows, row), column(j))); };
      Value own = plus(team.lane(), j * kWarp);
      (j + 1) * kWarp > shape.depth ? when(isBelow(*this, own, shape.depth), write) : write();
    }
  }

  Values zeros(int64_t rows) { return Values(rows * shape.columnsEach(), number(0)); }
  /// The end of the keys that a query sees.
  Value keysOf(Value query) {
    return shape.causal ? smaller(plus(query, 1), index(shape.keys)) : index(shape.keys);
  }
};

} // namespace

void AttentionThreads::emitForward(nn::AttentionOp op, Value number) {
  Values at = indicesOf(*this, number, {shape.batch, shape.heads, shape.queries});
  Values buffers = flats(op.getProjections(), /*areResults=*/false);
  HeadRows queries = partRows(buffers, at[0], at[1], 0), keys = partRows(buffers, at[0], at[1], 1),
           values = partRows(buffers, at[0], at[1], 2);
  Value query = at[2], end = keysOf(query);
  Value least = this->number(-std::numeric_limits<double>::infinity());
  Values initial{least, this->number(0)};
  llvm::append_range(initial, zeros(1));
  // Sums are relative to the largest score so far.
  Values state = chunks(index(0), end, initial, [&](Value first, Value mine, Value isThere, ValueRange old) {
    Value own = score(product(queries, query, keys, mine));
    Value masked = arith::SelectOp::create(*this, isThere, own, least);
    Value max = largerFloat(*this, old[0], team.maximum(masked)), kept = exp(sub(old[0], max));
    Value weight = arith::SelectOp::create(*this, isThere, exp(sub(own, max)), this->number(0));
    Values next{max, fma(old[1], kept, team.sum(weight))}, sums;
    for (Value sum : old.drop_front(2))
      sums.push_back(mul(sum, kept));
    llvm::append_range(next, addRows(sums, {weight}, {values}, first, end));
    return next;
  });
  Value inverse = div(this->number(1), state[1]);
  Values rows;
  for (Value sum : ArrayRef(state).drop_front(2))
    rows.push_back(mul(sum, inverse));
  if (Value out = output(0))
    storeRow(rows, resultRows(out, at[0], at[1]), query);
  team.first([&] { store(add(state[0], log(state[1])), output(1), number); });
}

void AttentionThreads::emitQuery(nn::AttentionBackwardOp op, Value number) {
  Values at = indicesOf(*this, number, {shape.batch, shape.heads, shape.queries});
  Values buffers = flats(op.getProjections(), false), grads = flats(op.getGrads(), true);
  HeadRows queries = partRows(buffers, at[0], at[1], 0), keys = partRows(buffers, at[0], at[1], 1),
           values = partRows(buffers, at[0], at[1], 2), grad = resultRows(input(0), at[0], at[1]),
           result = resultRows(input(1), at[0], at[1]);
  Value query = at[2], end = keysOf(query), lse = load(input(2), number);
  Value dot = product(grad, query, result, query);
  Values sums = chunks(index(0), end, zeros(1), [&](Value first, Value mine, Value isThere, ValueRange old) {
    Value power = exp(sub(score(product(queries, query, keys, mine)), lse));
    Value slope = mul(power, sub(product(grad, query, values, mine), dot));
    Value weight = arith::SelectOp::create(*this, isThere, score(slope), this->number(0));
    return addRows(old, {weight}, {keys}, first, end);
  });
  storeRow(sums, partRows(grads, at[0], at[1], 0), query);
}

void AttentionThreads::emitKey(nn::AttentionBackwardOp op, Value number) {
  Values at = indicesOf(*this, number, {shape.batch, shape.heads, shape.keys});
  Values buffers = flats(op.getProjections(), false), grads = flats(op.getGrads(), true);
  HeadRows queries = partRows(buffers, at[0], at[1], 0), keys = partRows(buffers, at[0], at[1], 1),
           values = partRows(buffers, at[0], at[1], 2), grad = resultRows(input(0), at[0], at[1]),
           result = resultRows(input(1), at[0], at[1]);
  Value key = at[2], end = index(shape.queries), head = plus(times(at[0], shape.heads), at[1]);
  // A causal key is seen by the queries from its own place on.
  Value begin = shape.causal ? smaller(key, end) : index(0);
  Values sums = chunks(begin, end, zeros(2), [&](Value first, Value mine, Value isThere, ValueRange old) {
    Value lse = load(input(2), plus(times(head, shape.queries), mine));
    Value power = exp(sub(score(product(queries, mine, keys, key)), lse));
    Value slope = mul(power, sub(product(grad, mine, values, key), product(grad, mine, result, mine)));
    auto kept = [&](Value weight) -> Value {
      return arith::SelectOp::create(*this, isThere, weight, this->number(0));
    };
    return addRows(old, {kept(score(slope)), kept(power)}, {queries, grad}, first, end);
  });
  ArrayRef<Value> all(sums);
  storeRow(all.take_front(shape.columnsEach()), partRows(grads, at[0], at[1], 1), key);
  storeRow(all.drop_front(shape.columnsEach()), partRows(grads, at[0], at[1], 2), key);
}

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

LaunchShape attentionShape(train::KernelOp kernel) {
  return teamsFor(HeadShape(cast<nn::AttentionOp>(coreOf(kernel))).queryRows(), kWarp);
}

/// Masks, and keys that several heads share, have no form yet.
template <typename Op>
static bool isPlain(Op op) {
  return !op.getMasked() && op.getKeyHeads() == int64_t(op.getHeads());
}

LogicalResult emitAttentionThreads(KernelBuilder &b, const KernelCall &call) {
  auto op = cast<nn::AttentionOp>(call.op());
  if (!isPlain(op))
    return failure();
  HeadShape shape(op);
  forTeam(b, shape.queryRows(), kWarp,
          [&](Value number) { AttentionThreads(b, call, shape).emitForward(op, number); });
  return success();
}

static int64_t backwardRows(HeadShape shape) { return shape.queryRows() + shape.keyRows(); }

LaunchShape attentionBackwardShape(train::KernelOp kernel) {
  return teamsFor(backwardRows(HeadShape(cast<nn::AttentionBackwardOp>(coreOf(kernel)))), kWarp);
}

LogicalResult emitAttentionBackwardThreads(KernelBuilder &b, const KernelCall &call) {
  auto op = cast<nn::AttentionBackwardOp>(call.op());
  if (!isPlain(op))
    return failure();
  HeadShape shape(op);
  forTeam(b, backwardRows(shape), kWarp, [&](Value number) {
    Value isQuery = isBelow(b, number, shape.queryRows());
    b.when(isQuery, [&] { AttentionThreads(b, call, shape).emitQuery(op, number); });
    Value isKey = arith::XOrIOp::create(b, isQuery, b.integer(1, b.getI1Type()));
    b.when(isKey, [&] {
      AttentionThreads(b, call, shape).emitKey(op, b.minus(number, b.index(shape.queryRows())));
    });
  });
  return success();
}

} // namespace halfstep
