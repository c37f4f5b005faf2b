// The precision modes as one table, and the reader of precision specs that turns a row and its overrides into
// a PrecisionSpec.
#ifndef HALFSTEP_IMPORT_PRECISIONTABLE_H
#define HALFSTEP_IMPORT_PRECISIONTABLE_H

#include "import/Recipe.h"

#include <nlohmann/json_fwd.hpp>

#include <span>
#include <string>

namespace halfstep {

/// What a mode does to the model.
enum class PrecisionMode {
  Uniform,  ///< -true: everything in one type
  Mixed,    ///< -mixed: parameters in f32, casts placed by op class
  Patched,  ///< O1: as Mixed, with Apex's lists
  Converted ///< O0, O2, O3: the model itself is converted, except for what is kept
};

/// One row of the table in product.md.
struct PrecisionRow {
  const char *name;
  PrecisionMode mode;
  const char *params;  ///< type of the model's parameters
  const char *compute; ///< type of ops of class `lower`
  bool scaler;         ///< dynamic loss scale unless overridden
  bool implemented;    ///< false: known, and rejected with ExitCode::Unsupported
};

/// All rows, implemented or not.
std::span<const PrecisionRow> precisionTable();

/// The spec object that `text` stands for: {"precision": text} for a plain string, the parsed object for
/// inline JSON or the path of a .json file.
nlohmann::json precisionSpecOf(const std::string &text);

/// Where a spec stands, for messages.
struct PrecisionPlace {
  std::string file;
  std::string pointer; ///< JSON pointer of the spec in the file; empty: the file is the spec
};

/// Resolves a spec: an object of interfaces.md, or a string. An unknown precision string throws
/// `unknownString`; contradictions throw BadInput and name both settings; what is not implemented throws
/// Unsupported.
PrecisionSpec resolvePrecision(const nlohmann::json &spec, const PrecisionPlace &place,
                               const std::string &target, ExitCode unknownString = ExitCode::BadInput);

/// `spec` as an object that resolvePrecision() reads back to the same spec.
nlohmann::json precisionToJson(const PrecisionSpec &spec);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_PRECISIONTABLE_H
