// The learning-rate schedule of a run: the recipe's, over the run's length.
#ifndef HALFSTEP_RUNTIME_TRAINER_SCHEDULE_H
#define HALFSTEP_RUNTIME_TRAINER_SCHEDULE_H

#include "halfstep/schedule.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <vector>

namespace halfstep {

class Schedule {
public:
  /// A constant rate.
  Schedule() = default;
  /// The object `schedule` of a resolved recipe; what is missing has its default.
  explicit Schedule(const nlohmann::json &object);

  /// True when the rate is the same in every step, which then is nobody's business but the library's.
  bool isConstant() const { return values.kind == HS_SCHEDULE_CONSTANT && values.warmup == 0; }
  /// The recipe's own length in updates; 0: that of the run.
  int64_t steps() const { return values.steps; }

  /// The rate of the update after `updates` others, when the largest is `lr` and `length` updates are the
  /// whole. Throws Diagnostic BadInput when the warm-up leaves nothing of them.
  double at(int64_t updates, double lr, int64_t length) const;

private:
  hs_schedule values = HS_SCHEDULE_INIT;
  std::vector<int64_t> milestones;
};

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_SCHEDULE_H
