// place-casts: the precision policy becomes casts on the forward graph. Backward types then follow from the
// gradient rule of the cast.
//
//   %w = train.read @w : tensor<3x4xf32>
//   %y = nn.matmul %x, %w {transpose_b} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
//   %o = amp.output %y : tensor<2x3xf32>
//   return %o : tensor<2x3xf32>
// becomes, whether by the class of the matrix product or because the whole model is converted to bf16,
//   %w = train.read @w : tensor<3x4xf32>
//   %0 = amp.cast %w : tensor<3x4xf32> to tensor<3x4xbf16>
//   %1 = amp.cast %x : tensor<2x4xf32> to tensor<2x4xbf16>
//   %y = nn.matmul %1, %0 {transpose_b} : (tensor<2x4xbf16>, tensor<3x4xbf16>) -> tensor<2x3xbf16>
//   %2 = amp.cast %y : tensor<2x3xbf16> to tensor<2x3xf32>
//   return %2 : tensor<2x3xf32>
//
// Needs: functions as imported, in f32 (or all in f64). Leaves: each op in the type that its class and its
// operands give it, the loss in its declared type, the outputs of a converted model in the policy's output
// type, no amp.output. Tests: tests/lit/passes/place-casts.mlir, place-casts-convert.mlir,
// place-casts-overrides.mlir, place-casts-errors.mlir, place-casts-overrides-errors.mlir.
#include "passes/PlaceCasts.h"
#include "passes/Overrides.h"
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

/// Running statistics: kept from step to step, and computed with in f32 whatever the data's type is.
bool isRunningStatistic(OpOperand &operand) {
  unsigned index = operand.getOperandNumber();
  return isa<nn::BatchNormOp, nn::BatchNormInferenceOp>(operand.getOwner()) && index >= 3;
}

/// A floating operand that casts may reach. f64 stays, as in torch, and so do numbers of the model, which
/// torch passes as Python numbers and not as tensors.
bool isEligible(OpOperand &operand) {
  Value value = operand.get();
  auto type = cast<RankedTensorType>(value.getType());
  if (!isa<FloatType>(type.getElementType()) || type.getElementType().isF64() || isRunningStatistic(operand))
    return false;
  return type.getRank() != 0 || !value.getDefiningOp<nn::ConstantOp>();
}

/// What one op's casts follow from.
struct Decision {
  PrecisionClass precisionClass;
  std::string reason;
  Type target = {};      ///< instead of the class's own type
  bool dataOnly = false; ///< parameters keep their type, as those of a kept normalisation do
};

class CastPlacer {
public:
  CastPlacer(func::FuncOp function, amp::PolicyAttr policy, DecisionObserver observer)
      : function(function), policy(policy), observer(observer), f32(Float32Type::get(policy.getContext())),
        outputType(policy.getOutput() ? policy.getOutput() : f32) {}

  LogicalResult run() {
    findLossOps();
    for (Operation &op : llvm::make_early_inc_range(function.getBody().front()))
      if (failed(place(&op)))
        return failure();
    return success();
  }

private:
  func::FuncOp function;
  amp::PolicyAttr policy;
  DecisionObserver observer;
  Type f32, outputType;
  /// Casts of parameters, by name and type, and of the arguments of converted models.
  DenseMap<std::pair<Attribute, Type>, Value> parameterCasts;
  DenseMap<std::pair<Value, Type>, Value> argumentCasts;
  /// Ops that depend on an output of the model: its loss. Of these, the ones that an override puts in f32,
  /// and what depends on them: the mean of a loss that is kept in f32 is no place to round.
  DenseSet<Operation *> lossOps, wideLossOps;
  /// What stands for the outputs of the model.
  DenseSet<Value> outputs;

  void findLossOps() {
    DenseSet<Value> reached;
    for (Operation &op : function.getBody().front()) {
      bool after = llvm::any_of(op.getOperands(), [&](Value operand) { return reached.contains(operand); });
      if (after)
        lossOps.insert(&op);
      if (after || isa<amp::OutputOp>(op))
        reached.insert_range(op.getResults());
    }
  }

  LogicalResult place(Operation *op) {
    if (isa<func::ReturnOp>(op))
      return castReturned(op), success();
    if (auto output = dyn_cast<amp::OutputOp>(op))
      return placeOutput(output), success();
    if (auto assign = dyn_cast<train::AssignOp>(op))
      return castAssigned(assign), success();
    if (isa<train::ReadOp, train::WeighOp, amp::CastOp>(op) || op->hasTrait<OpTrait::ConstantLike>())
      return success();
    Decision decision = decide(op);
    if (failed(castOperands(op, decision)) || failed(inferResults(op, decision)))
      return failure();
    if (observer && op->getNumResults())
      observer(op, {decision.precisionClass, getElementTypeOrSelf(op->getResult(0)), decision.reason});
    return success();
  }

  //===--------------------------------------------------------------------===//
  // Decisions
  //===--------------------------------------------------------------------===//

  Decision decide(Operation *op) {
    if (std::optional<Override> chosen = findOverride(policy, op)) {
      if (lossOps.contains(op) && (chosen->precisionClass == PrecisionClass::Fp32 ||
                                   chosen->precisionClass == PrecisionClass::Fp32Out))
        wideLossOps.insert(op);
      return {chosen->precisionClass, chosen->reason};
    }
    StringRef key = precisionKeyOf(op);
    if (policy.getConvert())
      return decideConverted(op, key);
    if (!policy.getCasts())
      return {PrecisionClass::Untouched, ("precision " + policy.getName()).str()};
    auto listed = *lookupPrecisionClass(policy.getLists(), key);
    return {listed, listed == PrecisionClass::Promote ? "promotes its operands"
                                                      : ("list " + policy.getLists()).str()};
  }

  Decision decideConverted(Operation *op, StringRef key) {
    auto isWide = [&](Value operand) { return wideLossOps.contains(operand.getDefiningOp()); };
    if (llvm::any_of(op->getOperands(), isWide)) {
      wideLossOps.insert(op);
      return {PrecisionClass::Promote, "promotes its operands", f32};
    }
    if (lossOps.contains(op))
      return {outputType == f32 ? PrecisionClass::Fp32 : PrecisionClass::Lower, "loss in the output type",
              outputType};
    if (isKept(policy.getKeep(), key))
      return {PrecisionClass::Untouched,
              policy.getKeep() == "norms" ? "keep_norms_fp32" : "keep_batchnorm_fp32", policy.getCompute(),
              /*dataOnly=*/true};
    return {PrecisionClass::Lower, "model cast"};
  }

  /// The element type that `value` has for ops that follow their operands. A converted model's parameters and
  /// inputs are in `compute`, though the values themselves are cast only where they are read.
  Type followedType(Value value) {
    bool converted =
        policy.getConvert() && (isa<BlockArgument>(value) || value.getDefiningOp<train::ReadOp>());
    return converted ? policy.getCompute() : getElementTypeOrSelf(value);
  }

  /// The type that `operand`, one of `all` operands that take part, becomes.
  Type targetType(const Decision &decision, OpOperand *operand, ArrayRef<OpOperand *> all) {
    if (decision.target)
      return decision.target;
    switch (decision.precisionClass) {
    case PrecisionClass::Lower:
      return policy.getCompute();
    case PrecisionClass::Fp32:
    // Rounds as an op that reads low precision and computes in f32 does, and gives its operands the same
    // gradients.
    case PrecisionClass::Fp32Out:
      return f32;
    case PrecisionClass::Promote:
      return llvm::any_of(all, [&](OpOperand *each) { return followedType(each->get()) == f32; })
                 ? f32
                 : policy.getCompute();
    case PrecisionClass::Banned:
    case PrecisionClass::Untouched:
      return followedType(operand->get());
    }
    llvm_unreachable("every class is handled");
  }

  //===--------------------------------------------------------------------===//
  // Casts
  //===--------------------------------------------------------------------===//

  LogicalResult castOperands(Operation *op, const Decision &decision) {
    if (decision.precisionClass == PrecisionClass::Banned)
      return op->emitOpError() << "is banned by " << decision.reason
                               << ", since it overflows in low precision; use other lists or give it a class";
    SmallVector<OpOperand *> operands;
    for (OpOperand &operand : decision.dataOnly ? op->getOpOperands().take_front() : op->getOpOperands())
      if (isEligible(operand))
        operands.push_back(&operand);
    SmallVector<Type> targets =
        llvm::map_to_vector(operands, [&](OpOperand *each) { return targetType(decision, each, operands); });
    for (auto [operand, target] : llvm::zip_equal(operands, targets))
      operand->set(castTo(operand->get(), target, op));
    return success();
  }

  Value castTo(Value value, Type element, Operation *user) {
    auto type = cast<RankedTensorType>(value.getType());
    if (type.getElementType() == element)
      return value;
    OpBuilder builder(user);
    // One cast for all uses of a parameter: their gradients meet there, in low precision, as with torch's
    // cache of weight casts.
    if (auto read = value.getDefiningOp<train::ReadOp>()) {
      Value &shared = parameterCasts[{read.getParamAttr(), element}];
      if (!shared) {
        builder.setInsertionPointAfter(read);
        shared = amp::CastOp::create(builder, read.getLoc(), type.clone(element), value);
      }
      return shared;
    }
    if (auto argument = dyn_cast<BlockArgument>(value); argument && policy.getConvert()) {
      Value &shared = argumentCasts[{value, element}];
      if (!shared) {
        builder.setInsertionPointToStart(argument.getOwner());
        shared = amp::CastOp::create(builder, argument.getLoc(), type.clone(element), value);
      }
      return shared;
    }
    return amp::CastOp::create(builder, user->getLoc(), type.clone(element), value);
  }

  static LogicalResult inferTypes(Operation *op, std::optional<Location> loc, SmallVectorImpl<Type> &types) {
    return cast<InferTypeOpInterface>(op).inferReturnTypes(
        op->getContext(), loc, op->getOperands(), op->getAttrDictionary(), op->getPropertiesStorage(),
        op->getRegions(), types);
  }

  LogicalResult inferResults(Operation *op, const Decision &decision) {
    if (!isa<InferTypeOpInterface>(op))
      return success();
    SmallVector<Type> types;
    if (failed(inferTypes(op, std::nullopt, types))) {
      if (decision.precisionClass != PrecisionClass::Untouched)
        return inferTypes(op, op->getLoc(), types);
      return op->emitOpError() << "cannot run on operands of the types " << op->getOperandTypes()
                               << ", which " << decision.reason
                               << " leaves to it; give it the class lower, fp32 or promote";
    }
    for (auto [result, type] : llvm::zip_equal(op->getResults(), types))
      result.setType(type);
    return success();
  }

  void placeOutput(amp::OutputOp op) {
    Value result = policy.getConvert() ? castTo(op.getInput(), outputType, op) : op.getInput();
    outputs.insert(result);
    op.replaceAllUsesWith(result);
    op.erase();
  }

  void castAssigned(train::AssignOp op) {
    auto param = SymbolTable::lookupNearestSymbolFrom<train::ParamOp>(op, op.getParamAttr());
    op.getValueMutable().assign(castTo(op.getValue(), param.getTensorType().getElementType(), op));
  }

  /// Outputs of a converted model stay in the output type; whatever else is returned has its declared type.
  void castReturned(Operation *op) {
    for (auto [operand, type] : llvm::zip_equal(op->getOpOperands(), function.getResultTypes()))
      if (!policy.getConvert() || !outputs.contains(operand.get()))
        operand.set(castTo(operand.get(), getElementTypeOrSelf(type), op));
    function.setType(FunctionType::get(op->getContext(), function.getArgumentTypes(), op->getOperandTypes()));
  }
};

struct PlaceCasts : impl::PlaceCastsBase<PlaceCasts> {
  using PlaceCastsBase::PlaceCastsBase;

  void runOnOperation() override {
    if (failed(placeCasts(getOperation())))
      signalPassFailure();
  }
};

} // namespace

LogicalResult placeCasts(ModuleOp module, DecisionObserver observer) {
  amp::PolicyAttr policy = amp::getPolicy(module);
  if (!policy)
    return failure();
  if (policy.getCasts() && !lookupPrecisionClass(policy.getLists(), ""))
    return module.emitError() << "op lists '" << policy.getLists() << "', expected cpu, cuda or apex";
  if (!llvm::is_contained({"", "batch_norm", "norms"}, policy.getKeep()))
    return module.emitError() << "keep '" << policy.getKeep() << "', expected batch_norm or norms";
  if (failed(checkOverrides(module, policy)))
    return failure();
  for (auto function : module.getOps<func::FuncOp>())
    if (failed(CastPlacer(function, policy, observer).run()))
      return failure();
  return success();
}

} // namespace halfstep
