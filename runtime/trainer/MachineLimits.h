// What this machine can do at most: what a profile compares kernels with.
#ifndef HALFSTEP_RUNTIME_TRAINER_MACHINELIMITS_H
#define HALFSTEP_RUNTIME_TRAINER_MACHINELIMITS_H

#include <cstdint>

namespace halfstep {

/// Of all threads together.
struct MachineLimits {
  double f32Gflops = 0;  ///< fused multiply-adds, an f32 in each lane; f64 has half of it
  double bf16Gflops = 0; ///< bf16 dot products; those of f32 where there are none
  double gbytes = 0;     ///< GB/s, read and written, of an update in place
  bool measured = false; ///< by measureLimits, not told by the user
};

/// Runs each kind of work for some hundredths of a second on so many threads. `workingSet`: bytes that the
/// update sweeps, those of the step that is profiled.
MachineLimits measureLimits(int threads, int64_t workingSet);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_MACHINELIMITS_H
