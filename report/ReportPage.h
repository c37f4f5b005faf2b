// The precision report as one page of HTML that needs nothing else.
#ifndef HALFSTEP_REPORT_REPORTPAGE_H
#define HALFSTEP_REPORT_REPORTPAGE_H

#include "report/PrecisionReport.h"

#include <string>
#include <vector>

namespace halfstep {

/// The page of one report, whose `ir` has the left and the right side of the comparison, or of two reports of
/// one model, whose `ir` has one side each.
std::string reportPage(const std::vector<PrecisionReport> &reports);

} // namespace halfstep

#endif // HALFSTEP_REPORT_REPORTPAGE_H
