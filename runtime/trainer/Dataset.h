// Samples of data of any form, as a library takes them.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATASET_H
#define HALFSTEP_RUNTIME_TRAINER_DATASET_H

#include "runtime/trainer/SampleSource.h"
#include "runtime/trainer/data/DataFile.h"

#include <span>
#include <string>
#include <vector>

namespace halfstep {

/// The inputs of a library, and its targets if wanted.
///
/// In files of tensors they are found by name: 'x'-like names are the manifest's; a target is found by its
/// own name, the name of its output, or, when there is one, as 'y'. In .npy files the order decides; in .csv
/// the column of the format, or that called y, target or label, or the last one, is the target. Of a text of
/// n characters with windows of T, the samples are the windows at 0, T, 2T, ...; the targets are the
/// characters that follow each. The last part is held out. A shuffled epoch moves all its windows by the same
/// random part of T.
/// Images of a folder are scaled to [0, 1]; the sub-folders, sorted by name, are the classes.
class Dataset {
public:
  /// Checks names, element types, extents a sample, equal numbers of samples, finiteness and class ids; the
  /// message names file, tensor and sample. `learnFormat`: characters and classes that `format` leaves open
  /// are those of the data. Throws Diagnostic.
  Dataset(const std::string &data, const Manifest &manifest, bool withTargets, const DataFormat &format = {},
          bool learnFormat = true);

  size_t size() const { return source->size(); }
  bool hasTargets() const { return !targets.empty(); }
  DataFormat format() const { return source->format(); }

  /// All samples of a pass, in order.
  std::vector<size_t> samples() const { return split(0, 0).training; }

  /// See SampleSource.
  Split split(double fraction, uint64_t seed) const { return source->split(fraction, seed); }
  std::vector<size_t> order(const std::vector<size_t> &training, bool shuffled, uint64_t seed,
                            uint64_t epoch) const {
    return source->order(training, shuffled, seed, epoch);
  }
  bool wholeBatchesOnly() const { return source->wholeBatchesOnly(); }

  /// A batch of the right form for `size` samples.
  Batch makeBatch(int64_t size) const { return Batch(inputs, targets, size); }

  /// Copies samples into the first rows, converted.
  void gather(std::span<const size_t> samples, Batch &batch) const { source->gather(samples, batch); }

private:
  std::vector<TensorSpec> inputs, targets;
  std::unique_ptr<SampleSource> source;
};

/// Samples of a pass over `data`, as far as the data alone tell: 0 for text, whose epochs have no short last
/// batch. Throws Diagnostic.
int64_t countSamples(const std::string &data);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATASET_H
