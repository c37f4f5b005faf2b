// The precision report as text for a terminal.
#ifndef HALFSTEP_REPORT_REPORTTEXT_H
#define HALFSTEP_REPORT_REPORTTEXT_H

#include "report/PrecisionReport.h"

#include <string>

namespace halfstep {

/// The whole report: a summary in one line, then ops, casts, weights, memory and the largest activations.
std::string reportText(const PrecisionReport &report);

/// Two reports of one model side by side: summaries, ops whose class or type differs, casts, memory.
std::string diffText(const PrecisionReport &a, const PrecisionReport &b);

/// "model.json: bf16-mixed on cpu, batch 32: 6 ops (2 lower...), casts 14 -> 6, ...".
std::string summaryLine(const PrecisionReport &report);

} // namespace halfstep

#endif // HALFSTEP_REPORT_REPORTTEXT_H
