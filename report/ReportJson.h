// The precision report as JSON.
#ifndef HALFSTEP_REPORT_REPORTJSON_H
#define HALFSTEP_REPORT_REPORTJSON_H

#include "report/PrecisionReport.h"

#include <nlohmann/json.hpp>

#include <string>

namespace halfstep {

/// The object that `inspect --json` prints; without the IR.
nlohmann::ordered_json reportToJson(const PrecisionReport &report);

/// A stage's text with the layer of each line, as the page reads it.
nlohmann::ordered_json irToJson(const IrReport &ir);

/// `value` as text. Names that are no UTF-8 have replacement characters.
std::string dumpJson(const nlohmann::ordered_json &value);

/// "kernel", "folded", "copy", "stored" or "dropped".
const char *castPlaceName(CastPlace place);

} // namespace halfstep

#endif // HALFSTEP_REPORT_REPORTJSON_H
