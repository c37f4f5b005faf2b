// Copies a strip of a matrix into a panel: the layout in which the inner loop of a product reads it.
#ifndef HALFSTEP_CODEGEN_CPU_CONTRACTIONPACK_H
#define HALFSTEP_CODEGEN_CPU_CONTRACTIONPACK_H

#include "codegen/cpu/ContractionBuilder.h"

namespace halfstep {

/// An operand seen as lanes x depth, where depth is the summed dimension and lanes are the rows of a or the
/// columns of b: element (l, d) is `flat[base + l * laneStride + d * depthStride]`. One stride is 1.
struct OperandView {
  mlir::Value flat;
  mlir::Value base;
  int64_t laneStride = 1;
  int64_t depthStride = 1;

  bool depthContiguous() const { return depthStride == 1; }
};

/// Writes `lanes` lanes from `lane0` on, all `depth` depths, as panel[steps(depth)][width] at `at` of the
/// flat buffer `panel` (elements of form.panel). `width` >= lanes is a multiple of the vector length; lanes
/// beyond `lanes` are zero or left undefined. The missing half of an odd last pair is zero.
void emitPack(ContractionBuilder &b, const OperandView &source, mlir::Value lane0, int64_t lanes,
              int64_t depth, mlir::Value panel, mlir::Value at, int64_t width);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_CONTRACTIONPACK_H
