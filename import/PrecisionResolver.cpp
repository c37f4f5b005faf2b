// The rules of precision specs. See PrecisionResolver.h.
#include "import/PrecisionResolver.h"

#include <algorithm>

using json = nlohmann::json;

namespace halfstep {

static const std::vector<std::string> types = {"f64", "f32", "bf16", "f16"};
static const std::vector<std::string> levels = {"O0", "O1", "O2", "O3"};
static const std::vector<std::string> opClasses = {"lower",   "fp32",   "fp32_out",
                                                   "promote", "banned", "untouched"};
static const std::vector<std::string> specKeys = {
    "precision",       "amp_backend",    "amp_level", "half",   "params",   "compute",
    "output",          "loss_scale",     "scaler",    "lists",  "rounding", "keep_batchnorm_fp32",
    "keep_norms_fp32", "master_weights", "masters",   "update", "ops",      "layers"};

static bool contains(const std::vector<std::string> &words, const std::string &word) {
  return std::ranges::find(words, word) != words.end();
}

/// " 128" for a value, nothing for an object.
static std::string shown(const json &value) {
  return value.is_structured() ? "" : " " + value.dump(-1, ' ', false, json::error_handler_t::replace);
}

void PrecisionResolver::contradiction(const std::string &key, const std::string &why) const {
  reader.fail(ExitCode::BadInput, key,
              key + shown(reader.at(key)) + " contradicts precision '" + spec.name + "': " + why);
}

void PrecisionResolver::conflict(const std::string &key, const std::string &other,
                                 const std::string &why) const {
  reader.fail(ExitCode::BadInput, key,
              key + shown(reader.at(key)) + " contradicts " + other + shown(reader.at(other)) + ": " + why);
}

PrecisionSpec PrecisionResolver::resolve() {
  reader.allowOnly(specKeys);
  chooseRow();
  applyHalf();
  if (row.mode == PrecisionMode::Policy)
    readPolicy();
  applyMasterWeights();
  applyMasters();
  applyTypes();
  spec.convert = !spec.casts && (isLow() || spec.output != spec.compute);
  applyNorms();
  applyUpdate();
  applyLossScale();
  applyChoices();
  applyOverrides("ops", spec.ops);
  applyOverrides("layers", spec.layers);
  return spec;
}

//===----------------------------------------------------------------------===//
// The row
//===----------------------------------------------------------------------===//

/// The precision string of the spec with aliases replaced; empty when the spec has none.
std::string PrecisionResolver::precisionName() {
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
  std::string meaning = precisionAlias(name);
  if (meaning.empty())
    return name;
  spec.notes.push_back("'" + name + "' means '" + meaning + "'");
  return meaning;
}

/// True for a spec that gives types and no name that has some.
bool PrecisionResolver::isPolicy(const std::string &level, const std::string &backend) const {
  bool gives = reader.has("params") || reader.has("compute") || reader.has("output");
  return gives && level.empty() && backend != "apex" && !reader.has("precision");
}

void PrecisionResolver::checkBackend(const std::string &asked, const std::string &backend,
                                     const std::string &level) const {
  if (backend == "native" && (!level.empty() || contains(levels, asked)))
    reader.fail(ExitCode::BadInput, "amp_backend",
                "amp_backend 'native' contradicts level '" + (level.empty() ? asked : level) +
                    "': levels are Apex's; remove one of the two");
  bool open = asked.empty() || asked == "16-mixed";
  if (!level.empty() && !open && asked != level)
    reader.fail(ExitCode::BadInput, "amp_level",
                "amp_level '" + level + "' contradicts precision '" + asked + "': remove one of the two");
  if (backend == "apex" && !open && !contains(levels, asked))
    reader.fail(ExitCode::BadInput, "amp_backend",
                "amp_backend 'apex' contradicts precision '" + asked +
                    "': Apex has levels O0 to O3 only; use amp_level or remove one of the two");
}

void PrecisionResolver::chooseRow() {
  std::string asked = precisionName(), backend, level;
  reader.choice("amp_backend", backend, {"native", "apex"});
  reader.choice("amp_level", level, levels);
  checkBackend(asked, backend, level);
  if (level.empty() && backend == "apex" && (asked.empty() || asked == "16-mixed"))
    level = "O2";
  spec.name = !level.empty() ? level : reader.has("precision") ? asked : "32-true";
  const PrecisionRow *found = findPrecisionRow(spec.name);
  if (!found)
    reader.fail(unknownString, reader.has("precision") ? "precision" : "",
                "unknown precision '" + spec.name + "'" + nearestHint(spec.name, precisionNames()) +
                    "; expected one of " + quotedList(precisionNames()) + ", a .json file or a JSON object");
  row = *found;
  if (isPolicy(level, backend))
    row.mode = PrecisionMode::Policy;
  takeRow();
}

void PrecisionResolver::takeRow() {
  spec.params = row.params;
  spec.compute = row.compute;
  spec.output = row.output;
  spec.keep = row.keep;
  spec.masters = row.masters;
  spec.casts = row.mode == PrecisionMode::Mixed || row.mode == PrecisionMode::Patched;
  spec.scaler = row.scaler;
  spec.lists = row.mode == PrecisionMode::Patched ? "apex" : target == "cuda" ? "cuda" : "cpu";
}

void PrecisionResolver::applyHalf() {
  std::string half = "fp16";
  reader.choice("half", half, {"fp16", "bf16"});
  std::string type = half == "fp16" ? "f16" : "bf16";
  if (!isLevel()) {
    bool own = row.mode != PrecisionMode::Policy && type == spec.compute;
    if (reader.has("half") && !own)
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

//===----------------------------------------------------------------------===//
// Types and masters
//===----------------------------------------------------------------------===//

/// The three types of a policy: one that is not given follows from the others.
void PrecisionResolver::readPolicy() {
  reader.choice("compute", spec.compute, types);
  spec.params = spec.compute == "f64" ? "f64" : "f32";
  reader.choice("params", spec.params, types);
  if (!reader.has("compute"))
    spec.compute = spec.params;
  spec.output = spec.params == "f64" ? "f64" : "f32";
  reader.choice("output", spec.output, types);
  spec.name = spec.params + "/" + spec.compute + "/" + spec.output;
  for (const char *key : {"params", "compute", "output"}) {
    bool mixes = spec.params != spec.compute || spec.compute != spec.output;
    if (reader.has(key) && reader.at(key) == "f64" && mixes)
      contradiction(key, "f64 does not mix; give it for params, compute and output, or for none");
  }
  if (spec.params != "f32" && spec.params != spec.compute)
    reader.fail(ExitCode::BadInput, "params",
                "params '" + spec.params + "' contradicts compute '" + spec.compute +
                    "': weights are stored in f32 or in the type that computes; use params 'f32'");
  spec.masters = isLow() && spec.params == spec.compute ? "none" : "separate";
  spec.scaler = spec.compute == "f16" && spec.params == "f32";
}

/// A mode's own types may be written out; only the outputs of a converted level may have another.
void PrecisionResolver::applyTypes() {
  if (row.mode == PrecisionMode::Policy)
    return;
  std::string params = spec.params, compute = spec.compute, output = spec.output;
  reader.choice("params", params, types);
  reader.choice("compute", compute, types);
  reader.choice("output", output, types);
  if (params != spec.params)
    contradiction("params",
                  row.mode == PrecisionMode::Patched
                      ? "O1 leaves the model in f32 and patches functions instead; use O2 or O3"
                  : row.mode == PrecisionMode::Converted
                      ? "its weights are " + spec.params + "; use 'masters' or another level"
                      : "its weights are " + spec.params + "; remove 'precision' for a policy of your own");
  if (compute != spec.compute)
    contradiction("compute", "it computes in " + spec.compute +
                                 (isLevel() ? "; use 'half' or another level"
                                            : "; remove 'precision' for a policy of your own"));
  bool free = row.mode == PrecisionMode::Converted && isLow() && (output == "f32" || output == compute);
  if (output != spec.output && !free)
    contradiction("output", spec.casts ? "op lists decide the type of what a model gives; remove it"
                                       : "its outputs are " + spec.output +
                                             (isLevel() ? "; f32 and the type of 'half' are possible"
                                                        : "; remove 'precision' for a policy of your own"));
  spec.output = output;
}

/// Apex's switch: f32 masters or none.
void PrecisionResolver::applyMasterWeights() {
  if (!reader.has("master_weights"))
    return;
  bool wanted = false;
  reader.boolean("master_weights", wanted);
  if (row.mode != PrecisionMode::Converted)
    contradiction("master_weights",
                  row.mode == PrecisionMode::Patched
                      ? "O1 keeps its weights in f32, so there is nothing to be the master of; remove it"
                      : "it belongs to levels O0, O2 and O3; 'masters' is the general setting");
  if (isLow())
    spec.masters = wanted ? "separate" : "none";
  else if (wanted)
    spec.notes.push_back("master_weights changes nothing: the weights of '" + spec.name + "' are f32");
}

void PrecisionResolver::applyMasters() {
  std::string chosen = spec.masters;
  reader.choice("masters", chosen, {"separate", "split", "none"});
  if (reader.has("masters")) {
    if (reader.has("master_weights") && (chosen == "none") != (spec.masters == "none"))
      conflict("masters", "master_weights", "remove one of the two");
    spec.masters = chosen;
    checkMasters();
  }
  if (row.mode == PrecisionMode::Converted && isLow())
    spec.params = spec.masters == "none" ? spec.compute : "f32";
}

void PrecisionResolver::checkMasters() const {
  bool none = spec.masters == "none";
  if (row.mode == PrecisionMode::Patched)
    contradiction("masters",
                  "O1 keeps its weights in f32, so there is nothing to be the master of; remove it");
  if (!isLow() && !none)
    contradiction("masters", "its weights are " + spec.params + " already; remove it");
  if (row.mode == PrecisionMode::Uniform && !none)
    contradiction("masters", "-true modes have no masters; use params 'f32' and compute '" + spec.compute +
                                 "' instead of 'precision'");
  if (row.mode == PrecisionMode::Mixed && none)
    contradiction("masters", "-mixed modes keep their weights in f32; use a -true mode or level O3");
  if (spec.masters == "split" && spec.compute != "bf16")
    contradiction("masters", "split masters are bf16 weights with the missing 16 bits of f32 beside them; "
                             "use 'separate' or a mode that computes in bf16");
  if (row.mode == PrecisionMode::Policy && isLow() && none != (spec.params == spec.compute))
    reader.fail(ExitCode::BadInput, "masters",
                "masters '" + spec.masters + "' contradicts params '" + spec.params + "' with compute '" +
                    spec.compute + "': " +
                    (none ? "without masters the weights are in the type that computes; use params '" +
                                spec.compute + "'"
                          : "masters are f32; use params 'f32'"));
}

void PrecisionResolver::applyUpdate() {
  reader.choice("update", spec.update, {"nearest", "stochastic"});
  if (spec.update == "stochastic" && (spec.params == "f32" || spec.params == "f64"))
    contradiction("update", "the weights that it updates are " + spec.params +
                                ", which nearest rounding serves; use it where weights are stored in 16 bits "
                                "without masters, as in 'bf16-true' and O3");
}

//===----------------------------------------------------------------------===//
// Normalisations
//===----------------------------------------------------------------------===//

/// Apex takes the strings "True" and "False" too.
bool PrecisionResolver::readKeepBatchNorm(bool &given) const {
  given = reader.has("keep_batchnorm_fp32");
  if (!given)
    return false;
  const json &value = reader.at("keep_batchnorm_fp32");
  bool keep = value == "True";
  if (!keep && value != "False")
    reader.boolean("keep_batchnorm_fp32", keep);
  return keep;
}

void PrecisionResolver::applyNorms() {
  bool batchNormGiven = false, keepNorms = false;
  bool keepBatchNorm = readKeepBatchNorm(batchNormGiven);
  reader.boolean("keep_norms_fp32", keepNorms);
  bool converts = row.mode == PrecisionMode::Converted || (row.mode == PrecisionMode::Policy && isLow());
  for (const char *key : {"keep_batchnorm_fp32", "keep_norms_fp32"}) {
    if (!reader.has(key) || converts)
      continue;
    contradiction(key, spec.casts
                           ? "it converts no module, and the weights of normalisations are f32 already; "
                             "use 'ops' to run them in f32"
                           : "everything is in one type; use level O2 or O3, or params and compute");
  }
  if (batchNormGiven && keepNorms && !keepBatchNorm)
    conflict("keep_norms_fp32", "keep_batchnorm_fp32",
             "batch norm is one of the norms; remove one of the two");
  if (!isLow())
    return;
  if (batchNormGiven)
    spec.keep = keepBatchNorm ? "batch_norm" : "";
  if (keepNorms)
    spec.keep = "norms";
}

//===----------------------------------------------------------------------===//
// Lists and overrides
//===----------------------------------------------------------------------===//

void PrecisionResolver::applyChoices() {
  reader.choice("rounding", spec.rounding, {"fused", "eager"});
  reader.choice("lists", spec.lists, {"cpu", "cuda", "apex"});
  if (reader.has("lists") && !spec.casts)
    contradiction("lists", "op lists belong to -mixed modes and O1; remove it or use one of these");
  if (target == "tpu" && spec.params == "f64")
    reader.fail(ExitCode::BadInput, reader.has("precision") ? "precision" : "params",
                "precision '" + spec.name + "' contradicts target 'tpu', which has no f64; use '32-true'");
}

void PrecisionResolver::applyOverrides(const std::string &key, std::map<std::string, std::string> &classes) {
  if (!reader.has(key))
    return;
  SpecReader overrides = reader.child(key);
  for (const auto &item : reader.at(key).items()) {
    // No layer's name is longer; messages and searches for near names stay short.
    constexpr size_t maxName = 256;
    if (item.key().empty() || item.key().size() > maxName)
      overrides.fail(ExitCode::BadInput, item.key(), "expected a name of 1 to 256 characters");
    overrides.choice(item.key(), classes[item.key()], opClasses);
  }
  if (!classes.empty() && !spec.casts && !spec.convert)
    contradiction(key, "all its ops run in " + spec.compute +
                           ", so there is nothing to override; use a mode with a 16-bit type");
}

} // namespace halfstep
