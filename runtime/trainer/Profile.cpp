// See Profile.h.
#include "runtime/trainer/Profile.h"

#include "runtime/trainer/Library.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <tuple>
#include <x86intrin.h>

namespace halfstep {

static double nowMs() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

static std::vector<KernelProfile> readKernels(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  try {
    std::vector<KernelProfile> kernels;
    const nlohmann::json document = nlohmann::json::parse(stream);
    for (const nlohmann::json &each : document.at("kernels")) {
      KernelProfile &kernel = kernels.emplace_back();
      each.at("layer").get_to(kernel.layer);
      each.at("kind").get_to(kernel.kind);
      each.at("ops").get_to(kernel.ops);
      each.at("compute").get_to(kernel.compute);
      each.at("flops").get_to(kernel.flops);
      each.at("bytes").get_to(kernel.bytes);
    }
    return kernels;
  } catch (const nlohmann::json::exception &) {
    throw Diagnostic(ExitCode::BadInput, path + ": not the list of kernels of a profiled library");
  }
}

double KernelProfile::boundMs(const MachineLimits &limits) const {
  double peak = compute == "bf16"  ? limits.bf16Gflops
                : compute == "f64" ? limits.f32Gflops / 2
                                   : limits.f32Gflops;
  return std::max(flops / peak, bytes / limits.gbytes) * 1e-6;
}

StepProfile::StepProfile(const Library &library) : stamps(library.kernelStamps()) {
  if (!stamps)
    throw Diagnostic(ExitCode::Usage,
                     library.file() + ": was not compiled for profiling; give --profile the model instead");
  std::filesystem::path folder = std::filesystem::path(library.file()).parent_path();
  kernels = readKernels((folder / (library.manifest().name + ".profile.json")).string());
  ticks.resize(kernels.size());
}

void StepProfile::begin() {
  firstTicks = __rdtsc();
  firstMs = nowMs();
}

void StepProfile::addStep() {
  for (size_t i = 0; i < kernels.size(); ++i)
    ticks[i].push_back(double(stamps[i + 1] - stamps[i]));
}

double StepProfile::msPerTick() const { return (nowMs() - firstMs) / double(__rdtsc() - firstTicks); }

/// Numbers of the kernels that are told as one, in the order of the step.
std::vector<std::vector<size_t>> StepProfile::groups() const {
  std::vector<std::vector<size_t>> found;
  auto key = [&](size_t i) {
    const KernelProfile &kernel = kernels[i];
    return std::tie(kernel.layer, kernel.kind, kernel.ops, kernel.flops, kernel.bytes);
  };
  for (size_t i = 0; i < kernels.size(); ++i) {
    auto same = std::find_if(found.begin(), found.end(),
                             [&](const std::vector<size_t> &group) { return key(group[0]) == key(i); });
    if (same == found.end())
      found.push_back({i});
    else
      same->push_back(i);
  }
  return found;
}

std::vector<KernelProfile> StepProfile::finish() const {
  double scale = msPerTick();
  std::vector<KernelProfile> found;
  for (const std::vector<size_t> &group : groups()) {
    KernelProfile sum = kernels[group[0]];
    sum.calls = int64_t(group.size());
    sum.flops *= double(group.size());
    sum.bytes *= double(group.size());
    std::vector<double> times(ticks[group[0]].size(), 0);
    for (size_t i : group)
      std::transform(times.begin(), times.end(), ticks[i].begin(), times.begin(), std::plus<>());
    std::sort(times.begin(), times.end());
    if (!times.empty()) {
      sum.minMs = times.front() * scale;
      sum.medianMs = times[times.size() / 2] * scale;
    }
    found.push_back(sum);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const KernelProfile &a, const KernelProfile &b) { return a.medianMs > b.medianMs; });
  return found;
}

} // namespace halfstep
