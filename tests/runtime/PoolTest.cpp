// The thread pool: each range runs once, bounds are deterministic, and it survives long pauses.
#include "runtime/embedded/pool.h"

#include <atomic>
#include <chrono>
#include <gtest/gtest.h>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace {

struct Seen {
  std::mutex mutex;
  std::set<std::tuple<int64_t, int64_t, int32_t>> ranges;
  std::vector<std::atomic<int>> counts;
  explicit Seen(int64_t n) : counts(n) {}
};

void note(void *arg, int64_t lo, int64_t hi, int32_t worker) {
  auto *seen = static_cast<Seen *>(arg);
  for (int64_t i = lo; i < hi; ++i)
    ++seen->counts[i];
  std::lock_guard lock(seen->mutex);
  seen->ranges.insert({lo, hi, worker});
}

auto rangesOf(hs_pool *pool, int64_t n, int64_t grain) {
  Seen seen(n);
  hs_pool_parallel_for(pool, note, &seen, n, grain);
  for (auto &count : seen.counts)
    EXPECT_EQ(count, 1);
  return seen.ranges;
}

TEST(Pool, CoversEachElementOnceWithAtMostOneRangeAWorker) {
  for (int32_t threads : {2, 3, 5}) {
    hs_pool *pool = hs_pool_create(threads);
    ASSERT_NE(pool, nullptr);
    for (int64_t n : {1, 2, 3, 7, 64, 1000})
      for (int64_t grain : {1, 4, 64, 5000}) {
        auto ranges = rangesOf(pool, n, grain);
        EXPECT_LE(ranges.size(), size_t(threads));
        std::set<int32_t> workers;
        for (auto [lo, hi, worker] : ranges) {
          EXPECT_TRUE(hi - lo >= grain || hi == n);
          EXPECT_EQ(lo % grain, 0);
          EXPECT_TRUE(worker >= 0 && worker < threads);
          EXPECT_TRUE(workers.insert(worker).second);
        }
      }
    hs_pool_destroy(pool);
  }
}

TEST(Pool, RangesDoNotChangeFromRunToRun) {
  hs_pool *pool = hs_pool_create(4);
  auto first = rangesOf(pool, 1001, 8);
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(rangesOf(pool, 1001, 8), first);
  hs_pool_destroy(pool);
}

TEST(Pool, AnEmptyRangeRunsNothing) {
  hs_pool *pool = hs_pool_create(2);
  EXPECT_TRUE(rangesOf(pool, 0, 1).empty());
  hs_pool_destroy(pool);
}

TEST(Pool, WorkersThatFellAsleepWakeAgain) {
  hs_pool *pool = hs_pool_create(3);
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_EQ(rangesOf(pool, 30, 1).size(), 3u);
  }
  hs_pool_destroy(pool);
}

TEST(Pool, ManyShortRegionsInARow) {
  hs_pool *pool = hs_pool_create(2);
  std::atomic<int64_t> sum = 0;
  auto add = [](void *arg, int64_t lo, int64_t hi, int32_t) {
    *static_cast<std::atomic<int64_t> *>(arg) += hi - lo;
  };
  for (int i = 0; i < 3000; ++i)
    hs_pool_parallel_for(pool, add, &sum, 10, 1);
  EXPECT_EQ(sum, 30000);
  hs_pool_destroy(pool);
  hs_pool_destroy(nullptr);
}

} // namespace
