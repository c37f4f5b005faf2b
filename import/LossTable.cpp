// Losses as JSON: reading, checking, writing.
#include "import/LossTable.h"

#include "import/RecipeRanges.h"

#include <algorithm>

using json = nlohmann::json;

namespace halfstep {
namespace {

struct LossRow {
  std::string kind;
  std::vector<std::string> keys; ///< settings beside kind and reduction
};

const std::vector<LossRow> table = {
    {"cross_entropy", {"axis", "targets", "label_smoothing", "ignore_index", "weight"}},
    {"nll", {"axis", "ignore_index", "weight"}},
    {"bce_with_logits", {"pos_weight"}},
    {"bce", {}},
    {"mse", {}},
    {"l1", {}},
    {"huber", {"delta"}},
    {"smooth_l1", {"beta"}},
};

/// The kinds that have the setting `key`.
std::vector<std::string> ownersOf(const std::string &key) {
  std::vector<std::string> owners;
  for (const LossRow &row : table)
    if (std::ranges::find(row.keys, key) != row.keys.end())
      owners.push_back(row.kind);
  return owners;
}

std::vector<std::string> allKeys() {
  std::vector<std::string> keys = {"kind", "reduction"};
  for (const LossRow &row : table)
    for (const std::string &key : row.keys)
      if (std::ranges::find(keys, key) == keys.end())
        keys.push_back(key);
  return keys;
}

bool has(const LossSpec &loss, const std::string &key) {
  std::vector<std::string> owners = ownersOf(key);
  return std::ranges::find(owners, loss.kind) != owners.end();
}

void readNumbers(const SpecReader &reader, const std::string &key, std::vector<double> &numbers) {
  if (!reader.has(key))
    return;
  json list = reader.at(key);
  if (list.is_number())
    list = json::array({list});
  if (!list.is_array() || list.empty() ||
      !std::ranges::all_of(list, [](const json &each) { return each.is_number(); }))
    reader.expected(key, "a list of numbers");
  numbers = list.get<std::vector<double>>();
}

void readOptional(const SpecReader &reader, const std::string &key, std::optional<int64_t> &out) {
  if (!reader.has(key))
    return;
  out.emplace(0);
  reader.integer(key, *out);
}

} // namespace

const std::vector<std::string> &lossKinds() {
  static const std::vector<std::string> kinds = [] {
    std::vector<std::string> names;
    for (const LossRow &row : table)
      names.push_back(row.kind);
    return names;
  }();
  return kinds;
}

bool isOverClasses(const LossSpec &loss) { return has(loss, "axis"); }

void readLoss(const SpecReader &reader, LossSpec &loss) {
  reader.allowOnly(allKeys());
  reader.choice("kind", loss.kind, lossKinds());
  if (loss.kind.empty())
    reader.fail(ExitCode::BadInput, "", "has no 'kind', expected one of " + quotedList(lossKinds()));
  for (const std::string &key : allKeys())
    if (key != "kind" && key != "reduction" && reader.has(key) && !has(loss, key))
      reader.fail(ExitCode::BadInput, key,
                  key + " contradicts loss '" + loss.kind + "': it belongs to " + quotedList(ownersOf(key)));
  reader.choice("reduction", loss.reduction, {"mean", "sum"});
  reader.choice("targets", loss.targets, {"ids", "probabilities"});
  reader.number("label_smoothing", loss.labelSmoothing);
  reader.number("delta", loss.delta);
  reader.number("beta", loss.beta);
  readOptional(reader, "axis", loss.axis);
  readOptional(reader, "ignore_index", loss.ignoreIndex);
  readNumbers(reader, "weight", loss.weight);
  readNumbers(reader, "pos_weight", loss.posWeight);
}

void validateLoss(const LossSpec &loss) {
  requireRange(isUnit(loss.labelSmoothing), "/loss/label_smoothing", loss.labelSmoothing,
               "a number in [0, 1)");
  requireRange(isPositive(loss.delta), "/loss/delta", loss.delta, "a finite number > 0");
  requireRange(isPositive(loss.beta), "/loss/beta", loss.beta, "a finite number > 0; with 0 it would be l1");
  for (double weight : loss.weight)
    requireRange(isNonNegative(weight), "/loss/weight", weight, "finite numbers >= 0");
  for (double weight : loss.posWeight)
    requireRange(isNonNegative(weight), "/loss/pos_weight", weight, "finite numbers >= 0");
  // No model has more dimensions than this.
  constexpr int64_t maxRank = 8;
  if (loss.axis)
    requireRange(*loss.axis >= -maxRank && *loss.axis < maxRank, "/loss/axis", double(*loss.axis),
                 "an axis in [-8, 8)");
  if (loss.ignoreIndex && loss.targets == "probabilities")
    throw Diagnostic(ExitCode::BadInput, "/loss/ignore_index: ignore_index contradicts targets "
                                         "'probabilities', which are no ids; give such rows zeros instead");
}

json writeLoss(const LossSpec &loss) {
  json object = {{"kind", loss.kind}, {"reduction", loss.reduction}};
  auto write = [&](const std::string &key, const json &value) {
    if (has(loss, key))
      object[key] = value;
  };
  write("targets", loss.targets);
  write("label_smoothing", loss.labelSmoothing);
  write("delta", loss.delta);
  write("beta", loss.beta);
  if (loss.axis)
    write("axis", *loss.axis);
  if (loss.ignoreIndex)
    write("ignore_index", *loss.ignoreIndex);
  if (!loss.weight.empty())
    write("weight", loss.weight);
  if (!loss.posWeight.empty())
    write("pos_weight", loss.posWeight);
  return object;
}

} // namespace halfstep
