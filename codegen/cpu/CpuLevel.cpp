// The table of x86-64 instruction levels.
#include "codegen/cpu/CpuLevel.h"

namespace halfstep {

static constexpr CpuLevel levels[] = {
    {"x86-64-v3", "x86-64-v3", "", /*vectorBits=*/256, /*registers=*/16, /*bf16Dot=*/false},
    {"x86-64-v4-bf16", "x86-64-v4", "+avx512bf16", /*vectorBits=*/512, /*registers=*/32, /*bf16Dot=*/true},
};

llvm::ArrayRef<CpuLevel> cpuLevels() { return levels; }

const CpuLevel *findCpuLevel(llvm::StringRef name) {
  for (const CpuLevel &level : levels)
    if (level.name == name)
      return &level;
  return nullptr;
}

} // namespace halfstep
