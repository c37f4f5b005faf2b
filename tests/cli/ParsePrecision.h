// Precision specs as the command line gives them, for tests.
#ifndef HALFSTEP_TESTS_CLI_PARSEPRECISION_H
#define HALFSTEP_TESTS_CLI_PARSEPRECISION_H

#include "import/PrecisionTable.h"

#include <nlohmann/json.hpp>

namespace halfstep {

/// Resolves a mode's name, the path of a JSON file or an inline JSON object for the CPU. An unknown name
/// throws Usage, a contradiction BadInput.
inline PrecisionSpec parsePrecision(const std::string &text) {
  nlohmann::json spec = precisionSpecOf(text);
  bool plain = spec == nlohmann::json{{"precision", text}};
  return resolvePrecision(spec, {plain ? "precision" : "precision spec", ""}, "cpu",
                          plain ? ExitCode::Usage : ExitCode::BadInput);
}

} // namespace halfstep

#endif // HALFSTEP_TESTS_CLI_PARSEPRECISION_H
