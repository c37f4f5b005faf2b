// All that a training step depends on beside its batch, taken from one instance and given to another.
//
// Only for libraries that this very program has compiled: it reaches into their instances, whose layout is
// that of embedded/instance.h.
#ifndef HALFSTEP_RUNTIME_TRAINER_OBSERVE_INSTANCESTATE_H
#define HALFSTEP_RUNTIME_TRAINER_OBSERVE_INSTANCESTATE_H

#include "runtime/trainer/Library.h"

#include <cstddef>
#include <vector>

namespace halfstep {

struct InstanceState {
  std::vector<std::byte> bytes; ///< of the arena's head: scalars, parameters, copies, slots, buffers
  hs_scaler_state scaler = {1, 0};
  int64_t updates = 0;
  uint64_t step = 0, seed = 0;
  float lr = 0;
};

/// Copies the state of `instance` into `state`, whose memory is used again.
void saveState(const Instance &instance, InstanceState &state);

/// Gives `state` to an instance of a library of the same model. Internal when its state lies elsewhere.
void restoreState(Instance &instance, const InstanceState &state);

/// The instance's arena.
std::byte *arenaOf(const Instance &instance);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_OBSERVE_INSTANCESTATE_H
