// 2-D convolutions on the CPU: forward, gradient of the input and gradient of the weight, as matrix products
// over columns gathered into scratch.
#ifndef HALFSTEP_CODEGEN_CPU_CONVOLUTION_H
#define HALFSTEP_CODEGEN_CPU_CONVOLUTION_H

#include "codegen/cpu/Contraction.h"

namespace halfstep {

enum class ConvolutionKind { Forward, BackwardData, BackwardWeights };

/// Shapes of one convolution, named as in its forward direction:
///
///   x       n x ci x h x w
///   weight  co x ci/groups x kh x kw
///   bias    co forward, ci with the gradient of the input (of a transposed convolution)
///   y       n x co x outHeight() x outWidth()
///
/// A gradient has the shape of what it is the gradient of. Accumulation is in f32 (f64 for f64), one rounding
/// to nearest-even at the store, in an order that does not depend on the split of the work.
struct ConvolutionSpec {
  ConvolutionKind kind = ConvolutionKind::Forward;
  int64_t n = 1, ci = 1, h = 1, w = 1, co = 1, kh = 1, kw = 1;
  int64_t strideH = 1, strideW = 1;
  int64_t padTop = 0, padLeft = 0, padBottom = 0, padRight = 0;
  int64_t dilationH = 1, dilationW = 1;
  int64_t groups = 1;
  /// Element type of input and other: f32, f64, bf16 or f16. Bias and result are as in a ContractionSpec.
  mlir::Type type;
  bool hasBias = false;

  int64_t outHeight() const { return (h + padTop + padBottom - dilationH * (kh - 1) - 1) / strideH + 1; }
  int64_t outWidth() const { return (w + padLeft + padRight - dilationW * (kw - 1) - 1) / strideW + 1; }
};

ContractionPlan planConvolution(const ConvolutionSpec &spec, const CpuLevel &level);

/// Emits the items lo..hi of the convolution; the rules for operands are those of emitContraction.
///
///   Forward          input = x,   other = weight,  result = y
///   BackwardData     input = dy,  other = weight,  result = dx
///   BackwardWeights  input = x,   other = dy,      result = dweight
mlir::LogicalResult emitConvolution(mlir::OpBuilder &builder, mlir::Location loc, const ConvolutionSpec &spec,
                                    const CpuLevel &level, mlir::Value input, mlir::Value other,
                                    mlir::Value bias, mlir::Value result, mlir::Value lo, mlir::Value hi,
                                    mlir::Value scratch);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_CONVOLUTION_H
