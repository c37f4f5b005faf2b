// Checkpoints of training runs: the library's own file, and in its metadata where the run stood.
#ifndef HALFSTEP_RUNTIME_TRAINER_CHECKPOINTS_H
#define HALFSTEP_RUNTIME_TRAINER_CHECKPOINTS_H

#include "runtime/trainer/data/DataFormat.h"
#include "runtime/trainer/data/Tensor.h"

#include <cstdint>
#include <optional>
#include <string>

namespace halfstep {

/// What a run must know to go on as if it had never stopped. Parameters, optimizer state, scaler, learning
/// rate and dropout's counter are the library's part.
struct TrainerState {
  int64_t step = 0, updates = 0, skipped = 0; ///< so far
  int64_t epoch = 0;
  int64_t cursor = 0; ///< batches done in the epoch
  uint64_t seed = 0;
  /// Settings on which the order of the samples depends.
  int64_t samples = 0, batch = 0;
  double valSplit = 0;
  bool shuffle = true, dropLast = false;
  /// Of the schedule, where the rate is not constant: its largest rate, and its length in updates.
  double scheduleLr = 0;
  int64_t scheduleSteps = 0;
  DataFormat format; ///< of the data
};

/// The state as the caller's metadata of ID_save.
std::string toMetadata(const TrainerState &state);

/// `path`, or in a folder the step-N.safetensors with the largest N. Throws Diagnostic Io when there is none.
std::string findCheckpoint(const std::string &path);

/// Opens a checkpoint; whatever is wrong with its form is a Diagnostic Checkpoint. Values are not verified.
TensorFile readCheckpoint(const std::string &path);

/// The state in a checkpoint. Throws Diagnostic Checkpoint for one that a program of its own saved.
TrainerState stateOf(const TensorFile &checkpoint);

/// The learning rate in a checkpoint.
std::optional<float> learningRateOf(const TensorFile &checkpoint);

/// Throws Diagnostic Checkpoint when the settings of a run differ from the saved ones; names the first.
void requireSameSettings(const std::string &path, const TrainerState &saved, const TrainerState &now);

/// Throws Diagnostic Checkpoint unless every tensor has the checksum that the metadata give.
void verifyChecksums(const TensorFile &checkpoint);

/// DIR/step-N.safetensors.
std::string checkpointPath(const std::string &folder, int64_t step);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_CHECKPOINTS_H
