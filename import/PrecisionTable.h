// The precision modes as one table, and precision specs as text and as JSON.
#ifndef HALFSTEP_IMPORT_PRECISIONTABLE_H
#define HALFSTEP_IMPORT_PRECISIONTABLE_H

#include "import/Recipe.h"

#include <nlohmann/json_fwd.hpp>

#include <span>
#include <string>

namespace halfstep {

/// What a mode does to the model.
enum class PrecisionMode {
  Uniform,   ///< -true: everything in one type
  Mixed,     ///< -mixed: parameters in f32, casts placed by op class
  Patched,   ///< O1: as Mixed, with Apex's lists
  Converted, ///< O0, O2, O3: the model itself is converted, except for what is kept
  Policy     ///< as Converted, in the types that a spec gives instead of a name
};

struct PrecisionRow {
  const char *name;
  PrecisionMode mode;
  const char *params;  ///< type of the parameters that the optimizer updates: f64, f32, bf16, f16
  const char *compute; ///< type of ops of class `lower`, or of the converted model
  const char *output;  ///< type of a converted model's outputs
  const char *keep;    ///< normalisations whose parameters stay f32: none (empty), batch_norm, norms
  const char *masters; ///< of parameters that ops read in low precision: separate, split, none
  bool scaler;         ///< dynamic loss scale unless overridden
};

/// A row for each mode that has a name.
std::span<const PrecisionRow> precisionTable();

/// The row of `name`, which is no alias; null where there is none.
const PrecisionRow *findPrecisionRow(const std::string &name);

/// What an older name stands for: "bf16-mixed" for "bf16"; empty where `name` is none.
std::string precisionAlias(const std::string &name);

/// The names of all rows, then the older ones.
std::vector<std::string> precisionNames();

/// The spec object that `text` stands for: {"precision": text} for a plain string, the parsed object for
/// inline JSON or the path of a .json file.
nlohmann::json precisionSpecOf(const std::string &text);

/// Where a spec stands, for messages.
struct PrecisionPlace {
  std::string file;
  std::string pointer; ///< JSON pointer of the spec in the file; empty: the file is the spec
};

/// Resolves a spec: an object of interfaces.md, or a string. An unknown precision string throws
/// `unknownString`; contradictions throw BadInput and name both settings.
PrecisionSpec resolvePrecision(const nlohmann::json &spec, const PrecisionPlace &place,
                               const std::string &target, ExitCode unknownString = ExitCode::BadInput);

/// `spec` as an object that resolvePrecision() reads back to the same spec.
nlohmann::json precisionToJson(const PrecisionSpec &spec);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_PRECISIONTABLE_H
