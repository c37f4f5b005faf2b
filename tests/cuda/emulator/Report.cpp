// See Report.h.
#include "Report.h"

#include <cstdio>
#include <unistd.h>

namespace halfstep::emulator {

Report &Report::get() {
  static Report report;
  return report;
}

void Report::start(const Settings &settings) {
  file = settings.report;
  exitStatus = settings.exit;
}

void Report::write(const std::string &line) const {
  if (file.empty())
    return;
  if (std::FILE *stream = std::fopen(file.c_str(), "a")) {
    std::fprintf(stream, "%s\n", line.c_str());
    std::fclose(stream);
  }
}

void Report::add(const std::string &finding) {
  ++findings;
  std::fprintf(stderr, "cuda emulator: %s\n", finding.c_str());
  write("finding: " + finding);
}

void Report::countLaunch(uint64_t executed) {
  ++launches;
  instructions += executed;
}

Report::~Report() {
  write("summary: " + std::to_string(launches) + " launches, " + std::to_string(instructions) +
        " thread instructions, " + std::to_string(findings) + " findings");
  if (findings && exitStatus) {
    std::fflush(nullptr);
    _exit(exitStatus);
  }
}

} // namespace halfstep::emulator
