// The ranges of a recipe's numbers, and the one form of the message about a number outside its own.
#ifndef HALFSTEP_IMPORT_RECIPERANGES_H
#define HALFSTEP_IMPORT_RECIPERANGES_H

#include "import/Diagnostic.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <string>

namespace halfstep {

inline bool isUnit(double value) { return value >= 0 && value < 1; }
inline bool isPositive(double value) { return value > 0 && std::isfinite(value); }
inline bool isNonNegative(double value) { return value >= 0 && std::isfinite(value); }

/// Throws BadInput "PLACE: expected RANGE, got VALUE" unless `inside`, which is false for NaN.
inline void requireRange(bool inside, const std::string &place, double value, const std::string &range) {
  if (!inside)
    throw Diagnostic(ExitCode::BadInput,
                     place + ": expected " + range + ", got " + nlohmann::json(value).dump());
}

} // namespace halfstep

#endif // HALFSTEP_IMPORT_RECIPERANGES_H
