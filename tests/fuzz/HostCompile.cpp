// Compiles models for this CPU alone, in half the time of `halfstep compile`, whose libraries serve all
// instruction levels.
//
// usage: host-compile PRECISION FOLDER MODEL...
//
// PRECISION is what --precision takes. Of each MODEL, in MLIR and for a batch of 1, makes FOLDER/STEM with
// libmodel.so in it; SGD with a learning rate of 1. Prints a line and exits with the code of the first error.
#include "codegen/library/Compile.h"
#include "import/PrecisionTable.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>

using namespace halfstep;

int main(int count, char **words) {
  if (count < 4) {
    std::fprintf(stderr, "usage: host-compile PRECISION FOLDER MODEL...\n");
    return int(ExitCode::Usage);
  }
  try {
    CompileRequest request;
    request.name = "model";
    request.hostOnly = true;
    request.recipe.batch = 1;
    request.recipe.loss.kind = "mse";
    request.recipe.optimizer.lr = 1;
    request.recipe.cpuGemm = "generated";
    request.recipe.precision = resolvePrecision(precisionSpecOf(words[1]), {"precision", ""}, "cpu");
    for (int i = 3; i < count; ++i) {
      request.model = words[i];
      request.outputDir = (std::filesystem::path(words[2]) / std::filesystem::path(words[i]).stem()).string();
      compileLibrary(request);
    }
  } catch (const Diagnostic &diagnostic) {
    std::fprintf(stderr, "error: %s\n", diagnostic.what());
    return int(diagnostic.code);
  }
  return 0;
}
