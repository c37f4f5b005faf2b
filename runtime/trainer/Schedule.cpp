// See Schedule.h.
#include "runtime/trainer/Schedule.h"

#include "halfstep/diagnostic.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <string>

namespace halfstep {

/// In the order of hs_schedule_kind.
constexpr std::array kinds = {"constant", "step", "multistep", "cosine", "linear", "one_cycle"};

Schedule::Schedule(const nlohmann::json &object) {
  auto kind = std::ranges::find(kinds, object.value("kind", std::string(kinds[0])));
  values.kind = int32_t(kind == kinds.end() ? 0 : kind - kinds.begin());
  values.warmup = object.value("warmup_steps", int64_t{0});
  values.warmup_start = object.value("warmup_start", 0.0);
  values.steps = object.value("steps", int64_t{0});
  values.min_lr = object.value("min_lr", 0.0);
  values.every = object.value("every", int64_t{1});
  values.gamma = object.value("gamma", 0.0);
  milestones = object.value("milestones", std::vector<int64_t>());
  values.pct_start = object.value("pct_start", 0.0);
  values.div_factor = object.value("div_factor", 0.0);
  values.final_div_factor = object.value("final_div_factor", 0.0);
}

double Schedule::at(int64_t updates, double lr, int64_t length) const {
  hs_schedule schedule = values;
  schedule.lr = lr;
  schedule.steps = length;
  schedule.milestones = milestones.data();
  schedule.milestone_count = milestones.size();
  double rate = 0;
  if (hs_schedule_lr(&schedule, updates, &rate) != HS_OK)
    throw Diagnostic(ExitCode::BadInput, "the schedule has a warm-up of " + std::to_string(values.warmup) +
                                             " updates, and all of it " + std::to_string(length) +
                                             "; make the run or the schedule's 'steps' longer");
  return rate;
}

} // namespace halfstep
