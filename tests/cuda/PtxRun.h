// Runs PTX text on the emulator's interpreter, without the driver around it.
#ifndef HALFSTEP_TESTS_CUDA_PTXRUN_H
#define HALFSTEP_TESTS_CUDA_PTXRUN_H

#include "emulator/Finding.h"
#include "emulator/Launch.h"

#include <cstring>
#include <string>
#include <vector>

namespace halfstep::emulator::test {

/// Each launch comes after all before it.
struct InOrder : OperationOrder {
  bool isBefore(uint32_t) const override { return true; }
};

class PtxRun {
public:
  /// body: the text of one kernel or several, behind the module's header. Throws PtxError.
  explicit PtxRun(const std::string &body, uint64_t seed = 1)
      : module(parsePtx(".version 7.0\n.target sm_80\n.address_size 64\n" + body)), random(seed) {
    for (const Kernel &kernel : module.kernels)
      programs.push_back(decode(kernel, {}));
  }

  template <typename T>
  uint64_t put(const std::vector<T> &values) {
    const uint64_t address = reserve(values.size() * sizeof(T));
    const GlobalMemory::Place place = memory.find(address, 1);
    std::memcpy(place.bytes->data(), values.data(), values.size() * sizeof(T));
    place.bytes->checkWrite(0, values.size() * sizeof(T), {});
    return address;
  }
  /// Memory that nothing has written.
  uint64_t reserve(size_t bytes) { return memory.allocate(bytes); }
  template <typename T>
  std::vector<T> get(uint64_t address, size_t count) {
    std::vector<T> values(count);
    const GlobalMemory::Place place = memory.find(address, count * sizeof(T));
    std::memcpy(values.data(), place.bytes->data() + place.offset, count * sizeof(T));
    return values;
  }

  /// Runs the first kernel with pointers as arguments; the finding, or "".
  std::string run(uint32_t blocks, uint32_t threads, const std::vector<uint64_t> &arguments,
                  uint64_t dynamicShared = 0) {
    Launch launch;
    launch.program = &programs.front();
    launch.grid[0] = blocks;
    launch.block[0] = threads;
    launch.dynamicShared = dynamicShared;
    launch.parameters.resize(arguments.size() * 8);
    if (!arguments.empty()) // memcpy takes no null pointer, not for 0 bytes either
      std::memcpy(launch.parameters.data(), arguments.data(), launch.parameters.size());
    uint64_t instructions = 0;
    try {
      runLaunch(launch, memory, ++operation, random, instructions);
      return "";
    } catch (const Finding &finding) {
      return finding.what();
    }
  }

private:
  PtxModule module;
  std::vector<Program> programs;
  InOrder order;
  GlobalMemory memory{uint64_t(1) << 30, &order};
  std::mt19937_64 random;
  uint32_t operation = 0;
};

/// A kernel with `pointers` parameters, loaded to %p0, %p1, ... and with %t = tid.x, %t4 = 4 * tid.x (64
/// bits).
inline std::string kernel(unsigned pointers, const std::string &declarations, const std::string &body) {
  std::string text = ".visible .entry k(", loads;
  for (unsigned i = 0; i < pointers; ++i) {
    const std::string number = std::to_string(i);
    text += (i ? ", " : "") + (".param .u64 .ptr .align 1 k_param_" + number);
    loads += "ld.param.b64 %p" + number + ", [k_param_" + number + "];\n";
  }
  return text + ")\n{\n.reg .b64 %p<" + std::to_string(pointers + 1) + ">, %t4;\n.reg .b32 %t;\n" +
         declarations + "\n" + loads + "mov.u32 %t, %tid.x;\nmul.wide.u32 %t4, %t, 4;\n" + body +
         "\nret;\n}\n";
}

} // namespace halfstep::emulator::test

#endif // HALFSTEP_TESTS_CUDA_PTXRUN_H
