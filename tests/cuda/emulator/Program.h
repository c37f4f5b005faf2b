// A kernel decoded for the interpreter: each instruction is a function over the lanes of a warp, each
// register a place in the warp's register file.
#ifndef HALFSTEP_EMULATOR_PROGRAM_H
#define HALFSTEP_EMULATOR_PROGRAM_H

#include "Ptx.h"

#include <array>
#include <deque>

namespace halfstep::emulator {

class Warp;

enum : unsigned { kLanes = 32 };
constexpr uint32_t kAllLanes = 0xFFFFFFFF;

/// The 32 lanes of a register, an immediate or a special register; of a predicate, one word with a bit a
/// lane.
struct Slot {
  uint32_t offset = 0; ///< bytes in the register file
  uint32_t index = 0;  ///< in the warp's masks of initialised lanes; 0 is always initialised
};

/// The operands that do not fit into an Op.
struct Detail {
  std::vector<Slot> results, sources;
  int64_t globalOffset = 0;  ///< of cp.async: what its global address adds
  bool sharedIsWide = false; ///< of cp.async: its shared address lies in 64 bits
};

struct Op {
  /// mask: the lanes that execute; never 0.
  using Run = void (*)(Warp &warp, const Op &op, uint32_t mask);
  Run run = nullptr;
  Slot result;
  std::array<Slot, 3> sources;
  Slot guard; ///< with guarded
  bool guarded = false, guardNegated = false;
  bool convergent = false; ///< lanes wait for each other here
  uint8_t bytes = 0;       ///< of an element in memory
  uint32_t instruction = 0;
  int64_t immediate = 0; ///< an address offset, a branch target, or what the function makes of it
  const Detail *detail = nullptr;
};

struct Program {
  const Kernel *kernel = nullptr; ///< owned by the module
  std::vector<Op> ops;
  std::deque<Detail> details; ///< stable addresses
  uint32_t slotBytes = 0, slotCount = 1;
  /// Slots that hold a value from the start: immediates, the same in every lane.
  struct Constant {
    Slot slot;
    unsigned bits;
    uint64_t value;
  };
  std::vector<Constant> constants;
  std::map<std::string, Slot> specials; ///< "%tid.x", 32 bits a lane
  uint64_t sharedBytes = 0, localBytes = 0, parameterBytes = 0;
};

/// Addresses of variables of the module in global memory, by name.
using VariableAddresses = std::map<std::string, uint64_t>;

/// Throws PtxError for an instruction that the emulator does not know: it is refused by name.
Program decode(const Kernel &kernel, const VariableAddresses &variables);

/// Generic addresses of shared and local memory lie in windows of their own.
constexpr uint64_t kSharedWindow = 0x00E0'0000'0000'0000, kLocalWindow = 0x00F0'0000'0000'0000;
constexpr uint64_t kWindowMask = 0xFFF0'0000'0000'0000;

} // namespace halfstep::emulator

#endif // HALFSTEP_EMULATOR_PROGRAM_H
