// What the column kernels of all targets compute alike.
#ifndef HALFSTEP_CODEGEN_CPU_COLUMNFORMULAS_H
#define HALFSTEP_CODEGEN_CPU_COLUMNFORMULAS_H

#include "codegen/cpu/SliceBuilder.h"

#include "dialect/nn/NNDialect.h"

namespace halfstep {

/// [images, channels, pixels]: the shape of the input of batch normalisation.
struct ChannelExtents {
  int64_t images, channels, pixels;
  int64_t count() const { return images * pixels; }
};
ChannelExtents channelExtents(mlir::Value input);

/// Stores what follows from the mean of a channel of `count` elements and the sum of the squared distances to
/// it. For a channel of one element, where the unbiased variance does not exist, it is taken to be 0.
void storeStatistics(SliceBuilder &b, nn::BatchNormStatsOp op, int64_t count, mlir::Value channel,
                     mlir::Value center, mlir::Value squares);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_COLUMNFORMULAS_H
