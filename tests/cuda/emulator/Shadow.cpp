// See Shadow.h.
#include "Shadow.h"

#include "Finding.h"

#include <cstring>
#include <new>

namespace halfstep::emulator {

std::string Stamp::text() const {
  std::string who = thread() == kSeveral ? "several threads" : "thread " + std::to_string(thread());
  if (thread() == kAtomic)
    who = "an atomic";
  return who + (block() == kSeveralBlocks ? " of several blocks" : " of block " + std::to_string(block()));
}

static void *zeroed(size_t count, size_t size) {
  void *memory = std::calloc(count ? count : 1, size);
  if (!memory)
    throw std::bad_alloc();
  return memory;
}

ShadowedBytes::ShadowedBytes(size_t bytes, bool shared, const OperationOrder *order)
    : bytes(bytes), shared(shared), order(order), values(static_cast<uint8_t *>(zeroed(bytes, 1))),
      states(static_cast<uint8_t *>(zeroed(bytes, 1))),
      cells(static_cast<Cell *>(zeroed(bytes / 2 + 1, sizeof(Cell)))) {}

bool ShadowedBytes::slowConflict(Stamp other, Stamp who) const {
  if (other.operation() != who.operation())
    return !shared && !order->isBefore(other.operation());
  if (other.block() != who.block())
    return !shared;
  return other.epoch() == who.epoch() && other.epoch() != Stamp::kLastEpoch && other.thread() != who.thread();
}

Stamp ShadowedBytes::joinReaders(Stamp old, Stamp who) const {
  if (old.operation() != who.operation() || (shared && old.block() != who.block()))
    return who;
  if (old.block() != who.block())
    return {uint64_t(who.operation()) << 42 | uint64_t(Stamp::kSeveralBlocks) << 22 | Stamp::kSeveral};
  return old.epoch() == who.epoch() ? who.withThread(Stamp::kSeveral) : who;
}

void ShadowedBytes::setState(uint8_t state, size_t offset, size_t count) {
  std::memset(states.get() + offset, state, count);
}

void ShadowedBytes::checkWrite(size_t offset, size_t count, Stamp who) {
  if (!allAre(kWritten, offset, count))
    for (size_t i = 0; i < count; ++i)
      if (states[offset + i] == kInFlight)
        throw Finding("writes byte " + std::to_string(offset + i) + ", to which a copy is in flight");
  for (size_t cell = offset / 2; cell <= (offset + count - 1) / 2; ++cell) {
    if (conflict(cells[cell].writer, who))
      failRace("writes", cell * 2, "writes", cells[cell].writer);
    if (conflict(cells[cell].reader, who))
      failRace("writes", cell * 2, "reads", cells[cell].reader);
    cells[cell] = {who, {}};
  }
  setState(kWritten, offset, count);
}

void ShadowedBytes::checkAtomic(size_t offset, size_t count, Stamp who) {
  if (!allAre(kWritten, offset, count))
    failRead(offset, count);
  for (size_t cell = offset / 2; cell <= (offset + count - 1) / 2; ++cell) {
    Stamp writer = cells[cell].writer;
    const bool alike = writer.thread() == Stamp::kAtomic && writer.operation() == who.operation();
    if (!alike && conflict(writer, who))
      failRace("updates", cell * 2, "writes", writer);
    if (conflict(cells[cell].reader, who))
      failRace("updates", cell * 2, "reads", cells[cell].reader);
    cells[cell] = {who.withThread(Stamp::kAtomic), {}};
  }
}

void ShadowedBytes::beginCopy(size_t offset, size_t count, Stamp who) {
  checkWrite(offset, count, who);
  setState(kInFlight, offset, count);
}

void ShadowedBytes::endCopy(size_t offset, size_t count, Stamp who) {
  for (size_t cell = offset / 2; cell <= (offset + count - 1) / 2; ++cell)
    cells[cell] = {who, {}};
  setState(kWritten, offset, count);
}

void ShadowedBytes::forget() { setState(kUnwritten, 0, bytes); }

void ShadowedBytes::failRead(size_t offset, size_t count) const {
  size_t i = 0;
  while (i + 1 < count && states[offset + i] == kWritten)
    ++i;
  throw Finding(
      "reads byte " + std::to_string(offset + i) +
      (states[offset + i] == kInFlight ? ", to which a copy is in flight" : ", which nothing has written"));
}

void ShadowedBytes::failRace(const char *does, size_t offset, const char *did, Stamp other) const {
  throw Finding(std::string("race: it ") + does + " bytes " + std::to_string(offset) + " and " +
                std::to_string(offset + 1) + " that " + other.text() + " " + did +
                (shared ? " without a barrier between them" : " with nothing that orders the two"));
}

} // namespace halfstep::emulator
