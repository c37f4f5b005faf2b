// Domains of element-wise kernels: which memory an element reads, and the formulas on it.
#include "codegen/cpu/ElementwiseRegion.h"

#include "codegen/cpu/RegionFormulas.h"

#include "dialect/nn/Functions.h"
#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace halfstep {

static RankedTensorType tensorOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The attribute of a constant whose elements differ, and so lie in memory; null for other values.
static ElementsAttr tableOf(Value value) {
  auto constant = value.getDefiningOp<nn::ConstantOp>();
  return constant && !constant.getValue().isSplat() ? constant.getValue() : ElementsAttr();
}

static bool isRead(Value value) { return isa<BlockArgument>(value) || tableOf(value); }

/// Rough number of arithmetic instructions an element.
static int64_t flopsOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, int64_t>(op)
      .Case<nn::TanhOp, nn::SigmoidOp, nn::SiluOp, nn::SiluBackwardOp, nn::GeluOp, nn::GeluBackwardOp>(
          [](auto) { return 40; })
      .Case<nn::FunctionBackwardOp>([](auto) { return 40; })
      .Case<nn::DropoutOp>([](auto) { return 100; })
      .Default([](Operation *other) { return nn::findFunction(other->getName().stripDialect()) ? 20 : 2; });
}

ElementwiseRegion::ElementwiseRegion(train::KernelOp kernel, ArrayRef<int64_t> domain,
                                     ArrayRef<ElementAccess> outputs)
    : kernel(kernel), domain(domain), writes(outputs), compute(Float32Type::get(kernel.getContext())) {
  auto widen = [&](TypeRange types) {
    for (Type type : types)
      if (getElementTypeOrSelf(type).isF64())
        compute = getElementTypeOrSelf(type);
  };
  for (Operation &op : kernel.getBlock()) {
    widen(op.getOperandTypes());
    widen(op.getResultTypes());
    flops += flopsOf(&op);
  }
  collectReads();
  merge();
}

//===----------------------------------------------------------------------===//
// Accesses
//===----------------------------------------------------------------------===//

Strides ElementwiseRegion::stridesOf(OpOperand &operand) const {
  Operation *op = operand.getOwner();
  Strides strides(domain.size(), 0);
  auto elementwise = dyn_cast<ElementwiseOpInterface>(op);
  if (!elementwise) // the yield or a reduction: an element as it is
    return tensorOf(operand.get()).getShape() == ArrayRef<int64_t>(domain) ? rowMajorStrides(domain)
                                                                           : strides;
  if (tensorOf(op->getResult(0)).getNumElements() == 1)
    return strides;
  Strides source = rowMajorStrides(tensorOf(operand.get()).getShape());
  AffineMap map = elementwise.getOperandMap(operand.getOperandNumber());
  for (auto [i, result] : llvm::enumerate(map.getResults()))
    if (auto dim = dyn_cast<AffineDimExpr>(result))
      strides[dim.getPosition()] += source[i];
  return strides;
}

void ElementwiseRegion::addRead(OpOperand &operand, const Strides &strides) {
  for (auto [i, read] : llvm::enumerate(reads))
    if (read.value == operand.get() && read.strides == strides) {
      readOf[&operand] = i;
      return;
    }
  readOf[&operand] = reads.size();
  reads.push_back({operand.get(), strides});
}

void ElementwiseRegion::collectReads() {
  for (Operation &op : kernel.getBlock())
    for (OpOperand &operand : op.getOpOperands())
      if (isRead(operand.get()))
        addRead(operand, stridesOf(operand));
}

void ElementwiseRegion::merge() {
  SmallVector<Strides *> accesses;
  for (ElementAccess &access : reads)
    accesses.push_back(&access.strides);
  for (ElementAccess &access : writes)
    accesses.push_back(&access.strides);
  merged = mergeDimensions(domain, accesses);
}

int64_t ElementwiseRegion::elementsPerIndex(size_t dim) const {
  int64_t elements = 1;
  for (auto [i, extent] : llvm::enumerate(merged))
    elements *= i == dim ? 1 : extent;
  return elements;
}

int64_t ElementwiseRegion::flopsPerIndex(size_t dim) const { return flops * elementsPerIndex(dim); }

int64_t ElementwiseRegion::bytesPerIndex(size_t dim) const {
  auto bytesOf = [&](const ElementAccess &access) {
    int64_t bytes = getElementTypeOrSelf(access.value.getType()).getIntOrFloatBitWidth() / 8;
    for (auto [i, extent] : llvm::enumerate(merged))
      bytes *= i == dim || access.strides[i] == 0 ? 1 : extent;
    return bytes;
  };
  int64_t bytes = 0;
  for (const ElementAccess &access : reads)
    bytes += bytesOf(access);
  for (const ElementAccess &access : writes)
    bytes += bytesOf(access);
  return bytes;
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

Value ElementwiseRegion::view(KernelBuilder &b, Value buffer, const ElementAccess &access) const {
  SmallVector<int64_t> shape, strides;
  for (auto [extent, stride] : llvm::zip(merged, access.strides))
    if (stride != 0) {
      shape.push_back(extent);
      strides.push_back(stride);
    }
  return b.strided(buffer, shape, strides);
}

AffineMap ElementwiseRegion::mapOf(const ElementAccess &access, ArrayRef<size_t> dims,
                                   MLIRContext *context) const {
  SmallVector<AffineExpr> results;
  for (auto [i, dim] : llvm::enumerate(dims))
    if (access.strides[dim] != 0)
      results.push_back(getAffineDimExpr(unsigned(i), context));
  return AffineMap::get(unsigned(dims.size()), 0, results, context);
}

FailureOr<Value> constantBuffer(KernelBuilder &b, Value value) {
  auto elements = dyn_cast<DenseElementsAttr>(value.getDefiningOp<nn::ConstantOp>().getValue());
  if (!elements)
    return value.getDefiningOp()->emitOpError()
           << "has elements of a form that no kernel reads, expected dense ones";
  FunctionOpInterface function = b.function();
  Operation *symbols = SymbolTable::getNearestSymbolTable(function->getParentOp());
  std::string name;
  for (int64_t i = 0; name.empty() || SymbolTable::lookupSymbolIn(symbols, name); ++i)
    name = function.getName().str() + "_constant" + std::to_string(i);
  RankedTensorType tensor = tensorOf(value);
  auto type = MemRefType::get(tensor.getShape(), tensor.getElementType());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(function);
  memref::GlobalOp::create(b, name, b.getStringAttr("private"), type, elements, /*constant=*/true,
                           /*alignment=*/b.getI64IntegerAttr(64));
  b.setInsertionPointToStart(&function.getFunctionBody().front());
  return memref::GetGlobalOp::create(b, type, name).getResult();
}

FailureOr<SmallVector<Value>> ElementwiseRegion::buffers(KernelBuilder &b, const KernelCall &call) const {
  SmallVector<Value> result;
  for (const ElementAccess &read : reads) {
    FailureOr<Value> buffer = isa<BlockArgument>(read.value) ? FailureOr<Value>(call.input(read.value))
                                                             : constantBuffer(b, read.value);
    if (failed(buffer))
      return failure();
    result.push_back(*buffer);
  }
  return result;
}

FailureOr<SmallVector<Value>> ElementwiseRegion::views(KernelBuilder &b, const KernelCall &call) const {
  FailureOr<SmallVector<Value>> result = buffers(b, call);
  if (failed(result))
    return failure();
  for (auto [buffer, read] : llvm::zip_equal(*result, reads))
    buffer = view(b, buffer, read);
  return result;
}

//===----------------------------------------------------------------------===//
// Formulas
//===----------------------------------------------------------------------===//

SmallVector<Value> ElementwiseRegion::emit(KernelBuilder &b, ValueRange elements,
                                           MutableArrayRef<OpOperand> wanted,
                                           function_ref<Value(size_t)> indexOf) const {
  Strides strides = rowMajorStrides(merged);
  Value linear;
  auto linearIndex = [&]() -> Value {
    if (!linear) {
      linear = b.index(0);
      for (size_t dim = 0; dim < rank(); ++dim)
        linear = b.plus(linear, b.times(indexOf(dim), strides[dim]));
      linear = arith::IndexCastOp::create(b, b.getI64Type(), linear);
    }
    return linear;
  };
  auto read = [&](OpOperand &operand) -> Value {
    auto found = readOf.find(&operand);
    return found == readOf.end() ? Value() : elements[found->second];
  };
  RegionFormulas formulas(b, compute, read, linearIndex);
  return llvm::map_to_vector(wanted, [&](OpOperand &operand) { return formulas.of(operand); });
}

} // namespace halfstep
