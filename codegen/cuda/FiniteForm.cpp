// The check over all gradients, a block a chunk, and the updates, a sweep of all threads.
#include "codegen/cuda/Forms.h"
#include "codegen/cuda/ThreadBuilder.h"

#include "codegen/cpu/FiniteFormulas.h"

#include "dialect/amp/AmpDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace halfstep {

static constexpr int64_t kBlock = 256;

//===----------------------------------------------------------------------===//
// Check
//===----------------------------------------------------------------------===//

LaunchShape finiteShape(train::KernelOp kernel) {
  LaunchShape shape;
  shape.block[0] = kBlock;
  if (auto op = dyn_cast<amp::FinitePartialsOp>(&kernel.getBlock().front()))
    shape.grid[0] = cast<RankedTensorType>(op.getFound().getType()).getNumElements();
  return shape;
}

static Value anyBit(KernelBuilder &b, Value x, Value y) { return arith::OrIOp::create(b, x, y); }

static void emitPartials(KernelBuilder &b, const KernelCall &call) {
  Value gradients = call.operands[0], found = b.flat(call.operands[1]), sqnorm = b.flat(call.operands[2]);
  int64_t elements = cast<MemRefType>(gradients.getType()).getNumElements();
  Type compute = b.computeTypeOf({gradients}), bits = b.getIntegerType(compute.getIntOrFloatBitWidth());
  // Neighbours, whose reads LLVM joins. A group is padded to a multiple of them.
  constexpr int64_t width = 4;
  Value chunk = blockNumber(b), begin = b.times(chunk, amp::kFiniteChunk);
  Value end = b.smaller(b.plus(begin, amp::kFiniteChunk), b.index(elements));
  Team team(b, kBlock);
  Values parts =
      b.carry(b.plus(begin, b.times(team.lane(), width)), end, kBlock * width,
              {b.integer(0, bits), b.number(0, compute)}, [&](Value first, ValueRange old) {
                Values loaded, next(old);
                for (int64_t i = 0; i < width; ++i)
                  loaded.push_back(b.loadScalar(gradients, b.plus(first, i)));
                for (Value element : loaded) {
                  next[0] = arith::MaxUIOp::create(b, next[0], magnitudeBits(b, element));
                  next[1] = arith::AddFOp::create(b, next[1], arith::MulFOp::create(b, element, element));
                }
                return next;
              });
  Value isFound = arith::CmpIOp::create(b, arith::CmpIPredicate::uge, parts[0], infinityBits(b, compute));
  Value any = team.combined(arith::ExtUIOp::create(b, b.getI32Type(), isFound),
                            [&](Value x, Value y) { return anyBit(b, x, y); });
  Value sum = team.sum(parts[1]);
  team.first([&] {
    b.storeScalar(any, found, chunk);
    b.storeScalar(b.convert(sum, b.getF64Type()), sqnorm, chunk);
  });
}

static void emitCombine(KernelBuilder &b, amp::FiniteCombineOp op, const KernelCall &call) {
  Team team(b, kBlock);
  auto over = [&](ValueRange tensors, Value initial, Team::Combine combine) {
    Value part = initial;
    for (Value tensor : tensors) {
      Value flat = b.flat(call.input(tensor));
      int64_t count = cast<MemRefType>(flat.getType()).getNumElements();
      part = team.carry(count, part, [&](Value place, ValueRange old) {
        return Values{combine(old[0], b.loadScalar(flat, place))};
      })[0];
    }
    return team.combined(part, combine);
  };
  Value any =
      over(op.getFound(), b.integer(0, b.getI32Type()), [&](Value x, Value y) { return anyBit(b, x, y); });
  Value sum = over(op.getPartials(), b.number(0, b.getF64Type()),
                   [&](Value x, Value y) -> Value { return arith::AddFOp::create(b, x, y); });
  team.first([&] {
    Value isFound = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, any, b.integer(0, b.getI32Type()));
    b.storeScalar(arith::ExtUIOp::create(b, b.getI32Type(), isFound), b.flat(call.resultOf(op.getFoundInf())),
                  b.index(0));
    b.storeScalar(sum, b.flat(call.resultOf(op.getSqnorm())), b.index(0));
  });
}

LogicalResult emitFiniteThreads(KernelBuilder &b, const KernelCall &call) {
  if (auto combine = dyn_cast<amp::FiniteCombineOp>(call.op()))
    emitCombine(b, combine, call);
  else
    emitPartials(b, call);
  return success();
}

//===----------------------------------------------------------------------===//
// Update
//===----------------------------------------------------------------------===//

/// Neighbouring elements of a thread's turn: their accesses are joined.
static constexpr int64_t kUpdateWidth = 4;

LaunchShape updateShape(train::KernelOp kernel) {
  // Enough to fill a GPU; each thread computes once what all elements share, so more would do that in vain.
  constexpr int64_t mostBlocks = 1024;
  int64_t turns = kernelOperands(kernel)[0].type.getNumElements() / kUpdateWidth;
  LaunchShape shape = threadsFor(turns, kBlock);
  shape.grid[0] = std::min(shape.grid[0], mostBlocks);
  return shape;
}

LogicalResult emitUpdateThreads(KernelBuilder &b, const KernelCall &call) {
  LaunchShape shape = updateShape(call.kernel);
  int64_t elements = kernelOperands(call.kernel)[0].type.getNumElements();
  auto pieces = [&](KernelCall::Piece piece) {
    Value first = b.times(globalThread(b, shape.block[0]), kUpdateWidth);
    b.loop(first, b.index(elements), shape.grid[0] * shape.block[0] * kUpdateWidth,
           [&](Value begin) { piece(begin, b.plus(begin, kUpdateWidth), kUpdateWidth); });
  };
  KernelCall threads = call;
  threads.pieces = pieces;
  return emitUpdate(b, threads);
}

} // namespace halfstep
