// halfstep inspect: the IR of a model after a stage of the compiler.
#include "tools/halfstep/Compiler.h"
#include "tools/halfstep/ModelOptions.h"
#include "tools/halfstep/Verbs.h"

#include "import/SpecReader.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

namespace halfstep {
namespace {

struct InspectOptions {
  RecipeOptions recipe;
  std::string model, after, emit, diff, html;
  bool json = false;
};

ExitCode runInspect(InspectOptions &options) {
  if (!options.diff.empty())
    notAvailable("--diff");
  if (!options.html.empty())
    notAvailable("--html");
  if (options.json)
    notAvailable("the precision report (--json)");
  Recipe recipe = options.recipe.resolve();
  const bool emit = !options.emit.empty();
  if (emit && !options.after.empty())
    throw Diagnostic(ExitCode::Usage, "--emit contradicts --after: give one of the two");
  const std::string &stage = emit ? options.emit : options.after;
  if (stage.empty())
    throw Diagnostic(ExitCode::Usage, "a stage is required: --after " + quotedList(compiler().stageNames()));
  requireStage(stage, emit ? "--emit" : "--after");
  requireFile(options.model);
  RecipeOptions::requireLoss(recipe, options.model);
  std::fputs(compiler().printStage(compileRequest(options.model, "", recipe), stage).c_str(), stdout);
  return ExitCode::Ok;
}

} // namespace

void addInspect(CLI::App &app, Action &action) {
  CLI::App *verb = app.add_subcommand("inspect", "Print the IR of a model after a stage of the compiler");
  auto options = std::make_shared<InspectOptions>();
  verb->add_option("MODEL", options->model, ".onnx, the project's .json, or .mlir")->required();
  verb->add_option(
          "--after", options->after,
          "import, place-casts, differentiate, scale-loss, optimizer, minimize-casts, masters, fuse, "
          "plan-memory or kernels")
      ->type_name("STAGE");
  verb->add_option("--emit", options->emit, "the kernels as linalg, gpu, nvvm, llvm, ptx or asm")
      ->type_name("FORM");
  verb->add_option("--diff", options->diff, "a second precision beside the first; not available yet")
      ->type_name("SPEC");
  verb->add_option("--html", options->html, "a report as a page; not available yet")->type_name("FILE");
  verb->add_flag("--json", options->json, "the precision report as JSON; not available yet");
  options->recipe.addTo(*verb);
  verb->footer(
      "Examples:\n"
      "  halfstep inspect model.json --loss cross_entropy --precision bf16-mixed --after place-casts\n"
      "  halfstep inspect model.onnx --loss mse --emit asm");
  verb->callback([options, &action] { action = [options] { return runInspect(*options); }; });
}

} // namespace halfstep
