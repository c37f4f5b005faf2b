// The precision table of the product and the rules by which overrides may change a row. Levels are rows of
// data: whoever adds one adds a line here.
#include "import/PrecisionTable.h"

#include "import/ScalerReader.h"
#include "import/SpecReader.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

using json = nlohmann::json;

namespace halfstep {
namespace {

constexpr PrecisionRow table[] = {
    // name          mode                      params  compute scaler implemented
    {"64-true", PrecisionMode::Uniform, "f64", "f64", false, true},
    {"32-true", PrecisionMode::Uniform, "f32", "f32", false, true},
    {"bf16-true", PrecisionMode::Uniform, "bf16", "bf16", false, false},
    {"16-true", PrecisionMode::Uniform, "f16", "f16", false, false},
    {"bf16-mixed", PrecisionMode::Mixed, "f32", "bf16", false, true},
    {"16-mixed", PrecisionMode::Mixed, "f32", "f16", true, true},
    {"O0", PrecisionMode::Converted, "f32", "f32", false, true},
    {"O1", PrecisionMode::Patched, "f32", "f16", true, true},
    {"O2", PrecisionMode::Converted, "f16", "f16", true, false},
    {"O3", PrecisionMode::Converted, "f16", "f16", false, false},
};

struct Alias {
  const char *name;
  const char *meaning;
};
constexpr Alias aliases[] = {
    {"16", "16-mixed"}, {"bf16", "bf16-mixed"}, {"32", "32-true"}, {"64", "64-true"}};

const std::vector<std::string> types = {"f64", "f32", "bf16", "f16"};
const std::vector<std::string> levels = {"O0", "O1", "O2", "O3"};
const std::vector<std::string> opClasses = {"lower", "fp32", "fp32_out", "promote", "banned", "untouched"};
const std::vector<std::string> specKeys = {"precision",
                                           "amp_backend",
                                           "amp_level",
                                           "half",
                                           "params",
                                           "compute",
                                           "output",
                                           "loss_scale",
                                           "keep_batchnorm_fp32",
                                           "keep_norms_fp32",
                                           "master_weights",
                                           "masters",
                                           "update",
                                           "rounding",
                                           "lists",
                                           "ops",
                                           "layers",
                                           "scaler"};

std::string availableModes() {
  std::vector<std::string> names;
  for (const PrecisionRow &row : table)
    if (row.implemented)
      names.push_back(row.name);
  return quotedList(names);
}

std::vector<std::string> allNames() {
  std::vector<std::string> names;
  for (const PrecisionRow &row : table)
    names.push_back(row.name);
  for (const Alias &alias : aliases)
    names.push_back(alias.name);
  return names;
}

/// Applies one spec object to a row: names first, then each override against what the row allows.
class Resolver {
public:
  Resolver(const SpecReader &reader, const std::string &target, ExitCode unknownString)
      : reader(reader), target(target), unknownString(unknownString) {}

  PrecisionSpec resolve() {
    reader.allowOnly(specKeys);
    chooseRow();
    applyHalf();
    applyTypes();
    applyLossScale();
    applyMasters();
    applyNorms();
    applyChoices();
    checkClasses("ops");
    checkClasses("layers");
    if (!row->implemented)
      refuse("precision '" + spec.name + "' is not available yet; available: " + availableModes());
    if (!notYet.empty())
      refuse(notYet);
    return spec;
  }

private:
  [[noreturn]] void refuse(const std::string &message) const {
    throw Diagnostic(ExitCode::Unsupported, reader.place() + ": " + message);
  }
  [[noreturn]] void contradiction(const std::string &key, const std::string &why) const {
    const json &value = reader.at(key);
    std::string shown =
        value.is_structured() ? "" : " " + value.dump(-1, ' ', false, json::error_handler_t::replace);
    reader.fail(ExitCode::BadInput, key, key + shown + " contradicts precision '" + spec.name + "': " + why);
  }
  /// Remembers a feature that is not there; thrown at the end, since a contradiction is the more useful
  /// answer.
  void later(const std::string &what) {
    if (notYet.empty())
      notYet = what + " is not available yet";
  }
  bool isLevel() const {
    return row->mode == PrecisionMode::Patched || row->mode == PrecisionMode::Converted;
  }

  std::string precisionName();
  void chooseRow();
  void checkBackend(const std::string &asked, const std::string &backend, const std::string &level);
  void applyHalf();
  void applyTypes();
  void applyLossScale();
  void applyScaler();
  void applyMasters();
  void applyNorms();
  void applyChoices();
  void checkClasses(const std::string &key);

  const SpecReader &reader;
  const std::string &target;
  ExitCode unknownString;
  const PrecisionRow *row = nullptr;
  PrecisionSpec spec;
  std::string notYet;
};

/// The precision string of the spec with aliases replaced; empty when the spec has none.
std::string Resolver::precisionName() {
  if (!reader.has("precision"))
    return "";
  const json &value = reader.at("precision");
  std::string name;
  if (value.is_number_integer())
    name = value.dump();
  else
    reader.text("precision", name);
  if (name == "16" && target == "tpu") {
    spec.notes.push_back("'16' means 'bf16-mixed' on target tpu, whose only 16-bit type is bf16");
    return "bf16-mixed";
  }
  for (const Alias &alias : aliases)
    if (name == alias.name) {
      spec.notes.push_back("'" + name + "' means '" + alias.meaning + "'");
      return alias.meaning;
    }
  return name;
}

void Resolver::chooseRow() {
  std::string asked = precisionName(), backend, level;
  reader.choice("amp_backend", backend, {"native", "apex"});
  reader.choice("amp_level", level, levels);
  checkBackend(asked, backend, level);
  if (level.empty() && backend == "apex" && (asked.empty() || asked == "16-mixed"))
    level = "O2";
  spec.name = !level.empty() ? level : reader.has("precision") ? asked : "32-true";
  row = std::find_if(std::begin(table), std::end(table),
                     [&](const PrecisionRow &r) { return spec.name == r.name; });
  if (row == std::end(table))
    reader.fail(unknownString, reader.has("precision") ? "precision" : "",
                "unknown precision '" + spec.name + "'" + nearestHint(spec.name, allNames()) +
                    "; expected one of " + quotedList(allNames()) + ", a .json file or a JSON object");
  spec.params = row->params;
  spec.compute = row->compute;
  spec.casts = row->mode == PrecisionMode::Mixed || row->mode == PrecisionMode::Patched;
  spec.scaler = row->scaler;
  spec.lists = row->mode == PrecisionMode::Patched ? "apex" : target == "cuda" ? "cuda" : "cpu";
}

void Resolver::checkBackend(const std::string &asked, const std::string &backend, const std::string &level) {
  bool askedLevel = std::find(levels.begin(), levels.end(), asked) != levels.end();
  if (backend == "native" && (!level.empty() || askedLevel))
    reader.fail(ExitCode::BadInput, "amp_backend",
                "amp_backend 'native' contradicts level '" + (level.empty() ? asked : level) +
                    "': levels are Apex's; remove one of the two");
  bool open = asked.empty() || asked == "16-mixed";
  if (!level.empty() && !open && asked != level)
    reader.fail(ExitCode::BadInput, "amp_level",
                "amp_level '" + level + "' contradicts precision '" + asked + "': remove one of the two");
  if (backend == "apex" && !open && !askedLevel)
    reader.fail(ExitCode::BadInput, "amp_backend",
                "amp_backend 'apex' contradicts precision '" + asked + "': Apex has levels O0 to O3 only");
}

void Resolver::applyHalf() {
  std::string half = "fp16";
  reader.choice("half", half, {"fp16", "bf16"});
  std::string type = half == "fp16" ? "f16" : "bf16";
  if (!isLevel()) {
    if (reader.has("half") && type != spec.compute)
      contradiction("half", "half chooses the type of levels O0 to O3; remove it or use a level");
    return;
  }
  if (type == "bf16") {
    // bf16 has f32's range: a level's loss scale then defaults to 1.
    for (std::string *slot : {&spec.params, &spec.compute})
      if (*slot == "f16")
        *slot = "bf16";
    spec.scaler = false;
  }
}

/// The policy triple. A mode's own values may be written out; others are a policy of its own.
void Resolver::applyTypes() {
  std::string params = spec.params, compute = spec.compute;
  std::string ownOutput = row->mode == PrecisionMode::Uniform ? spec.params : "f32", output = ownOutput;
  reader.choice("params", params, types);
  reader.choice("compute", compute, types);
  reader.choice("output", output, types);
  if (row->mode == PrecisionMode::Patched && params != "f32")
    contradiction("params", "O1 leaves the model in f32 and patches functions instead");
  if (params != spec.params || compute != spec.compute || output != ownOutput)
    later("a policy of its own (params, compute, output other than those of '" + spec.name + "')");
}

/// A loss scale as a number; 0 when `value` is none that f32 can hold.
double staticScale(const json &value) {
  double scale = 0;
  if (value.is_number()) {
    scale = value.get<double>();
  } else if (value.is_string()) {
    const std::string text = value.get<std::string>();
    char *end = nullptr;
    scale = std::strtod(text.c_str(), &end);
    if (end == text.c_str() || *end)
      scale = 0;
  }
  return isScale(scale) ? scale : 0;
}

void Resolver::applyLossScale() {
  double scale = 1;
  if (reader.has("loss_scale")) {
    const json &value = reader.at("loss_scale");
    spec.scaler = value.is_string() && value.get<std::string>() == "dynamic";
    scale = spec.scaler ? 1 : staticScale(value);
    if (scale == 0)
      reader.expected("loss_scale", "'dynamic' or a number > 0 that f32 can hold");
    bool needless = row->mode == PrecisionMode::Uniform || spec.compute == "bf16";
    if (needless && (spec.scaler || scale != 1))
      contradiction("loss_scale", row->mode == PrecisionMode::Uniform
                                      ? "-true modes take no loss scale"
                                      : "bf16 has the range of f32 and takes no loss scale");
  }
  applyScaler();
  spec.lossScale = spec.scaler ? spec.scaling.init : scale;
}

void Resolver::applyScaler() {
  // The levels are Apex's, and so is their scaler.
  const std::string preset = isLevel() ? "apex" : "torch";
  if (spec.scaler)
    spec.scaling = scalerPreset(preset);
  if (!reader.has("scaler"))
    return;
  std::string unavailable;
  spec.scaling = readScaler(reader.child("scaler"), preset, unavailable);
  if (row->mode == PrecisionMode::Uniform)
    contradiction("scaler", "-true modes take no scaler; use '16-mixed' or remove it");
  if (spec.compute == "bf16")
    contradiction("scaler", "bf16 has the range of f32 and takes no scaler; use '16-mixed' or remove it");
  if (!spec.scaler && reader.has("loss_scale"))
    reader.fail(ExitCode::BadInput, "scaler",
                "scaler contradicts loss_scale " + reader.at("loss_scale").dump() +
                    ": it moves a 'dynamic' loss scale; remove one of the two");
  if (!spec.scaler)
    contradiction("scaler", "its loss scale is static; add loss_scale 'dynamic' or remove it");
  if (!unavailable.empty())
    later(unavailable);
}

void Resolver::applyMasters() {
  bool wide = spec.params == "f32" || spec.params == "f64";
  // Weights that are not narrowed have no masters.
  bool own = wide && (row->mode == PrecisionMode::Uniform || row->mode == PrecisionMode::Converted);
  std::string masters = own || row->mode == PrecisionMode::Uniform ? "none" : "separate", update = "nearest";
  const std::string ownMasters = masters;
  bool masterWeights = false;
  reader.choice("masters", masters, {"separate", "split", "none"});
  reader.choice("update", update, {"nearest", "stochastic"});
  reader.boolean("master_weights", masterWeights);
  if (reader.has("master_weights") && row->mode != PrecisionMode::Converted)
    contradiction("master_weights",
                  row->mode == PrecisionMode::Patched
                      ? "O1 keeps its weights in f32, so there is nothing to be the master of"
                      : "it belongs to levels O0, O2 and O3; 'masters' is the general setting");
  if (masters == "split" && spec.compute != "bf16")
    contradiction("masters", "split masters are bf16 weights with the missing 16 bits of f32 beside them");
  if (reader.has("masters") && row->mode == PrecisionMode::Patched)
    contradiction("masters", "O1 keeps its weights in f32, so there is nothing to be the master of");
  if (own && masters != "none")
    contradiction("masters", "its weights are " + spec.params + " already");
  if (masterWeights && own)
    later("master_weights with the f32 weights of '" + spec.name + "'");
  if (masters != ownMasters)
    later("masters '" + masters + "' with '" + spec.name + "'");
  if (update == "stochastic")
    later("stochastic update");
}

void Resolver::applyNorms() {
  bool keepBatchNorm = false, keepNorms = false;
  if (reader.has("keep_batchnorm_fp32")) {
    // Apex takes the strings too.
    const json &value = reader.at("keep_batchnorm_fp32");
    if (value != "True" && value != "False")
      reader.boolean("keep_batchnorm_fp32", keepBatchNorm);
    if (row->mode != PrecisionMode::Converted)
      contradiction("keep_batchnorm_fp32", row->mode == PrecisionMode::Patched
                                               ? "O1 converts no module; batch norm follows the op lists"
                                               : "it belongs to levels O0, O2 and O3");
  }
  reader.boolean("keep_norms_fp32", keepNorms);
  if (keepNorms)
    later("keep_norms_fp32");
}

void Resolver::applyChoices() {
  reader.choice("rounding", spec.rounding, {"fused", "eager"});
  reader.choice("lists", spec.lists, {"cpu", "cuda", "apex"});
  if (reader.has("lists") && row->mode == PrecisionMode::Converted)
    contradiction("lists", "op lists belong to -mixed modes and O1");
  if (target == "tpu" && spec.params == "f64")
    reader.fail(ExitCode::BadInput, "precision",
                "precision '" + spec.name + "' contradicts target 'tpu', which has no f64");
}

void Resolver::checkClasses(const std::string &key) {
  if (!reader.has(key))
    return;
  SpecReader classes = reader.child(key);
  std::string value;
  for (const auto &item : reader.at(key).items()) {
    classes.choice(item.key(), value, opClasses);
    later("a class of one's own in '" + key + "'");
  }
}

} // namespace

std::span<const PrecisionRow> precisionTable() { return table; }

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
    return Resolver(SpecReader(spec, place.file, json::json_pointer(place.pointer)), target, unknownString)
        .resolve();
  // The reader adds the key, which for a plain string is the key that holds it.
  const json object = {{"precision", spec}};
  return Resolver(SpecReader(object, place.file), target, unknownString).resolve();
}

json precisionToJson(const PrecisionSpec &spec) {
  json object = {{"precision", spec.name}, {"rounding", spec.rounding}};
  if (spec.casts)
    object["lists"] = spec.lists;
  if (spec.name.starts_with("O") && spec.compute == "bf16")
    object["half"] = "bf16";
  if (spec.scaler) {
    object["loss_scale"] = "dynamic";
    object["scaler"] = scalerToJson(spec.scaling);
  } else if (spec.lossScale != 1 || spec.compute == "f16") {
    object["loss_scale"] = spec.lossScale;
  }
  return object;
}

PrecisionSpec parsePrecision(const std::string &text) {
  json spec = precisionSpecOf(text);
  bool plain = spec.size() == 1 && spec.contains("precision") && spec["precision"] == text;
  std::string place = text.ends_with(".json") ? text : plain ? "precision" : "precision spec";
  return resolvePrecision(spec, {place, ""}, "cpu", plain ? ExitCode::Usage : ExitCode::BadInput);
}

} // namespace halfstep
