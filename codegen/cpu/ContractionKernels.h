// The kernels of kind "contraction" and "convolution": what the one op in them asks of the emitters.
#ifndef HALFSTEP_CODEGEN_CPU_CONTRACTIONKERNELS_H
#define HALFSTEP_CODEGEN_CPU_CONTRACTIONKERNELS_H

#include "codegen/cpu/Contraction.h"
#include "codegen/cpu/Convolution.h"

#include "dialect/train/TrainDialect.h"

namespace halfstep {

/// The product of a kernel that begins with one nn.matmul. A right operand of rank 2 is shared by all leading
/// extents of the left one, which become rows.
ContractionSpec contractionSpec(train::KernelOp kernel);

/// The convolution of a kernel that holds one nn.conv2d, nn.conv2d_backward_data or
/// nn.conv2d_backward_weight.
ConvolutionSpec convolutionSpec(train::KernelOp kernel);

ContractionPlan planContractionKernel(train::KernelOp kernel, const CpuLevel &level);
ContractionPlan planConvolutionKernel(train::KernelOp kernel, const CpuLevel &level);

/// Emit items lo..hi at the builder's insertion point. `operands` are the kernel's inputs, then its results,
/// as memrefs; `scratch` is a memref<Sxi8> with the plan's bytes, or null when there are none. After
/// nn.matmul a region may hold the element-wise ops that fuse puts there; they are computed where the sums
/// are stored, on values that are not rounded between. The operands of the product have one type; bias and
/// result are f64 beside f64, else each is f32, bf16 or f16. Other types fail with an error at the op.
mlir::LogicalResult emitContractionKernel(mlir::OpBuilder &builder, train::KernelOp kernel,
                                          const CpuLevel &level, mlir::ValueRange operands, mlir::Value lo,
                                          mlir::Value hi, mlir::Value scratch);
mlir::LogicalResult emitConvolutionKernel(mlir::OpBuilder &builder, train::KernelOp kernel,
                                          const CpuLevel &level, mlir::ValueRange operands, mlir::Value lo,
                                          mlir::Value hi, mlir::Value scratch);

/// Fails, with an error at `op`, unless the product of the kernel's first two inputs, its third (the bias, if
/// there is one) and its result have types that the emitters take.
mlir::LogicalResult checkProductTypes(mlir::Operation *op);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_CONTRACTIONKERNELS_H
