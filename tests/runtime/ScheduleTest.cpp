// Learning-rate schedules: the values of torch.optim.lr_scheduler, the ends, and what is refused.
#include "halfstep/schedule.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <fstream>

namespace {

double rateOf(const hs_schedule &schedule, int64_t updates) {
  double lr = -1;
  EXPECT_EQ(hs_schedule_lr(&schedule, updates, &lr), HS_OK);
  return lr;
}

hs_schedule make(hs_schedule_kind kind, int64_t steps = 10, int64_t warmup = 0) {
  hs_schedule schedule = HS_SCHEDULE_INIT;
  schedule.kind = kind;
  schedule.lr = 0.5;
  schedule.steps = steps;
  schedule.warmup = warmup;
  schedule.every = 2;
  return schedule;
}

} // namespace

TEST(Schedule, IsTorchs) {
  constexpr std::array kinds = {"constant", "step", "multistep", "cosine", "linear", "one_cycle"};
  std::ifstream file(HALFSTEP_SCHEDULE_VALUES);
  nlohmann::json cases = nlohmann::json::parse(file);
  ASSERT_EQ(cases.size(), 11u);
  for (const nlohmann::json &each : cases) {
    SCOPED_TRACE(each["kind"]);
    hs_schedule schedule = HS_SCHEDULE_INIT;
    schedule.kind = int32_t(std::find(kinds.begin(), kinds.end(), each["kind"]) - kinds.begin());
    schedule.lr = each["lr"];
    schedule.warmup = each.value("warmup", int64_t{0});
    schedule.warmup_start = each.value("warmup_start", 0.0);
    schedule.steps = each.value("steps", int64_t{0});
    schedule.min_lr = each.value("min_lr", 0.0);
    schedule.every = each.value("every", int64_t{0});
    schedule.gamma = each.value("gamma", 0.0);
    auto milestones = each.value("milestones", std::vector<int64_t>());
    schedule.milestones = milestones.data();
    schedule.milestone_count = milestones.size();
    schedule.pct_start = each.value("pct_start", 0.0);
    schedule.div_factor = each.value("div_factor", 0.0);
    schedule.final_div_factor = each.value("final_div_factor", 0.0);
    for (size_t i = 0; i < each["rates"].size(); ++i) {
      // Torch multiplies step by step: its error grows with the number of steps.
      double exact = each["rates"][i];
      EXPECT_NEAR(rateOf(schedule, int64_t(i)), exact, 1e-13 * schedule.lr) << "update " << i;
    }
  }
}

TEST(Schedule, EndsStay) {
  for (auto [kind, end] : {std::pair{HS_SCHEDULE_COSINE, 0.125},
                           {HS_SCHEDULE_LINEAR, 0.125},
                           {HS_SCHEDULE_ONE_CYCLE, 0.5 / 25 / 1e4}}) {
    hs_schedule schedule = make(kind);
    schedule.min_lr = 0.125;
    for (int64_t updates : {int64_t{10}, int64_t{11}, INT64_MAX})
      EXPECT_DOUBLE_EQ(rateOf(schedule, updates), end);
  }
}

TEST(Schedule, ShortOnesAreFinite) {
  for (int64_t steps : {1, 2, 3})
    for (int kind = HS_SCHEDULE_CONSTANT; kind <= HS_SCHEDULE_ONE_CYCLE; ++kind)
      for (int64_t updates = 0; updates < 5; ++updates) {
        double lr = rateOf(make(hs_schedule_kind(kind), steps), updates);
        EXPECT_TRUE(lr >= 0 && lr <= 0.5) << kind << " " << steps << " " << updates << ": " << lr;
      }
}

TEST(Schedule, RefusesWhatIsOutOfRange) {
  double lr = 0;
  hs_schedule good = make(HS_SCHEDULE_COSINE);
  EXPECT_EQ(hs_schedule_lr(nullptr, 0, &lr), HS_ERROR_USAGE);
  EXPECT_EQ(hs_schedule_lr(&good, 0, nullptr), HS_ERROR_USAGE);
  EXPECT_EQ(hs_schedule_lr(&good, -1, &lr), HS_ERROR_USAGE);
  auto refused = [&](auto change) {
    hs_schedule bad = good;
    change(bad);
    EXPECT_EQ(hs_schedule_lr(&bad, 0, &lr), HS_ERROR_USAGE);
  };
  refused([](hs_schedule &s) { s.struct_size = 0; });
  refused([](hs_schedule &s) { s.kind = 6; });
  refused([](hs_schedule &s) { s.kind = -1; });
  refused([](hs_schedule &s) { s.lr = NAN; });
  refused([](hs_schedule &s) { s.steps = 0; });
  refused([](hs_schedule &s) { s.warmup = 10; });
  refused([](hs_schedule &s) { s.warmup_start = 1.5; });
  refused([](hs_schedule &s) { s.kind = HS_SCHEDULE_STEP, s.every = 0; });
  refused([](hs_schedule &s) { s.kind = HS_SCHEDULE_MULTISTEP, s.milestone_count = 1; });
  refused([](hs_schedule &s) { s.pct_start = 1; });
}
