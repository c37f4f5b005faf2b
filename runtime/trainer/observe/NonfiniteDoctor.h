// Finds the op that made the first value of a step that is not finite.
#ifndef HALFSTEP_RUNTIME_TRAINER_OBSERVE_NONFINITEDOCTOR_H
#define HALFSTEP_RUNTIME_TRAINER_OBSERVE_NONFINITEDOCTOR_H

#include "runtime/trainer/observe/ObservedStep.h"

#include <optional>

namespace halfstep {

/// Runs a step again, with the same state and batch, in a library whose ops are kept apart, and looks for the
/// first op, in the order of the step, whose result is not finite and from which values that are not finite
/// lead to the loss or to a gradient. An infinity that goes nowhere, such as that of a mask before a softmax,
/// is no finding.
class NonfiniteDoctor {
public:
  /// `options` must outlive it; its separateOps is called at the first finding.
  explicit NonfiniteDoctor(const RunOptions &options) : options(options) {}

  /// Before every step: keeps what explain() needs to run it again.
  void keep(const Instance &instance) { saveState(instance, before); }

  static bool isNeeded(const hs_step_result &result);

  /// Says why the step that followed keep() was not finite; nothing when the last finding was at the same op.
  /// `fate`: what became of it, "was skipped".
  std::optional<std::string> explain(int64_t step, const std::string &fate, const hs_step_result &result,
                                     const Batch &batch, int64_t size);

private:
  /// Number of the op, or none.
  std::optional<size_t> findCulprit() const;

  const RunOptions &options;
  InstanceState before;
  std::optional<ObservedStep> observed;
  /// Of the last finding; the inner one is empty where no op was found.
  std::optional<std::optional<size_t>> last;
};

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_OBSERVE_NONFINITEDOCTOR_H
