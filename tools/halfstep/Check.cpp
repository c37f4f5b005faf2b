// halfstep check: every op and gradient of a model that is not supported, in one run.
#include "tools/halfstep/Compiler.h"
#include "tools/halfstep/ModelOptions.h"
#include "tools/halfstep/Report.h"
#include "tools/halfstep/Verbs.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

namespace halfstep {
namespace {

struct CheckOptions {
  RecipeOptions recipe;
  std::string model;
};

ExitCode runCheck(CheckOptions &options) {
  Recipe recipe = options.recipe.resolve();
  requireFile(options.model);
  std::vector<std::string> missing = compiler().checkModel(compileRequest(options.model, "", recipe));
  for (const std::string &line : missing)
    std::printf("%s\n", oneLine(line).c_str());
  if (missing.empty()) {
    std::printf("%s: everything is supported\n", oneLine(options.model).c_str());
    return ExitCode::Ok;
  }
  throw Diagnostic(ExitCode::Unsupported, options.model + ": " + std::to_string(missing.size()) +
                                              " not supported, listed on stdout");
}

} // namespace

void addCheck(CLI::App &app, Action &action) {
  CLI::App *verb = app.add_subcommand("check", "List every unsupported op and missing gradient of a model");
  auto options = std::make_shared<CheckOptions>();
  verb->add_option("MODEL", options->model, ".onnx, the project's .json, or .mlir")->required();
  options->recipe.addTo(*verb);
  verb->footer("Exit status 0: all is supported; 4: something is not.\n\n"
               "Example:\n"
               "  halfstep check model.onnx");
  verb->callback([options, &action] { action = [options] { return runCheck(*options); }; });
}

} // namespace halfstep
