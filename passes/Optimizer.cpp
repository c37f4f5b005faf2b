// optimizer: gradients become one finiteness check and one update, at the end of the step.
//
//   train.assign @m, %m : tensor<4xf32>
//   train.gradient @v, %0 : tensor<4xf32>
//   train.gradient @w, %1 : tensor<4xf32>
// becomes
//   %found, %norm = amp.check_finite %0, %1 : tensor<4xf32>, tensor<4xf32> -> tensor<i32>, tensor<f64>
//   train.sgd_update [@v, @w] gradients(%0, %1 : ...) guard(%found : tensor<i32>) norm(%norm : tensor<f64>)
//   ... train.assign @m, %m guard %found : tensor<i32> : tensor<4xf32>
//
// The check covers all gradients before any parameter changes: one overflow anywhere skips the whole step,
// and buffers with it. Needs: train.gradient ops (differentiate). Leaves: none of them. Tests:
// tests/lit/passes/optimizer.mlir, optimizer-errors.mlir.
#include "passes/Passes.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/train/TrainDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace halfstep {

#define GEN_PASS_DEF_OPTIMIZER
#include "passes/Passes.h.inc"

namespace {

LogicalResult emitUpdate(OpBuilder &builder, Location loc, train::OptimizerAttr optimizer, ArrayAttr params,
                         ValueRange gradients, amp::CheckFiniteOp check) {
  if (optimizer.getKind() == "sgd")
    train::SgdUpdateOp::create(builder, loc, params, gradients, check.getFoundInf(), check.getSqnorm(),
                               optimizer.getMomentum(), optimizer.getWeightDecay(),
                               builder.getBoolAttr(optimizer.getNesterov()), /*stochastic=*/IntegerAttr());
  else if (optimizer.getKind() == "adamw")
    train::AdamwUpdateOp::create(builder, loc, params, gradients, check.getFoundInf(), check.getSqnorm(),
                                 optimizer.getBeta1(), optimizer.getBeta2(), optimizer.getEps(),
                                 optimizer.getWeightDecay(), /*stochastic=*/IntegerAttr());
  else
    return emitError(loc) << "optimizer '" << optimizer.getKind() << "', expected sgd or adamw";
  return success();
}

LogicalResult replaceGradients(func::FuncOp step, ArrayRef<train::GradientOp> found,
                               train::OptimizerAttr optimizer) {
  Operation *end = step.getBody().front().getTerminator();
  OpBuilder builder(end);
  SmallVector<Value> gradients;
  SmallVector<Attribute> params;
  SmallVector<Location> locations;
  for (train::GradientOp gradient : found) {
    gradients.push_back(gradient.getValue());
    params.push_back(gradient.getParamAttr());
    locations.push_back(gradient.getLoc());
  }
  Location loc = builder.getFusedLoc(locations);
  auto check = amp::CheckFiniteOp::create(builder, loc, gradients);
  if (failed(emitUpdate(builder, loc, optimizer, builder.getArrayAttr(params), gradients, check)))
    return failure();
  for (train::AssignOp assign : llvm::to_vector(step.getOps<train::AssignOp>())) {
    assign->moveBefore(end);
    assign.getFoundInfMutable().assign(check.getFoundInf());
  }
  for (train::GradientOp gradient : found)
    gradient.erase();
  return success();
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
      if (failed(replaceGradients(function, gradients, optimizer)))
        return signalPassFailure();
    }
  }
};

} // namespace
} // namespace halfstep
