// halfstep bench: how long the compiled step takes with its data in memory.
#include "runtime/trainer/data/DataFile.h"
#include "tools/halfstep/ModelOptions.h"
#include "tools/halfstep/ProfileText.h"
#include "tools/halfstep/Report.h"
#include "tools/halfstep/RunFlags.h"
#include "tools/halfstep/Verbs.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>
#include <memory>

namespace halfstep {
namespace {

LibrarySource prepare(RunFlags &flags, const Recipe &recipe) {
  if (isLibrary(flags.source))
    return LibrarySource::existing(flags.source, flags.recipe);
  requireFile(flags.source);
  RecipeOptions::requireLoss(recipe, flags.source);
  RecipeOptions::requireCompilableTarget(recipe);
  return LibrarySource::compiled(flags.source, recipe, /*separateOps=*/false, flags.run.profile);
}

nlohmann::ordered_json toJson(const BenchResult &result) {
  return {{"workload", result.workload},
          {"precision", result.precision},
          {"target", result.target},
          {"threads", result.threads},
          {"batch", result.batch},
          {"steps", result.steps},
          {"median_ms", result.medianMs},
          {"min_ms", result.minMs},
          {"p90_ms", result.p90Ms},
          {"first_step_s", result.firstStepS},
          {"start_to_first_step_s", result.startToFirstStepS},
          {"peak_rss_mib", result.peakRssMib},
          {"arena_mib", result.arenaMib},
          {"library_kib", result.libraryKib},
          {"isa", result.isa}};
}

ExitCode runBench(RunFlags &flags, bool json) {
  Recipe recipe = flags.recipe.resolve();
  flags.run.seed = recipe.seed;
  LibrarySource library = prepare(flags, recipe);
  flags.run.library = library.path();
  BenchResult result = bench(flags.run);
  // A library is named by an identifier; a model file may have a better name.
  if (!isLibrary(flags.source))
    result.workload = std::filesystem::path(flags.source).stem().string();
  nlohmann::ordered_json object = toJson(result);
  if (json) {
    if (flags.run.profile)
      object.update(profileJson(result));
    std::printf("%s\n", object.dump().c_str());
    return ExitCode::Ok;
  }
  for (const auto &[key, value] : object.items())
    std::printf("%s: %s\n", key.c_str(),
                oneLine(value.is_string() ? value.get<std::string>() : value.dump()).c_str());
  if (flags.run.profile)
    printProfile(result);
  return ExitCode::Ok;
}

} // namespace

void addBench(CLI::App &app, Action &action) {
  CLI::App *verb = app.add_subcommand("bench", "Time the compiled training step");
  auto flags = std::make_shared<RunFlags>();
  auto json = std::make_shared<bool>(false);
  auto limits = std::make_shared<std::string>();
  constexpr int64_t defaultSteps = 200;
  flags->run.steps = defaultSteps;
  flags->addSource(*verb, true);
  flags->addThreads(*verb);
  verb->add_option("--steps", flags->run.steps, "steps to time (default 200)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  flags->addData(*verb, std::string(dataForms) + " (default: made up from the seed)");
  CLI::Option *profile = verb->add_flag(
      "--profile", flags->run.profile,
      "time each kernel of the step, beside what the machine can do at most; compiles MODEL for it");
  verb->add_option("--limits", *limits, "what --profile compares with (default: measured)")
      ->type_name("GFLOPS_F32,GFLOPS_BF16,GBYTES")
      ->needs(profile);
  verb->add_flag("--json", *json, "print one JSON object instead of lines");
  flags->recipe.addTo(*verb);
  verb->footer("Example:\n"
               "  halfstep bench model.json --loss mse --precision bf16-mixed --threads 2 --json");
  verb->callback([flags, json, limits, &action] {
    if (!limits->empty())
      flags->run.limits = parseLimits(*limits);
    action = [flags, json] { return runBench(*flags, *json); };
  });
}

} // namespace halfstep
