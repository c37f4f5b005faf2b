// One error as the user sees it: where, what was found, what was expected, what to do; and its exit code.
#ifndef HALFSTEP_DIAGNOSTIC_HPP
#define HALFSTEP_DIAGNOSTIC_HPP

#include <stdexcept>
#include <string>

namespace halfstep {

/// Exit codes of the command line (product.md). Scripts rely on the numbers.
enum class ExitCode {
  Ok = 0,
  Internal = 1,
  Usage = 2,
  BadInput = 3,
  Unsupported = 4,
  Numerics = 5,
  Io = 6,
  Checkpoint = 7,
  Device = 8,
  Memory = 9,
  Interrupted = 75
};

/// Thrown by readers and the driver's code. The tool prints `error: message` and exits with `code`.
/// The message names file and place first ("model.json: layers[2] 'fc1': ..."), is lower case and has no full
/// stop.
class Diagnostic : public std::runtime_error {
public:
  Diagnostic(ExitCode code, const std::string &message) : std::runtime_error(message), code(code) {}
  ExitCode code;
};

} // namespace halfstep

#endif // HALFSTEP_DIAGNOSTIC_HPP
