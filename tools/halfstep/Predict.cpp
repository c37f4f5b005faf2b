// halfstep predict: a model's outputs for a data file.
#include "runtime/trainer/data/DataFile.h"
#include "tools/halfstep/Report.h"
#include "tools/halfstep/RunFlags.h"
#include "tools/halfstep/Verbs.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

namespace halfstep {
namespace {

ExitCode runPredict(RunFlags &flags) {
  requireData(flags.run);
  LibrarySource library = LibrarySource::existing(flags.source, flags.recipe);
  flags.run.library = library.path();
  predict(flags.run);
  std::printf("%s\n", oneLine(flags.run.output).c_str());
  return ExitCode::Ok;
}

} // namespace

void addPredict(CLI::App &app, Action &action) {
  CLI::App *verb = app.add_subcommand("predict", "Outputs of a compiled library for data");
  auto flags = std::make_shared<RunFlags>();
  flags->addSource(*verb, false);
  flags->addWeights(*verb);
  flags->addThreads(*verb);
  verb->add_option("--checkpoint", flags->run.resume, "weights of a checkpoint instead")
      ->type_name("DIR|FILE")
      ->excludes("--weights");
  flags->addData(*verb, std::string(dataForms) + "; targets are not needed");
  verb->add_option("-o,--output", flags->run.output, ".npy, or .safetensors by output names")
      ->type_name("OUT")
      ->required();
  verb->footer("Prints the file it wrote.\n\n"
               "Example:\n"
               "  halfstep predict build/model --weights w.safetensors --data x.npy -o logits.npy");
  verb->callback([flags, &action] { action = [flags] { return runPredict(*flags); }; });
}

} // namespace halfstep
