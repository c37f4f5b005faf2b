// See ThreadBuilder.h.
#include "codegen/cuda/ThreadBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace halfstep {

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

LaunchShape threadsFor(int64_t items, int64_t block) {
  LaunchShape shape;
  shape.block[0] = std::min(block, int64_t(llvm::alignTo(std::max<int64_t>(items, 1), kWarp)));
  shape.grid[0] = std::max<int64_t>(1, llvm::divideCeil(items, shape.block[0]));
  return shape;
}

Value blockNumber(KernelBuilder &b, gpu::Dimension dim) { return gpu::BlockIdOp::create(b, dim); }
Value threadInBlock(KernelBuilder &b, gpu::Dimension dim) { return gpu::ThreadIdOp::create(b, dim); }

Value globalThread(KernelBuilder &b, int64_t blockThreads) {
  return b.plus(b.times(blockNumber(b), blockThreads), threadInBlock(b));
}

void barrier(KernelBuilder &b) { gpu::BarrierOp::create(b); }

Value sharedBuffer(KernelBuilder &b, ArrayRef<int64_t> shape, Type type) {
  auto function = b.getInsertionBlock()->getParent()->getParentOfType<gpu::GPUFuncOp>();
  if (auto parent = dyn_cast<gpu::GPUFuncOp>(b.getInsertionBlock()->getParentOp()))
    function = parent;
  auto space = gpu::AddressSpaceAttr::get(b.getContext(), gpu::GPUDialect::getWorkgroupAddressSpace());
  return function.addWorkgroupAttribution(MemRefType::get(shape, type, MemRefLayoutAttrInterface(), space),
                                          b.getLoc());
}

Value isBelow(KernelBuilder &b, Value lhs, Value rhs) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, lhs, rhs);
}
Value isBelow(KernelBuilder &b, Value lhs, int64_t rhs) { return isBelow(b, lhs, b.index(rhs)); }

Value chooseLazily(KernelBuilder &b, Value condition, Value otherwise, function_ref<Value()> then) {
  auto branch = scf::IfOp::create(b, TypeRange{otherwise.getType()}, condition, /*withElseRegion=*/true);
  KernelBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  Value value = then();
  scf::YieldOp::create(b, ValueRange{value});
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, ValueRange{otherwise});
  return branch.getResult(0);
}

void forThread(KernelBuilder &b, int64_t items, function_ref<void(Value)> body, int64_t block) {
  LaunchShape shape = threadsFor(items, block);
  Value thread = globalThread(b, shape.block[0]);
  if (items == shape.grid[0] * shape.block[0])
    body(thread);
  else
    b.when(isBelow(b, thread, items), [&] { body(thread); });
}

Values indicesOf(KernelBuilder &b, Value linear, ArrayRef<int64_t> extents) {
  Values indices(extents.size());
  for (size_t dim = extents.size(); dim-- > 0;) {
    indices[dim] = dim == 0 ? linear : b.remainder(linear, extents[dim]);
    linear = b.quotient(linear, extents[dim]);
  }
  return indices;
}

Value dot(KernelBuilder &b, ValueRange indices, ArrayRef<int64_t> strides) {
  Value sum = b.index(0);
  for (auto [index, stride] : llvm::zip_equal(indices, strides))
    if (stride != 0)
      sum = b.plus(sum, b.times(index, stride));
  return sum;
}

void keepRolled(ValueRange results) {
  Operation *loop = results.front().getDefiningOp();
  MLIRContext *context = loop->getContext();
  auto unroll = LLVM::LoopUnrollAttr::get(context, BoolAttr::get(context, true), {}, {}, {}, {}, {}, {});
  // The name is the one that scf-to-cf hands on.
  loop->setAttr("loop_annotation", LLVM::LoopAnnotationAttr::get(context, {}, {}, {}, unroll, {}, {}, {}, {},
                                                                 {}, {}, {}, {}, {}, {}, {}));
}

//===----------------------------------------------------------------------===//
// Warps
//===----------------------------------------------------------------------===//

/// `move` on the 32-bit halves of a value.
static Value byWords(KernelBuilder &b, Value value, function_ref<Value(Value)> move) {
  Type type = value.getType();
  if (type.getIntOrFloatBitWidth() == 32)
    return move(value);
  auto pair = VectorType::get(2, b.getI32Type());
  Value words = LLVM::BitcastOp::create(b, pair, value);
  for (int64_t i = 0; i < 2; ++i) {
    Value place = b.integer(i, b.getI32Type());
    Value word = LLVM::ExtractElementOp::create(b, words, place);
    words = LLVM::InsertElementOp::create(b, words, move(word), place);
  }
  return LLVM::BitcastOp::create(b, type, words);
}

static Value shuffle(KernelBuilder &b, Value value, Value by, gpu::ShuffleMode mode) {
  return byWords(b, value, [&](Value word) -> Value {
    return gpu::ShuffleOp::create(b, word, by, b.integer(kWarp, b.getI32Type()), mode).getShuffleResult();
  });
}

Value shuffleXor(KernelBuilder &b, Value value, int64_t mask) {
  return shuffle(b, value, b.integer(mask, b.getI32Type()), gpu::ShuffleMode::XOR);
}

Value shuffleFrom(KernelBuilder &b, Value value, Value lane) {
  if (!lane.getType().isInteger(32))
    lane = arith::IndexCastOp::create(b, b.getI32Type(), lane);
  return shuffle(b, value, lane, gpu::ShuffleMode::IDX);
}

Value largerFloat(KernelBuilder &b, Value lhs, Value rhs) {
  // Unordered: a NaN on the left stays.
  Value keep = arith::CmpFOp::create(b, arith::CmpFPredicate::UGE, lhs, rhs);
  return arith::SelectOp::create(b, keep, lhs, rhs);
}

//===----------------------------------------------------------------------===//
// Teams
//===----------------------------------------------------------------------===//

Team::Team(KernelBuilder &b, int64_t size) : b(b), threads(size) {
  place = threadInBlock(b);
  if (size == kWarp)
    place = b.remainder(place, kWarp);
}

Value Team::combined(Value value, Combine combine) {
  for (int64_t mask = kWarp / 2; mask > 0; mask /= 2)
    value = combine(value, shuffleXor(b, value, mask));
  if (threads == kWarp)
    return value;
  int64_t warps = threads / kWarp;
  Value slots = sharedBuffer(b, {warps}, value.getType());
  Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, b.remainder(place, kWarp), b.index(0));
  b.when(isFirst, [&] { memref::StoreOp::create(b, value, slots, ValueRange{b.quotient(place, kWarp)}); });
  barrier(b);
  Value total;
  for (int64_t i = 0; i < warps; ++i) {
    Value part = memref::LoadOp::create(b, slots, ValueRange{b.index(i)});
    total = total ? combine(total, part) : part;
  }
  // The next turn of a loop around this writes the slots again.
  barrier(b);
  return total;
}

Value Team::sum(Value value) {
  return combined(value, [&](Value x, Value y) -> Value { return arith::AddFOp::create(b, x, y); });
}

Value Team::maximum(Value value) {
  return combined(value, [&](Value x, Value y) { return largerFloat(b, x, y); });
}

Values Team::carry(int64_t length, ValueRange initial, function_ref<Values(Value, ValueRange)> body) {
  return b.carry(place, b.index(length), threads, initial, body);
}

void Team::each(int64_t length, function_ref<void(Value)> body) {
  b.loop(place, b.index(length), threads, body);
}

void Team::first(function_ref<void()> body) {
  b.when(arith::CmpIOp::create(b, arith::CmpIPredicate::eq, place, b.index(0)), body);
}

int64_t teamFor(int64_t length) {
  constexpr int64_t longRow = 1024, block = 256;
  return length > longRow ? block : kWarp;
}

static constexpr int64_t kWarpsPerBlock = 4;

LaunchShape teamsFor(int64_t count, int64_t teamSize) {
  LaunchShape shape;
  int64_t teams = teamSize == kWarp ? kWarpsPerBlock : 1;
  shape.block[0] = teams * teamSize;
  shape.grid[0] = std::max<int64_t>(1, llvm::divideCeil(count, teams));
  return shape;
}

Value teamNumber(KernelBuilder &b, int64_t teamSize) {
  if (teamSize != kWarp)
    return blockNumber(b);
  return b.plus(b.times(blockNumber(b), kWarpsPerBlock), b.quotient(threadInBlock(b), kWarp));
}

void forTeam(KernelBuilder &b, int64_t count, int64_t teamSize, function_ref<void(Value)> body) {
  Value number = teamNumber(b, teamSize);
  if (teamSize == kWarp && count % kWarpsPerBlock != 0)
    b.when(isBelow(b, number, count), [&] { body(number); });
  else
    body(number);
}

} // namespace halfstep
