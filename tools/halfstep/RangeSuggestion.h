// Which overrides keep the values that a calibration has seen from overflowing.
#ifndef HALFSTEP_TOOLS_HALFSTEP_RANGESUGGESTION_H
#define HALFSTEP_TOOLS_HALFSTEP_RANGESUGGESTION_H

#include "report/PrecisionReport.h"
#include "runtime/trainer/observe/Calibration.h"

#include <nlohmann/json.hpp>

namespace halfstep {

/// A precision spec that avoids the overflows, and why each of its overrides is there.
struct RangeSuggestion {
  nlohmann::json spec; ///< as --precision takes it; null: nothing overflows
  std::vector<std::string> reasons;
};

/// The number in kNarrowTypes of the 16-bit type that `spec` computes in; absent: it computes in a wider one.
std::optional<size_t> narrowTypeOf(const PrecisionSpec &spec);

/// Adds overrides to `given`, the spec that `report` is of and whose type is narrow. A layer that runs in
/// that type and reads or makes a value beyond its range goes to fp32. Where only gradients overflow, by the
/// loss scale, that becomes the largest power of two at which none does.
RangeSuggestion suggestOverrides(const Calibration &calibration, const PrecisionReport &report,
                                 const nlohmann::json &given);

} // namespace halfstep

#endif // HALFSTEP_TOOLS_HALFSTEP_RANGESUGGESTION_H
