// See SampleOrder.h.
#include "runtime/trainer/SampleOrder.h"

#include "halfstep/diagnostic.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace halfstep {
namespace {

constexpr uint64_t golden = 0x9e3779b97f4a7c15; // 2^64 / golden ratio, odd
constexpr uint64_t splitStream = 0, firstEpochStream = 1;

/// SplitMix64's finalizer (Steele, Lea, Flood 2014): a bijection.
uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// floor(number * bound / 2^64) of 64 random bits.
size_t below(size_t bound, uint64_t number) {
  __extension__ using Wide = unsigned __int128;
  return size_t((Wide(number) * bound) >> 64);
}

} // namespace

uint64_t randomBits(uint64_t seed, uint64_t stream, uint64_t index) {
  uint64_t key = mix(mix(seed + golden) + stream * golden);
  return mix(key + (index + 1) * golden);
}

void shuffle(std::span<size_t> items, uint64_t seed, uint64_t stream) {
  for (size_t i = items.size(); i-- > 1;)
    std::swap(items[i], items[below(i + 1, randomBits(seed, stream, i))]);
}

size_t heldOutCount(size_t samples, double fraction) {
  if (!(fraction >= 0 && fraction < 1))
    throw Diagnostic(ExitCode::Usage,
                     "the validation split is " + std::to_string(fraction) + ", expected a number in [0, 1)");
  // Rounded up, as scikit-learn's train_test_split does; the slack keeps a product like 0.1 * 30 at 3.
  constexpr double slack = 1e-9;
  size_t count = size_t(std::ceil(double(samples) * fraction * (1 - slack)));
  if (fraction > 0 && (count == 0 || count >= samples))
    throw Diagnostic(ExitCode::BadInput, "a validation split of " + std::to_string(fraction) + " of " +
                                             std::to_string(samples) + " samples leaves one part empty");
  return count;
}

Split splitSamples(size_t samples, double fraction, uint64_t seed) {
  size_t heldOut = heldOutCount(samples, fraction);
  std::vector<size_t> all(samples);
  std::iota(all.begin(), all.end(), size_t(0));
  if (heldOut)
    shuffle(all, seed, splitStream);
  auto boundary = all.end() - std::ptrdiff_t(heldOut);
  Split split = {{all.begin(), boundary}, {boundary, all.end()}};
  std::sort(split.training.begin(), split.training.end());
  std::sort(split.heldOut.begin(), split.heldOut.end());
  return split;
}

std::vector<size_t> epochOrder(const std::vector<size_t> &training, bool shuffled, uint64_t seed,
                               uint64_t epoch) {
  std::vector<size_t> order = training;
  if (shuffled)
    shuffle(order, seed, firstEpochStream + epoch);
  return order;
}

size_t epochPhase(size_t window, uint64_t seed, uint64_t epoch) {
  return below(window, randomBits(seed, firstEpochStream + epoch, 0));
}

} // namespace halfstep
