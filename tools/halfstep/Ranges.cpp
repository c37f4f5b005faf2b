// See Ranges.h. The calibration is compiled in f32 with each op on its own, so that a value that a narrower
// type could not hold is seen as it is.
#include "tools/halfstep/Ranges.h"

#include "import/PrecisionTable.h"
#include "report/ReportJson.h"
#include "report/TextTable.h"
#include "tools/halfstep/Compiler.h"
#include "tools/halfstep/LibrarySource.h"
#include "tools/halfstep/ModelOptions.h"
#include "tools/halfstep/RangeSuggestion.h"
#include "tools/halfstep/RunFlags.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>

using nlohmann::json;
using nlohmann::ordered_json;

namespace halfstep {
namespace {

/// A report, whichever way it is printed.
struct RangeReport {
  std::string model;
  int64_t batch;
  PrecisionSpec spec; ///< the one that is judged
  Calibration calibration;
  RangeSuggestion suggestion;
};

const char *roleName(TensorRecord::Role role) {
  static constexpr const char *names[] = {"input", "parameter", "forward", "gradient"};
  return names[size_t(role)];
}

double fraction(size_t part, const TensorRecord &record) {
  return record.count ? double(part) / double(record.count) : 0;
}

ordered_json toJson(const TensorRecord &record) {
  ordered_json object = {{"role", roleName(record.role)},
                         {"name", record.name},
                         {"layer", record.layer},
                         {"op", record.op},
                         {"place", record.place},
                         {"result", record.result},
                         {"shape", record.shape},
                         {"scale", record.scale},
                         {"count", record.count},
                         {"min", record.min},
                         {"max", record.max},
                         {"amax", record.amax()},
                         {"not_finite", record.notFinite}};
  for (size_t type = 0; type < kNarrowTypes.size(); ++type) {
    object["overflow"][kNarrowTypes[type].name] = fraction(record.overflows[type], record);
    object["flush_to_zero"][kNarrowTypes[type].name] = fraction(record.zeros[type], record);
  }
  return object;
}

ordered_json toJson(const RangeReport &report) {
  ordered_json object = {{"model", report.model},
                         {"precision", report.spec.name},
                         {"batch", report.batch},
                         {"steps", report.calibration.steps},
                         {"skipped", report.calibration.skipped},
                         {"loss_scale", report.spec.lossScale}};
  for (const NarrowType &type : kNarrowTypes)
    object["limits"][type.name] = {
        {"max", type.largest}, {"overflow_from", type.overflowFrom}, {"zero_up_to", type.zeroUpTo}};
  object["tensors"] = ordered_json::array();
  for (const TensorRecord &record : report.calibration.tensors)
    object["tensors"].push_back(toJson(record));
  object["suggestion"] = report.suggestion.spec;
  object["reasons"] = report.suggestion.reasons;
  return object;
}

/// "1.2%/-": overflowing and flushed values.
std::string shareText(size_t overflows, size_t zeros, const TensorRecord &record) {
  auto percent = [&](size_t part) {
    return part ? numberText("%.3g%%", 100 * fraction(part, record)) : std::string("-");
  };
  return percent(overflows) + "/" + percent(zeros);
}

std::string tensorText(const TensorRecord &record) {
  if (record.role == TensorRecord::Role::Gradient && !record.name.empty())
    return record.name;
  if (record.op.empty())
    return record.name;
  std::string text = (record.layer.empty() ? "" : record.layer + " ") + record.op;
  return record.result ? text + "#" + std::to_string(record.result) : text;
}

void printText(const RangeReport &report) {
  std::printf("%s: ranges in f32 over %lld steps of %lld samples; gradients at a loss scale of %.9g\n",
              oneLine(report.model).c_str(), static_cast<long long>(report.calibration.steps),
              static_cast<long long>(report.batch), report.spec.lossScale);
  std::printf("under each type: the part of the values that overflows / that becomes zero\n\n");
  std::vector<std::string> headings = {"tensor", "role", "shape", ">min", ">max"};
  for (const NarrowType &type : kNarrowTypes)
    headings.push_back(std::string(">") + type.name);
  TextTable table(headings);
  for (const TensorRecord &record : report.calibration.tensors) {
    std::vector<std::string> cells = {tensorText(record), roleName(record.role), shapeText(record.shape),
                                      numberText("%.3g", record.min), numberText("%.3g", record.max)};
    for (size_t type = 0; type < kNarrowTypes.size(); ++type)
      cells.push_back(shareText(record.overflows[type], record.zeros[type], record));
    table.add(cells);
  }
  std::fputs(table.text().c_str(), stdout);
  if (report.calibration.skipped)
    std::printf("\n%lld of the steps had gradients that are not finite in f32, and updated nothing\n",
                static_cast<long long>(report.calibration.skipped));
  for (const TensorRecord &record : report.calibration.tensors)
    if (record.notFinite)
      std::printf("%zu of %zu values of %s are not finite in f32\n", record.notFinite, record.count,
                  oneLine(tensorText(record)).c_str());
}

/// `text` as one word of a shell.
std::string quoted(const std::string &text) {
  std::string word = "'";
  for (char each : text)
    word += each == '\'' ? std::string("'\\''") : std::string(1, each);
  return word + "'";
}

void printSuggestion(const RangeReport &report) {
  if (report.suggestion.spec.is_null()) {
    std::printf("\n%s needs no override: no value is beyond the range of the type that it has there\n",
                report.spec.name.c_str());
    return;
  }
  std::printf("\nsuggestion: --precision %s\n", quoted(dumpJson(report.suggestion.spec)).c_str());
  for (const std::string &reason : report.suggestion.reasons)
    std::printf("  %s\n", oneLine(reason).c_str());
}

} // namespace

void RangeOptions::addTo(CLI::App &verb) {
  const char *group = "Ranges";
  CLI::Option *ranges =
      verb.add_flag(
              "--ranges", requested,
              "report instead what values each tensor takes in some training steps, in f32: their range, "
              "what part overflows or becomes zero in fp16, bf16 and fp8, and which overrides of the "
              "precision spec (16-mixed, if it computes in 32 bits) would avoid overflow")
          ->group(group);
  verb.add_option("--data", data, "samples for --ranges, in the order of the file")
      ->type_name("FILE")
      ->needs(ranges)
      ->group(group);
  verb.add_option("--weights", weights, "start from these weights instead of the initial ones")
      ->type_name("FILE")
      ->needs(ranges)
      ->group(group);
  verb.add_option("--steps", steps, "training steps to watch (default 10)")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->needs(ranges)
      ->group(group);
}

void RangeOptions::print(const std::string &model, const Recipe &recipe, const RecipeOptions &options,
                         bool asJson) const {
  RecipeOptions::requireCompilableTarget(recipe);
  RunOptions run;
  const json &document = options.document();
  readDataSettings(document, run);
  if (!data.empty())
    run.data = data;
  requireData(run);
  run.weights = weights;
  run.steps = steps;
  run.seed = recipe.seed;

  Recipe judged = recipe;
  json given = document.value("precision", json::object());
  if (!narrowTypeOf(recipe.precision)) {
    given = {{"precision", "16-mixed"}};
    judged.precision = resolvePrecision(given, {"--ranges", ""}, recipe.target);
  }
  Recipe wide = recipe;
  wide.precision = PrecisionSpec();
  LibrarySource library = LibrarySource::compiled(model, wide, /*separateOps=*/true);
  run.library = library.path();

  RangeReport report{std::filesystem::path(model).filename().string(),
                     recipe.batch,
                     judged.precision,
                     calibrate(run, judged.precision.lossScale),
                     {}};
  const CompileRequest request = compileRequest(model, "", judged).silent();
  report.suggestion = suggestOverrides(report.calibration, compiler().reportPrecision(request, {}), given);
  if (asJson) {
    std::printf("%s\n", dumpJson(toJson(report)).c_str());
    return;
  }
  printText(report);
  printSuggestion(report);
}

} // namespace halfstep
