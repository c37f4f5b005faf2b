// See Interrupt.h.
#include "runtime/trainer/Interrupt.h"

#include <atomic>

namespace halfstep {
namespace {

std::atomic<bool> received;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only use lock-free atomics");

void note(int) { received = true; }

} // namespace

Interrupt::Interrupt() : before() {
  received = false;
  struct sigaction action = {};
  action.sa_handler = note;
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &before);
}

Interrupt::~Interrupt() { sigaction(SIGINT, &before, nullptr); }

bool Interrupt::requested() const { return received; }

} // namespace halfstep
