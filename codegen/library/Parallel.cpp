// See Parallel.h.
#include "codegen/library/Parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <system_error>
#include <thread>
#include <vector>

namespace halfstep {

void runParallel(size_t count, const std::function<void(size_t)> &job) {
  std::vector<std::exception_ptr> failures(count);
  std::atomic<size_t> next = 0;
  auto work = [&] {
    for (size_t i; (i = next.fetch_add(1)) < count;) {
      try {
        job(i);
      } catch (...) {
        failures[i] = std::current_exception();
      }
    }
  };
  size_t cores = std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::thread> helpers;
  try {
    for (size_t i = 1; i < std::min(count, cores); ++i)
      helpers.emplace_back(work);
  } catch (const std::system_error &) {
    // No more threads are to be had: those that there are do the work.
  }
  work();
  for (std::thread &helper : helpers)
    helper.join();
  for (const std::exception_ptr &failure : failures)
    if (failure)
      std::rethrow_exception(failure);
}

} // namespace halfstep
