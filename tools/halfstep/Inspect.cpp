// halfstep inspect: what a precision spec does to a model, or the IR after a stage of the compiler.
#include "tools/halfstep/Compiler.h"
#include "tools/halfstep/ModelOptions.h"
#include "tools/halfstep/Ranges.h"
#include "tools/halfstep/Verbs.h"

#include "import/SpecReader.h"
#include "report/ReportDiff.h"
#include "report/ReportJson.h"
#include "report/ReportPage.h"
#include "report/ReportText.h"
#include "runtime/trainer/data/AtomicFile.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace halfstep {
namespace {

struct InspectOptions {
  RecipeOptions recipe;
  RangeOptions ranges;
  std::string model, after, emit, diff, html;
  bool json = false;
};

/// The one stage that is printed as IR; empty: a report is.
std::string printedStage(const InspectOptions &options) {
  if (options.ranges.isRequested() && !(options.emit + options.after + options.diff + options.html).empty())
    throw Diagnostic(ExitCode::Usage,
                     "--ranges is a report of its own: remove it, or --after, --emit, --diff and --html");
  const bool report = options.json || !options.diff.empty() || !options.html.empty();
  if (!options.emit.empty() && !options.after.empty())
    throw Diagnostic(ExitCode::Usage, "--emit contradicts --after: give one of the two");
  if (!options.emit.empty() && report)
    throw Diagnostic(ExitCode::Usage,
                     "--emit prints code, not a report: remove it, or --json, --diff and --html");
  if (!options.after.empty() && report && options.html.empty())
    throw Diagnostic(ExitCode::Usage,
                     "--after prints IR, not a report: remove it, or --json and --diff; with "
                     "--html it chooses the IR that the page shows");
  return !options.emit.empty() ? options.emit : report ? "" : options.after;
}

/// Code is a target's, the stages before it are everyone's.
void requireForm(const std::string &stage, const Recipe &recipe) {
  const std::vector<std::string> &stages = compiler().stageNames();
  bool code = stage == "kernels" || std::find(stages.begin(), stages.end(), stage) == stages.end();
  if (code && recipe.target == "tpu")
    throw Diagnostic(ExitCode::Unsupported,
                     "there is no '" + stage + "' for target 'tpu' yet; its stages end at 'plan-memory'");
}

/// The stages whose IR the page shows: of one report before and after, of two each one's after.
std::vector<std::string> pageStages(const InspectOptions &options) {
  if (options.html.empty())
    return {};
  const std::string after = options.after.empty() ? "minimize-casts" : options.after;
  const std::vector<std::string> &stages = compiler().stageNames();
  if (std::find(stages.begin(), stages.end(), after) == stages.end())
    throw Diagnostic(ExitCode::Usage, "--after: '" + after +
                                          "' is code, which the page of --html does not show; "
                                          "expected one of " +
                                          quotedList(stages));
  return options.diff.empty() ? std::vector<std::string>{"import", after} : std::vector{after};
}

std::vector<PrecisionReport> makeReports(const InspectOptions &options, const Recipe &recipe) {
  std::vector<Recipe> recipes = {recipe};
  if (!options.diff.empty())
    recipes.push_back(options.recipe.resolveWith(options.diff));
  const std::vector<std::string> stages = pageStages(options);
  std::vector<PrecisionReport> reports;
  for (const Recipe &each : recipes)
    reports.push_back(compiler().reportPrecision(compileRequest(options.model, "", each), stages));
  if (reports.size() == 2 && reports[0].label == reports[1].label) {
    reports[0].label += " (first)";
    reports[1].label += " (second)";
  }
  return reports;
}

void writePage(const std::string &path, const std::string &page) {
  AtomicFile file(path);
  file.write(page.data(), page.size());
  file.commit();
}

void printReports(const InspectOptions &options, const Recipe &recipe) {
  const std::vector<PrecisionReport> reports = makeReports(options, recipe);
  const bool two = reports.size() == 2;
  if (!options.html.empty())
    writePage(options.html, reportPage(reports));
  std::string text = oneLine(options.html) + "\n";
  if (options.json)
    text = dumpJson(two ? diffToJson(reports[0], reports[1]) : reportToJson(reports[0])) + "\n";
  else if (options.html.empty())
    text = two ? diffText(reports[0], reports[1]) : reportText(reports[0]);
  std::fputs(text.c_str(), stdout);
}

ExitCode runInspect(InspectOptions &options) {
  Recipe recipe = options.recipe.resolve();
  const std::string stage = printedStage(options);
  for (const std::string &name : {options.after, options.emit})
    if (!name.empty()) {
      requireStage(name, name == options.emit ? "--emit" : "--after");
      requireForm(name, recipe);
    }
  requireFile(options.model);
  RecipeOptions::requireLoss(recipe, options.model);
  if (options.ranges.isRequested())
    options.ranges.print(options.model, recipe, options.recipe, options.json);
  else if (stage.empty())
    printReports(options, recipe);
  else
    std::fputs(compiler().printStage(compileRequest(options.model, "", recipe), stage).c_str(), stdout);
  return ExitCode::Ok;
}

} // namespace

void addInspect(CLI::App &app, Action &action) {
  CLI::App *verb = app.add_subcommand("inspect", "Explain what a precision spec does to a model");
  auto options = std::make_shared<InspectOptions>();
  auto notEmpty = [](const std::string &text) {
    return std::string(text.empty() ? "expected a value, got ''" : "");
  };
  verb->add_option("MODEL", options->model, ".onnx, the project's .json, or .mlir")->required();
  verb->add_flag("--json", options->json, "the report as one JSON object");
  verb->add_option("--html", options->html, "the report as a page that needs nothing else; prints its path")
      ->type_name("FILE")
      ->check(notEmpty);
  verb->add_option("--diff", options->diff,
                   "a second spec, as --precision takes it: two reports side by side")
      ->type_name("SPEC")
      ->check(notEmpty);
  verb->add_option(
          "--after", options->after,
          "print the IR after a stage instead: import, place-casts, differentiate, scale-loss, optimizer, "
          "minimize-casts, masters, fuse, plan-memory or kernels; with --html, the IR that the page shows "
          "(default minimize-casts)")
      ->type_name("STAGE");
  verb->add_option("--emit", options->emit,
                   "print the kernels instead, as linalg, gpu, nvvm, llvm, ptx or asm")
      ->type_name("FORM");
  options->ranges.addTo(*verb);
  options->recipe.addTo(*verb);
  verb->footer(
      "Prints the precision report: each op's class, type and the reason; casts, weights and memory.\n\n"
      "Examples:\n"
      "  halfstep inspect model.json --loss cross_entropy --precision bf16-mixed\n"
      "  halfstep inspect model.json --loss cross_entropy --precision bf16-mixed --diff O2 --html "
      "report.html\n"
      "  halfstep inspect model.json --loss cross_entropy --precision bf16-mixed --after place-casts\n"
      "  halfstep inspect model.json --loss cross_entropy --ranges --data digits.safetensors\n"
      "  halfstep inspect model.onnx --loss mse --emit asm");
  verb->callback([options, &action] { action = [options] { return runInspect(*options); }; });
}

} // namespace halfstep
