// Where the samples of a dataset come from: tensors of a file, windows of a text, images of a folder.
#ifndef HALFSTEP_RUNTIME_TRAINER_SAMPLESOURCE_H
#define HALFSTEP_RUNTIME_TRAINER_SAMPLESOURCE_H

#include "runtime/trainer/Batch.h"
#include "runtime/trainer/SampleOrder.h"
#include "runtime/trainer/data/DataFormat.h"

#include <memory>

namespace halfstep {

/// What a dataset is to be made of.
struct SourceRequest {
  std::string data;
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> targets;             ///< empty: only inputs are read
  std::vector<TensorSpec> allTargets, outputs; ///< the library's
  DataFormat format;
  bool learnFormat = true; ///< what the format leaves open may be taken from the data
};

/// A sample is known by a number, which only its source understands.
class SampleSource {
public:
  virtual ~SampleSource() = default;

  virtual size_t size() const = 0; ///< samples of one pass

  /// The format of the request, completed.
  virtual DataFormat format() const = 0;

  /// The samples as two sets.
  virtual Split split(double fraction, uint64_t seed) const { return splitSamples(size(), fraction, seed); }

  /// The training samples in the order of one epoch.
  virtual std::vector<size_t> order(const std::vector<size_t> &training, bool shuffled, uint64_t seed,
                                    uint64_t epoch) const {
    return epochOrder(training, shuffled, seed, epoch);
  }

  /// Epochs leave out a short last batch: samples are drawn, not counted.
  virtual bool wholeBatchesOnly() const { return false; }

  /// Copies samples into the first rows, converted.
  virtual void gather(std::span<const size_t> samples, Batch &batch) const = 0;
};

/// Each checks everything that can be said before a step runs; messages name file, tensor and sample. Throws
/// Diagnostic.
std::unique_ptr<SampleSource> openTensors(SourceRequest request);
std::unique_ptr<SampleSource> openText(SourceRequest request);
std::unique_ptr<SampleSource> openImages(SourceRequest request);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_SAMPLESOURCE_H
