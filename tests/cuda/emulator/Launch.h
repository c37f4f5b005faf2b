// One launch of a kernel: its blocks and their warps in an order that the seed chooses.
#ifndef HALFSTEP_EMULATOR_LAUNCH_H
#define HALFSTEP_EMULATOR_LAUNCH_H

#include "GlobalMemory.h"
#include "Program.h"

#include <random>

namespace halfstep::emulator {

struct Launch {
  const Program *program = nullptr;
  std::array<uint32_t, 3> grid = {1, 1, 1}, block = {1, 1, 1};
  uint64_t dynamicShared = 0;
  std::vector<uint8_t> parameters;
};

/// Runs it to its end. Throws Finding with the kernel, instruction, block and thread. operation: its number
/// in stamps. instructions: counts what the threads executed.
void runLaunch(const Launch &launch, GlobalMemory &memory, uint32_t operation, std::mt19937_64 &random,
               uint64_t &instructions);

} // namespace halfstep::emulator

#endif // HALFSTEP_EMULATOR_LAUNCH_H
