// Where findings go: standard error, and the file that HALFSTEP_EMULATOR_REPORT names. A process with
// findings ends with a status of its own, so that no test passes over them.
#ifndef HALFSTEP_EMULATOR_REPORT_H
#define HALFSTEP_EMULATOR_REPORT_H

#include "Settings.h"

namespace halfstep::emulator {

class Report {
public:
  static Report &get();

  void start(const Settings &settings);
  void add(const std::string &finding);
  /// For the summary that ends the report.
  void countLaunch(uint64_t instructions);

  Report(const Report &) = delete;

private:
  Report() = default;
  ~Report(); ///< at the end of the process
  void write(const std::string &line) const;

  std::string file;
  int exitStatus = 0;
  uint64_t findings = 0, launches = 0, instructions = 0;
};

} // namespace halfstep::emulator

#endif // HALFSTEP_EMULATOR_REPORT_H
