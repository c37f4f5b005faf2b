// Which samples are trained, which are held out, and in which order: functions of the seed only.
//
// Random numbers are counter-based: number i of stream k of a seed is mix(key(seed, k) + i * golden), where
// mix is SplitMix64's finalizer. The split uses stream 0, epoch e stream e + 1. A shuffle is Fisher-Yates
// from the end: for i = n-1 ... 1 element i is swapped with element floor(number(i) * (i + 1) / 2^64); an
// epoch's phase comes from its number 0.
#ifndef HALFSTEP_RUNTIME_TRAINER_SAMPLEORDER_H
#define HALFSTEP_RUNTIME_TRAINER_SAMPLEORDER_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace halfstep {

/// Number `index` of a stream: uniform 64 bits.
uint64_t randomBits(uint64_t seed, uint64_t stream, uint64_t index);

void shuffle(std::span<size_t> items, uint64_t seed, uint64_t stream);

/// fraction * samples, rounded up. Throws Diagnostic Usage for a fraction outside [0, 1), and BadInput when a
/// part of a split would be empty.
size_t heldOutCount(size_t samples, double fraction);

/// Both in ascending order.
struct Split {
  std::vector<size_t> training, heldOut;
};

/// Holds out the last heldOutCount of a permutation of the samples.
Split splitSamples(size_t samples, double fraction, uint64_t seed);

/// The training samples in the order of one epoch.
std::vector<size_t> epochOrder(const std::vector<size_t> &training, bool shuffled, uint64_t seed,
                               uint64_t epoch);

/// By how much an epoch moves its windows of a text: uniform in [0, window).
size_t epochPhase(size_t window, uint64_t seed, uint64_t epoch);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_SAMPLEORDER_H
