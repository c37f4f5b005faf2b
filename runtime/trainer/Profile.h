// Where the time of a training step goes, kernel by kernel, in a library that was compiled for it.
#ifndef HALFSTEP_RUNTIME_TRAINER_PROFILE_H
#define HALFSTEP_RUNTIME_TRAINER_PROFILE_H

#include "runtime/trainer/MachineLimits.h"

#include <cstdint>
#include <string>
#include <vector>

namespace halfstep {

class Library;

/// Kernels of a step that do the same for the same layer; all numbers are of one step.
struct KernelProfile {
  std::string layer, kind, ops;
  std::string compute; ///< type whose peak bounds it: f32, f64 or bf16
  int64_t calls = 1;
  double flops = 0, bytes = 0;
  double minMs = 0, medianMs = 0;

  /// The least time that `limits` allow.
  double boundMs(const MachineLimits &limits) const;
};

/// Collects the time stamps of steps.
class StepProfile {
public:
  /// Reads ID.profile.json beside the library. Throws Diagnostic: Usage when the library was not compiled
  /// for profiling, BadInput when the file is not what the compiler wrote.
  explicit StepProfile(const Library &library);

  /// To be called before the first step that counts and after each.
  void begin();
  void addStep();

  /// Longest first.
  std::vector<KernelProfile> finish() const;

private:
  const uint64_t *stamps;
  std::vector<KernelProfile> kernels; ///< in the order of the step
  std::vector<std::vector<double>> ticks;
  uint64_t firstTicks = 0;
  double firstMs = 0;

  std::vector<std::vector<size_t>> groups() const;
  double msPerTick() const;
};

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_PROFILE_H
