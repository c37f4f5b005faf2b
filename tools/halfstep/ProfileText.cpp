// See ProfileText.h.
#include "tools/halfstep/ProfileText.h"

#include "tools/halfstep/Report.h"

#include <cstdio>

namespace halfstep {

MachineLimits parseLimits(const std::string &text) {
  MachineLimits limits;
  char rest = 0;
  int found = std::sscanf(text.c_str(), "%lf,%lf,%lf%c", &limits.f32Gflops, &limits.bf16Gflops,
                          &limits.gbytes, &rest);
  if (found != 3 || !(limits.f32Gflops > 0 && limits.bf16Gflops > 0 && limits.gbytes > 0))
    throw Diagnostic(ExitCode::Usage, "--limits: expected GFLOP/s in f32, GFLOP/s in bf16 and GB/s, as in "
                                      "117,235,94, got '" +
                                          text + "'");
  return limits;
}

nlohmann::ordered_json profileJson(const BenchResult &result) {
  const MachineLimits &limits = result.limits;
  auto kernels = nlohmann::ordered_json::array();
  for (const KernelProfile &kernel : result.kernels)
    kernels.push_back({{"layer", kernel.layer},
                       {"kind", kernel.kind},
                       {"ops", kernel.ops},
                       {"calls", kernel.calls},
                       {"min_ms", kernel.minMs},
                       {"median_ms", kernel.medianMs},
                       {"flops", kernel.flops},
                       {"bytes", kernel.bytes},
                       {"compute", kernel.compute},
                       {"gflops", kernel.flops / kernel.medianMs * 1e-6},
                       {"gbytes", kernel.bytes / kernel.medianMs * 1e-6},
                       {"fraction", kernel.boundMs(limits) / kernel.medianMs}});
  return {{"limits",
           {{"source", limits.measured ? "probe" : "flag"},
            {"f32_gflops", limits.f32Gflops},
            {"bf16_gflops", limits.bf16Gflops},
            {"gbytes", limits.gbytes}}},
          {"kernels", kernels}};
}

void printProfile(const BenchResult &result) {
  const MachineLimits &limits = result.limits;
  std::printf("\nlimits, %s: %.1f GFLOP/s f32, %.1f GFLOP/s bf16, %.1f GB/s\n\n",
              limits.measured ? "measured by a probe" : "as given", limits.f32Gflops, limits.bf16Gflops,
              limits.gbytes);
  double total = 0, bound = 0;
  for (const KernelProfile &kernel : result.kernels) {
    total += kernel.medianMs;
    bound += kernel.boundMs(limits);
  }
  std::printf("%9s %9s %6s %6s %9s %8s %6s  %s\n", "median ms", "min ms", "share", "calls", "GFLOP/s", "GB/s",
              "limit", "kernel");
  for (const KernelProfile &kernel : result.kernels)
    std::printf("%9.4f %9.4f %5.1f%% %6lld %9.1f %8.1f %5.0f%%  %s: %s (%s)\n", kernel.medianMs, kernel.minMs,
                100 * kernel.medianMs / total, static_cast<long long>(kernel.calls),
                kernel.flops / kernel.medianMs * 1e-6, kernel.bytes / kernel.medianMs * 1e-6,
                100 * kernel.boundMs(limits) / kernel.medianMs, kernel.kind.c_str(),
                oneLine(kernel.ops).c_str(), oneLine(kernel.layer).c_str());
  std::printf("%9.4f %33s %5.0f%%  all kernels\n", total, "", 100 * bound / total);
}

} // namespace halfstep
