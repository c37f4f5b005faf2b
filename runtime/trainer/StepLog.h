// The log of a training run: one JSON object a step, in the form of interfaces.md.
#ifndef HALFSTEP_RUNTIME_TRAINER_STEPLOG_H
#define HALFSTEP_RUNTIME_TRAINER_STEPLOG_H

#include "runtime/trainer/data/FileDescriptor.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace halfstep {

struct StepRecord {
  int64_t step = 0;    ///< from 1
  int64_t updates = 0; ///< applied so far
  int64_t epoch = 0;   ///< from 0
  double loss = 0;
  std::optional<double> lr;
  double scale = 1;
  bool skipped = false;
  double gradNorm = 0; ///< NaN when it was not computed
  double stepMs = 0;
  double samplesPerS = 0;
};

/// The JSON object, without a line feed.
std::string toJsonLine(const StepRecord &record);

/// Whole lines reach the file at the latest a second later, at flush, and at the end.
class StepLog {
public:
  /// An empty path: nothing is logged. `append` keeps what the file holds. Throws Diagnostic Io.
  StepLog(const std::string &path, bool append);
  ~StepLog(); ///< writes what is left; failures are not reported

  void write(const StepRecord &record);
  void flush(); ///< throws Diagnostic Io

private:
  bool drain();

  std::string path, buffer;
  FileDescriptor file;
  std::chrono::steady_clock::time_point drained;
};

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_STEPLOG_H
