// See RunFlags.h.
#include "tools/halfstep/RunFlags.h"

#include <CLI/CLI.hpp>

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

void requireData(const RunOptions &run) {
  if (run.data.empty())
    throw Diagnostic(ExitCode::Usage, "data is required: --data FILE, or 'data.train' in the recipe");
}

} // namespace halfstep
