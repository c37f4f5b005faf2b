// halfstep eval: loss and accuracy of a library with given weights on a data file.
#include "runtime/trainer/data/DataFile.h"
#include "tools/halfstep/RunFlags.h"
#include "tools/halfstep/Verbs.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <memory>

namespace halfstep {
namespace {

ExitCode runEval(RunFlags &flags, bool json) {
  requireData(flags.run);
  LibrarySource library = LibrarySource::existing(flags.source, flags.recipe);
  flags.run.library = library.path();
  Metrics metrics = evaluate(flags.run);
  if (json) {
    nlohmann::json object = {{"loss", metrics.loss}, {"samples", metrics.samples}, {"accuracy", nullptr}};
    if (metrics.accuracy)
      object["accuracy"] = *metrics.accuracy;
    std::printf("%s\n", object.dump().c_str());
    return ExitCode::Ok;
  }
  std::printf("samples: %lld\nloss: %.4f\n", static_cast<long long>(metrics.samples), metrics.loss);
  if (metrics.accuracy)
    std::printf("accuracy: %.4f\n", *metrics.accuracy);
  return ExitCode::Ok;
}

} // namespace

void addEval(CLI::App &app, Action &action) {
  CLI::App *verb = app.add_subcommand("eval", "Loss and accuracy of a compiled library on data");
  auto flags = std::make_shared<RunFlags>();
  auto json = std::make_shared<bool>(false);
  flags->addSource(*verb, false);
  flags->addWeights(*verb);
  flags->addThreads(*verb);
  verb->add_option("--checkpoint", flags->run.resume, "weights of a checkpoint instead")
      ->type_name("DIR|FILE")
      ->excludes("--weights");
  flags->addData(*verb, dataForms);
  verb->add_flag("--json", *json, "print one JSON object instead of lines");
  verb->footer("Example:\n"
               "  halfstep eval build/model --weights w.safetensors --data test.safetensors --json");
  verb->callback([flags, json, &action] { action = [flags, json] { return runEval(*flags, *json); }; });
}

} // namespace halfstep
