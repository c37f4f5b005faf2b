// Trainer.h's bench: the time of the compiled step, with its data in memory.
#include "runtime/embedded/isa.h"
#include "runtime/trainer/Dataset.h"
#include "runtime/trainer/Library.h"
#include "runtime/trainer/SampleOrder.h"
#include "runtime/trainer/Setup.h"
#include "runtime/trainer/Trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

namespace halfstep {
namespace {

constexpr size_t poolSize = 4; ///< batches
constexpr double kib = 1024, mib = kib * kib;
constexpr uint64_t firstStream = 1000; ///< of the random numbers of made-up data

/// Seconds since the process began, to the kernel's clock tick (10 ms); 0 when /proc cannot tell.
double secondsSinceStart() {
  std::ifstream file("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  // The second field, a name in parentheses, may hold blanks; starttime is the 20th after it.
  size_t at = text.rfind(')');
  for (int field = 0; field < 20 && at != std::string::npos; ++field)
    at = text.find(' ', at + 1);
  timespec now{};
  if (at == std::string::npos || clock_gettime(CLOCK_BOOTTIME, &now) != 0)
    return 0;
  double start = std::strtod(text.c_str() + at, nullptr) / double(sysconf(_SC_CLK_TCK));
  return double(now.tv_sec) + double(now.tv_nsec) * 1e-9 - start;
}

double peakRssMib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return double(usage.ru_maxrss) * kib / mib;
}

/// Uniform in [-1, 1), or ids.
void fillRow(const TensorSpec &spec, std::byte *row, uint64_t seed, uint64_t stream, uint64_t first) {
  for (size_t i = 0; i < spec.sampleCount(); ++i) {
    uint64_t bits = randomBits(seed, stream, first + i);
    std::byte *out = row + i * byteSize(spec.type);
    if (isFloat(spec.type)) {
      double value = std::ldexp(double(bits >> 11), -52) - 1;
      convert(spec.type, out, DataType::F64, reinterpret_cast<const std::byte *>(&value), 1);
    } else {
      int64_t id = int64_t(bits % uint64_t(std::max<int64_t>(spec.classes, 2)));
      convert(spec.type, out, DataType::I64, reinterpret_cast<const std::byte *>(&id), 1);
    }
  }
}

std::vector<Batch> synthesize(const Manifest &manifest, uint64_t seed) {
  std::vector<Batch> pool;
  for (uint64_t index = 0; index < poolSize; ++index) {
    Batch &batch = pool.emplace_back(manifest.inputs, manifest.targets, manifest.batch());
    for (size_t tensor = 0; tensor < manifest.inputs.size() + manifest.targets.size(); ++tensor) {
      const TensorSpec &spec = tensor < manifest.inputs.size()
                                   ? manifest.inputs[tensor]
                                   : manifest.targets[tensor - manifest.inputs.size()];
      for (size_t row = 0; row < size_t(manifest.batch()); ++row)
        fillRow(spec, batch.row(tensor, row), seed, firstStream + tensor,
                (index * uint64_t(manifest.batch()) + row) * spec.sampleCount());
    }
  }
  return pool;
}

/// The first samples of a file; a short file is repeated.
std::vector<Batch> fromFile(const RunOptions &options, const Manifest &manifest) {
  Dataset data(options.data, manifest, true, options.format);
  const std::vector<size_t> samples = data.samples();
  std::vector<Batch> pool;
  size_t size = size_t(manifest.batch());
  for (size_t index = 0; index < poolSize; ++index) {
    std::vector<size_t> indices = consecutive(index * size, size);
    for (size_t &sample : indices)
      sample = samples[sample % samples.size()];
    data.gather(indices, pool.emplace_back(data.makeBatch(manifest.batch())));
  }
  return pool;
}

/// The level that an instance picks: the highest compiled one that this CPU has. Levels are listed lowest
/// first.
std::string chosenIsa(const Manifest &manifest) {
  bool highest = hs_isa_of_this_cpu() >= HS_ISA_X86_64_V4_BF16;
  for (auto isa = manifest.isas.rbegin(); isa != manifest.isas.rend(); ++isa)
    if (highest || isa->find("v4") == std::string::npos)
      return *isa;
  return manifest.isas.empty() ? "" : manifest.isas.front();
}

double timeStep(Instance &instance, const Batch &batch) {
  auto begin = std::chrono::steady_clock::now();
  instance.trainStep(batch.inputs(), batch.targets());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

} // namespace

BenchResult bench(const RunOptions &options) {
  if (options.steps < 1)
    throw Diagnostic(ExitCode::Usage, "the number of steps must be positive");
  std::shared_ptr<const Library> library = Library::open(options.library);
  const Manifest &manifest = library->manifest();
  std::vector<Batch> pool =
      options.data.empty() ? synthesize(manifest, options.seed) : fromFile(options, manifest);
  // Made-up data may diverge; that must not end a measurement.
  hs_config config = instanceConfig(options);
  config.on_nonfinite = HS_NONFINITE_SKIP;
  Instance instance(library, config);

  std::optional<StepProfile> profile;
  if (options.profile)
    profile.emplace(*library);
  BenchResult result;
  result.firstStepS = timeStep(instance, pool[0]);
  result.startToFirstStepS = secondsSinceStart();
  std::vector<double> times(size_t(options.steps));
  if (profile)
    profile->begin();
  for (size_t i = 0; i < times.size(); ++i) {
    times[i] = timeStep(instance, pool[(i + 1) % poolSize]);
    if (profile)
      profile->addStep();
  }
  if (profile) {
    result.kernels = profile->finish();
    result.limits = options.limits ? *options.limits : measureLimits(options.threads, manifest.arenaBytes);
  }
  std::sort(times.begin(), times.end());
  size_t middle = times.size() / 2;
  double median = times.size() % 2 ? times[middle] : (times[middle - 1] + times[middle]) / 2;
  result.medianMs = median * 1e3;
  result.minMs = times.front() * 1e3;
  result.p90Ms = times[(times.size() * 9 - 1) / 10] * 1e3;
  result.workload = manifest.name;
  result.precision = manifest.precision;
  result.target = manifest.target;
  result.isa = chosenIsa(manifest);
  result.threads = options.threads;
  result.batch = manifest.batch();
  result.steps = options.steps;
  result.peakRssMib = peakRssMib();
  result.arenaMib = double(manifest.arenaBytes) / mib;
  result.libraryKib = double(std::filesystem::file_size(library->file())) / kib;
  return result;
}

} // namespace halfstep
