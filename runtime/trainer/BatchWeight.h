// What a batch counts in a mean over several: the loss of a batch may be a mean by weights, or a sum.
#ifndef HALFSTEP_RUNTIME_TRAINER_BATCHWEIGHT_H
#define HALFSTEP_RUNTIME_TRAINER_BATCHWEIGHT_H

#include "runtime/trainer/Dataset.h"

namespace halfstep {

class BatchWeight {
public:
  explicit BatchWeight(const Manifest &manifest) : manifest(manifest) {}

  /// True when the loss of a batch is a sum, which has no weight.
  bool isSum() const { return manifest.reduction == "sum"; }
  /// What the mean loss of the first `rows` samples is divided by: their number, or the sum of the weights of
  /// their classes.
  double of(Batch &batch, size_t rows) const;
  /// Labels of those samples that count.
  size_t labels(Batch &batch, size_t rows) const;

private:
  const Manifest &manifest;

  bool isWeighted() const;
  /// The sum of `value` of each label of those samples that counts.
  template <typename Value>
  double sum(Batch &batch, size_t rows, Value value) const;
};

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_BATCHWEIGHT_H
