// See InstanceState.h.
#include "runtime/trainer/observe/InstanceState.h"

#include "runtime/embedded/instance.h"

#include <cstring>

namespace halfstep {
namespace {

hs_instance *embedded(const Instance &instance) { return static_cast<hs_instance *>(instance.raw()); }

} // namespace

std::byte *arenaOf(const Instance &instance) {
  return reinterpret_cast<std::byte *>(embedded(instance)->arena);
}

void saveState(const Instance &instance, InstanceState &state) {
  const hs_instance *from = embedded(instance);
  state.bytes.resize(size_t(from->model->state_bytes));
  std::memcpy(state.bytes.data(), from->arena, state.bytes.size());
  state.scaler = from->scaler;
  state.updates = from->updates;
  state.step = from->step;
  state.seed = from->seed;
  state.lr = from->lr;
}

void restoreState(Instance &instance, const InstanceState &state) {
  hs_instance *to = embedded(instance);
  if (state.bytes.size() != size_t(to->model->state_bytes))
    throw Diagnostic(ExitCode::Internal,
                     "the library with separate ops keeps " + std::to_string(to->model->state_bytes) +
                         " bytes of state, expected " + std::to_string(state.bytes.size()));
  std::memcpy(to->arena, state.bytes.data(), state.bytes.size());
  to->scaler = state.scaler;
  to->updates = state.updates;
  to->step = state.step;
  to->seed = state.seed;
  to->lr = state.lr;
}

} // namespace halfstep
