// The state of 32 threads that run in lockstep: registers, and which lanes are where in the program.
#ifndef HALFSTEP_EMULATOR_WARP_H
#define HALFSTEP_EMULATOR_WARP_H

#include "GlobalMemory.h"
#include "Program.h"

#include <cstring>
#include <utility>

namespace halfstep::emulator {

/// What the warps of a block share.
struct Block {
  const Program *program = nullptr;
  GlobalMemory *global = nullptr;
  const std::vector<uint8_t> *parameters = nullptr;
  ShadowedBytes *shared = nullptr;
  uint32_t operation = 0, index = 0; ///< of the launch; of the block, linear
  uint32_t epoch = 0;                ///< barriers passed
  uint32_t threads = 0;
};

class Warp {
public:
  enum class State { Running, AtBarrier, Done };

  explicit Warp(const Program &program);

  /// Makes it warp number `index` of the block, with nothing known about its registers.
  void start(Block &block, unsigned index);
  /// Runs until a barrier or the end. Throws Finding; faultOp() and faultLane() say where. budget:
  /// instructions that may still run.
  void run(uint64_t &budget);

  // --- for the instructions ---
  template <typename T>
  T *lanes(Slot slot) {
    return reinterpret_cast<T *>(file.data() + slot.offset);
  }
  uint32_t &predicate(Slot slot) { return *lanes<uint32_t>(slot); }
  /// Throws Finding when a lane of the mask reads a register that it has not written.
  void requireWritten(Slot slot, uint32_t mask) const {
    if (mask & ~written[slot.index])
      failUnwritten(slot, mask);
  }
  void setWritten(Slot slot, uint32_t mask) { written[slot.index] |= mask; }
  void branch(uint32_t target, uint32_t mask);
  void exitLanes(uint32_t mask);
  void stopAtBarrier() { state = State::AtBarrier; }
  Stamp stamp(unsigned lane) const {
    return Stamp::of(block->operation, block->index, block->epoch, firstThread + lane);
  }
  /// The lanes that have a thread, whether it still runs or has ended.
  uint32_t threads() const { return started; }
  uint8_t *localMemory(unsigned lane, uint64_t offset, uint64_t bytes, bool write);

  Block *block = nullptr;
  mutable unsigned faultLane = 0; ///< the lane that an instruction works on
  State state = State::Done;
  uint32_t barrier = 0; ///< the number of the barrier that it waits at

  /// Asynchronous copies to shared memory: those of the open group, and the committed groups, oldest first.
  struct Copy {
    uint32_t offset, count;
    std::array<uint8_t, 16> bytes;
  };
  std::array<std::vector<Copy>, kLanes> openCopies;
  std::array<std::deque<std::vector<Copy>>, kLanes> copyGroups;

  const Op &faultOp() const { return program.ops[current]; }
  uint32_t faultThread() const { return firstThread + faultLane; }

private:
  struct Group {
    uint32_t pc, mask;
  };
  bool step();
  bool gather();
  void switchGroup();
  void setJoin();
  [[noreturn]] void failUnwritten(Slot slot, uint32_t mask) const;

  const Program &program;
  struct alignas(64) Line {
    uint8_t bytes[64];
  };
  std::vector<Line> storage;
  struct File {
    uint8_t *start = nullptr;
    uint8_t *data() const { return start; }
  } file;
  std::vector<uint32_t> written; ///< lanes a slot
  std::vector<uint8_t> local, localWritten;
  uint32_t started = 0, active = 0, pc = 0, current = 0;
  uint32_t join = 0;          ///< the lowest pc of the other groups
  std::vector<Group> others;  ///< that can run
  std::vector<Group> waiting; ///< at a convergent instruction
  uint32_t firstThread = 0;
};

} // namespace halfstep::emulator

#endif // HALFSTEP_EMULATOR_WARP_H
