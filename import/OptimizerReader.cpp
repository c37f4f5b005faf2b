// Optimizers as JSON, by the rows of dialect/train/OptimizerTable.cpp.
#include "import/OptimizerReader.h"

#include "dialect/train/OptimizerTable.h"
#include "import/RecipeRanges.h"

#include <algorithm>

using json = nlohmann::json;

namespace halfstep {
namespace {

using Range = OptimizerConstant::Range;

/// `betas` holds two constants; the clipping bound is the recipe's and lr_scale a group's.
bool isKey(std::string_view constant) {
  return constant != "beta1" && constant != "beta2" && constant != "clip_value" && constant != "lr_scale";
}

/// The keys of a recipe for the constants of a row, or for those of all rows.
std::vector<std::string> keysOf(const OptimizerRow &row) {
  std::vector<std::string> keys = {"kind", "lr", "groups"};
  auto add = [&](std::span<const OptimizerConstant> constants) {
    for (const OptimizerConstant &constant : constants)
      if (isKey(constant.name))
        keys.emplace_back(constant.name);
  };
  add(row.constants);
  add(commonConstants());
  if (row.find("beta1"))
    keys.emplace_back("betas");
  return keys;
}

bool hasKey(const OptimizerRow &row, const std::string &key) {
  std::vector<std::string> keys = keysOf(row);
  return std::ranges::find(keys, key) != keys.end();
}

std::vector<std::string> allKeys() {
  std::vector<std::string> keys;
  for (const OptimizerRow &row : optimizerTable())
    for (const std::string &key : keysOf(row))
      if (std::ranges::find(keys, key) == keys.end())
        keys.push_back(key);
  return keys;
}

/// A setting of another optimizer is a contradiction even where its value would do nothing.
void rejectForeign(const SpecReader &reader, const OptimizerRow &row) {
  for (const std::string &key : allKeys()) {
    if (!reader.has(key) || hasKey(row, key))
      continue;
    std::vector<std::string> owners;
    for (const OptimizerRow &other : optimizerTable())
      if (hasKey(other, key))
        owners.emplace_back(other.kind);
    reader.fail(ExitCode::BadInput, key,
                key + " contradicts optimizer '" + std::string(row.kind) + "': it belongs to " +
                    quotedList(owners));
  }
}

void readBetas(const SpecReader &reader, OptimizerSpec &optimizer) {
  if (!reader.has("betas"))
    return;
  const json &betas = reader.at("betas");
  if (!betas.is_array() || betas.size() != 2 || !betas[0].is_number() || !betas[1].is_number())
    reader.expected("betas", "two numbers");
  optimizer.constants["beta1"] = betas[0].get<double>();
  optimizer.constants["beta2"] = betas[1].get<double>();
}

void readConstants(const SpecReader &reader, const OptimizerRow &row, OptimizerSpec &optimizer) {
  for (const std::string &key : keysOf(row)) {
    const OptimizerConstant *constant = row.find(key);
    if (!constant || !reader.has(key))
      continue;
    double number = 0;
    bool flag = false;
    constant->range == Range::Switch ? reader.boolean(key, flag) : reader.number(key, number);
    optimizer.constants[key] = constant->range == Range::Switch ? double(flag) : number;
  }
}

void readOptional(const SpecReader &reader, const char *key, std::optional<double> &out) {
  if (!reader.has(key))
    return;
  out.emplace(0);
  reader.number(key, *out);
}

GroupSpec readGroup(const SpecReader &reader) {
  reader.allowOnly({"match", "lr", "lr_scale", "weight_decay", "frozen"});
  GroupSpec group;
  reader.text("match", group.match);
  if (group.match.empty())
    reader.fail(ExitCode::BadInput, "",
                "has no 'match', expected a pattern of parameter names, as \"*.bias\"");
  readOptional(reader, "lr", group.lr);
  readOptional(reader, "lr_scale", group.lrScale);
  readOptional(reader, "weight_decay", group.weightDecay);
  reader.boolean("frozen", group.frozen);
  if (group.lr && group.lrScale)
    reader.fail(ExitCode::BadInput, "lr_scale", "lr_scale contradicts lr: give one of the two");
  if (group.frozen && (group.lr || group.lrScale || group.weightDecay))
    reader.fail(ExitCode::BadInput, "frozen",
                "frozen true contradicts lr, lr_scale and weight_decay: a frozen parameter has no update");
  return group;
}

void readGroups(const SpecReader &reader, OptimizerSpec &optimizer) {
  if (!reader.has("groups"))
    return;
  const json &groups = reader.at("groups");
  if (!groups.is_array())
    reader.expected("groups", "a list of objects with \"match\"");
  optimizer.groups.clear();
  for (size_t i = 0; i < groups.size(); ++i) {
    json::json_pointer at = json::json_pointer("/optimizer/groups") / i;
    optimizer.groups.push_back(readGroup(SpecReader(groups[i], reader.fileName(), at)));
  }
}

std::string rangeText(Range range) {
  return range == Range::Unit       ? "a number in [0, 1)"
         : range == Range::Positive ? "a finite number > 0"
                                    : "a finite number >= 0";
}

bool isInside(Range range, double value) {
  return range == Range::Unit       ? isUnit(value)
         : range == Range::Positive ? isPositive(value)
                                    : isNonNegative(value);
}

std::string pointerOf(const std::string &constant) {
  return "/optimizer/" + (constant == "beta1" ? "betas/0" : constant == "beta2" ? "betas/1" : constant);
}

} // namespace

double OptimizerSpec::constant(const std::string &name) const {
  auto given = constants.find(name);
  if (given != constants.end())
    return given->second;
  const OptimizerRow *row = findOptimizer(kind);
  const OptimizerConstant *constant = row ? row->find(name) : nullptr;
  return constant ? constant->fallback : 0;
}

void readOptimizer(const SpecReader &reader, OptimizerSpec &optimizer) {
  reader.allowOnly(allKeys());
  reader.choice("kind", optimizer.kind, optimizerKinds());
  const OptimizerRow &row = *findOptimizer(optimizer.kind);
  rejectForeign(reader, row);
  reader.number("lr", optimizer.lr);
  readConstants(reader, row, optimizer);
  readBetas(reader, optimizer);
  readGroups(reader, optimizer);
}

void validateOptimizer(const OptimizerSpec &optimizer) {
  requireRange(isPositive(optimizer.lr), "/optimizer/lr", optimizer.lr, "a finite number > 0");
  const OptimizerRow &row = *findOptimizer(optimizer.kind);
  for (const auto &[name, value] : optimizer.constants)
    if (const OptimizerConstant *constant = row.find(name))
      requireRange(isInside(constant->range, value), pointerOf(name), value, rangeText(constant->range));
  if (row.find("nesterov") && optimizer.constant("nesterov") != 0 && optimizer.constant("momentum") == 0)
    throw Diagnostic(ExitCode::BadInput,
                     "/optimizer/nesterov: nesterov true contradicts momentum 0: it needs a momentum > 0");
  for (size_t i = 0; i < optimizer.groups.size(); ++i) {
    const GroupSpec &group = optimizer.groups[i];
    std::string place = "/optimizer/groups/" + std::to_string(i) + "/";
    auto require = [&](const std::optional<double> &value, const char *key) {
      if (value)
        requireRange(isNonNegative(*value), place + key, *value, "a finite number >= 0");
    };
    require(group.lr, "lr");
    require(group.lrScale, "lr_scale");
    require(group.weightDecay, "weight_decay");
  }
}

json writeOptimizer(const OptimizerSpec &optimizer) {
  const OptimizerRow &row = *findOptimizer(optimizer.kind);
  json object = {{"kind", optimizer.kind}, {"lr", optimizer.lr}};
  for (const std::string &key : keysOf(row))
    if (const OptimizerConstant *constant = row.find(key))
      object[key] = constant->range == Range::Switch ? json(optimizer.constant(key) != 0)
                                                     : json(optimizer.constant(key));
  if (row.find("beta1"))
    object["betas"] = {optimizer.constant("beta1"), optimizer.constant("beta2")};
  for (const GroupSpec &group : optimizer.groups) {
    json entry = {{"match", group.match}};
    if (group.lr)
      entry["lr"] = *group.lr;
    if (group.lrScale)
      entry["lr_scale"] = *group.lrScale;
    if (group.weightDecay)
      entry["weight_decay"] = *group.weightDecay;
    if (group.frozen)
      entry["frozen"] = true;
    object["groups"].push_back(entry);
  }
  return object;
}

} // namespace halfstep
