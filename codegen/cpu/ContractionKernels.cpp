// nn.matmul in a "contraction" kernel, as a product of the contraction emitter.
#include "codegen/cpu/ContractionKernels.h"

#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace halfstep {

LogicalResult checkProductTypes(Operation *op) {
  auto element = [](Value value) { return getElementTypeOrSelf(value.getType()); };
  Type type = element(op->getOperand(0));
  if (element(op->getOperand(1)) != type)
    return op->emitOpError() << "has operands of " << type << " and " << element(op->getOperand(1))
                             << ", expected one type: cast one of them";
  auto fits = [&](Type other) { return other.isF64() == type.isF64(); };
  if (op->getNumOperands() > 2 && !fits(element(op->getOperand(2))))
    return op->emitOpError() << "has a bias of " << element(op->getOperand(2)) << " beside operands of "
                             << type << ", expected " << type << ": cast it";
  if (!fits(element(op->getResult(0))))
    return op->emitOpError() << "has a result of " << element(op->getResult(0)) << " of operands of " << type
                             << ", expected " << type << ": cast the result instead";
  return success();
}

static int64_t productOf(ArrayRef<int64_t> extents) {
  int64_t product = 1;
  for (int64_t extent : extents)
    product *= extent;
  return product;
}

ContractionSpec contractionSpec(train::KernelOp kernel) {
  auto op = cast<nn::MatmulOp>(kernel.getBlock().front());
  auto lhs = cast<RankedTensorType>(op.getLhs().getType());
  auto rhs = cast<RankedTensorType>(op.getRhs().getType());
  ArrayRef<int64_t> result = cast<RankedTensorType>(op.getResult().getType()).getShape();
  ContractionSpec spec;
  spec.type = lhs.getElementType();
  spec.transposeA = op.getTransposeA();
  spec.transposeB = op.getTransposeB();
  spec.hasBias = bool(op.getBias());
  spec.m = result[result.size() - 2];
  spec.n = result.back();
  spec.k = lhs.getDimSize(lhs.getRank() - (spec.transposeA ? 2 : 1));
  int64_t leading = productOf(result.drop_back(2));
  if (rhs.getRank() == 2)
    spec.m *= leading;
  else
    spec.batch = leading;
  return spec;
}

ContractionPlan planContractionKernel(train::KernelOp kernel, const CpuLevel &level) {
  return planContraction(contractionSpec(kernel), level);
}

namespace {

/// The ops behind a kernel's product, on vectors of its elements. What they read and write has the shape of
/// the product, so that one index serves all.
class Epilogue {
public:
  Epilogue(train::KernelOp kernel, ValueRange operands) : kernel(kernel), operands(operands) {}

  void store(ContractionBuilder &b, Value sums, Value at, int64_t count) {
    DenseMap<Value, Value> vectors;
    auto vectorOf = [&](Value value) -> Value {
      if (auto argument = dyn_cast<BlockArgument>(value); argument && !vectors.contains(value))
        vectors[value] = b.widen(b.load(b.flat(operands[argument.getArgNumber()]), at, b.form.lanes, count));
      return vectors.lookup(value);
    };
    for (Operation &op : kernel.getBlock().without_terminator())
      vectors[op.getResult(0)] = isa<nn::MatmulOp>(op) ? sums : compute(b, op, vectorOf);
    for (auto [yielded, buffer] :
         llvm::zip_equal(kernel.getYield()->getOperands(), operands.drop_front(kernel.getNumOperands()))) {
      Value flat = b.flat(buffer);
      b.store(b.round(vectorOf(yielded), flat), flat, at, count);
    }
  }

private:
  train::KernelOp kernel;
  ValueRange operands;

  static Value compute(ContractionBuilder &b, Operation &op, function_ref<Value(Value)> vectorOf) {
    VectorType type = b.vectorOf(b.form.compute);
    if (auto constant = dyn_cast<nn::ConstantOp>(op)) {
      double number = constant.getValue().getSplatValue<APFloat>().convertToDouble();
      Attribute element = b.getFloatAttr(b.form.compute, number);
      return arith::ConstantOp::create(b, DenseElementsAttr::get(type, element));
    }
    SmallVector<Value> inputs = llvm::map_to_vector(op.getOperands(), vectorOf);
    return cast<ElementwiseOpInterface>(op).emitScalar(b, op.getLoc(), inputs, type, nullptr);
  }
};

} // namespace

/// The memref that a value of the kernel's region lies in.
static Value bufferOf(Value value, ValueRange operands) {
  if (!value)
    return {};
  return operands[cast<BlockArgument>(value).getArgNumber()];
}

LogicalResult emitContractionKernel(OpBuilder &builder, train::KernelOp kernel, const CpuLevel &level,
                                    ValueRange operands, Value lo, Value hi, Value scratch) {
  auto op = cast<nn::MatmulOp>(kernel.getBlock().front());
  if (failed(checkProductTypes(op)))
    return failure();
  bool alone = op->getNextNode() == kernel.getYield();
  Epilogue epilogue(kernel, operands);
  auto store = [&](ContractionBuilder &b, Value sums, Value at, int64_t count) {
    epilogue.store(b, sums, at, count);
  };
  return emitContraction(builder, op.getLoc(), contractionSpec(kernel), level,
                         bufferOf(op.getLhs(), operands), bufferOf(op.getRhs(), operands),
                         bufferOf(op.getBias(), operands), alone ? operands.back() : Value(), lo, hi, scratch,
                         alone ? StoreSums() : StoreSums(store));
}

} // namespace halfstep
