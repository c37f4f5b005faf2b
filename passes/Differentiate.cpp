// differentiate: adds the gradient of the loss to @train_step, by a walk from the loss back to the
// parameters.
//
//   %w = train.read @w : tensor<4xf32>
//   %p = nn.mul %x, %w : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
//   %l = nn.reduce_sum %p {axes = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
//   return %l : tensor<f32>
// becomes
//   ...
//   %s = amp.loss_seed : tensor<f32>
//   %0 = nn.reshape %s {shape = array<i64: 1>} : (tensor<f32>) -> tensor<1xf32>
//   %1 = nn.broadcast %0 {shape = array<i64: 4>} : (tensor<1xf32>) -> tensor<4xf32>
//   %g = nn.mul %1, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
//   train.gradient @w, %g : tensor<4xf32>
//   return %l : tensor<f32>
//
// Needs: final types of the forward graph (place-casts). Leaves: one train.gradient, in the parameter's type,
// for each parameter that the loss depends on and that is not frozen. Tests:
// tests/lit/passes/differentiate.mlir, differentiate-errors.mlir.
#include "passes/EraseDead.h"
#include "passes/Passes.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/nn/NNDialect.h"
#include "dialect/train/TrainDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace halfstep {

#define GEN_PASS_DEF_DIFFERENTIATE
#include "passes/Passes.h.inc"

namespace {

class Differentiator {
public:
  /// `roundOnce`: sums of several gradients are rounded at their end, not after each addition.
  Differentiator(func::FuncOp step, bool roundOnce)
      : step(step), module(step->getParentOfType<ModuleOp>()), symbols(module), roundOnce(roundOnce),
        builder(step.getBody().front().getTerminator()) {}

  LogicalResult run() {
    if (failed(findLoss()))
      return failure();
    findActive();
    findPath();
    if (failed(checkRules()))
      return failure();
    gradients[loss].push_back(amp::LossSeedOp::create(builder, loss.getLoc(), loss.getType(), Value()));
    for (Operation *op : llvm::reverse(path))
      visit(op);
    emitGradients();
    eraseDead(step);
    return success();
  }

private:
  func::FuncOp step;
  ModuleOp module;
  SymbolTable symbols;
  bool roundOnce;
  OpBuilder builder;
  Value loss;
  /// Values that depend on a parameter.
  DenseSet<Value> active;
  /// Ops through which the loss depends on a parameter, in program order; reads of parameters among them.
  SmallVector<Operation *> path;
  /// Gradients of a value that are yet to be summed, and of parameters.
  DenseMap<Value, SmallVector<Value>> gradients;
  DenseMap<Attribute, SmallVector<Value>> parameterGradients;

  LogicalResult findLoss() {
    Operation *returned = step.getBody().front().getTerminator();
    if (returned->getNumOperands() != 1)
      return step.emitError() << "'@" << step.getName() << "' returns " << returned->getNumOperands()
                              << " values, expected the loss alone";
    loss = returned->getOperand(0);
    auto type = dyn_cast<RankedTensorType>(loss.getType());
    if (!type || type.getRank() != 0 || !isa<FloatType>(type.getElementType()))
      return step.emitError() << "the loss has type " << loss.getType()
                              << ", expected a floating tensor of rank 0";
    return success();
  }

  static bool isTrained(train::ParamOp param) { return !param.getBuffer() && !param.getFrozen(); }

  void findActive() {
    for (Operation &op : step.getBody().front()) {
      auto read = dyn_cast<train::ReadOp>(op);
      bool parameter = read && isTrained(symbols.lookup<train::ParamOp>(read.getParam()));
      if (!parameter && llvm::none_of(op.getOperands(), [&](Value value) { return active.contains(value); }))
        continue;
      for (Value result : op.getResults())
        if (isa<FloatType>(getElementTypeOrSelf(result)))
          active.insert(result);
    }
  }

  void findPath() {
    DenseSet<Operation *> seen;
    SmallVector<Value> pending{loss};
    while (!pending.empty()) {
      Value value = pending.pop_back_val();
      Operation *op = value.getDefiningOp();
      if (active.contains(value) && seen.insert(op).second)
        llvm::append_range(pending, op->getOperands());
    }
    for (Operation &op : step.getBody().front())
      if (seen.contains(&op))
        path.push_back(&op);
  }

  LogicalResult checkRules() {
    LogicalResult result = success();
    for (Operation *op : path) {
      if (isa<train::ReadOp, DifferentiableOpInterface>(op))
        continue;
      InFlightDiagnostic diagnostic =
          op->emitOpError() << "has no gradient rule, and the loss depends on a parameter through it";
      diagnostic.attachNote(loss.getLoc()) << "the loss is computed here";
      result = diagnostic;
    }
    if (path.empty())
      return step.emitError() << "the loss depends on no parameter, so there is nothing to train";
    return result;
  }

  void visit(Operation *op) {
    if (auto read = dyn_cast<train::ReadOp>(op))
      return llvm::append_range(parameterGradients[read.getParamAttr()], gradients[read]);
    SmallVector<Value> resultGrads = llvm::map_to_vector(op->getResults(), [&](Value result) {
      return sum(gradients[result], result.getType(), result.getLoc());
    });
    if (llvm::none_of(resultGrads, [](Value value) { return value; }))
      return;
    SmallVector<Value> operandGrads(op->getNumOperands());
    cast<DifferentiableOpInterface>(op).buildGradient(builder, resultGrads, operandGrads);
    for (auto [operand, gradient] : llvm::zip_equal(op->getOperands(), operandGrads))
      if (gradient && active.contains(operand))
        gradients[operand].push_back(gradient);
  }

  Value castTo(Value value, Type element, Location loc) {
    auto type = cast<RankedTensorType>(value.getType());
    return type.getElementType() == element
               ? value
               : amp::CastOp::create(builder, loc, type.clone(element), value).getResult();
  }

  /// The sum of `terms` in `type`; null when there are none.
  Value sum(ArrayRef<Value> terms, Type type, Location loc) {
    if (terms.empty())
      return {};
    Type element = getElementTypeOrSelf(type), working = element;
    // Two terms of the sum's own type are rounded once as they are.
    bool simple =
        terms.size() <= 2 && llvm::all_of(terms, [&](Value term) { return term.getType() == type; });
    if (roundOnce && terms.size() > 1 && !simple)
      working = computeType(element);
    Value total = castTo(terms[0], working, loc);
    for (Value term : terms.drop_front())
      total = nn::AddOp::create(builder, loc, total, castTo(term, working, loc));
    return castTo(total, element, loc);
  }

  void emitGradients() {
    for (auto param : module.getOps<train::ParamOp>()) {
      if (!isTrained(param))
        continue;
      auto name = FlatSymbolRefAttr::get(param.getSymNameAttr());
      Value gradient = sum(parameterGradients[name], param.getType(), param.getLoc());
      if (gradient)
        train::GradientOp::create(builder, param.getLoc(), name, gradient);
      else
        param.emitWarning() << "the loss does not depend on the parameter '" << param.getSymName()
                            << "', so it is not trained";
    }
  }
};

struct Differentiate : impl::DifferentiateBase<Differentiate> {
  using DifferentiateBase::DifferentiateBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    amp::PolicyAttr policy = amp::getPolicy(module);
    if (!policy)
      return signalPassFailure();
    auto step = module.lookupSymbol<func::FuncOp>(train::kTrainStep);
    if (step && failed(Differentiator(step, policy.getRounding() == "fused").run()))
      signalPassFailure();
  }
};

} // namespace
} // namespace halfstep
