// See Checkpoints.h.
#include "runtime/trainer/Checkpoints.h"

#include "halfstep/diagnostic.hpp"
#include "runtime/embedded/checkpoint.h"
#include "runtime/trainer/data/Safetensors.h"

#include <nlohmann/json.hpp>

#include <bit>
#include <charconv>
#include <filesystem>

namespace fs = std::filesystem;
using nlohmann::json;

namespace halfstep {
namespace {

constexpr std::string_view prefix = "step-", suffix = ".safetensors";

[[noreturn]] void refuse(const std::string &path, const std::string &what) {
  throw Diagnostic(ExitCode::Checkpoint, path + ": " + what);
}

/// N of "step-N.safetensors", or -1.
int64_t stepOf(std::string_view name) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix) || name.size() <= prefix.size() + suffix.size())
    return -1;
  std::string_view digits = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
  int64_t step = -1;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  return error == std::errc() && end == digits.data() + digits.size() ? step : -1;
}

} // namespace

std::string toMetadata(const TrainerState &state) {
  json text = {{"step", state.step},       {"updates", state.updates},    {"skipped", state.skipped},
               {"epoch", state.epoch},     {"cursor", state.cursor},      {"seed", state.seed},
               {"samples", state.samples}, {"batch", state.batch},        {"val_split", state.valSplit},
               {"shuffle", state.shuffle}, {"drop_last", state.dropLast}, {"data", state.format.toJson()}};
  if (state.scheduleSteps) {
    text["schedule_lr"] = state.scheduleLr;
    text["schedule_steps"] = state.scheduleSteps;
  }
  return text.dump();
}

std::string findCheckpoint(const std::string &path) {
  std::error_code error;
  if (!fs::is_directory(path, error))
    return path;
  int64_t newest = -1;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error))
    newest = std::max(newest, stepOf(at->path().filename().string()));
  if (error)
    throw Diagnostic(ExitCode::Io, path + ": " + error.message());
  if (newest < 0)
    throw Diagnostic(ExitCode::Io, path + ": holds no checkpoint (step-N.safetensors)");
  return checkpointPath(path, newest);
}

TensorFile readCheckpoint(const std::string &path) {
  try {
    TensorFile file = readSafetensors(path);
    if (!file.metadata.contains("halfstep_checkpoint"))
      refuse(path, "is not a checkpoint; it may be a file of weights (--weights)");
    return file;
  } catch (const Diagnostic &diagnostic) {
    if (diagnostic.code != ExitCode::BadInput)
      throw;
    throw Diagnostic(ExitCode::Checkpoint, diagnostic.what());
  }
}

TrainerState stateOf(const TensorFile &checkpoint) {
  auto user = checkpoint.metadata.find("user");
  if (user == checkpoint.metadata.end() || user->second.empty())
    refuse(checkpoint.path,
           "does not say where the run stood; give it to --weights to start a new run from it");
  json saved = json::parse(user->second, nullptr, false);
  TrainerState state;
  try {
    saved.at("step").get_to(state.step);
    saved.at("updates").get_to(state.updates);
    saved.at("skipped").get_to(state.skipped);
    saved.at("epoch").get_to(state.epoch);
    saved.at("cursor").get_to(state.cursor);
    saved.at("seed").get_to(state.seed);
    saved.at("samples").get_to(state.samples);
    saved.at("batch").get_to(state.batch);
    saved.at("val_split").get_to(state.valSplit);
    saved.at("shuffle").get_to(state.shuffle);
    saved.at("drop_last").get_to(state.dropLast);
    state.scheduleLr = saved.value("schedule_lr", 0.0);
    state.scheduleSteps = saved.value("schedule_steps", int64_t{0});
  } catch (const json::exception &) {
    refuse(checkpoint.path, "its metadata do not say where the run stood");
  }
  if (state.step < 0 || state.updates < 0 || state.skipped < 0 || state.epoch < 0 || state.cursor < 0 ||
      state.scheduleSteps < 0)
    refuse(checkpoint.path, "its metadata hold a negative count");
  state.format = formatIn(checkpoint.metadata);
  return state;
}

std::optional<float> learningRateOf(const TensorFile &checkpoint) {
  auto bits = checkpoint.metadata.find("lr_bits");
  uint32_t value = 0;
  if (bits == checkpoint.metadata.end() ||
      std::from_chars(bits->second.data(), bits->second.data() + bits->second.size(), value).ec !=
          std::errc())
    return std::nullopt;
  return std::bit_cast<float>(value);
}

void requireSameSettings(const std::string &path, const TrainerState &saved, const TrainerState &now) {
  auto require = [&](bool same, const std::string &what, const std::string &was, const std::string &is) {
    if (!same)
      refuse(path, "was saved with " + what + " " + was + ", this run has " + is +
                       "; resume with the same data and settings");
  };
  auto text = [](bool value) { return std::string(value ? "on" : "off"); };
  require(saved.samples == now.samples, "a number of samples of", std::to_string(saved.samples),
          std::to_string(now.samples));
  require(saved.batch == now.batch, "a batch of", std::to_string(saved.batch), std::to_string(now.batch));
  require(saved.valSplit == now.valSplit, "a validation split of", json(saved.valSplit).dump(),
          json(now.valSplit).dump());
  require(saved.shuffle == now.shuffle, "shuffling", text(saved.shuffle), text(now.shuffle));
  require(saved.format == now.format, "the data read as", saved.format.toJson(), now.format.toJson());
  require(saved.dropLast == now.dropLast, "--drop-last", text(saved.dropLast), text(now.dropLast));
}

void verifyChecksums(const TensorFile &checkpoint) {
  for (const TensorView &tensor : checkpoint.tensors) {
    char expected[17];
    std::snprintf(expected, sizeof expected, "%016llx",
                  static_cast<unsigned long long>(hs_checksum(tensor.data, tensor.bytes())));
    auto found = checkpoint.metadata.find("checksum." + tensor.name);
    if (found == checkpoint.metadata.end() || found->second != expected)
      refuse(checkpoint.path, "tensor '" + tensor.name + "' has a wrong checksum; the file is damaged");
  }
}

std::string checkpointPath(const std::string &folder, int64_t step) {
  return (fs::path(folder) / (std::string(prefix) + std::to_string(step) + std::string(suffix))).string();
}

} // namespace halfstep
