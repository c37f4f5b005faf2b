// Memory with what is known about each byte: whether anything wrote it, and who wrote and read it last. A
// race is two accesses, one of them a write, that no barrier, stream or event orders.
#ifndef HALFSTEP_EMULATOR_SHADOW_H
#define HALFSTEP_EMULATOR_SHADOW_H

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

namespace halfstep::emulator {

/// Which operations of the device (launches, copies) are ordered before the current one.
class OperationOrder {
public:
  virtual ~OperationOrder() = default;
  virtual bool isBefore(uint32_t operation) const = 0;
};

/// Who accesses: an operation, a block of it, the barriers that the block has passed, a thread.
/// Packed as operation:22 | block:20 | epoch:11 | thread:11.
struct Stamp {
  static constexpr uint32_t kAtomic = 0x7FE, kSeveral = 0x7FF, kSeveralBlocks = 0xFFFFF, kLastEpoch = 0x7FF;

  uint64_t bits = 0; ///< 0: nobody

  static Stamp of(uint32_t operation, uint32_t block, uint32_t epoch, uint32_t thread) {
    return {uint64_t(operation & 0x3FFFFF) << 42 | uint64_t(block % kSeveralBlocks) << 22 |
            uint64_t(epoch < kLastEpoch ? epoch : kLastEpoch) << 11 | thread};
  }
  uint32_t operation() const { return static_cast<uint32_t>(bits >> 42); }
  uint32_t block() const { return bits >> 22 & 0xFFFFF; }
  uint32_t epoch() const { return bits >> 11 & 0x7FF; }
  uint32_t thread() const { return bits & 0x7FF; }
  Stamp withThread(uint32_t thread) const { return {(bits & ~uint64_t(0x7FF)) | thread}; }
  std::string text() const;
};

/// Bytes with their shadow. Offsets and sizes are the caller's to bound.
class ShadowedBytes {
public:
  /// shared: the memory of one block at a time, where only accesses of the same block matter. order: of
  /// global memory; it must outlive this.
  ShadowedBytes(size_t bytes, bool shared, const OperationOrder *order = nullptr);

  uint8_t *data() { return values.get(); }
  size_t size() const { return bytes; }

  /// Throws Finding when bytes were never written, are being copied, or are written by someone else at the
  /// same time.
  void checkRead(size_t offset, size_t count, Stamp who) {
    if (!allAre(kWritten, offset, count))
      failRead(offset, count);
    for (size_t cell = offset / 2; cell <= (offset + count - 1) / 2; ++cell)
      noteRead(cells[cell], who, cell * 2);
  }
  /// Throws Finding when someone else reads or writes the bytes at the same time; then they count as written.
  void checkWrite(size_t offset, size_t count, Stamp who);
  /// As checkRead and checkWrite together; atomic accesses do not race with each other.
  void checkAtomic(size_t offset, size_t count, Stamp who);

  /// An asynchronous copy is on its way to the bytes until it arrives.
  void beginCopy(size_t offset, size_t count, Stamp who);
  void endCopy(size_t offset, size_t count, Stamp who);

  /// Nothing counts as written any more.
  void forget();

private:
  static constexpr uint8_t kUnwritten = 0, kWritten = 1, kInFlight = 2;
  /// Of two bytes: the smallest element that several threads write side by side.
  struct Cell {
    Stamp writer, reader;
  };
  struct Free {
    void operator()(void *memory) const { std::free(memory); }
  };

  bool allAre(uint8_t state, size_t offset, size_t count) const {
    bool all = true;
    for (size_t i = 0; i < count; ++i)
      all &= states[offset + i] == state;
    return all;
  }
  bool conflict(Stamp other, Stamp who) const {
    return other.bits && other.bits != who.bits && slowConflict(other, who);
  }
  bool slowConflict(Stamp other, Stamp who) const;
  void noteRead(Cell &cell, Stamp who, size_t offset) {
    if (conflict(cell.writer, who))
      failRace("reads", offset, "writes", cell.writer);
    if (cell.reader.bits != who.bits)
      cell.reader = joinReaders(cell.reader, who);
  }
  Stamp joinReaders(Stamp old, Stamp who) const;
  void setState(uint8_t state, size_t offset, size_t count);
  [[noreturn]] void failRead(size_t offset, size_t count) const;
  [[noreturn]] void failRace(const char *does, size_t offset, const char *did, Stamp other) const;

  size_t bytes;
  bool shared;
  const OperationOrder *order;
  // From calloc: pages that nothing touches cost nothing.
  std::unique_ptr<uint8_t[], Free> values, states;
  std::unique_ptr<Cell[], Free> cells;
};

} // namespace halfstep::emulator

#endif // HALFSTEP_EMULATOR_SHADOW_H
