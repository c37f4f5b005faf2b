// Depthwise convolutions on the CPU: one filter a channel, where a matrix product would have a single row.
#ifndef HALFSTEP_CODEGEN_CPU_DEPTHWISECONVOLUTION_H
#define HALFSTEP_CODEGEN_CPU_DEPTHWISECONVOLUTION_H

#include "codegen/cpu/Convolution.h"

namespace halfstep {

/// True for a convolution with as many groups as channels on both sides that this file has code for: filters
/// that are small enough to be unrolled, and a horizontal stride of 1 or 2.
bool isDepthwise(const ConvolutionSpec &spec);

/// As planConvolution. An item is a plane (a channel of an image), or a channel where gradients of weights
/// are summed.
ContractionPlan planDepthwise(const ConvolutionSpec &spec, const CpuLevel &level);

/// As emitConvolution.
void emitDepthwise(mlir::OpBuilder &builder, mlir::Location loc, const ConvolutionSpec &spec,
                   const CpuLevel &level, mlir::Value input, mlir::Value other, mlir::Value bias,
                   mlir::Value result, mlir::Value lo, mlir::Value hi, mlir::Value scratch);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_DEPTHWISECONVOLUTION_H
