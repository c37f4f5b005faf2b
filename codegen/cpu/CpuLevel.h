// The x86-64 instruction levels that kernels are generated for. A generated library holds every kernel once
// a level and picks one at load by cpuid, so all that differs between levels is a row of this table.
#ifndef HALFSTEP_CODEGEN_CPU_CPULEVEL_H
#define HALFSTEP_CODEGEN_CPU_CPULEVEL_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace halfstep {

/// One instruction level: what LLVM is told, and what the emitters may count on.
struct CpuLevel {
  /// Name in options, manifests and symbol suffixes.
  llvm::StringRef name;
  /// LLVM's `target-cpu` function attribute.
  llvm::StringRef targetCpu;
  /// LLVM's `target-features` function attribute, added to what `targetCpu` implies; may be empty.
  llvm::StringRef targetFeatures;
  /// Width of a vector register in bits, and the value of `prefer-vector-width`.
  int vectorBits;
  /// Number of vector registers.
  int registers;
  /// True where `vdpbf16ps` and `vcvtneps2bf16` exist.
  bool bf16Dot;
};

/// All levels, lowest first.
llvm::ArrayRef<CpuLevel> cpuLevels();

/// The level called `name`, or null.
const CpuLevel *findCpuLevel(llvm::StringRef name);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_CPULEVEL_H
