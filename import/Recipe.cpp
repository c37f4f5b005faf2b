// Recipes as JSON: reading, checking, and writing the resolved one.
#include "import/Recipe.h"

#include "import/PrecisionTable.h"
#include "import/SpecReader.h"

#include <cmath>

using json = nlohmann::json;

namespace halfstep {
namespace {

const std::vector<std::string> losses = {"cross_entropy", "mse"};
const std::vector<std::string> optimizers = {"sgd", "adamw"};
const std::vector<std::string> targets = {"cpu", "cuda", "tpu"};
const std::vector<std::string> gemms = {"auto", "onednn", "generated"};

/// Largest batch: one sample more and even a scalar's arena offsets leave what was tested.
constexpr int64_t maxBatch = int64_t{1} << 20;

void readLoss(const SpecReader &reader, LossSpec &loss) {
  reader.allowOnly({"kind", "axis", "label_smoothing"});
  reader.choice("kind", loss.kind, losses);
  if (loss.kind.empty())
    reader.fail(ExitCode::BadInput, "", "has no 'kind', expected one of " + quotedList(losses));
  reader.number("label_smoothing", loss.labelSmoothing);
  if (reader.has("axis")) {
    int64_t axis = 0;
    reader.integer("axis", axis);
    loss.axis = axis;
  }
}

void readBetas(const SpecReader &reader, OptimizerSpec &optimizer) {
  if (!reader.has("betas"))
    return;
  const json &betas = reader.at("betas");
  if (!betas.is_array() || betas.size() != 2 || !betas[0].is_number() || !betas[1].is_number())
    reader.expected("betas", "two numbers");
  optimizer.beta1 = betas[0].get<double>();
  optimizer.beta2 = betas[1].get<double>();
}

/// A setting of the other optimizer is a contradiction even where its value would do nothing.
void rejectForeign(const SpecReader &reader, const OptimizerSpec &optimizer, const char *key,
                   const char *owner) {
  if (reader.has(key) && optimizer.kind != owner)
    reader.fail(ExitCode::BadInput, key,
                std::string(key) + " contradicts optimizer '" + optimizer.kind + "': it belongs to '" +
                    owner + "'");
}

void readOptimizer(const SpecReader &reader, OptimizerSpec &optimizer) {
  reader.allowOnly({"kind", "lr", "momentum", "nesterov", "weight_decay", "betas", "eps"});
  reader.choice("kind", optimizer.kind, optimizers);
  for (const char *key : {"momentum", "nesterov"})
    rejectForeign(reader, optimizer, key, "sgd");
  for (const char *key : {"betas", "eps"})
    rejectForeign(reader, optimizer, key, "adamw");
  reader.number("lr", optimizer.lr);
  reader.number("momentum", optimizer.momentum);
  reader.boolean("nesterov", optimizer.nesterov);
  reader.number("weight_decay", optimizer.weightDecay);
  readBetas(reader, optimizer);
  reader.number("eps", optimizer.eps);
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
  if (!reader.has("data"))
    return;
  SpecReader data = reader.child("data");
  data.allowOnly({"train", "val_split"});
  std::string path;
  data.text("train", path);
  double split = 0;
  data.number("val_split", split);
  if (!(split >= 0 && split < 1))
    data.expected("val_split", "a number in [0, 1)");
}

/// One range of validateRecipe(). `inside` is false for NaN.
void require(bool inside, const char *what, double value, const char *range) {
  if (inside)
    return;
  throw Diagnostic(ExitCode::BadInput,
                   std::string(what) + ": expected " + range + ", got " + json(value).dump());
}

bool unit(double value) { return value >= 0 && value < 1; }
bool positive(double value) { return value > 0 && std::isfinite(value); }
bool nonNegative(double value) { return value >= 0 && std::isfinite(value); }

void validateOptimizer(const OptimizerSpec &optimizer) {
  require(positive(optimizer.lr), "/optimizer/lr", optimizer.lr, "a finite number > 0");
  require(unit(optimizer.momentum), "/optimizer/momentum", optimizer.momentum, "a number in [0, 1)");
  require(nonNegative(optimizer.weightDecay), "/optimizer/weight_decay", optimizer.weightDecay,
          "a finite number >= 0");
  require(unit(optimizer.beta1), "/optimizer/betas/0", optimizer.beta1, "a number in [0, 1)");
  require(unit(optimizer.beta2), "/optimizer/betas/1", optimizer.beta2, "a number in [0, 1)");
  require(positive(optimizer.eps), "/optimizer/eps", optimizer.eps, "a finite number > 0");
  if (optimizer.nesterov && optimizer.momentum == 0)
    throw Diagnostic(ExitCode::BadInput,
                     "/optimizer/nesterov: nesterov true contradicts momentum 0: it needs a momentum > 0");
}

} // namespace

void readRecipe(const std::string &text, const std::string &file, Recipe &recipe) {
  const json document = parseSpecText(text, file);
  SpecReader reader(document, file);
  reader.allowOnly({"$schema", "loss", "optimizer", "precision", "batch", "tail_batch", "clip_norm", "seed",
                    "target", "cpu_gemm", "cuda_arch", "data", "epochs", "steps", "schedule"});
  reader.choice("target", recipe.target, targets);
  if (reader.has("loss"))
    readLoss(reader.child("loss"), recipe.loss);
  if (reader.has("optimizer"))
    readOptimizer(reader.child("optimizer"), recipe.optimizer);
  reader.integer("batch", recipe.batch);
  reader.integer("tail_batch", recipe.tailBatch);
  reader.number("clip_norm", recipe.clipNorm);
  reader.unsignedInteger("seed", recipe.seed);
  reader.choice("cpu_gemm", recipe.cpuGemm, gemms);
  reader.text("cuda_arch", recipe.cudaArch);
  checkRunSettings(reader);
  if (reader.has("precision"))
    recipe.precision = resolvePrecision(reader.at("precision"), {file, "/precision"}, recipe.target);
  if (reader.has("schedule"))
    reader.fail(ExitCode::Unsupported, "schedule",
                "learning-rate schedules are not available yet; remove it");
}

void validateRecipe(const Recipe &recipe) {
  const LossSpec &loss = recipe.loss;
  require(unit(loss.labelSmoothing), "/loss/label_smoothing", loss.labelSmoothing, "a number in [0, 1)");
  if (loss.kind == "mse" && (loss.labelSmoothing != 0 || loss.axis))
    throw Diagnostic(ExitCode::BadInput,
                     loss.axis ? "/loss/axis: axis contradicts loss 'mse', which has no classes"
                               : "/loss/label_smoothing: label_smoothing contradicts loss 'mse', "
                                 "which has no labels");
  // No model has more dimensions than this.
  constexpr int64_t maxRank = 8;
  if (loss.axis)
    require(*loss.axis >= -maxRank && *loss.axis < maxRank, "/loss/axis", double(*loss.axis),
            "an axis in [-8, 8)");
  validateOptimizer(recipe.optimizer);
  require(recipe.batch >= 1 && recipe.batch <= maxBatch, "/batch", double(recipe.batch),
          "an integer in [1, 2^20]");
  require(recipe.tailBatch >= 0 && recipe.tailBatch < recipe.batch, "/tail_batch", double(recipe.tailBatch),
          "an integer in [0, batch)");
  require(nonNegative(recipe.clipNorm), "/clip_norm", recipe.clipNorm,
          "a finite number >= 0, where 0 is no clipping");
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
  const OptimizerSpec &optimizer = recipe.optimizer;
  json document = {{"batch", recipe.batch},
                   {"tail_batch", recipe.tailBatch},
                   {"clip_norm", recipe.clipNorm},
                   {"seed", recipe.seed},
                   {"target", recipe.target},
                   {"cpu_gemm", recipe.cpuGemm},
                   {"precision", precisionToJson(recipe.precision)}};
  if (recipe.target == "cuda")
    document["cuda_arch"] = recipe.cudaArch;
  json &opt = document["optimizer"];
  opt = {{"kind", optimizer.kind}, {"lr", optimizer.lr}, {"weight_decay", optimizer.weightDecay}};
  if (optimizer.kind == "adamw") {
    opt["betas"] = {optimizer.beta1, optimizer.beta2};
    opt["eps"] = optimizer.eps;
  } else {
    opt["momentum"] = optimizer.momentum;
    opt["nesterov"] = optimizer.nesterov;
  }
  if (!recipe.loss.kind.empty()) {
    json &loss = document["loss"];
    loss = {{"kind", recipe.loss.kind}};
    if (recipe.loss.kind == "cross_entropy")
      loss["label_smoothing"] = recipe.loss.labelSmoothing;
    if (recipe.loss.axis)
      loss["axis"] = *recipe.loss.axis;
  }
  return document.dump(2) + "\n";
}

} // namespace halfstep
