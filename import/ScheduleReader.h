// The learning-rate schedule of a recipe. The trainer computes it (halfstep/schedule.h); the compiler only
// checks it.
#ifndef HALFSTEP_IMPORT_SCHEDULEREADER_H
#define HALFSTEP_IMPORT_SCHEDULEREADER_H

#include "import/SpecReader.h"

#include <optional>
#include <string>
#include <vector>

namespace halfstep {

/// Everything counts updates that were applied.
struct ScheduleSpec {
  std::string kind = "constant";     ///< constant, step, multistep, cosine, linear, one_cycle
  int64_t warmupSteps = 0;           ///< before any of them
  std::optional<double> warmupStart; ///< factor of the first update; absent: 1 / (warmupSteps + 1)
  int64_t steps = 0;                 ///< length, warm-up included; 0: that of the run
  double minLr = 0;                  ///< end of cosine and linear
  int64_t every = 0;                 ///< of step
  double gamma = 0.1;                ///< of step and multistep
  std::vector<int64_t> milestones;   ///< of multistep, growing
  double pctStart = 0.3, divFactor = 25, finalDivFactor = 1e4; ///< of one_cycle
};

const std::vector<std::string> &scheduleKinds();

/// Reads the object `schedule` of a recipe; BadInput at what is wrong.
void readSchedule(const SpecReader &reader, ScheduleSpec &schedule);
/// Checks values; throws the first that is out of range. `lr`: the optimizer's.
void validateSchedule(const ScheduleSpec &schedule, double lr);
/// The object with all settings of its kind.
nlohmann::json writeSchedule(const ScheduleSpec &schedule);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_SCHEDULEREADER_H
