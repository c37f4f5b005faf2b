// Moves pixels between images and columns: what turns a convolution into matrix products.
#ifndef HALFSTEP_CODEGEN_CPU_CONVOLUTIONGATHER_H
#define HALFSTEP_CODEGEN_CPU_CONVOLUTIONGATHER_H

#include "codegen/cpu/ContractionBuilder.h"
#include "codegen/cpu/ContractionPanels.h"
#include "codegen/cpu/Convolution.h"

namespace halfstep {

/// The shapes of one group of one image in scratch.
///
/// The padded image [ciGroup][height][width] has zeros where the convolution reads beyond the image, so that
/// no access to it needs a test. Columns [taps][columnStride] hold, for each tap (channel, ky, kx), the
/// pixels that it meets in `bandRows` rows of the output: a band is what fits in the second-level cache.
struct ConvolutionGeometry {
  ConvolutionGeometry(const ConvolutionSpec &spec, const ElementForm &form);

  ConvolutionSpec spec;
  int64_t ciGroup, coGroup, taps, outHeight, outWidth, outPixels;
  int64_t height, width;
  int64_t bandRows, bands, bandPixels;
  /// Images whose columns lie side by side in one product: more than 1 for gradients of weights from small
  /// images, where each would add little to many sums.
  int64_t images = 1;
  /// Elements of the padded image. Where dot products take bf16 pairs it stays bf16; else, and where pixels
  /// are sums (backward data), it is of the compute type.
  mlir::Type pixel;
  /// Elements of a padded image, and what whole vectors may touch behind the last one.
  int64_t imageElements, slack;
  int64_t columnStride;

  int64_t paddedElements() const { return images * imageElements + slack; }
};

/// Copies channels of `image` (flat, storage type; `at` is its first channel of the group) into the padded
/// image at `to`. Its border is left alone: clear it once before.
void emitPadImage(ContractionBuilder &b, const ConvolutionGeometry &g, mlir::Value image, mlir::Value at,
                  PanelRange channels, mlir::Value padded, mlir::Value to);

/// Gathers the columns of a range of taps from the padded image at `from`; `firstRow` is the band's first
/// output row. The columns (of the padded image's type) of tap t go to row t - taps.lo, from `to` on.
void emitGatherColumns(ContractionBuilder &b, const ConvolutionGeometry &g, mlir::Value padded,
                       mlir::Value from, PanelRange taps, mlir::Value firstRow, mlir::Value columns,
                       mlir::Value to);

/// Gathers the columns of all taps as a packed operand of the form: row s holds step s, which is tap s or, as
/// pairs, the taps 2s and 2s + 1.
void emitGatherPanel(ContractionBuilder &b, const ConvolutionGeometry &g, mlir::Value padded,
                     mlir::Value firstRow, mlir::Value columns);

/// The reverse of emitGatherColumns: adds each column element, of the compute type, to the pixel that it came
/// from.
void emitScatterColumns(ContractionBuilder &b, const ConvolutionGeometry &g, mlir::Value columns,
                        PanelRange taps, mlir::Value firstRow, mlir::Value padded);

/// The reverse of emitPadImage for all channels: adds the bias, if there is one, whose element for the first
/// channel is at `biasAt`, rounds and stores.
void emitCropImage(ContractionBuilder &b, const ConvolutionGeometry &g, mlir::Value padded, mlir::Value image,
                   mlir::Value at, mlir::Value bias, mlir::Value biasAt);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_CONVOLUTIONGATHER_H
