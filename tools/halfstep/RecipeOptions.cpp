// Flags are rows of a table: name, place in the recipe's JSON, kind of value, help. Their values form a JSON
// patch over the recipe file, so that one reader, with one set of rules, checks both.
#include "tools/halfstep/RecipeOptions.h"

#include "import/PrecisionTable.h"
#include "import/SpecReader.h"
#include "runtime/trainer/data/DataFile.h"
#include "tools/halfstep/Report.h"

#include <CLI/CLI.hpp>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <functional>

using json = nlohmann::json;

namespace halfstep {
namespace {

enum class Kind { Number, Integer, Text, Boolean, Switch, Pair, List };

struct Flag {
  const char *name;
  const char *pointer; ///< JSON pointer in the recipe
  Kind kind;
  const char *group;
  const char *help;
  bool run = false; ///< only for verbs that run steps
};

const char *const modelGroup = "Batch and target", *const lossGroup = "Loss",
                  *const optimizerGroup = "Optimizer", *const scheduleGroup = "Learning-rate schedule",
                  *const precisionGroup = "Precision", *const runGroup = "Run";

const Flag table[] = {
    {"--batch", "/batch", Kind::Integer, modelGroup, "samples a step (default 32)"},
    {"--tail", "/tail_batch", Kind::Integer, modelGroup,
     "second compiled batch size, for a short last batch (default 0: none)"},
    {"--target", "/target", Kind::Text, modelGroup, "cpu, cuda or tpu (default cpu)"},
    {"--cpu-gemm", "/cpu_gemm", Kind::Text, modelGroup,
     "who runs contractions: auto, onednn or generated (default auto)"},
    {"--seed", "/seed", Kind::Integer, modelGroup,
     "seed of initial weights, dropout and shuffling (default 0)"},
    {"--loss", "/loss/kind", Kind::Text, lossGroup,
     "cross_entropy, nll, bce_with_logits, bce, mse, l1, huber or smooth_l1; required here or in the recipe"},
    {"--reduction", "/loss/reduction", Kind::Text, lossGroup, "mean or sum (default mean)"},
    {"--loss-axis", "/loss/axis", Kind::Integer, lossGroup,
     "class axis (default: the last if y has the logits' shape without it, else 1)"},
    {"--targets", "/loss/targets", Kind::Text, lossGroup,
     "ids or probabilities of classes, cross_entropy only (default ids)"},
    {"--label-smoothing", "/loss/label_smoothing", Kind::Number, lossGroup,
     "in [0, 1), cross_entropy only (default 0)"},
    {"--ignore-index", "/loss/ignore_index", Kind::Integer, lossGroup,
     "id that does not count, cross_entropy and nll (default: none)"},
    {"--class-weights", "/loss/weight", Kind::List, lossGroup,
     "one number a class, cross_entropy and nll (default: all 1)"},
    {"--pos-weight", "/loss/pos_weight", Kind::List, lossGroup,
     "weight of targets that are 1: one number, or one a column; bce_with_logits only (default 1)"},
    {"--huber-delta", "/loss/delta", Kind::Number, lossGroup, "where huber becomes linear (default 1)"},
    {"--smooth-l1-beta", "/loss/beta", Kind::Number, lossGroup, "where smooth_l1 becomes linear (default 1)"},
    {"--optimizer", "/optimizer/kind", Kind::Text, optimizerGroup,
     "sgd, adam, adamw, adagrad or rmsprop (default sgd)"},
    {"--lr", "/optimizer/lr", Kind::Number, optimizerGroup, "learning rate (default 0.01)"},
    {"--momentum", "/optimizer/momentum", Kind::Number, optimizerGroup,
     "in [0, 1), sgd and rmsprop (default 0)"},
    {"--nesterov", "/optimizer/nesterov", Kind::Switch, optimizerGroup,
     "Nesterov momentum, sgd only (default off)"},
    {"--weight-decay", "/optimizer/weight_decay", Kind::Number, optimizerGroup,
     "added to the gradient; adamw: decoupled (default 0)"},
    {"--betas", "/optimizer/betas", Kind::Pair, optimizerGroup,
     "two numbers in [0, 1), adam and adamw (default 0.9,0.999)"},
    {"--eps", "/optimizer/eps", Kind::Number, optimizerGroup,
     "adam, adamw, rmsprop (default 1e-8), adagrad (default 1e-10)"},
    {"--amsgrad", "/optimizer/amsgrad", Kind::Switch, optimizerGroup,
     "divide by the largest second moment so far, adam and adamw (default off)"},
    {"--alpha", "/optimizer/alpha", Kind::Number, optimizerGroup, "in [0, 1), rmsprop only (default 0.99)"},
    {"--centered", "/optimizer/centered", Kind::Switch, optimizerGroup,
     "divide by the deviation of the gradient, rmsprop only (default off)"},
    {"--lr-decay", "/optimizer/lr_decay", Kind::Number, optimizerGroup, "adagrad only (default 0)"},
    {"--initial-accumulator", "/optimizer/initial_accumulator_value", Kind::Number, optimizerGroup,
     "first value of the sum of squares, adagrad only (default 0)"},
    {"--clip-norm", "/clip_norm", Kind::Number, optimizerGroup,
     "largest 2-norm of all gradients together (default 0: no clipping)"},
    {"--clip-value", "/clip_value", Kind::Number, optimizerGroup,
     "largest size of an element of a gradient (default 0: no clipping)"},
    {"--accumulate", "/accumulate", Kind::Integer, optimizerGroup,
     "batches whose gradients make one update (default 1)"},
    {"--schedule", "/schedule/kind", Kind::Text, scheduleGroup,
     "constant, step, multistep, cosine, linear or one_cycle (default constant)"},
    {"--warmup-steps", "/schedule/warmup_steps", Kind::Integer, scheduleGroup,
     "updates before it in which the rate grows (default 0)"},
    {"--schedule-steps", "/schedule/steps", Kind::Integer, scheduleGroup,
     "its length in updates, warm-up included (default: that of the run)"},
    {"--min-lr", "/schedule/min_lr", Kind::Number, scheduleGroup, "where cosine and linear end (default 0)"},
    {"--schedule-every", "/schedule/every", Kind::Integer, scheduleGroup,
     "updates between two steps of step"},
    {"--gamma", "/schedule/gamma", Kind::Number, scheduleGroup,
     "factor of a step, step and multistep (default 0.1)"},
    {"--amp-backend", "/precision/amp_backend", Kind::Text, precisionGroup,
     "native or apex; apex alone means O2"},
    {"--amp-level", "/precision/amp_level", Kind::Text, precisionGroup, "O0, O1, O2 or O3"},
    {"--half", "/precision/half", Kind::Text, precisionGroup,
     "16-bit type of a level: fp16 or bf16 (default fp16)"},
    {"--loss-scale", "/precision/loss_scale", Kind::Text, precisionGroup,
     "dynamic or a number (default: dynamic for 16-mixed, O1 and O2 in fp16, else 1)"},
    {"--keep-batchnorm-fp32", "/precision/keep_batchnorm_fp32", Kind::Boolean, precisionGroup,
     "true or false, where the model is converted (default: true for O2)"},
    {"--keep-norms-fp32", "/precision/keep_norms_fp32", Kind::Switch, precisionGroup,
     "keep the parameters of all normalisations in f32 where the model is converted (default off)"},
    {"--master-weights", "/precision/master_weights", Kind::Boolean, precisionGroup,
     "true or false, levels O0, O2, O3 (default: true for O2)"},
    {"--rounding", "/precision/rounding", Kind::Text, precisionGroup,
     "fused: round what is stored; eager: round where eager torch does (default fused)"},
    {"--lists", "/precision/lists", Kind::Text, precisionGroup,
     "op lists of -mixed modes and O1: cpu, cuda or apex (default: the target's; apex for O1)"},
    {"--data", "/data/train", Kind::Text, runGroup, dataForms, true},
    {"--data-target", "/data/target", Kind::Text, runGroup,
     "target column of a .csv file, by name or counted from 1 (default: y, target or label, else the last)",
     true},
    {"--val-split", "/data/val_split", Kind::Number, runGroup,
     "fraction of the samples that is held out; the end of a text (default 0)", true},
    {"--epochs", "/epochs", Kind::Integer, runGroup, "passes over the training samples (default 1)", true},
    {"--steps", "/steps", Kind::Integer, runGroup, "attempted steps, instead of --epochs", true},
};

[[noreturn]] void badValue(const Flag &flag, const std::string &expected, const std::string &text) {
  throw CLI::ValidationError(flag.name, "expected " + expected + ", got '" + text + "'");
}

double parseNumber(const Flag &flag, const std::string &text) {
  char *end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end || !std::isfinite(value))
    badValue(flag, "a finite number", text);
  return value;
}

/// Integers keep all 64 bits: a seed may be any of them.
json parseInteger(const Flag &flag, const std::string &text) {
  const char *first = text.data(), *last = first + text.size();
  int64_t small = 0;
  if (auto [end, error] = std::from_chars(first, last, small); error == std::errc() && end == last)
    return small;
  uint64_t large = 0;
  if (auto [end, error] = std::from_chars(first, last, large); error == std::errc() && end == last)
    return large;
  badValue(flag, "an integer", text);
}

json parsePair(const Flag &flag, const std::string &text) {
  size_t comma = text.find(',');
  if (comma == std::string::npos)
    badValue(flag, "two numbers as A,B", text);
  return {parseNumber(flag, text.substr(0, comma)), parseNumber(flag, text.substr(comma + 1))};
}

json parseList(const Flag &flag, const std::string &text) {
  json list = json::array();
  for (size_t begin = 0, comma = 0; comma != std::string::npos; begin = comma + 1) {
    comma = text.find(',', begin);
    list.push_back(parseNumber(flag, text.substr(begin, comma - begin)));
  }
  return list;
}

json parseBoolean(const Flag &flag, const std::string &text) {
  if (text == "true" || text == "True")
    return true;
  if (text == "false" || text == "False")
    return false;
  badValue(flag, "true or false", text);
}

json parseValue(const Flag &flag, const std::string &text) {
  switch (flag.kind) {
  case Kind::Number:
    return parseNumber(flag, text);
  case Kind::Integer:
    return parseInteger(flag, text);
  case Kind::Pair:
    return parsePair(flag, text);
  case Kind::List:
    return parseList(flag, text);
  case Kind::Boolean:
    return parseBoolean(flag, text);
  case Kind::Text:
  case Kind::Switch:
    break;
  }
  return text;
}

const char *valueName(Kind kind) {
  switch (kind) {
  case Kind::Number:
    return "NUMBER";
  case Kind::Integer:
    return "N";
  case Kind::Pair:
    return "A,B";
  case Kind::List:
    return "A,B,...";
  default:
    return "VALUE";
  }
}

/// Applies one --set a.b=c. The value is JSON where it reads as JSON, else a string; null takes a key away.
void applySetting(const std::string &setting, json &document) {
  size_t equals = setting.find('=');
  if (equals == std::string::npos || equals == 0)
    throw Diagnostic(ExitCode::Usage, "--set: expected KEY=VALUE with dots in KEY, got '" + setting + "'");
  json::json_pointer pointer;
  std::string key = setting.substr(0, equals) + ".";
  for (size_t begin = 0, dot; (dot = key.find('.', begin)) != std::string::npos; begin = dot + 1)
    pointer /= key.substr(begin, dot - begin);
  std::string text = setting.substr(equals + 1);
  json value = json::accept(text) ? parseSpecText(text, "--set " + key) : json(text);
  json patch = json::object();
  while (!pointer.empty()) {
    patch = json{{pointer.back(), value}};
    value = patch;
    pointer.pop_back();
  }
  document.merge_patch(patch);
}

/// Runs `read`; what it finds wrong is the command line's.
void asUsage(const std::function<void()> &read) {
  try {
    read();
  } catch (const Diagnostic &diagnostic) {
    if (diagnostic.code != ExitCode::BadInput)
      throw;
    throw Diagnostic(ExitCode::Usage, diagnostic.what());
  }
}

/// validateRecipe() with the document's name in front of its message.
void validateIn(const std::string &document, const Recipe &recipe) {
  try {
    validateRecipe(recipe);
  } catch (const Diagnostic &diagnostic) {
    throw Diagnostic(diagnostic.code, document + ": " + diagnostic.what());
  }
}

/// The spec object that a flag's value stands for. A spec of its own file is checked on its own first, so
/// that its mistakes are the file's, not the flags'.
json checkedSpec(const std::string &text, const char *flag, const std::string &target) {
  json spec = precisionSpecOf(text);
  if (spec != json{{"precision", text}})
    resolvePrecision(spec, {text.ends_with(".json") ? text : flag, ""}, target);
  return spec;
}

/// Reads a recipe whose mistakes are the command line's; prints its notes.
Recipe readMerged(const json &document, const std::string &place) {
  Recipe recipe;
  asUsage([&] {
    readRecipe(document.dump(), place, recipe);
    validateIn(place, recipe);
  });
  for (const std::string &note : recipe.precision.notes)
    printNote(note);
  return recipe;
}

} // namespace

void RecipeOptions::addTo(CLI::App &verb) {
  verb.add_option("--recipe", file, "recipe in JSON; the flags below override it")->type_name("FILE");
  verb.add_option("--set", settings,
                  "override any key of the recipe: --set optimizer.lr=0.1; may be repeated")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  verb.add_option(
          "--precision", precision,
          "64-true, 32-true, bf16-true, 16-true, bf16-mixed, 16-mixed, O0, O1, O2, O3; a .json file or "
          "an inline JSON object (default 32-true)")
      ->type_name("SPEC")
      ->group(precisionGroup);
  addFlags(verb, false);
}

void RecipeOptions::addRunTo(CLI::App &verb) { addFlags(verb, true); }

void RecipeOptions::addFlags(CLI::App &verb, bool run) {
  for (const Flag &flag : table) {
    if (flag.run != run)
      continue;
    json::json_pointer pointer(flag.pointer);
    CLI::Option *option;
    if (flag.kind == Kind::Switch)
      option = verb.add_flag_callback(flag.name, [this, pointer] { flags[pointer] = true; }, flag.help);
    else
      option = verb.add_option_function<std::string>(
                       flag.name,
                       [this, pointer, &flag](const std::string &text) {
                         flags[pointer] = parseValue(flag, text);
                       },
                       flag.help)
                   ->type_name(valueName(flag.kind))
                   ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    option->group(flag.group);
  }
}

void RecipeOptions::readFile() {
  if (file.empty())
    return;
  std::string text = readSpecFile(file);
  merged = parseSpecText(text, file);
  try {
    Recipe alone;
    readRecipe(text, file, alone);
    validateIn(file, alone);
  } catch (const Diagnostic &diagnostic) {
    // A flag may replace what is not available; if none does, it is found again.
    if (diagnostic.code != ExitCode::Unsupported)
      throw;
  }
}

/// Puts the spec of --precision, or the file's, in place as an object that the other precision flags can
/// patch.
void RecipeOptions::applyPrecision() {
  if (precision.empty()) {
    if (merged.contains("precision") && !merged["precision"].is_object())
      merged["precision"] = json{{"precision", merged["precision"]}};
    return;
  }
  std::string target = flags.value("target", merged.value("target", "cpu"));
  json spec = checkedSpec(precision, "--precision", target);
  merged["precision"] = spec;
}

Recipe RecipeOptions::resolve() {
  readFile();
  applyPrecision();
  // A length given as a flag replaces the recipe's, whichever of the two it is.
  if (flags.contains("steps") != flags.contains("epochs"))
    merged.erase(flags.contains("steps") ? "epochs" : "steps");
  merged.merge_patch(flags);
  asUsage([&] {
    for (const std::string &setting : settings)
      applySetting(setting, merged);
  });
  return readMerged(merged, file.empty() ? "command line" : file + " with flags");
}

Recipe RecipeOptions::resolveWith(const std::string &spec) const {
  json document = merged;
  document["precision"] = checkedSpec(spec, "--diff", document.value("target", "cpu"));
  return readMerged(document, "--diff");
}

void RecipeOptions::requireLoss(const Recipe &recipe, const std::string &model) {
  if (recipe.loss.kind.empty() && !model.ends_with(".mlir"))
    throw Diagnostic(ExitCode::Usage, "a loss is required: --loss with one of " + quotedList(lossKinds()) +
                                          ", or 'loss' in the recipe");
}

void RecipeOptions::requireCompilableTarget(const Recipe &recipe) {
  if (recipe.target != "cpu")
    throw Diagnostic(ExitCode::Unsupported,
                     "target '" + recipe.target +
                         "' cannot be compiled for yet; available: 'cpu'; halfstep inspect --target " +
                         recipe.target + " shows what a spec means there");
}

} // namespace halfstep
