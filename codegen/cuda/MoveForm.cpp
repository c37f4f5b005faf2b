// Kernels that only move elements, a thread each, and embeddings.
#include "codegen/cuda/Forms.h"
#include "codegen/cuda/ThreadBuilder.h"

#include "codegen/cpu/StridedDomain.h"

#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace halfstep {

static RankedTensorType tensorOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// An element as it is.
static Value loadBits(KernelBuilder &b, Value flat, Value at) {
  return memref::LoadOp::create(b, flat, ValueRange{at});
}

//===----------------------------------------------------------------------===//
// Transpose, split and concat
//===----------------------------------------------------------------------===//

static void emitTranspose(KernelBuilder &b, nn::TransposeOp op, const KernelCall &call) {
  ArrayRef<int64_t> extents = op.getType().getShape();
  Strides source = rowMajorStrides(tensorOf(op.getInput()).getShape()), strides;
  for (int64_t dim : op.getPerm())
    strides.push_back(source[dim]);
  Value in = b.flat(call.input(op.getInput())), out = b.flat(call.result(0));
  forThread(b, op.getType().getNumElements(), [&](Value element) {
    Value from = dot(b, indicesOf(b, element, extents), strides);
    memref::StoreOp::create(b, loadBits(b, in, from), out, ValueRange{element});
  });
}

/// A whole and its pieces along one axis, as matrices with `outer` rows.
static void emitPieces(KernelBuilder &b, const KernelCall &call, Value whole, ValueRange pieces, int64_t axis,
                       bool isSplit) {
  ArrayRef<int64_t> shape = tensorOf(whole).getShape();
  int64_t outer = ShapedType::getNumElements(shape.take_front(axis));
  int64_t rowLength = tensorOf(whole).getNumElements() / outer;
  Value wholeBuffer = b.flat(isSplit ? call.input(whole) : call.resultOf(whole));
  forThread(b, outer * rowLength, [&](Value element) {
    Value row = b.quotient(element, rowLength), column = b.remainder(element, rowLength);
    int64_t begin = 0;
    for (Value piece : pieces) {
      int64_t length = tensorOf(piece).getNumElements() / outer;
      Value buffer = isSplit ? call.resultOf(piece) : call.input(piece);
      Value first = b.index(std::exchange(begin, begin + length));
      if (!buffer) // a piece that nobody reads
        continue;
      buffer = b.flat(buffer);
      Value isMine = arith::AndIOp::create(
          b, arith::CmpIOp::create(b, arith::CmpIPredicate::sge, column, first), isBelow(b, column, begin));
      b.when(isMine, [&] {
        Value at = b.plus(b.times(row, length), b.minus(column, first));
        Value moved = isSplit ? loadBits(b, wholeBuffer, element) : loadBits(b, buffer, at);
        memref::StoreOp::create(b, moved, isSplit ? buffer : wholeBuffer, ValueRange{isSplit ? at : element});
      });
    }
  });
}

LaunchShape moveShape(train::KernelOp kernel) {
  Operation *op = coreOf(kernel);
  Value whole = isa<nn::ConcatOp>(op) ? op->getResult(0) : op->getOperand(0);
  return threadsFor(tensorOf(whole).getNumElements());
}

LogicalResult emitMoveThreads(KernelBuilder &b, const KernelCall &call) {
  llvm::TypeSwitch<Operation *>(call.op())
      .Case([&](nn::TransposeOp op) { emitTranspose(b, op, call); })
      .Case([&](nn::SplitOp op) {
        emitPieces(b, call, op.getInput(), op.getPieces(), int64_t(op.getAxis()), /*isSplit=*/true);
      })
      .Case([&](nn::ConcatOp op) {
        emitPieces(b, call, op.getResult(), op.getPieces(), int64_t(op.getAxis()), /*isSplit=*/false);
      });
  return success();
}

//===----------------------------------------------------------------------===//
// Embedding
//===----------------------------------------------------------------------===//

static Value idAt(KernelBuilder &b, Value ids, Value place) {
  return arith::IndexCastOp::create(b, b.getIndexType(), loadBits(b, ids, place));
}

static void emitLookup(KernelBuilder &b, nn::EmbeddingOp op, Value ids, const KernelCall &call) {
  int64_t columns = tensorOf(op.getTable()).getDimSize(1);
  Value table = b.flat(call.input(op.getTable())), out = b.flat(call.result(0));
  forThread(b, tensorOf(op.getResult()).getNumElements(), [&](Value element) {
    Value id = idAt(b, ids, b.quotient(element, columns));
    Value from = b.plus(b.times(id, columns), b.remainder(element, columns));
    b.storeScalar(b.loadScalar(table, from), out, element);
  });
}

/// Threads that sum the gradients of one row of the table.
static int64_t rowThreads(nn::EmbeddingBackwardOp op) {
  int64_t columns = tensorOf(op.getResult()).getDimSize(1);
  return std::min<int64_t>(256, int64_t(llvm::alignTo(columns, kWarp)));
}

/// A block looks at all ids for one row of the table, so that each sum has one order.
static void emitRowSums(KernelBuilder &b, nn::EmbeddingBackwardOp op, Value ids, const KernelCall &call) {
  int64_t columns = tensorOf(op.getResult()).getDimSize(1), places = tensorOf(op.getIds()).getNumElements();
  Value grad = b.flat(call.input(op.getGrad())), out = b.flat(call.result(0)), row = blockNumber(b);
  Type compute = computeType(tensorOf(op.getResult()).getElementType());
  b.loop(threadInBlock(b), b.index(columns), rowThreads(op), [&](Value column) {
    auto addPlace = [&](Value place, ValueRange old) -> Values {
      Value isMine = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, idAt(b, ids, place), row);
      Value zero = b.number(0, compute);
      Value term = chooseLazily(b, isMine, zero, [&] {
        return b.convert(b.loadScalar(grad, b.plus(b.times(place, columns), column)), compute);
      });
      return {arith::SelectOp::create(b, isMine, arith::AddFOp::create(b, old[0], term), old[0])};
    };
    Value sum = b.carry(b.index(0), b.index(places), 1, b.number(0, compute), addPlace)[0];
    b.storeScalar(sum, out, b.plus(b.times(row, columns), column));
  });
}

LaunchShape embeddingShape(train::KernelOp kernel) {
  Operation *op = coreOf(kernel);
  if (auto backward = dyn_cast<nn::EmbeddingBackwardOp>(op)) {
    LaunchShape shape;
    shape.block[0] = rowThreads(backward);
    shape.grid[0] = int64_t(backward.getRows());
    return shape;
  }
  return threadsFor(tensorOf(op->getResult(0)).getNumElements());
}

LogicalResult emitEmbeddingThreads(KernelBuilder &b, const KernelCall &call) {
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
