// Kernels of kind "embedding": rows of a table by their numbers, and the sum of gradients by row.
#include "codegen/cpu/KernelEmitters.h"

#include "dialect/interfaces/OpInterfaces.h"
#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace halfstep {

static RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

static Value idAt(KernelBuilder &b, Value ids, Value place) {
  Value id = memref::LoadOp::create(b, ids, ValueRange{place});
  return arith::IndexCastOp::create(b, b.getIndexType(), id);
}

namespace {

/// How nn.embedding_backward is cut: an item sums the gradients of `blockRows` rows of the table, and looks
/// at all ids for that, so that each sum has one order.
struct RowSums {
  explicit RowSums(nn::EmbeddingBackwardOp op)
      : places(tensorType(op.getIds()).getNumElements()), rows(op.getRows()),
        columns(tensorType(op.getResult()).getDimSize(1)),
        compute(computeType(tensorType(op.getResult()).getElementType())) {
    // Sums stay in the second-level cache, and each core gets some of the blocks.
    constexpr int64_t mostBytes = 128 << 10, leastItems = 16;
    int64_t rowBytes = columns * compute.getIntOrFloatBitWidth() / 8;
    blockRows = std::clamp<int64_t>(mostBytes / rowBytes, 1, llvm::divideCeil(rows, leastItems));
  }

  int64_t places, rows, columns, blockRows;
  Type compute;

  int64_t items() const { return llvm::divideCeil(rows, blockRows); }
  SmallVector<int64_t> sumsShape() const { return {blockRows, columns}; }
};

} // namespace

FailureOr<Value> idsOf(KernelBuilder &b, const KernelCall &call, Value ids) {
  FailureOr<Value> buffer = ids.getDefiningOp<nn::ConstantOp>() ? constantBuffer(b, ids) : call.input(ids);
  return failed(buffer) ? buffer : b.flat(*buffer);
}

static void emitLookup(KernelBuilder &b, nn::EmbeddingOp op, Value ids, const KernelCall &call) {
  int64_t places = tensorType(op.getIds()).getNumElements(),
          columns = tensorType(op.getTable()).getDimSize(1);
  Value table = call.input(op.getTable());
  Value out = b.matrix(call.result(0), places, columns);
  b.loop(call.lo, call.hi, 1,
         [&](Value place) { b.copy(b.row(table, idAt(b, ids, place)), b.row(out, place)); });
}

static void emitRowSums(KernelBuilder &b, nn::EmbeddingBackwardOp op, Value ids, const KernelCall &call) {
  RowSums sums(op);
  Value grad = b.matrix(call.input(op.getGrad()), sums.places, sums.columns);
  int64_t offset = 0;
  Value held = b.carve(call.scratch, offset, sums.sumsShape(), sums.compute);
  b.loop(call.lo, call.hi, 1, [&](Value item) {
    Value first = b.times(item, sums.blockRows);
    Value end = b.smaller(b.plus(first, sums.blockRows), b.index(sums.rows));
    b.fill(held, 0);
    b.loop(sums.places, [&](Value place) {
      Value id = idAt(b, ids, place);
      auto compare = [&](arith::CmpIPredicate predicate, Value bound) {
        return arith::CmpIOp::create(b, predicate, id, bound);
      };
      Value isMine = arith::AndIOp::create(b, compare(arith::CmpIPredicate::sge, first),
                                           compare(arith::CmpIPredicate::slt, end));
      b.when(isMine, [&] {
        b.update(
            {b.row(grad, place)}, {b.row(held, b.minus(id, first))},
            [&](ValueRange v) -> KernelBuilder::Values { return {arith::AddFOp::create(b, v[1], v[0])}; });
      });
    });
    b.loop(first, end, 1,
           [&](Value row) { b.copy(b.row(held, b.minus(row, first)), b.row(call.result(0), row)); });
  });
}

ContractionPlan planEmbedding(train::KernelOp kernel, const CpuLevel &) {
  ContractionPlan plan;
  Operation *op = coreOf(kernel);
  if (auto backward = dyn_cast<nn::EmbeddingBackwardOp>(op)) {
    RowSums sums(backward);
    plan.items = sums.items();
    plan.grain = grainOf(0, sums.places + 2 * sums.blockRows * sums.columns);
    plan.scratchBytes = KernelBuilder::carvedBytes(sums.sumsShape(), sums.compute);
    return plan;
  }
  auto lookup = cast<nn::EmbeddingOp>(op);
  RankedTensorType table = tensorType(lookup.getTable());
  plan.items = tensorType(lookup.getIds()).getNumElements();
  plan.grain = grainOf(2 * table.getDimSize(1) * table.getElementTypeBitWidth() / 8, 0);
  return plan;
}

LogicalResult emitEmbedding(KernelBuilder &b, const KernelCall &call) {
  FailureOr<Value> ids = idsOf(b, call, call.op()->getOperand(1));
  if (failed(ids))
    return failure();
  if (auto lookup = dyn_cast<nn::EmbeddingOp>(call.op()))
    emitLookup(b, lookup, *ids, call);
  else
    emitRowSums(b, cast<nn::EmbeddingBackwardOp>(call.op()), *ids, call);
  return success();
}

} // namespace halfstep
