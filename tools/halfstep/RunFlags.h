// Flags of the verbs that run a library: where weights and data come from, and how steps are run.
#ifndef HALFSTEP_TOOLS_HALFSTEP_RUNFLAGS_H
#define HALFSTEP_TOOLS_HALFSTEP_RUNFLAGS_H

#include "runtime/trainer/Trainer.h"
#include "tools/halfstep/LibrarySource.h"

#include <CLI/App.hpp>

#include <string>

namespace halfstep {

/// What the command line says about one run.
class RunFlags {
public:
  /// MODEL_OR_LIBRARY (or LIBRARY), --data, --weights, --checkpoint, --threads.
  void addSource(CLI::App &verb, bool takesModel);
  void addWeights(CLI::App &verb);
  void addThreads(CLI::App &verb);
  /// --data and --data-target, for verbs that take no recipe.
  void addData(CLI::App &verb, const std::string &help);

  /// The positional argument.
  std::string source;
  RecipeOptions recipe;
  RunOptions run;
};

/// Data, split and format as the object `data` of a recipe says; `document` is the recipe.
void readDataSettings(const nlohmann::json &document, RunOptions &run);

/// Usage unless data was given.
void requireData(const RunOptions &run);

} // namespace halfstep

#endif // HALFSTEP_TOOLS_HALFSTEP_RUNFLAGS_H
