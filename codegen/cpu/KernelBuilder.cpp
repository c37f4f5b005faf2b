// Index arithmetic, loops, views and linalg.generic for the kernel emitters.
#include "codegen/cpu/KernelBuilder.h"

#include "codegen/cpu/ExpandNumbers.h"
#include "codegen/cpu/StridedDomain.h"
#include "dialect/interfaces/OpInterfaces.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace halfstep {

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

Value KernelBuilder::index(int64_t value) { return arith::ConstantIndexOp::create(*this, value); }
Value KernelBuilder::number(double value, Type type) {
  return arith::ConstantOp::create(*this, getFloatAttr(type, value));
}
Value KernelBuilder::integer(int64_t value, Type type) {
  return arith::ConstantOp::create(*this, getIntegerAttr(type, value));
}

Value KernelBuilder::plus(Value lhs, Value rhs) { return createOrFold<arith::AddIOp>(lhs, rhs); }
Value KernelBuilder::minus(Value lhs, Value rhs) { return createOrFold<arith::SubIOp>(lhs, rhs); }
Value KernelBuilder::times(Value lhs, int64_t rhs) { return createOrFold<arith::MulIOp>(lhs, index(rhs)); }
Value KernelBuilder::quotient(Value lhs, int64_t rhs) {
  return createOrFold<arith::DivUIOp>(lhs, index(rhs));
}
Value KernelBuilder::remainder(Value lhs, int64_t rhs) {
  return createOrFold<arith::RemUIOp>(lhs, index(rhs));
}
Value KernelBuilder::smaller(Value lhs, Value rhs) { return createOrFold<arith::MinSIOp>(lhs, rhs); }
Value KernelBuilder::larger(Value lhs, Value rhs) { return createOrFold<arith::MaxSIOp>(lhs, rhs); }

Type KernelBuilder::computeTypeOf(ValueRange buffers) {
  bool isDouble = llvm::any_of(buffers, [](Value v) { return getElementTypeOrSelf(v.getType()).isF64(); });
  return isDouble ? Type(getF64Type()) : Type(getF32Type());
}

Value KernelBuilder::convert(Value value, Type type) {
  auto from = dyn_cast<FloatType>(value.getType());
  auto to = dyn_cast<FloatType>(type);
  if (!from || !to || from == to)
    return value;
  if (from.getWidth() < to.getWidth())
    return arith::ExtFOp::create(*this, to, value);
  if (from.getWidth() == to.getWidth())
    value = arith::ExtFOp::create(*this, getF32Type(), value);
  auto narrow = arith::TruncFOp::create(*this, to, value);
  if (isEager)
    narrow->setAttr(kExactAttr, getUnitAttr());
  return narrow;
}

Value KernelBuilder::rounded(Value value, Type type) {
  return isEager && isa<FloatType>(type) ? convert(convert(value, type), value.getType()) : value;
}

//===----------------------------------------------------------------------===//
// Control
//===----------------------------------------------------------------------===//

void KernelBuilder::loop(Value lo, Value hi, int64_t step, function_ref<void(Value)> body) {
  auto loop = scf::ForOp::create(*this, lo, hi, index(step));
  InsertionGuard guard(*this);
  setInsertionPoint(loop.getBody()->getTerminator());
  body(loop.getInductionVar());
}

KernelBuilder::Values KernelBuilder::carry(Value lo, Value hi, int64_t step, ValueRange initial,
                                           function_ref<Values(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(*this, lo, hi, index(step), initial);
  InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  scf::YieldOp::create(*this, body(loop.getInductionVar(), loop.getRegionIterArgs()));
  return Values(loop.getResults());
}

void KernelBuilder::when(Value condition, function_ref<void()> body) {
  auto branch = scf::IfOp::create(*this, condition, /*withElseRegion=*/false);
  InsertionGuard guard(*this);
  setInsertionPoint(branch.thenBlock()->getTerminator());
  body();
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

Value KernelBuilder::shaped(Value buffer, ArrayRef<int64_t> shape) {
  return strided(buffer, shape, rowMajorStrides(shape));
}

Value KernelBuilder::strided(Value buffer, ArrayRef<int64_t> shape, ArrayRef<int64_t> strides,
                             int64_t offset) {
  Type element = cast<MemRefType>(buffer.getType()).getElementType();
  bool isRowMajor = offset == 0 && strides == ArrayRef<int64_t>(rowMajorStrides(shape));
  MemRefType type =
      isRowMajor ? MemRefType::get(shape, element)
                 : MemRefType::get(shape, element, StridedLayoutAttr::get(getContext(), offset, strides));
  if (buffer.getType() == type)
    return buffer;
  return memref::ReinterpretCastOp::create(*this, type, buffer, offset, shape, strides);
}

Value KernelBuilder::flat(Value buffer) {
  return shaped(buffer, {cast<MemRefType>(buffer.getType()).getNumElements()});
}

static SmallVector<OpFoldResult> sizesOf(OpBuilder &builder, Location loc, Value buffer) {
  SmallVector<OpFoldResult> sizes;
  for (auto [i, extent] : llvm::enumerate(cast<MemRefType>(buffer.getType()).getShape()))
    sizes.push_back(ShapedType::isDynamic(extent)
                        ? OpFoldResult(memref::DimOp::create(builder, loc, buffer, int64_t(i)).getResult())
                        : OpFoldResult(builder.getIndexAttr(extent)));
  return sizes;
}

/// A subview of one dimension; with `drop`, that dimension goes.
static Value subview(KernelBuilder &b, Value buffer, int64_t dim, OpFoldResult offset, OpFoldResult size,
                     bool drop) {
  auto type = cast<MemRefType>(buffer.getType());
  SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)),
      strides(type.getRank(), b.getIndexAttr(1)), sizes = sizesOf(b, b.getLoc(), buffer);
  offsets[dim] = offset;
  sizes[dim] = size;
  SmallVector<int64_t> shape;
  for (auto [i, extent] : llvm::enumerate(sizes))
    if (!drop || int64_t(i) != dim)
      shape.push_back(getConstantIntValue(extent).value_or(ShapedType::kDynamic));
  auto result = memref::SubViewOp::inferRankReducedResultType(shape, type, offsets, sizes, strides);
  return memref::SubViewOp::create(b, result, buffer, offsets, sizes, strides);
}

Value KernelBuilder::extent(Value buffer, int64_t dim) { return createOrFold<memref::DimOp>(buffer, dim); }

Value KernelBuilder::slice(Value buffer, int64_t dim, Value at) {
  return subview(*this, buffer, dim, getAsOpFoldResult(at), getIndexAttr(1), /*drop=*/true);
}

Value KernelBuilder::slice(Value buffer, int64_t dim, Value lo, Value hi, int64_t extent) {
  OpFoldResult size =
      ShapedType::isDynamic(extent) ? getAsOpFoldResult(minus(hi, lo)) : OpFoldResult(getIndexAttr(extent));
  return subview(*this, buffer, dim, getAsOpFoldResult(lo), size, /*drop=*/false);
}

FunctionOpInterface KernelBuilder::function() {
  Operation *owner = getInsertionBlock()->getParentOp();
  auto function = dyn_cast<FunctionOpInterface>(owner);
  return function ? function : owner->getParentOfType<FunctionOpInterface>();
}

Value KernelBuilder::stackBuffer(ArrayRef<int64_t> shape, Type type) {
  InsertionGuard guard(*this);
  // In a loop the stack would grow with every turn.
  setInsertionPointToStart(&function().getFunctionBody().front());
  IntegerAttr alignment = shape.empty() ? IntegerAttr() : getI64IntegerAttr(64);
  return memref::AllocaOp::create(*this, MemRefType::get(shape, type), alignment);
}

int64_t KernelBuilder::carvedBytes(ArrayRef<int64_t> shape, Type type) {
  int64_t bytes = type.getIntOrFloatBitWidth() / 8;
  for (int64_t extent : shape)
    bytes *= extent;
  return int64_t(llvm::alignTo(bytes, 64));
}

Value KernelBuilder::carve(Value scratch, int64_t &byteOffset, ArrayRef<int64_t> shape, Type type) {
  Value view =
      memref::ViewOp::create(*this, MemRefType::get(shape, type), scratch, index(byteOffset), ValueRange{});
  byteOffset += carvedBytes(shape, type);
  return view;
}

Value KernelBuilder::loadScalar(Value buffer, ValueRange at) {
  Value loaded = memref::LoadOp::create(*this, buffer, at);
  return isa<FloatType>(loaded.getType()) ? convert(loaded, computeType(loaded.getType())) : loaded;
}

void KernelBuilder::storeScalar(Value value, Value buffer, ValueRange at) {
  Type element = cast<MemRefType>(buffer.getType()).getElementType();
  memref::StoreOp::create(*this, convert(value, element), buffer, at);
}

//===----------------------------------------------------------------------===//
// linalg.generic
//===----------------------------------------------------------------------===//

void KernelBuilder::generic(ValueRange ins, ValueRange outs, ArrayRef<AffineMap> maps,
                            ArrayRef<utils::IteratorType> iterators, Body body, bool ordered) {
  SmallVector<Value> buffers(ins);
  llvm::append_range(buffers, outs);
  Type compute = computeTypeOf(buffers);
  auto emitBody = [&](OpBuilder &inner, Location, ValueRange arguments) {
    InsertionGuard guard(*this);
    setInsertionPoint(inner.getInsertionBlock(), inner.getInsertionPoint());
    Values widened;
    for (Value argument : arguments)
      widened.push_back(convert(argument, compute));
    Values results = body(widened);
    for (auto [result, out] : llvm::zip_equal(results, outs))
      result = convert(result, getElementTypeOrSelf(out.getType()));
    linalg::YieldOp::create(*this, results);
    // Old elements that nobody asked for.
    for (auto [value, argument] : llvm::zip(widened, arguments))
      if (value != argument && value.use_empty())
        value.getDefiningOp()->erase();
  };
  auto made = linalg::GenericOp::create(*this, ins, outs, maps, iterators, emitBody);
  if (ordered)
    made->setAttr(kOrderedAttr, getUnitAttr());
}

void KernelBuilder::update(ValueRange ins, ValueRange outs, Body body) {
  int64_t rank = cast<MemRefType>(outs[0].getType()).getRank();
  SmallVector<AffineMap> maps(ins.size() + outs.size(), getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  generic(ins, outs, maps, iterators, body);
}

void KernelBuilder::map(ValueRange ins, ValueRange outs, Body body) {
  update(ins, outs, [&](ValueRange elements) { return body(elements.take_front(ins.size())); });
}

void KernelBuilder::reduce(ValueRange ins, ValueRange accumulators, Body body, bool ordered) {
  int64_t rank = cast<MemRefType>(ins[0].getType()).getRank();
  SmallVector<AffineMap> maps(ins.size(), getMultiDimIdentityMap(rank));
  maps.append(accumulators.size(), AffineMap::get(rank, 0, getContext()));
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::reduction);
  generic(ins, accumulators, maps, iterators, body, ordered);
}

void KernelBuilder::copy(Value in, Value out, AffineMap order) {
  auto type = cast<MemRefType>(out.getType());
  bool isOrdered = bool(order);
  if (!isOrdered)
    order = getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::parallel);
  auto emitBody = [&](OpBuilder &inner, Location loc, ValueRange elements) {
    KernelBuilder b(inner, loc, level);
    linalg::YieldOp::create(b, b.convert(elements[0], type.getElementType()));
  };
  auto made = linalg::GenericOp::create(*this, ValueRange{in}, ValueRange{out}, ArrayRef{order, order},
                                        iterators, emitBody);
  if (isOrdered)
    made->setAttr(kOrderedAttr, getUnitAttr());
}

void KernelBuilder::fill(Value buffer, double value) {
  auto type = cast<MemRefType>(buffer.getType());
  map({}, {buffer}, [&](ValueRange) -> Values {
    if (auto integerType = dyn_cast<IntegerType>(type.getElementType()))
      return {integer(int64_t(value), integerType)};
    return {number(value, type.getElementType())};
  });
}

} // namespace halfstep
