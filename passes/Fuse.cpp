// fuse: every op that computes becomes part of a kernel.
//
//   %a = nn.add %x, %b : (tensor<8x4xf32>, tensor<4xf32>) -> tensor<8x4xf32>
//   %r = nn.relu %a : (tensor<8x4xf32>) -> tensor<8x4xf32>
// becomes
//   %r = train.kernel "map" (%x, %b) : (tensor<8x4xf32>, tensor<4xf32>) -> tensor<8x4xf32> {
//   ^bb0(%0: tensor<8x4xf32>, %1: tensor<4xf32>):
//     %2 = nn.add %0, %1 ...
//     %3 = nn.relu %2 ...
//     train.yield %3 : tensor<8x4xf32>
//   }
//
// Needs: a step in its final types (masters). Leaves: functions that hold train.kernel, train.read,
// train.scalar, nn.reshape (which shares memory) and the return, and nothing else; each value that a function
// returns, and each gradient, is the result of a kernel. Test: tests/lit/passes/fuse.mlir.
#include "passes/FuseCasts.h"
#include "passes/FuseClusters.h"
#include "passes/FuseContractions.h"
#include "passes/FusePrepare.h"
#include "passes/FuseRules.h"
#include "passes/Passes.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/nn/NNDialect.h"
#include "dialect/train/TrainDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace halfstep {

#define GEN_PASS_DEF_FUSE
#include "passes/Passes.h.inc"

namespace {

/// The family of kernels that a cluster belongs to, by its core, or its last op.
StringRef kindOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case<ElementwiseOpInterface>([](auto) { return "map"; })
      .Case<nn::ReduceSumOp, nn::ReduceMeanOp, nn::ReduceMaxOp, nn::ReduceMinOp, nn::ReduceProdOp>(
          [](auto) { return "reduce"; })
      .Case<nn::MatmulOp>([](auto) { return "contraction"; })
      .Case<nn::Conv2dOp, nn::ConvTranspose2dOp, nn::Conv2dBackwardDataOp, nn::Conv2dBackwardWeightOp>(
          [](auto) { return "convolution"; })
      .Case<nn::SoftmaxOp, nn::SoftmaxBackwardOp, nn::LogSoftmaxOp, nn::LogSoftmaxBackwardOp, nn::LayerNormOp,
            nn::LayerNormBackwardInputOp, nn::RmsNormOp, nn::RmsNormBackwardInputOp, nn::CrossEntropyOp,
            nn::CrossEntropyBackwardOp>([](auto) { return "row"; })
      .Case<nn::SoftCrossEntropyOp, nn::SoftCrossEntropyBackwardOp, nn::NllOp, nn::NllBackwardOp>(
          [](auto) { return "row"; })
      .Case<nn::ClassMeanOp>([](auto) { return "class_mean"; })
      .Case<nn::LayerNormBackwardParamsOp, nn::RmsNormBackwardScaleOp, nn::BatchNormStatsOp,
            nn::BatchNormBackwardParamsOp>([](auto) { return "column"; })
      .Case<nn::GroupNormStatsOp, nn::GroupNormBackwardSumsOp>([](auto) { return "group"; })
      .Case<nn::Resize2dOp, nn::Resize2dBackwardOp>([](auto) { return "resize"; })
      .Case<nn::MaxPool2dOp, nn::MaxPool2dBackwardOp, nn::AvgPool2dOp, nn::AvgPool2dBackwardOp>(
          [](auto) { return "pool"; })
      .Case<nn::AttentionOp, nn::AttentionBackwardOp>([](auto) { return "attention"; })
      .Case<nn::RotaryOp>([](auto) { return "rotary"; })
      .Case<nn::EmbeddingOp, nn::EmbeddingBackwardOp>([](auto) { return "embedding"; })
      .Case<nn::TransposeOp, nn::SplitOp, nn::ConcatOp, nn::SliceOp, nn::PlaceOp>([](auto) { return "move"; })
      .Case<amp::FinitePartialsOp, amp::FiniteCombineOp>([](auto) { return "finite"; })
      .Case<train::WeighOp, train::AccumulateOp>([](auto) { return "accumulate"; })
      .Case<train::UpdateOp>([](auto) { return "update"; })
      .Case<train::AssignOp>([](auto) { return "assign"; })
      .Default(StringRef());
}

/// Builds the kernel of one cluster.
class KernelFormer {
public:
  explicit KernelFormer(const Cluster &cluster) : cluster(cluster) {
    members.insert(cluster.ops.begin(), cluster.ops.end());
  }

  LogicalResult run() {
    Operation *last = cluster.ops.back(), *named = cluster.core ? cluster.core : last;
    StringRef kind = kindOf(named);
    if (kind.empty())
      return named->emitError() << "no kernel computes '" << named->getName()
                                << "': expected an op that the earlier stages leave";
    for (Operation *op : cluster.ops)
      for (Value operand : op->getOperands())
        collectInputs(operand);
    SmallVector<Value> results = cluster.results();
    OpBuilder builder(last);
    SmallVector<Location> locations =
        llvm::map_to_vector(cluster.ops, [](Operation *op) { return op->getLoc(); });
    auto kernel =
        train::KernelOp::create(builder, builder.getFusedLoc(locations), ValueRange(results).getTypes(), kind,
                                inputs.getArrayRef(), DenseI64ArrayAttr());
    fill(kernel, results);
    for (auto [old, made] : llvm::zip_equal(results, kernel.getResults()))
      old.replaceUsesWithIf(made, [&](OpOperand &use) { return !kernel->isAncestor(use.getOwner()); });
    return success();
  }

private:
  const Cluster &cluster;
  llvm::SmallPtrSet<Operation *, 8> members;
  llvm::SetVector<Value> inputs;

  static bool isClone(Operation *op) { return op && (isInlined(op) || isRecomputed(op)); }

  void collectInputs(Value operand) {
    Operation *producer = operand.getDefiningOp();
    if (producer && members.contains(producer))
      return;
    if (!isClone(producer))
      inputs.insert(operand);
    else
      for (Value inner : producer->getOperands())
        collectInputs(inner);
  }

  void fill(train::KernelOp kernel, ArrayRef<Value> results) {
    Block *block = new Block();
    kernel.getBody().push_back(block);
    IRMapping mapping;
    for (Value input : inputs)
      mapping.map(input, block->addArgument(input.getType(), input.getLoc()));
    OpBuilder builder = OpBuilder::atBlockEnd(block);
    for (Operation *op : cluster.ops) {
      for (Value operand : op->getOperands())
        cloneInlined(builder, operand, mapping);
      builder.clone(*op, mapping);
    }
    SmallVector<Value> yielded =
        llvm::map_to_vector(results, [&](Value value) { return mapping.lookup(value); });
    train::YieldOp::create(builder, kernel.getLoc(), yielded);
  }

  void cloneInlined(OpBuilder &builder, Value value, IRMapping &mapping) {
    Operation *producer = value.getDefiningOp();
    if (mapping.contains(value) || !isClone(producer))
      return;
    for (Value operand : producer->getOperands())
      cloneInlined(builder, operand, mapping);
    builder.clone(*producer, mapping);
  }
};

/// A step reads the values from its start: what writes state comes after everything that may read it.
void moveWritesToEnd(func::FuncOp function) {
  // Listed first: what is moved must not be met again.
  SmallVector<train::KernelOp> kernels = llvm::to_vector(function.getOps<train::KernelOp>());
  for (train::KernelOp kernel : kernels)
    if (kernel.getKind() == "update" || kernel.getKind() == "assign")
      kernel->moveBefore(function.front().getTerminator());
}

/// Erases what kernels now hold, readers before what they read: casts that kernels recompute stand between.
void eraseFused(func::FuncOp function, ArrayRef<Cluster> clusters) {
  DenseSet<Operation *> fused;
  for (const Cluster &cluster : clusters)
    fused.insert(cluster.ops.begin(), cluster.ops.end());
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(function.getBody().front())))
    if (fused.contains(&op) || isOpTriviallyDead(&op))
      op.erase();
}

struct Fuse : impl::FuseBase<Fuse> {
  using FuseBase::FuseBase;

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      prepareForFusion(function);
      if (!isKeptApart(function))
        moveCasts(function);
      SmallVector<Cluster> clusters = findClusters(function);
      for (const Cluster &cluster : clusters)
        if (failed(KernelFormer(cluster).run()))
          return signalPassFailure();
      eraseFused(function, clusters);
      if (!isKeptApart(function))
        fuseContractions(function);
      moveWritesToEnd(function);
    }
  }
};

} // namespace
} // namespace halfstep
