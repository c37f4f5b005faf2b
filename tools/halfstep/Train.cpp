// halfstep train: a library, or a model that is compiled for this run, is trained on a data file.
#include "tools/halfstep/ModelOptions.h"
#include "tools/halfstep/Report.h"
#include "tools/halfstep/RunFlags.h"
#include "tools/halfstep/Verbs.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <memory>
#include <optional>

namespace halfstep {
namespace {

/// Lets the trainer compile the model once more when it has a step to explain.
void explainNonfinite(RunOptions &run, const std::string &model, const Recipe &recipe) {
  auto separate = std::make_shared<std::optional<LibrarySource>>();
  run.separateOps = [model, recipe, separate] {
    *separate = LibrarySource::compiled(model, recipe, /*separateOps=*/true);
    return (*separate)->path();
  };
  run.explain = printNoteLines;
}

/// The library to train. A model gets, unless asked otherwise, a second batch size for the short last batch.
LibrarySource prepare(RunFlags &flags, Recipe recipe, bool explain) {
  if (isLibrary(flags.source)) {
    if (explain)
      throw Diagnostic(ExitCode::Usage,
                       "--explain-nonfinite compiles the step once more, with each op on its own, "
                       "and '" +
                           flags.source + "' is a library already: give the model file");
    return LibrarySource::existing(flags.source, flags.recipe);
  }
  requireFile(flags.source);
  RecipeOptions::requireLoss(recipe, flags.source);
  RecipeOptions::requireCompilableTarget(recipe);
  if (!flags.run.dropLast && recipe.tailBatch == 0)
    recipe.tailBatch = trainingSamples(flags.run.data, flags.run.valSplit) % recipe.batch;
  if (explain && recipe.accumulate > 1)
    throw Diagnostic(ExitCode::Usage, "--explain-nonfinite contradicts --accumulate " +
                                          std::to_string(recipe.accumulate) +
                                          ": it runs the one batch of a step again; use --accumulate 1");
  if (explain)
    explainNonfinite(flags.run, flags.source, recipe);
  return LibrarySource::compiled(flags.source, recipe);
}

void printJson(const RunResult &result) {
  nlohmann::json object = {{"loss", result.train.loss}, {"samples", result.train.samples},
                           {"steps", result.steps},     {"updates", result.updates},
                           {"skipped", result.skipped}, {"scale", result.scale},
                           {"accuracy", nullptr}};
  if (result.train.accuracy)
    object["accuracy"] = *result.train.accuracy;
  if (result.heldOut) {
    object["val_loss"] = result.heldOut->loss;
    object["val_samples"] = result.heldOut->samples;
    if (result.heldOut->accuracy)
      object["val_accuracy"] = *result.heldOut->accuracy;
  }
  std::printf("%s\n", object.dump().c_str());
}

void printLines(const RunResult &result) {
  std::printf("steps: %lld\n", static_cast<long long>(result.steps));
  std::printf("train loss: %.4f\n", result.train.loss);
  if (!result.heldOut)
    return;
  std::printf("held-out loss: %.4f\n", result.heldOut->loss);
  if (result.heldOut->accuracy)
    std::printf("held-out accuracy: %.4f\n", *result.heldOut->accuracy);
}

ExitCode runTrain(RunFlags &flags, bool json, bool explain) {
  Recipe recipe = flags.recipe.resolve();
  const nlohmann::json &document = flags.recipe.document();
  readDataSettings(document, flags.run);
  requireData(flags.run);
  flags.run.steps = document.value("steps", int64_t{0});
  flags.run.epochs = document.value("epochs", int64_t{1});
  flags.run.seed = recipe.seed;
  LibrarySource library = prepare(flags, recipe, explain);
  flags.run.library = library.path();
  RunResult result = train(flags.run);
  json ? printJson(result) : printLines(result);
  return ExitCode(result.exitCode);
}

} // namespace

void addTrain(CLI::App &app, Action &action) {
  CLI::App *verb = app.add_subcommand("train", "Train a model or a compiled library");
  auto flags = std::make_shared<RunFlags>();
  auto json = std::make_shared<bool>(false), explain = std::make_shared<bool>(false);
  RunOptions &run = flags->run;
  flags->addSource(*verb, true);
  flags->addWeights(*verb);
  flags->addThreads(*verb);
  verb->add_flag("--shuffle,!--no-shuffle", run.shuffle,
                 "shuffle the samples of every epoch by the seed (default on)");
  verb->add_flag("--drop-last", run.dropLast,
                 "leave out the short last batch of an epoch instead of training it");
  verb->add_option("--log", run.log, "one JSON object a step; a resumed run appends")
      ->type_name("FILE.jsonl");
  verb->add_option("--checkpoint", run.checkpoint, "save checkpoints here, at the end and on Ctrl-C")
      ->type_name("DIR");
  verb->add_option("--checkpoint-every", run.checkpointEvery, "also save every N steps")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->needs("--checkpoint");
  verb->add_option("--resume", run.resume, "go on from a checkpoint, or from the newest one of a folder")
      ->type_name("DIR|FILE");
  verb->add_option("--on-nonfinite", run.onNonfinite,
                   "what to do about gradients that are not finite: stop, skip or ignore (default: skip with "
                   "a scaler, else stop)")
      ->check(CLI::IsMember({"stop", "skip", "ignore"}))
      ->group("Numerics");
  verb->add_flag("--explain-nonfinite", *explain,
                 "say which op made the first value that is not finite when a step is skipped or its loss or "
                 "gradients are not finite: the step is run again with each op on its own. Once, and again "
                 "when it is another op. Needs the model; costs a copy of the state a step")
      ->group("Numerics");
  verb->add_flag("--json", *json, "print one JSON object instead of lines");
  flags->recipe.addTo(*verb);
  flags->recipe.addRunTo(*verb);
  verb->footer(
      "Prints the training loss and, with --val-split, the loss and accuracy on the samples held out.\n\n"
      "Data:\n"
      "  .safetensors, .npz   tensors called as the model's inputs (x), and y for the targets\n"
      "  .npy                 one file a tensor: x.npy,y.npy\n"
      "  .csv                 one sample a line; a column is the target (--data-target)\n"
      "  .txt                 a model with ids i64 [N, T] learns the next character of windows of T\n"
      "  a folder             sub-folders of .png files are classes; scaled to [0, 1], then by data.mean and "
      "data.std\n\n"
      "Examples:\n"
      "  halfstep train model.json --data digits.safetensors --loss cross_entropy --epochs 20 --val-split "
      "0.2\n"
      "  halfstep train gpt.json --data corpus.txt --loss cross_entropy --precision 16-mixed --val-split "
      "0.1\n"
      "  halfstep train build/model --data x.npy,y.npy --steps 1000 --log run.jsonl --checkpoint run");
  verb->callback([flags, json, explain, &action] {
    action = [flags, json, explain] { return runTrain(*flags, *json, *explain); };
  });
}

} // namespace halfstep
