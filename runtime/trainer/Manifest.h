// ID.manifest.json: what a generated library says about itself.
#ifndef HALFSTEP_RUNTIME_TRAINER_MANIFEST_H
#define HALFSTEP_RUNTIME_TRAINER_MANIFEST_H

#include "runtime/trainer/Schedule.h"
#include "runtime/trainer/data/DataType.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace halfstep {

/// An input, a target or an output. Its first extent is the batch.
struct TensorSpec {
  std::string name;
  DataType type = DataType::F32;
  std::vector<int64_t> shape;    ///< with the default batch as first extent
  int64_t classes = 0;           ///< values are ids in [0, classes); 0: not ids
  std::optional<int64_t> ignore; ///< an id that may be there too, and does not count

  size_t sampleCount() const; ///< elements a sample
  size_t sampleBytes() const { return sampleCount() * byteSize(type); }
};

struct Manifest {
  std::string path; ///< for messages
  std::string name, precision, target;
  int64_t arenaBytes = 0;
  std::vector<TensorSpec> inputs, targets, outputs;
  std::vector<int64_t> batches; ///< compiled batch sizes; the first is the default
  std::vector<std::string> isas;
  std::string loss;                 ///< kind, empty when not given
  std::string reduction = "mean";   ///< of the loss: mean, sum
  std::vector<double> classWeights; ///< of the loss; empty: all 1
  std::optional<int64_t> axis;      ///< class axis of the first output
  std::optional<double> lr;         ///< of the recipe beside it
  std::optional<double> minScale;   ///< scaler.min of that recipe
  Schedule schedule;                ///< of that recipe
  int64_t accumulate = 1;           ///< batches an update, of that recipe

  int64_t batch() const { return batches.front(); }
  bool hasBatch(int64_t batch) const;
};

/// Reads DIR/ID.manifest.json, and of DIR/ID.recipe.json, if it is there, the learning rate and the least
/// loss scale. Throws Diagnostic Io or BadInput.
Manifest readManifest(const std::string &folder, const std::string &id);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_MANIFEST_H
