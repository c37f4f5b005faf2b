// Loss, accuracy and outputs over any number of samples, with a library whose batch size is fixed.
#ifndef HALFSTEP_RUNTIME_TRAINER_EVALUATION_H
#define HALFSTEP_RUNTIME_TRAINER_EVALUATION_H

#include "runtime/trainer/Dataset.h"
#include "runtime/trainer/Library.h"
#include "runtime/trainer/Trainer.h"

#include <optional>
#include <span>

namespace halfstep {

/// Where the class scores are: output 0, as [outer, classes, inner] a sample.
struct ClassAxis {
  size_t outer = 1, classes = 1, inner = 1;
};

/// The class axis of a model whose only target is class ids; otherwise none. The axis is the manifest's, or
/// the last one if the target's shape is the output's without it, or else 1.
std::optional<ClassAxis> classAxis(const Manifest &manifest);

/// How many labels of one sample are the index of the largest score; the first one counts among equals, and
/// NaN counts as largest. A label that is `ignored` is no hit.
size_t countHits(const ClassAxis &axis, DataType scoreType, const std::byte *scores, DataType labelType,
                 const std::byte *labels, std::optional<int64_t> ignored = {});

/// How many of `count` labels are above 1/2 where the score is above `threshold`, and not where it is not.
size_t countBinaryHits(double threshold, size_t count, DataType scoreType, const std::byte *scores,
                       DataType labelType, const std::byte *labels);

/// Means over samples `indices` of a dataset with targets. A rest that is no compiled batch size is padded
/// with copies of its last sample, whose loss a second run on a batch of that sample alone tells: the mean is
/// exact up to rounding.
Metrics evaluateSamples(Instance &instance, const Dataset &data, std::span<const size_t> indices);

/// The outputs for all samples, by output: rows in the order of the samples.
std::vector<std::vector<std::byte>> predictSamples(Instance &instance, const Dataset &data);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_EVALUATION_H
