// The families of kernels: how each cuts its work and emits it. emitKernel picks one by the op in the region.
#ifndef HALFSTEP_CODEGEN_CPU_KERNELEMITTERS_H
#define HALFSTEP_CODEGEN_CPU_KERNELEMITTERS_H

#include "codegen/cpu/ContractionKernels.h"
#include "codegen/cpu/Kernel.h"
#include "codegen/cpu/KernelBuilder.h"

namespace halfstep {

/// A kernel, bound to the memrefs it works on and the items it shall do.
struct KernelCall {
  mutable train::KernelOp kernel; ///< a handle, whose methods are not const
  mlir::ValueRange operands;      ///< as kernelOperands says
  mlir::Value lo, hi;
  mlir::Value scratch; ///< null when the plan has none

  /// The op in the region that is not element-wise.
  mlir::Operation *op() const { return coreOf(kernel); }
  /// The memref of an argument of the region (kernels whose operands are all inputs, then all results), or of
  /// the one that a value is a wider copy of; null for a value that the region computes.
  mlir::Value input(mlir::Value value) const;
  /// The memref of the kernel's result `index`.
  mlir::Value result(unsigned index) const { return operands[kernel.getNumOperands() + index]; }
  /// The memref that the op's result goes to, as it is or rounded; null when the kernel does not yield it.
  mlir::Value resultOf(mlir::Value opResult) const;
};

/// What a value is a wider copy of: casts that lose nothing are followed to their source.
mlir::Value narrowSource(mlir::Value value);
/// True for the value itself and for a cast of it to a narrower type, as which it may be stored.
bool isStoredAs(mlir::Value value, mlir::Value yielded);

/// The elements of an nn.constant in the region as read-only data of the module.
mlir::FailureOr<mlir::Value> constantBuffer(KernelBuilder &b, mlir::Value value);

/// Least number of items that are worth a thread when each moves `bytes` and computes `flops`.
int64_t grainOf(int64_t bytes, int64_t flops);

ContractionPlan planMap(train::KernelOp kernel, const CpuLevel &level);
mlir::LogicalResult emitMap(KernelBuilder &b, const KernelCall &call);

ContractionPlan planReduce(train::KernelOp kernel, const CpuLevel &level);
mlir::LogicalResult emitReduce(KernelBuilder &b, const KernelCall &call);

/// nn.softmax, log_softmax, layer_norm, rms_norm, cross_entropy, soft_cross_entropy, nll and their backwards.
ContractionPlan planRow(train::KernelOp kernel, const CpuLevel &level);
mlir::LogicalResult emitRow(KernelBuilder &b, const KernelCall &call);

/// nn.class_mean.
ContractionPlan planClassMean(train::KernelOp kernel, const CpuLevel &level);
mlir::LogicalResult emitClassMean(KernelBuilder &b, const KernelCall &call);

/// nn.layer_norm_backward_params, rms_norm_backward_scale, batch_norm_stats, batch_norm_backward_params.
ContractionPlan planColumn(train::KernelOp kernel, const CpuLevel &level);
mlir::LogicalResult emitColumn(KernelBuilder &b, const KernelCall &call);

/// nn.max_pool2d, avg_pool2d and their backwards.
ContractionPlan planPool(train::KernelOp kernel, const CpuLevel &level);
mlir::LogicalResult emitPool(KernelBuilder &b, const KernelCall &call);

/// nn.group_norm_stats, group_norm_backward_sums.
ContractionPlan planGroup(train::KernelOp kernel, const CpuLevel &level);
mlir::LogicalResult emitGroup(KernelBuilder &b, const KernelCall &call);

/// nn.resize2d, resize2d_backward.
ContractionPlan planResize(train::KernelOp kernel, const CpuLevel &level);
mlir::LogicalResult emitResize(KernelBuilder &b, const KernelCall &call);

/// nn.attention and nn.attention_backward.
ContractionPlan planAttention(train::KernelOp kernel, const CpuLevel &level);
mlir::LogicalResult emitAttention(KernelBuilder &b, const KernelCall &call);
ContractionPlan planAttentionBackward(train::KernelOp kernel, const CpuLevel &level);
mlir::LogicalResult emitAttentionBackward(KernelBuilder &b, const KernelCall &call);

/// nn.rotary.
ContractionPlan planRotary(train::KernelOp kernel, const CpuLevel &level);
mlir::LogicalResult emitRotary(KernelBuilder &b, const KernelCall &call);

/// nn.embedding, embedding_backward.
ContractionPlan planEmbedding(train::KernelOp kernel, const CpuLevel &level);
mlir::LogicalResult emitEmbedding(KernelBuilder &b, const KernelCall &call);

/// nn.transpose, split, concat.
ContractionPlan planMove(train::KernelOp kernel, const CpuLevel &level);
mlir::LogicalResult emitMove(KernelBuilder &b, const KernelCall &call);

/// nn.slice, place.
ContractionPlan planPart(train::KernelOp kernel, const CpuLevel &level);
mlir::LogicalResult emitPart(KernelBuilder &b, const KernelCall &call);

/// amp.finite_partials, finite_combine.
ContractionPlan planFinite(train::KernelOp kernel, const CpuLevel &level);
mlir::LogicalResult emitFinite(KernelBuilder &b, const KernelCall &call);

/// train.weigh, accumulate.
ContractionPlan planAccumulate(train::KernelOp kernel, const CpuLevel &level);
mlir::LogicalResult emitAccumulate(KernelBuilder &b, const KernelCall &call);

/// train.update.
ContractionPlan planUpdate(train::KernelOp kernel, const CpuLevel &level);
mlir::LogicalResult emitUpdate(KernelBuilder &b, const KernelCall &call);

/// train.assign.
ContractionPlan planAssign(train::KernelOp kernel, const CpuLevel &level);
mlir::LogicalResult emitAssign(KernelBuilder &b, const KernelCall &call);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_KERNELEMITTERS_H
