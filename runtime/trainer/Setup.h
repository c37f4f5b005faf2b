// From RunOptions to an instance.
#ifndef HALFSTEP_RUNTIME_TRAINER_SETUP_H
#define HALFSTEP_RUNTIME_TRAINER_SETUP_H

#include "runtime/trainer/Library.h"
#include "runtime/trainer/Trainer.h"

namespace halfstep {

/// The configuration that threads, seed and onNonfinite ask for. Throws Diagnostic Usage.
hs_config instanceConfig(const RunOptions &options);

/// Samples from `first` to `first + count`.
std::vector<size_t> consecutive(size_t first, size_t count);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_SETUP_H
