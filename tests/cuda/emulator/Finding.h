// What the emulator throws when a kernel or a call breaks a rule; the launch that catches it adds where it
// was.
#ifndef HALFSTEP_EMULATOR_FINDING_H
#define HALFSTEP_EMULATOR_FINDING_H

#include <stdexcept>
#include <string>

namespace halfstep::emulator {

/// A rule that the program broke: an access, a race, a divergent barrier. One line, without its place.
struct Finding : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// PTX that is malformed or that the emulator does not know; it names the line and the instruction.
struct PtxError : std::runtime_error {
  PtxError(int line, const std::string &text)
      : std::runtime_error("line " + std::to_string(line) + ": " + text) {}
};

} // namespace halfstep::emulator

#endif // HALFSTEP_EMULATOR_FINDING_H
