// The precision table of the product. Levels are rows of data: whoever adds one adds a line here.
#include "import/PrecisionTable.h"

#include "import/PrecisionResolver.h"
#include "import/ScalerReader.h"
#include "import/SpecReader.h"

#include <algorithm>

using json = nlohmann::json;

namespace halfstep {
namespace {

using enum PrecisionMode;

constexpr PrecisionRow table[] = {
    // name         mode       params  compute output keep          masters     scaler
    {"64-true", Uniform, "f64", "f64", "f64", "", "separate", false},
    {"32-true", Uniform, "f32", "f32", "f32", "", "separate", false},
    {"bf16-true", Uniform, "bf16", "bf16", "bf16", "", "none", false},
    {"16-true", Uniform, "f16", "f16", "f16", "", "none", false},
    {"bf16-mixed", Mixed, "f32", "bf16", "f32", "", "separate", false},
    {"16-mixed", Mixed, "f32", "f16", "f32", "", "separate", true},
    {"O0", Converted, "f32", "f32", "f32", "", "separate", false},
    {"O1", Patched, "f32", "f16", "f32", "", "separate", true},
    {"O2", Converted, "f32", "f16", "f32", "batch_norm", "separate", true},
    {"O3", Converted, "f16", "f16", "f32", "", "none", false},
};

struct Alias {
  const char *name;
  const char *meaning;
};
constexpr Alias aliases[] = {
    {"16", "16-mixed"}, {"bf16", "bf16-mixed"}, {"32", "32-true"}, {"64", "64-true"}};

/// The settings in which a named mode differs from its row.
void writeOverrides(const PrecisionSpec &spec, const PrecisionRow &row, json &object) {
  object["precision"] = spec.name;
  bool bf16Level = spec.compute == "bf16" && std::string(row.compute) == "f16";
  if (bf16Level)
    object["half"] = "bf16";
  if (spec.masters != row.masters)
    object["masters"] = spec.masters;
  if (spec.keep != row.keep) {
    bool norms = spec.keep == "norms";
    object[norms ? "keep_norms_fp32" : "keep_batchnorm_fp32"] = !spec.keep.empty();
  }
  if (spec.output != row.output && !(bf16Level && std::string(row.output) == "f16"))
    object["output"] = spec.output;
}

/// A policy without a name, whose defaults are none of a row.
void writePolicy(const PrecisionSpec &spec, json &object) {
  object["params"] = spec.params;
  object["compute"] = spec.compute;
  object["output"] = spec.output;
  if (spec.masters == "split")
    object["masters"] = spec.masters;
  if (!spec.keep.empty())
    object[spec.keep == "norms" ? "keep_norms_fp32" : "keep_batchnorm_fp32"] = true;
}

} // namespace

std::span<const PrecisionRow> precisionTable() { return table; }

const PrecisionRow *findPrecisionRow(const std::string &name) {
  const PrecisionRow *row = std::ranges::find(table, name, &PrecisionRow::name);
  return row == std::end(table) ? nullptr : row;
}

std::string precisionAlias(const std::string &name) {
  const Alias *alias = std::ranges::find(aliases, name, &Alias::name);
  return alias == std::end(aliases) ? "" : alias->meaning;
}

std::vector<std::string> precisionNames() {
  std::vector<std::string> names;
  for (const PrecisionRow &row : table)
    names.push_back(row.name);
  for (const Alias &alias : aliases)
    names.push_back(alias.name);
  return names;
}

json precisionSpecOf(const std::string &text) {
  size_t start = text.find_first_not_of(" \t\r\n");
  if (start != std::string::npos && text[start] == '{')
    return parseSpecText(text, "precision spec");
  if (text.ends_with(".json"))
    return parseSpecText(readSpecFile(text), text);
  return json{{"precision", text}};
}

PrecisionSpec resolvePrecision(const json &spec, const PrecisionPlace &place, const std::string &target,
                               ExitCode unknownString) {
  if (spec.is_object())
    return PrecisionResolver(SpecReader(spec, place.file, json::json_pointer(place.pointer)), target,
                             unknownString)
        .resolve();
  // The reader adds the key, which for a plain string is the key that holds it.
  const json object = {{"precision", spec}};
  return PrecisionResolver(SpecReader(object, place.file), target, unknownString).resolve();
}

json precisionToJson(const PrecisionSpec &spec) {
  json object = {{"rounding", spec.rounding}};
  if (const PrecisionRow *row = findPrecisionRow(spec.name))
    writeOverrides(spec, *row, object);
  else
    writePolicy(spec, object);
  if (spec.casts)
    object["lists"] = spec.lists;
  if (spec.update != "nearest")
    object["update"] = spec.update;
  if (!spec.ops.empty())
    object["ops"] = spec.ops;
  if (!spec.layers.empty())
    object["layers"] = spec.layers;
  if (spec.scaler) {
    object["loss_scale"] = "dynamic";
    object["scaler"] = scalerToJson(spec.scaling);
  } else if (spec.lossScale != 1 || spec.compute == "f16") {
    object["loss_scale"] = spec.lossScale;
  }
  return object;
}

} // namespace halfstep
