// place-casts: the precision policy becomes casts on the forward graph. Backward types then follow from the
// gradient rule of the cast.
//
//   %w = train.read @w : tensor<3x4xf32>
//   %y = nn.matmul %x, %w {transpose_b} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
//   return %y : tensor<2x3xf32>
// becomes
//   %w = train.read @w : tensor<3x4xf32>
//   %0 = amp.cast %w : tensor<3x4xf32> to tensor<3x4xbf16>
//   %1 = amp.cast %x : tensor<2x4xf32> to tensor<2x4xbf16>
//   %y = nn.matmul %1, %0 {transpose_b} : (tensor<2x4xbf16>, tensor<3x4xbf16>) -> tensor<2x3xbf16>
//   %2 = amp.cast %y : tensor<2x3xbf16> to tensor<2x3xf32>
//   return %2 : tensor<2x3xf32>
//
// Needs: functions as imported, in the policy's parameter type. Leaves: the same signatures, and each op in
// the type that its class and its operands give it. Tests: tests/lit/passes/place-casts.mlir,
// place-casts-errors.mlir.
#include "passes/OpLists.h"
#include "passes/Passes.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/nn/NNDialect.h"
#include "dialect/train/TrainDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace halfstep {

#define GEN_PASS_DEF_PLACECASTS
#include "passes/Passes.h.inc"

namespace {

/// A floating operand that casts may reach. f64 stays, as in torch, and so do numbers of the model, which
/// torch passes as Python numbers and not as tensors.
bool isEligible(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  if (!isa<FloatType>(type.getElementType()) || type.getElementType().isF64())
    return false;
  return type.getRank() != 0 || !value.getDefiningOp<nn::ConstantOp>();
}

class CastPlacer {
public:
  CastPlacer(func::FuncOp function, amp::PolicyAttr policy) : function(function), policy(policy) {}

  LogicalResult run() {
    for (Operation &op : function.getBody().front()) {
      if (isa<func::ReturnOp>(op))
        castReturned(&op);
      else if (failed(castOperands(&op)) || failed(inferResults(&op)))
        return failure();
    }
    return success();
  }

private:
  func::FuncOp function;
  amp::PolicyAttr policy;
  /// Casts of parameters, by name and type.
  DenseMap<std::pair<Attribute, Type>, Value> parameterCasts;

  PrecisionClass classOf(Operation *op) {
    auto keyed = dyn_cast<PrecisionClassOpInterface>(op);
    return keyed ? *lookupPrecisionClass(policy.getLists(), keyed.getPrecisionKey())
                 : PrecisionClass::Untouched;
  }

  /// The type that `operands` of an op of this class get; null: each keeps its own.
  Type targetType(PrecisionClass precisionClass, ArrayRef<OpOperand *> operands) {
    Type f32 = Float32Type::get(policy.getContext());
    switch (precisionClass) {
    case PrecisionClass::Lower:
      return policy.getCompute();
    case PrecisionClass::Fp32:
    // Rounds as an op that reads low precision and computes in f32 does, and gives its operands the same
    // gradients.
    case PrecisionClass::Fp32Out:
      return f32;
    case PrecisionClass::Promote:
      return llvm::any_of(operands, [](OpOperand *each) { return getElementTypeOrSelf(each->get()).isF32(); })
                 ? f32
                 : policy.getCompute();
    case PrecisionClass::Banned:
    case PrecisionClass::Untouched:
      return {};
    }
    llvm_unreachable("every class is handled");
  }

  LogicalResult castOperands(Operation *op) {
    PrecisionClass precisionClass = classOf(op);
    if (precisionClass == PrecisionClass::Banned)
      return op->emitOpError() << "is banned by the op lists '" << policy.getLists()
                               << "', since it overflows in low precision; use other lists";
    SmallVector<OpOperand *> operands;
    for (OpOperand &operand : op->getOpOperands())
      if (isEligible(operand.get()))
        operands.push_back(&operand);
    if (Type target = targetType(precisionClass, operands))
      for (OpOperand *operand : operands)
        operand->set(castTo(operand->get(), target, op));
    return success();
  }

  Value castTo(Value value, Type element, Operation *user) {
    auto type = cast<RankedTensorType>(value.getType());
    if (type.getElementType() == element)
      return value;
    OpBuilder builder(user);
    auto read = value.getDefiningOp<train::ReadOp>();
    if (!read)
      return amp::CastOp::create(builder, user->getLoc(), type.clone(element), value);
    // One cast for all uses of a parameter: their gradients meet there, in low precision, as with torch's
    // cache of weight casts.
    Value &shared = parameterCasts[{read.getParamAttr(), element}];
    if (!shared) {
      builder.setInsertionPointAfter(read);
      shared = amp::CastOp::create(builder, read.getLoc(), type.clone(element), value);
    }
    return shared;
  }

  LogicalResult inferResults(Operation *op) {
    auto inferring = dyn_cast<InferTypeOpInterface>(op);
    if (!inferring)
      return success();
    SmallVector<Type> types;
    if (failed(inferring.inferReturnTypes(op->getContext(), op->getLoc(), op->getOperands(),
                                          op->getAttrDictionary(), op->getPropertiesStorage(),
                                          op->getRegions(), types)))
      return failure();
    for (auto [result, type] : llvm::zip_equal(op->getResults(), types))
      result.setType(type);
    return success();
  }

  void castReturned(Operation *op) {
    for (auto [operand, type] : llvm::zip_equal(op->getOpOperands(), function.getResultTypes()))
      operand.set(castTo(operand.get(), getElementTypeOrSelf(type), op));
  }
};

struct PlaceCasts : impl::PlaceCastsBase<PlaceCasts> {
  using PlaceCastsBase::PlaceCastsBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    amp::PolicyAttr policy = amp::getPolicy(module);
    if (!policy)
      return signalPassFailure();
    if (!policy.getCasts())
      return;
    if (!lookupPrecisionClass(policy.getLists(), "")) {
      module.emitError() << "op lists '" << policy.getLists() << "', expected cpu, cuda or apex";
      return signalPassFailure();
    }
    for (auto function : module.getOps<func::FuncOp>())
      if (failed(CastPlacer(function, policy).run()))
        return signalPassFailure();
  }
};

} // namespace
} // namespace halfstep
