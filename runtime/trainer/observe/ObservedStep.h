// A training step whose every value can be read afterwards.
#ifndef HALFSTEP_RUNTIME_TRAINER_OBSERVE_OBSERVEDSTEP_H
#define HALFSTEP_RUNTIME_TRAINER_OBSERVE_OBSERVEDSTEP_H

#include "runtime/trainer/Dataset.h"
#include "runtime/trainer/Library.h"
#include "runtime/trainer/Trainer.h"
#include "runtime/trainer/observe/InstanceState.h"
#include "runtime/trainer/observe/ValueTable.h"

namespace halfstep {

class ObservedStep {
public:
  /// `library`: one compiled with its ops kept apart; `options` says how many threads run it. A step that is
  /// not finite is skipped.
  ObservedStep(const std::string &library, const RunOptions &options);

  Instance &get() { return instance; }
  const Manifest &manifest() const { return instance.manifest(); }

  /// Runs a training step on the first `size` samples of `batch`, which must outlive what is read.
  hs_step_result run(const Batch &batch, int64_t size);

  /// The ops of the step that was run last.
  const ValueTable &table() const { return tables[current]; }

  /// A tensor of that step, parameters as they were before it. Not for constants.
  TensorView view(const StepTensor &tensor) const;
  TensorRange range(const StepTensor &tensor) const;

private:
  Instance instance;
  std::vector<ValueTable> tables;
  size_t current = 0;
  InstanceState before;
  const Batch *batch = nullptr;
};

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_OBSERVE_OBSERVEDSTEP_H
