// The forms of all kinds of kernels; cudaFormOf picks one by the op in the region.
#ifndef HALFSTEP_CODEGEN_CUDA_FORMS_H
#define HALFSTEP_CODEGEN_CUDA_FORMS_H

#include "codegen/cuda/Launch.h"

namespace halfstep {

/// Element-wise ops: a thread a few neighbouring elements.
LaunchShape mapShape(train::KernelOp kernel);
mlir::LogicalResult emitMapThreads(KernelBuilder &b, const KernelCall &call);

/// nn.reduce_sum, reduce_mean: a team of threads a sum, or columns of sums side by side.
LaunchShape reduceShape(train::KernelOp kernel);
mlir::LogicalResult emitReduceThreads(KernelBuilder &b, const KernelCall &call);

/// Softmax, layer normalisation and cross-entropy, forward and backward: a team a row.
LaunchShape rowShapeOf(train::KernelOp kernel);
mlir::LogicalResult emitRowThreads(KernelBuilder &b, const KernelCall &call);

/// Sums over rows or channels: columns side by side, or a block a channel.
LaunchShape columnShape(train::KernelOp kernel);
mlir::LogicalResult emitColumnThreads(KernelBuilder &b, const KernelCall &call);

/// nn.matmul and the element-wise ops that follow it.
LaunchShape contractionShape(train::KernelOp kernel);
mlir::LogicalResult emitContractionThreads(KernelBuilder &b, const KernelCall &call);

/// nn.conv2d and its gradients, as products over gathered elements.
LaunchShape convolutionShape(train::KernelOp kernel);
mlir::LogicalResult emitConvolutionThreads(KernelBuilder &b, const KernelCall &call);

/// Pooling: a thread an element of the result.
LaunchShape poolThreadsShape(train::KernelOp kernel);
mlir::LogicalResult emitPoolThreads(KernelBuilder &b, const KernelCall &call);

/// nn.attention: a warp a query.
LaunchShape attentionShape(train::KernelOp kernel);
mlir::LogicalResult emitAttentionThreads(KernelBuilder &b, const KernelCall &call);
/// nn.attention_backward: a warp a query for its gradient, and a warp a key for the gradients of key and
/// value.
LaunchShape attentionBackwardShape(train::KernelOp kernel);
mlir::LogicalResult emitAttentionBackwardThreads(KernelBuilder &b, const KernelCall &call);

/// nn.transpose, split and concat: a thread an element.
LaunchShape moveShape(train::KernelOp kernel);
mlir::LogicalResult emitMoveThreads(KernelBuilder &b, const KernelCall &call);

/// nn.embedding: a thread an element; its gradient: a block a row of the table.
LaunchShape embeddingShape(train::KernelOp kernel);
mlir::LogicalResult emitEmbeddingThreads(KernelBuilder &b, const KernelCall &call);

/// amp.finite_partials: a block a chunk; amp.finite_combine: one block.
LaunchShape finiteShape(train::KernelOp kernel);
mlir::LogicalResult emitFiniteThreads(KernelBuilder &b, const KernelCall &call);

/// The updates: a sweep of all threads over the group.
LaunchShape updateShape(train::KernelOp kernel);
mlir::LogicalResult emitUpdateThreads(KernelBuilder &b, const KernelCall &call);

/// Any other kernel whose CPU form is loops over items: a thread an item.
LaunchShape itemsShape(train::KernelOp kernel);
mlir::LogicalResult emitItemThreads(KernelBuilder &b, const KernelCall &call);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CUDA_FORMS_H
