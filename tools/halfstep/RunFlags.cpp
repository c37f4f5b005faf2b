// See RunFlags.h.
#include "tools/halfstep/RunFlags.h"

#include "runtime/trainer/data/DataFile.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace halfstep {

void RunFlags::addSource(CLI::App &verb, bool takesModel) {
  verb.add_option(takesModel ? "MODEL_OR_LIBRARY" : "LIBRARY", source,
                  takesModel ? "a model (.onnx, .json, .mlir), a library's folder, or its .so"
                             : "a library's folder or its .so")
      ->required();
}

void RunFlags::addWeights(CLI::App &verb) {
  verb.add_option("--weights", run.weights, "start from these weights instead of the initial ones")
      ->type_name("FILE");
}

void RunFlags::addThreads(CLI::App &verb) {
  constexpr int maxThreads = 1024;
  verb.add_option("--threads", run.threads, "worker threads (default 1)")
      ->type_name("N")
      ->check(CLI::Range(1, maxThreads));
}

void RunFlags::addData(CLI::App &verb, const std::string &help) {
  verb.add_option("--data", run.data, help)->type_name("FILE");
  verb.add_option(
          "--data-target", run.format.target,
          "target column of a .csv file, by name or counted from 1 (default: that of the training run, or y, "
          "target or label, else the last)")
      ->type_name("COLUMN");
}

/// A number or a list of them.
static std::vector<double> numbersOf(const nlohmann::json &data, const char *key) {
  auto found = data.find(key);
  if (found == data.end())
    return {};
  return found->is_array() ? found->get<std::vector<double>>() : std::vector{found->get<double>()};
}

void readDataSettings(const nlohmann::json &document, RunOptions &run) {
  const nlohmann::json data = document.value("data", nlohmann::json::object());
  run.data = data.value("train", "");
  run.valSplit = data.value("val_split", 0.0);
  run.format.mean = numbersOf(data, "mean");
  run.format.std = numbersOf(data, "std");
  if (auto target = data.find("target"); target != data.end())
    run.format.target = target->is_string() ? target->get<std::string>() : target->dump();
}

void requireData(const RunOptions &run) {
  if (run.data.empty())
    throw Diagnostic(ExitCode::Usage,
                     std::string("data is required: --data FILE, or 'data.train' in the recipe; known are ") +
                         dataForms);
}

} // namespace halfstep
