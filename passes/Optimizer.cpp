// optimizer: gradients become one finiteness check and one update, at the end of the step.
//
//   train.assign @m, %m : tensor<4xf32>
//   train.gradient @v, %0 : tensor<4xf32>
//   train.gradient @w, %1 : tensor<4xf32>
// becomes
//   %found, %norm = amp.check_finite %0, %1 : tensor<4xf32>, tensor<4xf32> -> tensor<i32>, tensor<f64>
//   train.update [@v, @w] gradients(%0, %1 : ...) guard(%found : tensor<i32>) norm(%norm : tensor<f64>)
//   ... train.assign @m, %m guard %found : tensor<i32> : tensor<4xf32>
//
// There is one update for each optimizer that parameters have. The check covers all gradients before any
// parameter changes: one overflow anywhere skips the whole step, and buffers with it. In a step with
// train.weigh, what is checked and applied are sums over batches (train.accumulate). Needs: train.gradient
// ops (differentiate). Leaves: none of them. Tests: tests/lit/passes/optimizer.mlir, optimizer-errors.mlir.
#include "passes/Passes.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/train/TrainDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace halfstep {

#define GEN_PASS_DEF_OPTIMIZER
#include "passes/Passes.h.inc"

namespace {

/// The gradients of the parameters that one optimizer updates.
struct Group {
  train::OptimizerAttr optimizer;
  SmallVector<Attribute> params;
  SmallVector<Value> gradients;
};

/// In the order in which the optimizers are met.
SmallVector<Group> findGroups(ArrayRef<train::GradientOp> found, ValueRange gradients,
                              train::OptimizerAttr common) {
  SmallVector<Group> groups;
  for (auto [i, value] : llvm::enumerate(gradients)) {
    train::GradientOp gradient = found[i];
    auto param = SymbolTable::lookupNearestSymbolFrom<train::ParamOp>(gradient, gradient.getParamAttr());
    train::OptimizerAttr optimizer = param.getOptimizer().value_or(common);
    Group *group = llvm::find_if(groups, [&](Group &each) { return each.optimizer == optimizer; });
    if (group == groups.end()) {
      groups.push_back({optimizer, {}, {}});
      group = &groups.back();
    }
    group->params.push_back(gradient.getParamAttr());
    group->gradients.push_back(value);
  }
  return groups;
}

/// The step's `train.weigh`, where gradients of several batches are summed.
train::WeighOp findWeigh(func::FuncOp step) {
  auto all = step.getOps<train::WeighOp>();
  return all.empty() ? train::WeighOp() : *all.begin();
}

void replaceGradients(func::FuncOp step, ArrayRef<train::GradientOp> found, train::OptimizerAttr common) {
  Operation *end = step.getBody().front().getTerminator();
  OpBuilder builder(end);
  SmallVector<Value> gradients;
  SmallVector<Location> locations;
  for (train::GradientOp gradient : found) {
    gradients.push_back(gradient.getValue());
    locations.push_back(gradient.getLoc());
  }
  Location loc = builder.getFusedLoc(locations);
  Value weights;
  if (train::WeighOp weigh = findWeigh(step)) {
    weights = weigh.getSum();
    auto sums = train::AccumulateOp::create(builder, loc, gradients, weigh.getWeight());
    gradients.assign(sums.getSums().begin(), sums.getSums().end());
  }
  auto check = amp::CheckFiniteOp::create(builder, loc, gradients);
  for (const Group &group : findGroups(found, gradients, common))
    train::UpdateOp::create(builder, loc, builder.getArrayAttr(group.params), group.gradients,
                            check.getFoundInf(), check.getSqnorm(), weights, group.optimizer,
                            /*stochastic=*/IntegerAttr());
  for (train::AssignOp assign : llvm::to_vector(step.getOps<train::AssignOp>())) {
    assign->moveBefore(end);
    assign.getFoundInfMutable().assign(check.getFoundInf());
  }
  for (train::GradientOp gradient : found)
    gradient.erase();
}

struct Optimizer : impl::OptimizerBase<Optimizer> {
  using OptimizerBase::OptimizerBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    for (auto function : module.getOps<func::FuncOp>()) {
      auto gradients = llvm::to_vector(function.getOps<train::GradientOp>());
      if (gradients.empty())
        continue;
      auto optimizer = module->getAttrOfType<train::OptimizerAttr>(train::kOptimizerAttrName);
      if (!optimizer) {
        module.emitError() << "the module has no '" << train::kOptimizerAttrName
                           << "' attribute: the importer sets it";
        return signalPassFailure();
      }
      replaceGradients(function, gradients, optimizer);
    }
  }
};

} // namespace
} // namespace halfstep
