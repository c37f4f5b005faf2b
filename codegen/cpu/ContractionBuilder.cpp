// Index arithmetic, loops and vector memory operations of the contraction emitters.
#include "codegen/cpu/ContractionBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"
#include "llvm/ADT/bit.h"

using namespace mlir;

namespace halfstep {

bool isProductType(Type type) { return type.isF32() || type.isF64() || type.isBF16() || type.isF16(); }

ElementForm elementForm(Type storage, const CpuLevel &level, bool usePairs) {
  ElementForm form;
  form.storage = storage;
  form.compute = storage.isF64() ? storage : Float32Type::get(storage.getContext());
  form.lanes = level.vectorBits / form.compute.getIntOrFloatBitWidth();
  bool pairs = usePairs && storage.isBF16() && level.bf16Dot;
  form.depthPerStep = pairs ? 2 : 1;
  form.panel = pairs ? IntegerType::get(storage.getContext(), 32) : form.compute;
  return form;
}

ContractionBuilder::ContractionBuilder(OpBuilder &outer, Location loc, const CpuLevel &level,
                                       ElementForm form)
    : ImplicitLocOpBuilder(loc, outer), level(level), form(form) {}

Value ContractionBuilder::index(int64_t value) { return arith::ConstantIndexOp::create(*this, value); }
Value ContractionBuilder::plus(Value lhs, Value rhs) { return createOrFold<arith::AddIOp>(lhs, rhs); }
Value ContractionBuilder::minus(Value lhs, Value rhs) { return createOrFold<arith::SubIOp>(lhs, rhs); }
Value ContractionBuilder::times(Value lhs, int64_t rhs) {
  return createOrFold<arith::MulIOp>(lhs, index(rhs));
}
Value ContractionBuilder::quotient(Value lhs, int64_t rhs) {
  return createOrFold<arith::DivUIOp>(lhs, index(rhs));
}
Value ContractionBuilder::remainder(Value lhs, int64_t rhs) {
  return createOrFold<arith::RemUIOp>(lhs, index(rhs));
}
Value ContractionBuilder::smaller(Value lhs, Value rhs) { return createOrFold<arith::MinSIOp>(lhs, rhs); }
Value ContractionBuilder::larger(Value lhs, Value rhs) { return createOrFold<arith::MaxSIOp>(lhs, rhs); }
Value ContractionBuilder::isLess(Value lhs, Value rhs) {
  return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::slt, lhs, rhs);
}

void ContractionBuilder::loop(Value lo, Value hi, int64_t step, function_ref<void(Value)> body) {
  auto loop = scf::ForOp::create(*this, lo, hi, index(step));
  InsertionGuard guard(*this);
  setInsertionPoint(loop.getBody()->getTerminator());
  body(loop.getInductionVar());
}

SmallVector<Value> ContractionBuilder::carry(Value lo, Value hi, int64_t step, ValueRange initial,
                                             function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(*this, lo, hi, index(step), initial);
  InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  scf::YieldOp::create(*this, body(loop.getInductionVar(), loop.getRegionIterArgs()));
  return SmallVector<Value>(loop.getResults());
}

void ContractionBuilder::when(Value condition, function_ref<void()> body) {
  auto branch = scf::IfOp::create(*this, condition, /*withElseRegion=*/false);
  InsertionGuard guard(*this);
  setInsertionPoint(branch.thenBlock()->getTerminator());
  body();
}

Value ContractionBuilder::flat(Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  auto flatType = MemRefType::get({type.getNumElements()}, type.getElementType());
  if (type == flatType)
    return buffer;
  return memref::ReinterpretCastOp::create(*this, flatType, buffer, int64_t(0),
                                           ArrayRef<int64_t>{type.getNumElements()}, ArrayRef<int64_t>{1});
}

Value ContractionBuilder::carve(Value scratch, int64_t &byteOffset, int64_t count, Type type) {
  auto viewType = MemRefType::get({count}, type);
  Value view = memref::ViewOp::create(*this, viewType, scratch, index(byteOffset), ValueRange{});
  // Parts start on cache lines.
  byteOffset += llvm::alignTo(count * type.getIntOrFloatBitWidth() / 8, 64);
  return view;
}

Value ContractionBuilder::maskFor(int64_t lanes, int64_t count) {
  SmallVector<bool> bits(lanes, false);
  std::fill(bits.begin(), bits.begin() + count, true);
  auto type = VectorType::get(lanes, getI1Type());
  return arith::ConstantOp::create(*this, DenseElementsAttr::get(type, bits));
}

/// Pieces of power-of-two length that make up `count`: no level but the highest has masked 16-bit accesses.
static void forEachPiece(int64_t count, function_ref<void(int64_t at, int64_t length)> body) {
  for (int64_t at = 0; at < count;) {
    int64_t length = llvm::bit_floor(uint64_t(count - at));
    body(at, length);
    at += length;
  }
}

/// LLVM handles single bf16 elements of a vector through float calls on levels without the type, so bf16 is
/// bits (i16) wherever it is in a register. All levels have conversions of f16.
static Type registerType(Type element) {
  return element.isBF16() ? Type(IntegerType::get(element.getContext(), 16)) : element;
}

Value ContractionBuilder::zeroVector(Type type) {
  return arith::ConstantOp::create(*this, getZeroAttr(vectorOf(registerType(type))));
}

Value ContractionBuilder::loadWhole(Value flatBuffer, Value at, int64_t lanes) {
  Type element = cast<MemRefType>(flatBuffer.getType()).getElementType();
  Value loaded = vector::LoadOp::create(*this, vectorOf(element, lanes), flatBuffer, ValueRange{at});
  if (!element.isBF16())
    return loaded;
  return vector::BitCastOp::create(*this, vectorOf(registerType(element), lanes), loaded);
}

void ContractionBuilder::storeWhole(Value vector, Value flatBuffer, Value at) {
  Type element = cast<MemRefType>(flatBuffer.getType()).getElementType();
  if (element.isBF16())
    vector = vector::BitCastOp::create(*this, cast<VectorType>(vector.getType()).clone(element), vector);
  vector::StoreOp::create(*this, vector, flatBuffer, ValueRange{at});
}

Value ContractionBuilder::load(Value flatBuffer, Value at, int64_t lanes, int64_t count) {
  if (count >= lanes)
    return loadWhole(flatBuffer, at, lanes);
  VectorType type = vectorOf(registerType(cast<MemRefType>(flatBuffer.getType()).getElementType()), lanes);
  Value result = arith::ConstantOp::create(*this, getZeroAttr(type));
  if (type.getElementTypeBitWidth() >= 32)
    return vector::MaskedLoadOp::create(*this, type, flatBuffer, ValueRange{at}, maskFor(lanes, count),
                                        result);
  forEachPiece(count, [&](int64_t offset, int64_t length) {
    Value piece = loadWhole(flatBuffer, plus(at, offset), length);
    result = vector::InsertStridedSliceOp::create(*this, piece, result, ArrayRef<int64_t>{offset},
                                                  ArrayRef<int64_t>{1});
  });
  return result;
}

Value ContractionBuilder::loadScalar(Value flatBuffer, Value at) {
  Value loaded = memref::LoadOp::create(*this, flatBuffer, ValueRange{at});
  if (!loaded.getType().isBF16())
    return loaded;
  return arith::BitcastOp::create(*this, getI16Type(), loaded);
}

void ContractionBuilder::storeScalar(Value scalar, Value flatBuffer, Value at) {
  Type element = cast<MemRefType>(flatBuffer.getType()).getElementType();
  if (element.isBF16())
    scalar = arith::BitcastOp::create(*this, element, scalar);
  memref::StoreOp::create(*this, scalar, flatBuffer, ValueRange{at});
}

void ContractionBuilder::store(Value vector, Value flatBuffer, Value at, int64_t count) {
  auto type = cast<VectorType>(vector.getType());
  int64_t lanes = type.getNumElements();
  if (count >= lanes)
    return storeWhole(vector, flatBuffer, at);
  if (type.getElementTypeBitWidth() >= 32) {
    vector::MaskedStoreOp::create(*this, flatBuffer, ValueRange{at}, maskFor(lanes, count), vector);
    return;
  }
  forEachPiece(count, [&](int64_t offset, int64_t length) {
    Value piece = vector::ExtractStridedSliceOp::create(*this, vector, ArrayRef<int64_t>{offset},
                                                        ArrayRef<int64_t>{length}, ArrayRef<int64_t>{1});
    storeWhole(piece, flatBuffer, plus(at, offset));
  });
}

static Type withElement(Type like, Type element) {
  if (auto vector = dyn_cast<VectorType>(like))
    return vector.clone(element);
  return element;
}

static Value splat(ContractionBuilder &b, Type like, int64_t bits) {
  Type type = withElement(like, b.getI32Type());
  return arith::ConstantOp::create(
      b, isa<VectorType>(type) ? TypedAttr(DenseElementsAttr::get(cast<VectorType>(type), int32_t(bits)))
                               : TypedAttr(b.getI32IntegerAttr(int32_t(bits))));
}

Value ContractionBuilder::extended(Value bits) {
  return arith::ExtUIOp::create(*this, withElement(bits.getType(), getI32Type()), bits);
}

Value ContractionBuilder::paired(Value low, Value high) {
  Value shifted = arith::ShLIOp::create(*this, extended(high), splat(*this, high.getType(), 16));
  return arith::OrIOp::create(*this, extended(low), shifted);
}

Value ContractionBuilder::widen(Value stored) {
  Type type = stored.getType();
  if (getElementTypeOrSelf(type) == form.compute)
    return stored;
  if (getElementTypeOrSelf(type).isF16())
    return arith::ExtFOp::create(*this, withElement(type, form.compute), stored);
  Value bits = arith::ShLIOp::create(*this, extended(stored), splat(*this, type, 16));
  return arith::BitcastOp::create(*this, withElement(type, form.compute), bits);
}

Value ContractionBuilder::round(Value computed, Value flatBuffer) {
  Type element = cast<MemRefType>(flatBuffer.getType()).getElementType();
  if (element == form.compute)
    return computed;
  if (element.isF16())
    return arith::TruncFOp::create(*this, withElement(computed.getType(), element), computed);
  if (level.bf16Dot)
    return vector::BitCastOp::create(
        *this, vectorOf(getI16Type()),
        x86vector::CvtPackedF32ToBF16Op::create(*this, vectorOf(element), computed));
  return roundBits(computed);
}

/// Round to nearest-even in integers: add half an ulp, less one when the kept part is even. A NaN would carry
/// into its exponent, so it keeps its high half and is made quiet.
Value ContractionBuilder::roundBits(Value computed) {
  Type type = computed.getType();
  auto constant = [&](int64_t bits) { return splat(*this, type, bits); };
  Value bits = arith::BitcastOp::create(*this, withElement(type, getI32Type()), computed);
  Value high = arith::ShRUIOp::create(*this, bits, constant(16));
  Value even = arith::AndIOp::create(*this, high, constant(1));
  Value bias = arith::AddIOp::create(*this, even, constant(0x7fff));
  Value rounded = arith::ShRUIOp::create(*this, arith::AddIOp::create(*this, bits, bias), constant(16));
  Value quiet = arith::OrIOp::create(*this, high, constant(0x40));
  Value isNan = arith::CmpFOp::create(*this, arith::CmpFPredicate::UNO, computed, computed);
  Value chosen = arith::SelectOp::create(*this, isNan, quiet, rounded);
  return arith::TruncIOp::create(*this, withElement(type, getI16Type()), chosen);
}

} // namespace halfstep
