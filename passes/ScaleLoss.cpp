// scale-loss: the backward pass starts from the loss scale, so that small gradients stay representable in low
// precision. Unscaling is part of the update.
//
//   %s = amp.loss_seed : tensor<f32>
// becomes, where the policy scales,
//   %0 = train.scalar "loss_scale" : tensor<f32>
//   %s = amp.loss_seed(%0 : tensor<f32>) : tensor<f32>
// and elsewhere
//   %s = nn.constant {value = dense<1.0> : tensor<f32>} : () -> tensor<f32>
//
// Needs: the seed that differentiate left. Leaves: no amp.loss_seed without a scale. Test:
// tests/lit/passes/scale-loss.mlir.
#include "passes/Passes.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/nn/NNDialect.h"
#include "dialect/train/TrainDialect.h"

using namespace mlir;

namespace halfstep {

#define GEN_PASS_DEF_SCALELOSS
#include "passes/Passes.h.inc"

namespace {

struct ScaleLoss : impl::ScaleLossBase<ScaleLoss> {
  using ScaleLossBase::ScaleLossBase;

  void runOnOperation() override {
    amp::PolicyAttr policy = amp::getPolicy(getOperation());
    if (!policy)
      return signalPassFailure();
    bool scaled = policy.getScaler() || policy.getScale().getValueAsDouble() != 1;
    getOperation().walk([&](amp::LossSeedOp seed) {
      if (!seed.getScale())
        scaled ? useScale(seed) : useOne(seed);
    });
  }

  static void useScale(amp::LossSeedOp seed) {
    OpBuilder builder(seed);
    Type type = RankedTensorType::get({}, builder.getF32Type());
    seed.getScaleMutable().assign(train::ScalarOp::create(builder, seed.getLoc(), type, "loss_scale"));
  }

  static void useOne(amp::LossSeedOp seed) {
    OpBuilder builder(seed);
    auto type = cast<RankedTensorType>(seed.getType());
    auto one = DenseElementsAttr::get(type, builder.getFloatAttr(type.getElementType(), 1));
    seed.replaceAllUsesWith(nn::ConstantOp::create(builder, seed.getLoc(), one).getResult());
    seed.erase();
  }
};

} // namespace
} // namespace halfstep
