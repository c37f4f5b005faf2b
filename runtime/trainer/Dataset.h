// Samples of a data file in the form that a library takes them.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATASET_H
#define HALFSTEP_RUNTIME_TRAINER_DATASET_H

#include "runtime/trainer/Manifest.h"
#include "runtime/trainer/data/DataFile.h"

#include <span>
#include <string>
#include <vector>

namespace halfstep {

/// Memory for one batch of the inputs and targets of a library, with the arrays of pointers that its
/// functions take.
class Batch {
public:
  Batch(const std::vector<TensorSpec> &inputs, const std::vector<TensorSpec> &targets, int64_t size);

  const void *const *inputs() const { return pointers.data(); }
  const void *const *targets() const { return pointers.data() + inputCount; }

  /// Where row `row` of tensor `tensor` begins; the targets come after the inputs.
  std::byte *row(size_t tensor, size_t row) { return buffers[tensor].data() + row * rowBytes[tensor]; }

private:
  std::vector<std::vector<std::byte>> buffers;
  std::vector<size_t> rowBytes;
  std::vector<const void *> pointers;
  size_t inputCount;
};

/// The inputs of a library, and its targets if wanted, found by name: 'x'-like names are the manifest's; a
/// target is found by its own name, the name of its output, or, when there is one, as 'y'. In .npy files the
/// order decides; in .csv the column called y, target or label, or the last one, is the target.
class Dataset {
public:
  /// Checks names, element types, extents a sample, equal numbers of samples, finiteness and class ids; the
  /// message names file, tensor and sample. Throws Diagnostic.
  Dataset(const std::string &data, const Manifest &manifest, bool withTargets);

  size_t size() const { return samples; }
  bool hasTargets() const { return !targets.empty(); }

  /// A batch of the right form for `size` samples.
  Batch makeBatch(int64_t size) const { return Batch(inputs, targets, size); }

  /// Copies samples `indices` into the first rows, converted.
  void gather(std::span<const size_t> indices, Batch &batch) const;

  /// Class ids or values of target `index`, in the library's type.
  const std::vector<TensorSpec> &targetSpecs() const { return targets; }

private:
  void bindNpy(const Manifest &manifest);
  void bindCsv();
  void bindNamed(const Manifest &manifest);
  const TensorView &require(const std::vector<std::string> &names) const;
  void check(const TensorView &tensor, const TensorSpec &spec);
  void checkValues(const TensorView &tensor, const TensorSpec &spec) const;

  TensorFile file;
  std::vector<TensorSpec> inputs, targets;
  std::vector<TensorView> columns; ///< by tensor, inputs first
  size_t samples = 0;
};

/// First extent of the tensor 'x', or else of the first tensor. Throws Diagnostic.
int64_t countSamples(const DataFile &data);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATASET_H
