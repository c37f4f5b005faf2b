// See Setup.h.
#include "runtime/trainer/Setup.h"

#include <numeric>

namespace halfstep {
namespace {

struct Policy {
  const char *name;
  hs_on_nonfinite value;
};
constexpr Policy policies[] = {{"", HS_NONFINITE_DEFAULT},
                               {"stop", HS_NONFINITE_STOP},
                               {"skip", HS_NONFINITE_SKIP},
                               {"ignore", HS_NONFINITE_IGNORE}};

} // namespace

hs_config instanceConfig(const RunOptions &options) {
  hs_config config = HS_CONFIG_INIT;
  config.threads = options.threads;
  config.seed = options.seed;
  for (const Policy &policy : policies)
    if (options.onNonfinite == policy.name) {
      config.on_nonfinite = policy.value;
      return config;
    }
  throw Diagnostic(ExitCode::Usage,
                   "--on-nonfinite is '" + options.onNonfinite + "', expected stop, skip or ignore");
}

std::vector<size_t> consecutive(size_t first, size_t count) {
  std::vector<size_t> indices(count);
  std::iota(indices.begin(), indices.end(), first);
  return indices;
}

} // namespace halfstep
