// The choice of the form, and the form that all kinds have which are loops on the CPU.
#include "codegen/cuda/Forms.h"
#include "codegen/cuda/ThreadBuilder.h"

#include "codegen/cpu/PoolBuilder.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace halfstep {

CudaForm cudaFormOf(train::KernelOp kernel) {
  Operation *core = coreOf(kernel);
  if (!core)
    return {mapShape, emitMapThreads};
  return llvm::TypeSwitch<Operation *, CudaForm>(core)
      .Case<nn::ReduceSumOp, nn::ReduceMeanOp>([](auto) { return CudaForm{reduceShape, emitReduceThreads}; })
      .Case<nn::MatmulOp>([](auto) { return CudaForm{contractionShape, emitContractionThreads}; })
      .Case<nn::Conv2dOp, nn::ConvTranspose2dOp, nn::Conv2dBackwardDataOp, nn::Conv2dBackwardWeightOp>(
          [](auto) { return CudaForm{convolutionShape, emitConvolutionThreads}; })
      .Case<nn::SoftmaxOp, nn::SoftmaxBackwardOp, nn::LogSoftmaxOp, nn::LogSoftmaxBackwardOp, nn::LayerNormOp,
            nn::LayerNormBackwardInputOp, nn::CrossEntropyOp, nn::CrossEntropyBackwardOp>(
          [](auto) { return CudaForm{rowShapeOf, emitRowThreads}; })
      .Case<nn::LayerNormBackwardParamsOp, nn::BatchNormStatsOp, nn::BatchNormBackwardParamsOp>(
          [](auto) { return CudaForm{columnShape, emitColumnThreads}; })
      .Case<nn::MaxPool2dOp, nn::AvgPool2dOp, nn::AvgPool2dBackwardOp>([](auto pool) {
        return PoolShape(pool).isRegular() ? CudaForm{poolThreadsShape, emitPoolThreads}
                                           : CudaForm{itemsShape, emitItemThreads};
      })
      .Case<nn::AttentionOp>([](auto) { return CudaForm{attentionShape, emitAttentionThreads}; })
      .Case<nn::AttentionBackwardOp>(
          [](auto) { return CudaForm{attentionBackwardShape, emitAttentionBackwardThreads}; })
      .Case<nn::EmbeddingOp, nn::EmbeddingBackwardOp>(
          [](auto) { return CudaForm{embeddingShape, emitEmbeddingThreads}; })
      .Case<nn::TransposeOp, nn::SplitOp, nn::ConcatOp>(
          [](auto) { return CudaForm{moveShape, emitMoveThreads}; })
      .Case<amp::FinitePartialsOp, amp::FiniteCombineOp>(
          [](auto) { return CudaForm{finiteShape, emitFiniteThreads}; })
      .Case<train::UpdateOp>([](auto) { return CudaForm{updateShape, emitUpdateThreads}; })
      .Default([](Operation *) { return CudaForm{itemsShape, emitItemThreads}; });
}

//===----------------------------------------------------------------------===//
// Items
//===----------------------------------------------------------------------===//

/// Emitters read a level for vector widths, which loops of one thread do not have.
static const CpuLevel &scalarLevel() { return cpuLevels().back(); }

LaunchShape itemsShape(train::KernelOp kernel) {
  constexpr int64_t mostScratch = 64 << 20;
  ContractionPlan plan = planKernel(kernel, scalarLevel());
  int64_t threads = plan.items;
  if (plan.scratchBytes > 0)
    threads = std::clamp<int64_t>(mostScratch / plan.scratchBytes, 1, threads);
  LaunchShape shape = threadsFor(threads, /*block=*/64);
  shape.scratchBytes = plan.scratchBytes * shape.grid[0] * shape.block[0];
  return shape;
}

LogicalResult emitItemThreads(KernelBuilder &b, const KernelCall &call) {
  ContractionPlan plan = planKernel(call.kernel, scalarLevel());
  LaunchShape shape = itemsShape(call.kernel);
  Value thread = globalThread(b, shape.block[0]), scratch;
  if (plan.scratchBytes > 0)
    scratch = memref::ViewOp::create(b, MemRefType::get({plan.scratchBytes}, b.getI8Type()), call.scratch,
                                     b.times(thread, plan.scratchBytes), ValueRange{});
  LogicalResult result = success();
  b.loop(thread, b.index(plan.items), shape.grid[0] * shape.block[0], [&](Value item) {
    result = emitKernel(b, call.kernel, scalarLevel(), call.operands, item, b.plus(item, 1), scratch);
  });
  return result;
}

} // namespace halfstep
