// Recipes as JSON: reading, checking, and writing the resolved one.
#include "import/Recipe.h"

#include "import/PrecisionTable.h"
#include "import/RecipeRanges.h"
#include "import/SpecReader.h"

#include <algorithm>
#include <cmath>

using json = nlohmann::json;

namespace halfstep {
namespace {

const std::vector<std::string> targets = {"cpu", "cuda", "tpu"};
const std::vector<std::string> gemms = {"auto", "onednn", "generated"};

/// Largest batch: one sample more and even a scalar's arena offsets leave what was tested.
constexpr int64_t maxBatch = int64_t{1} << 20;

/// One number, or a list of them: `data.mean` and `data.std`.
void checkScale(const SpecReader &data, const char *key, bool positive) {
  if (!data.has(key))
    return;
  const json &value = data.at(key);
  json list = value.is_array() ? value : json::array({value});
  bool fits = !list.empty() && std::all_of(list.begin(), list.end(), [&](const json &each) {
    return each.is_number() && std::isfinite(each.get<double>()) && (!positive || each.get<double>() > 0);
  });
  if (!fits)
    data.expected(key, positive ? "a number > 0, or one a channel" : "a finite number, or one a channel");
}

void checkData(const SpecReader &data) {
  data.allowOnly({"train", "val_split", "target", "mean", "std"});
  std::string path;
  data.text("train", path);
  double split = 0;
  data.number("val_split", split);
  if (!(split >= 0 && split < 1))
    data.expected("val_split", "a number in [0, 1)");
  if (data.has("target") && !data.at("target").is_string() && !data.at("target").is_number_unsigned())
    data.expected("target", "the name of a column, or its number, counted from 1");
  checkScale(data, "mean", false);
  checkScale(data, "std", true);
}

/// What the driver takes from the document itself: checked here so that a wrong recipe fails in every verb.
void checkRunSettings(const SpecReader &reader) {
  int64_t count = 1;
  for (const char *key : {"epochs", "steps"}) {
    reader.integer(key, count);
    if (count < 1)
      reader.expected(key, "an integer >= 1");
  }
  if (reader.has("epochs") && reader.has("steps"))
    reader.fail(ExitCode::BadInput, "steps", "steps contradicts epochs: give one of the two");
  if (reader.has("data"))
    checkData(reader.child("data"));
}

} // namespace

void readRecipe(const std::string &text, const std::string &file, Recipe &recipe) {
  const json document = parseSpecText(text, file);
  SpecReader reader(document, file);
  reader.allowOnly({"$schema", "loss", "optimizer", "precision", "batch", "tail_batch", "clip_norm",
                    "clip_value", "accumulate", "seed", "target", "cpu_gemm", "data", "epochs", "steps",
                    "schedule"});
  reader.choice("target", recipe.target, targets);
  if (reader.has("loss"))
    readLoss(reader.child("loss"), recipe.loss);
  if (reader.has("optimizer"))
    readOptimizer(reader.child("optimizer"), recipe.optimizer);
  reader.integer("batch", recipe.batch);
  reader.integer("tail_batch", recipe.tailBatch);
  reader.number("clip_norm", recipe.clipNorm);
  reader.number("clip_value", recipe.clipValue);
  reader.integer("accumulate", recipe.accumulate);
  reader.unsignedInteger("seed", recipe.seed);
  reader.choice("cpu_gemm", recipe.cpuGemm, gemms);
  checkRunSettings(reader);
  if (reader.has("precision"))
    recipe.precision = resolvePrecision(reader.at("precision"), {file, "/precision"}, recipe.target);
  if (reader.has("schedule"))
    readSchedule(reader.child("schedule"), recipe.schedule);
}

void validateRecipe(const Recipe &recipe) {
  validateLoss(recipe.loss);
  validateOptimizer(recipe.optimizer);
  validateSchedule(recipe.schedule, recipe.optimizer.lr);
  requireRange(recipe.batch >= 1 && recipe.batch <= maxBatch, "/batch", double(recipe.batch),
               "an integer in [1, 2^20]");
  requireRange(recipe.tailBatch >= 0 && recipe.tailBatch < recipe.batch, "/tail_batch",
               double(recipe.tailBatch), "an integer in [0, batch)");
  for (auto [place, value] : {std::pair{"/clip_norm", recipe.clipNorm}, {"/clip_value", recipe.clipValue}})
    requireRange(isNonNegative(value), place, value, "a finite number >= 0, where 0 is no clipping");
  if (recipe.clipNorm != 0 && recipe.clipValue != 0)
    throw Diagnostic(ExitCode::BadInput,
                     "/clip_value: clip_value contradicts clip_norm: give one of the two");
  requireRange(recipe.accumulate >= 1 && recipe.accumulate <= maxBatch, "/accumulate",
               double(recipe.accumulate), "an integer in [1, 2^20]");
  if (recipe.precision.params == "f64" && recipe.target == "tpu")
    throw Diagnostic(ExitCode::BadInput, "/precision: '" + recipe.precision.name +
                                             "' contradicts target 'tpu', which has no f64");
  // oneDNN has f16 only for CPUs with instructions for it; ours is computed in f32.
  for (const char *type : {"f64", "f16"})
    if (recipe.precision.compute == type && recipe.cpuGemm == "onednn")
      throw Diagnostic(ExitCode::BadInput, "/cpu_gemm: cpu_gemm 'onednn' contradicts precision '" +
                                               recipe.precision.name + "': contractions of " + type +
                                               " are not given to oneDNN; use 'generated'");
}

std::string writeRecipe(const Recipe &recipe) {
  json document = {{"batch", recipe.batch},
                   {"tail_batch", recipe.tailBatch},
                   {"clip_norm", recipe.clipNorm},
                   {"clip_value", recipe.clipValue},
                   {"accumulate", recipe.accumulate},
                   {"seed", recipe.seed},
                   {"target", recipe.target},
                   {"cpu_gemm", recipe.cpuGemm},
                   {"optimizer", writeOptimizer(recipe.optimizer)},
                   {"schedule", writeSchedule(recipe.schedule)},
                   {"precision", precisionToJson(recipe.precision)}};
  if (!recipe.loss.kind.empty())
    document["loss"] = writeLoss(recipe.loss);
  return document.dump(2) + "\n";
}

} // namespace halfstep
