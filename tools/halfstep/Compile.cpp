// halfstep compile: a model and a recipe in, a folder with a library out.
#include "tools/halfstep/Compiler.h"
#include "tools/halfstep/ModelOptions.h"
#include "tools/halfstep/Report.h"
#include "tools/halfstep/Verbs.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

namespace halfstep {
namespace {

struct CompileOptions {
  RecipeOptions recipe;
  std::string model, output, name, emit;
  bool tune = false;
};

ExitCode runCompile(CompileOptions &options) {
  if (options.tune)
    notAvailable("--tune");
  Recipe recipe = options.recipe.resolve();
  if (!options.emit.empty())
    requireStage(options.emit, "--emit");
  if (options.emit.empty() || recipe.target == "tpu") // other targets have code to look at
    RecipeOptions::requireCompilableTarget(recipe);
  requireFile(options.model);
  RecipeOptions::requireLoss(recipe, options.model);
  CompileRequest request = compileRequest(options.model, options.name, recipe);
  if (!options.emit.empty()) {
    std::fputs(compiler().printStage(request, options.emit).c_str(), stdout);
    return ExitCode::Ok;
  }
  request.outputDir = options.output.empty() ? request.name : options.output;
  request.progress = printProgress;
  compiler().compileLibrary(request);
  std::printf("%s\n", oneLine(request.outputDir).c_str());
  return ExitCode::Ok;
}

} // namespace

void addCompile(CLI::App &app, Action &action) {
  CLI::App *verb = app.add_subcommand("compile", "Compile a model into a native training library");
  auto options = std::make_shared<CompileOptions>();
  verb->add_option("MODEL", options->model, ".onnx, the project's .json, or .mlir")->required();
  verb->add_option("-o,--output", options->output, "folder to write (default: the library's name)")
      ->type_name("DIR");
  verb->add_option("--name", options->name, "identifier of the library (default: the model file's stem)")
      ->type_name("ID");
  verb->add_option("--emit", options->emit,
                   "print this stage or form to stdout instead: import ... kernels, linalg, llvm, asm")
      ->type_name("STAGE");
  verb->add_flag("--tune", options->tune, "measure kernel choices; not available yet");
  options->recipe.addTo(*verb);
  verb->footer(
      "Prints the folder it wrote: libID.a, libID.so, ID.h, ID.manifest.json, ID.recipe.json, "
      "IDConfig.cmake,\n"
      "ID.pc, example.c.\n\n"
      "Examples:\n"
      "  halfstep compile model.json --loss cross_entropy --batch 64 --precision bf16-mixed -o build/model\n"
      "  halfstep compile model.onnx --recipe recipe.json --set optimizer.lr=0.1 --name digits\n"
      "  halfstep compile model.json --loss mse --emit llvm");
  verb->callback([options, &action] { action = [options] { return runCompile(*options); }; });
}

} // namespace halfstep
