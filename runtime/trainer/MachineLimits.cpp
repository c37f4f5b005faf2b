// Loops that do nothing but what is measured. The best of many short runs counts: others use the machine,
// too.
#include "runtime/trainer/MachineLimits.h"

#include "runtime/embedded/isa.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <immintrin.h>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

namespace halfstep {
namespace {

constexpr int64_t steps = 4096;  ///< of a run
constexpr int64_t chains = 12;   ///< independent, more than latency times units
constexpr double seconds = 0.04; ///< for one kind of work

// The empty assembly keeps the compiler from computing ahead, and costs nothing. Each returns its operations.

__attribute__((target("avx2,fma"))) double multiplyAdd256() {
  __m256 sums[chains], one = _mm256_set1_ps(1);
  for (__m256 &sum : sums)
    sum = one;
  for (int64_t i = 0; i < steps; ++i)
    for (__m256 &sum : sums) {
      sum = _mm256_fmadd_ps(one, one, sum);
      asm volatile("" : "+x"(sum));
    }
  return double(2 * 8 * steps * chains);
}

__attribute__((target("avx512f"))) double multiplyAdd512() {
  __m512 sums[chains], one = _mm512_set1_ps(1);
  for (__m512 &sum : sums)
    sum = one;
  for (int64_t i = 0; i < steps; ++i)
    for (__m512 &sum : sums) {
      sum = _mm512_fmadd_ps(one, one, sum);
      asm volatile("" : "+v"(sum));
    }
  return double(2 * 16 * steps * chains);
}

__attribute__((target("avx512f,avx512bw,avx512bf16"))) double dotBf16() {
  __m512 sums[chains];
  __m512bh zero = (__m512bh)_mm512_setzero_si512();
  for (__m512 &sum : sums)
    sum = _mm512_setzero_ps();
  for (int64_t i = 0; i < steps; ++i)
    for (__m512 &sum : sums) {
      sum = _mm512_dpbf16_ps(sum, zero, zero);
      asm volatile("" : "+v"(sum));
    }
  return double(2 * 32 * steps * chains);
}

__attribute__((target("avx2,fma"))) double updateInPlace(std::vector<float> &buffer) {
  __m256 factor = _mm256_set1_ps(0.5F);
  for (size_t i = 0; i + 8 <= buffer.size(); i += 8)
    _mm256_storeu_ps(&buffer[i], _mm256_mul_ps(_mm256_loadu_ps(&buffer[i]), factor));
  return 2.0 * sizeof(float) * double(buffer.size());
}

/// Greatest amount a nanosecond of any run.
double bestRate(const std::function<double()> &work) {
  using Clock = std::chrono::steady_clock;
  auto end = Clock::now() + std::chrono::duration<double>(seconds);
  double best = 0;
  do {
    auto begin = Clock::now();
    double amount = work();
    std::chrono::duration<double, std::nano> spent = Clock::now() - begin;
    best = std::max(best, amount / spent.count());
  } while (Clock::now() < end);
  return best;
}

/// The rates of all threads, added, while each runs `make`'s work.
double rateOf(int threads, const std::function<std::function<double()>()> &make) {
  std::vector<double> rates(size_t(threads), 0);
  std::vector<std::thread> workers;
  for (double &rate : rates)
    workers.emplace_back([&] { rate = bestRate(make()); });
  for (std::thread &worker : workers)
    worker.join();
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

} // namespace

MachineLimits measureLimits(int threads, int64_t workingSet) {
  bool wide = hs_isa_of_this_cpu() >= HS_ISA_X86_64_V4_BF16;
  auto same = [](double (*work)()) { return [work] { return std::function<double()>(work); }; };
  constexpr int64_t least = 16 << 10, most = 256 << 20;
  size_t elements = size_t(std::clamp<int64_t>(workingSet / threads, least, most)) / sizeof(float);
  MachineLimits limits;
  limits.f32Gflops = rateOf(threads, same(wide ? multiplyAdd512 : multiplyAdd256));
  limits.bf16Gflops = wide ? rateOf(threads, same(dotBf16)) : limits.f32Gflops;
  limits.gbytes = rateOf(threads, [&] {
    auto buffer = std::make_shared<std::vector<float>>(elements, 1.0F);
    return [buffer] { return updateInPlace(*buffer); };
  });
  limits.measured = true;
  return limits;
}

} // namespace halfstep
