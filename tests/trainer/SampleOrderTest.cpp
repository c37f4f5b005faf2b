// Shuffling and splitting: functions of the seed, the same on every machine.
#include "runtime/trainer/SampleOrder.h"

#include "TrainerFiles.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

using namespace halfstep;
using namespace halfstep::test;

namespace {

TEST(SampleOrder, AnEpochIsAPermutation) {
  Split split = splitSamples(100, 0, 1);
  std::vector<size_t> order = epochOrder(split.training, true, 1, 0);
  EXPECT_NE(order, split.training);
  std::sort(order.begin(), order.end());
  EXPECT_EQ(order, split.training);
}

TEST(SampleOrder, SeedAndEpochDecide) {
  std::vector<size_t> all = splitSamples(50, 0, 0).training;
  EXPECT_EQ(epochOrder(all, true, 3, 2), epochOrder(all, true, 3, 2));
  std::set<std::vector<size_t>> orders;
  for (uint64_t seed = 0; seed < 4; ++seed)
    for (uint64_t epoch = 0; epoch < 4; ++epoch)
      orders.insert(epochOrder(all, true, seed, epoch));
  EXPECT_EQ(orders.size(), 16u);
}

TEST(SampleOrder, WithoutShufflingFileOrder) {
  std::vector<size_t> all = splitSamples(5, 0, 9).training;
  EXPECT_EQ(epochOrder(all, false, 9, 3), (std::vector<size_t>{0, 1, 2, 3, 4}));
}

TEST(SampleOrder, SmallPermutationsAreEquallyFrequent) {
  constexpr int trials = 6000;
  std::map<std::vector<size_t>, int> seen;
  for (int epoch = 0; epoch < trials; ++epoch)
    ++seen[epochOrder({0, 1, 2}, true, 7, uint64_t(epoch))];
  ASSERT_EQ(seen.size(), 6u);
  // A count is binomial with standard deviation 29: five of them are never exceeded by a fair shuffle.
  for (const auto &[order, count] : seen)
    EXPECT_NEAR(count, trials / 6, 145);
}

TEST(SampleOrder, SplitIsRoundedDisjointAndSeeded) {
  Split split = splitSamples(1797, 0.2, 0);
  EXPECT_EQ(split.heldOut.size(), 360u);
  EXPECT_EQ(split.training.size(), 1437u);
  std::set<size_t> all(split.training.begin(), split.training.end());
  all.insert(split.heldOut.begin(), split.heldOut.end());
  EXPECT_EQ(all.size(), 1797u);
  EXPECT_EQ(split.heldOut, splitSamples(1797, 0.2, 0).heldOut);
  EXPECT_NE(split.heldOut, splitSamples(1797, 0.2, 1).heldOut);
}

TEST(SampleOrder, FractionsOutsideTheRangeAreUsageErrors) {
  for (double fraction : {-0.1, 1.0, 2.0, std::nan("")})
    EXPECT_EQ(diagnosticOf([&] { heldOutCount(10, fraction); }).code, ExitCode::Usage) << fraction;
  EXPECT_EQ(heldOutCount(3, 0.01), 1u);
  EXPECT_EQ(heldOutCount(30, 0.1), 3u);
  EXPECT_EQ(diagnosticOf([] { heldOutCount(2, 0.9); }).code, ExitCode::BadInput);
}

/// Checkpoints of one version must be resumed by the next: these numbers may not change.
TEST(SampleOrder, KnownNumbers) {
  EXPECT_EQ(randomBits(0, 0, 0), 0x568a9b0b1a2c05ecu);
  EXPECT_EQ(epochOrder({0, 1, 2, 3, 4, 5, 6, 7}, true, 0, 0), (std::vector<size_t>{2, 5, 0, 4, 3, 7, 6, 1}));
}

} // namespace
