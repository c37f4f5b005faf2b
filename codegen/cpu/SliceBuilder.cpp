// Loops over slices, and the scalar formulas in them.
#include "codegen/cpu/SliceBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace halfstep {

Type sliceComputeType(Operation *op) {
  auto isDouble = [](Type type) { return getElementTypeOrSelf(type).isF64(); };
  bool wide = llvm::any_of(op->getOperandTypes(), isDouble) || llvm::any_of(op->getResultTypes(), isDouble);
  return wide ? Type(Float64Type::get(op->getContext())) : Type(Float32Type::get(op->getContext()));
}

int64_t elementBytes(Value tensor) { return getElementTypeOrSelf(tensor).getIntOrFloatBitWidth() / 8; }

SliceBuilder::SliceBuilder(const KernelBuilder &outer, const KernelCall &call)
    : KernelBuilder(outer), op(call.op()), compute(sliceComputeType(op)), scratch(call.scratch) {
  auto flatIfAny = [&](Value buffer) { return buffer ? flat(buffer) : buffer; };
  for (Value operand : op->getOperands())
    inputs.push_back(flatIfAny(call.input(operand)));
  for (Value result : op->getResults())
    outputs.push_back(flatIfAny(call.resultOf(result)));
}

Value SliceBuilder::carve(int64_t count, Type type) {
  return KernelBuilder::carve(scratch, scratchUsed, {count}, type);
}

//===----------------------------------------------------------------------===//
// Formulas
//===----------------------------------------------------------------------===//

static constexpr auto kContract = arith::FastMathFlags::contract;

Value SliceBuilder::add(Value lhs, Value rhs) { return arith::AddFOp::create(*this, lhs, rhs, kContract); }
Value SliceBuilder::sub(Value lhs, Value rhs) { return arith::SubFOp::create(*this, lhs, rhs, kContract); }
Value SliceBuilder::mul(Value lhs, Value rhs) { return arith::MulFOp::create(*this, lhs, rhs, kContract); }
Value SliceBuilder::div(Value lhs, Value rhs) { return arith::DivFOp::create(*this, lhs, rhs); }
Value SliceBuilder::exp(Value value) { return math::ExpOp::create(*this, value); }
Value SliceBuilder::log(Value value) { return math::LogOp::create(*this, value); }
Value SliceBuilder::reciprocalSqrt(Value value) { return div(number(1), math::SqrtOp::create(*this, value)); }
Value SliceBuilder::fma(Value lhs, Value rhs, Value addend) {
  return math::FmaOp::create(*this, lhs, rhs, addend);
}
Value SliceBuilder::toI32(Value indexValue) {
  return arith::IndexCastOp::create(*this, getI32Type(), indexValue);
}
Value SliceBuilder::toFloat(Value indexValue) {
  return arith::SIToFPOp::create(*this, compute, toI32(indexValue));
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Value SliceBuilder::load(Value flatBuffer, Value at) { return convert(loadScalar(flatBuffer, at), compute); }

void SliceBuilder::store(Value value, Value flatBuffer, Value at) {
  if (flatBuffer)
    storeScalar(value, flatBuffer, at);
}

static Value subview(OpBuilder &b, Location loc, Value buffer, Value from, OpFoldResult count,
                     int64_t stride) {
  OpFoldResult offset = getAsOpFoldResult(from), step = b.getIndexAttr(stride);
  return memref::SubViewOp::create(b, loc, buffer, ArrayRef(offset), ArrayRef(count), ArrayRef(step));
}

Value SliceBuilder::span(Value flatBuffer, Value from, int64_t count, int64_t stride) {
  return subview(*this, getLoc(), flatBuffer, from, getIndexAttr(count), stride);
}
Value SliceBuilder::span(Value flatBuffer, Value from, Value count, int64_t stride) {
  return subview(*this, getLoc(), flatBuffer, from, getAsOpFoldResult(count), stride);
}

Value SliceBuilder::accumulated(Value sum, Value term) {
  return arith::AddFOp::create(*this, sum, term, kContract | arith::FastMathFlags::reassoc);
}

KernelBuilder::Values SliceBuilder::cells(unsigned count) {
  Values made(count);
  for (Value &cell : made)
    cell = scalarBuffer(compute);
  return made;
}

//===----------------------------------------------------------------------===//
// Loops over slices
//===----------------------------------------------------------------------===//

void SliceBuilder::each(ValueRange ins, ValueRange outs, ValueRange cells, Body body) {
  SmallVector<AffineMap> maps(ins.size() + outs.size(), getMultiDimIdentityMap(1));
  maps.append(cells.size(), AffineMap::get(1, 0, getContext()));
  Values results(outs);
  llvm::append_range(results, cells);
  auto iterator = cells.empty() ? utils::IteratorType::parallel : utils::IteratorType::reduction;
  generic(ins, results, maps, iterator, [&](ValueRange elements) {
    // The slices at hand may be narrower than the widest operand of the op.
    return body(llvm::map_to_vector(elements,
                                    [&](Value element) { return KernelBuilder::convert(element, compute); }));
  });
}

Value SliceBuilder::position() { return linalg::IndexOp::create(*this, 0); }

void SliceBuilder::copy(Value from, Value to) {
  each(from, to, [&](ValueRange elements) { return Values{elements[0]}; });
}

void SliceBuilder::clear(ValueRange cells) {
  for (Value cell : cells)
    storeScalar(number(0), cell);
}

void SliceBuilder::accumulate(ValueRange ins, ValueRange cells, Body terms) {
  each(ins, {}, cells, [&](ValueRange elements) {
    Values sums = terms(elements.take_front(ins.size()));
    for (auto [sum, old] : llvm::zip_equal(sums, elements.take_back(cells.size())))
      sum = accumulated(old, sum);
    return sums;
  });
}

KernelBuilder::Values SliceBuilder::sum(ValueRange ins, ValueRange cells, Body terms) {
  clear(cells);
  accumulate(ins, cells, terms);
  return llvm::map_to_vector(cells, [&](Value cell) { return loadScalar(cell); });
}

} // namespace halfstep
