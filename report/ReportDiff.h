// Two precision reports of one model, compared.
#ifndef HALFSTEP_REPORT_REPORTDIFF_H
#define HALFSTEP_REPORT_REPORTDIFF_H

#include "report/PrecisionReport.h"

#include <nlohmann/json.hpp>

#include <vector>

namespace halfstep {

/// The same op in two reports of one model; null where one of them has no such op. The reports must outlive
/// it.
struct OpPair {
  const OpReport *a, *b;

  /// True when class or type differ.
  bool differs() const;
};

/// All ops, in the order of `a`, then what only `b` has. They are matched by layer, kind and occurrence.
std::vector<OpPair> matchOps(const PrecisionReport &a, const PrecisionReport &b);

/// Those of matchOps() that differ.
std::vector<OpPair> differingOps(const PrecisionReport &a, const PrecisionReport &b);

/// The object that `inspect --diff --json` prints: both reports, and what differs.
nlohmann::ordered_json diffToJson(const PrecisionReport &a, const PrecisionReport &b);

} // namespace halfstep

#endif // HALFSTEP_REPORT_REPORTDIFF_H
