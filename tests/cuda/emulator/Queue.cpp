// See Queue.h.
#include "Queue.h"

#include "Finding.h"

#include <algorithm>
#include <cstring>

namespace halfstep::emulator {

static constexpr size_t kMaxOperations = 1 << 22; // as many as a stamp can tell apart

static uint64_t hash(const void *memory, size_t bytes) {
  uint64_t value = 0xCBF29CE484222325;
  for (size_t i = 0; i < bytes; ++i)
    value = (value ^ static_cast<const uint8_t *>(memory)[i]) * 0x100000001B3;
  return value;
}

static void join(Clock &clock, const Clock &other) {
  clock.resize(std::max(clock.size(), other.size()));
  for (size_t i = 0; i < other.size(); ++i)
    clock[i] = std::max(clock[i], other[i]);
}

OperationPtr Queue::enqueue(const Work &work, uint32_t lane, const std::vector<OperationPtr> &after) {
  if (places.size() >= kMaxOperations)
    throw Finding("the program gives the device more operations than the emulator can tell apart");
  auto operation = std::make_shared<Operation>();
  operation->number = static_cast<uint32_t>(places.size());
  operation->work = work;
  operation->clock = hostClock;
  for (const OperationPtr &before : after)
    if (before) {
      operation->after.push_back(before);
      join(operation->clock, before->clock);
    }
  positions.resize(lanes);
  operation->clock.resize(lanes);
  operation->clock[lane] = ++positions[lane];
  places.push_back({lane, positions[lane]});
  if (work.hostSource)
    operation->sourceHash = hash(work.hostSource, work.hostBytes);
  if (work.hostTarget) // who reads it before it has waited shall notice
    std::memset(work.hostTarget, 0xFF, work.hostBytes);
  pending.push_back(operation);
  return operation;
}

bool Queue::isBefore(uint32_t operation) const {
  const Place place = places[operation];
  return running && place.lane < running->clock.size() && running->clock[place.lane] >= place.position;
}

void Queue::wait(const OperationPtr &operation) {
  if (!operation)
    return;
  while (!operation->done)
    runOne();
  join(hostClock, operation->clock);
}

void Queue::waitAll() {
  while (!pending.empty()) {
    const OperationPtr last = pending.back(); // kept while it leaves the list
    wait(last);
  }
}

void Queue::runOne() {
  std::vector<size_t> ready;
  for (size_t i = 0; i < pending.size(); ++i)
    if (std::all_of(pending[i]->after.begin(), pending[i]->after.end(),
                    [](const OperationPtr &p) { return p->done; }))
      ready.push_back(i);
  const size_t chosen = ready[random() % ready.size()];
  const OperationPtr operation = pending[chosen];
  pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(chosen));
  execute(*operation);
  operation->done = true;
  operation->after.clear(); // else every operation would keep all before it
}

void Queue::execute(Operation &operation) {
  if (failure)
    return;
  running = &operation;
  const Work &work = operation.work;
  try {
    if (work.hostSource && hash(work.hostSource, work.hostBytes) != operation.sourceHash)
      throw Finding(work.what + ": the host changed its memory before the copy had read it");
    work.run(operation.number);
  } catch (const Finding &finding) {
    failure = true;
    if (onFinding)
      onFinding(finding.what());
  }
  running = nullptr;
}

} // namespace halfstep::emulator
