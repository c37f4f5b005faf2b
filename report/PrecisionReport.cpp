// See PrecisionReport.h.
#include "report/PrecisionReport.h"

#include <algorithm>

namespace halfstep {

int64_t PrecisionReport::castKernels() const {
  return std::count_if(casts.begin(), casts.end(),
                       [](const CastReport &cast) { return cast.place == CastPlace::Kernel; });
}

std::span<const MemoryKind> memoryKinds() {
  static constexpr MemoryKind kinds[] = {
      {"params", "params", &MemoryReport::params},
      {"masters", "masters", &MemoryReport::masters},
      {"moments", "moments", &MemoryReport::moments},
      {"activations", "activations", &MemoryReport::activations},
      {"workspace", "workspace", &MemoryReport::workspace},
      {"gradients", "  gradients in it", &MemoryReport::gradients},
      {"arena", "arena", &MemoryReport::arena},
  };
  return kinds;
}

double estimateMicroseconds(int64_t bytes) { return double(bytes) / kBandwidth * 1e6; }

} // namespace halfstep
