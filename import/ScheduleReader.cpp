// Schedules as JSON: reading, checking, writing.
#include "import/ScheduleReader.h"

#include "import/RecipeRanges.h"

#include <algorithm>

using json = nlohmann::json;

namespace halfstep {
namespace {

struct ScheduleRow {
  std::string kind;
  std::vector<std::string> keys; ///< settings beside kind and those of the warm-up
};

const std::vector<ScheduleRow> table = {
    {"constant", {}},
    {"step", {"every", "gamma"}},
    {"multistep", {"milestones", "gamma"}},
    {"cosine", {"steps", "min_lr"}},
    {"linear", {"steps", "min_lr"}},
    {"one_cycle", {"steps", "pct_start", "div_factor", "final_div_factor"}},
};

std::vector<std::string> ownersOf(const std::string &key) {
  std::vector<std::string> owners;
  for (const ScheduleRow &row : table)
    if (std::ranges::find(row.keys, key) != row.keys.end())
      owners.push_back(row.kind);
  return owners;
}

bool has(const ScheduleSpec &schedule, const std::string &key) {
  std::vector<std::string> owners = ownersOf(key);
  return owners.empty() || std::ranges::find(owners, schedule.kind) != owners.end();
}

const std::vector<std::string> keys = {"kind",      "warmup_steps", "warmup_start",    "steps",
                                       "min_lr",    "every",        "gamma",           "milestones",
                                       "pct_start", "div_factor",   "final_div_factor"};

void readMilestones(const SpecReader &reader, ScheduleSpec &schedule) {
  if (!reader.has("milestones"))
    return;
  const json &list = reader.at("milestones");
  if (!list.is_array() ||
      !std::ranges::all_of(list, [](const json &each) { return each.is_number_integer(); }))
    reader.expected("milestones", "a list of integers");
  schedule.milestones = list.get<std::vector<int64_t>>();
}

void require(bool inside, const char *key, double value, const char *range) {
  requireRange(inside, std::string("/schedule/") + key, value, range);
}

} // namespace

const std::vector<std::string> &scheduleKinds() {
  static const std::vector<std::string> kinds = [] {
    std::vector<std::string> names;
    for (const ScheduleRow &row : table)
      names.push_back(row.kind);
    return names;
  }();
  return kinds;
}

void readSchedule(const SpecReader &reader, ScheduleSpec &schedule) {
  reader.allowOnly(keys);
  reader.choice("kind", schedule.kind, scheduleKinds());
  for (const std::string &key : keys)
    if (reader.has(key) && !has(schedule, key))
      reader.fail(ExitCode::BadInput, key,
                  key + " contradicts schedule '" + schedule.kind + "': it belongs to " +
                      quotedList(ownersOf(key)));
  reader.integer("warmup_steps", schedule.warmupSteps);
  if (reader.has("warmup_start"))
    reader.number("warmup_start", schedule.warmupStart.emplace(0));
  reader.integer("steps", schedule.steps);
  reader.number("min_lr", schedule.minLr);
  reader.integer("every", schedule.every);
  reader.number("gamma", schedule.gamma);
  readMilestones(reader, schedule);
  reader.number("pct_start", schedule.pctStart);
  reader.number("div_factor", schedule.divFactor);
  reader.number("final_div_factor", schedule.finalDivFactor);
}

void validateSchedule(const ScheduleSpec &schedule, double lr) {
  require(schedule.warmupSteps >= 0, "warmup_steps", double(schedule.warmupSteps), "an integer >= 0");
  if (schedule.warmupStart)
    require(*schedule.warmupStart > 0 && *schedule.warmupStart <= 1, "warmup_start", *schedule.warmupStart,
            "a number in (0, 1]");
  require(schedule.steps >= 0, "steps", double(schedule.steps), "an integer >= 1, or 0 for those of the run");
  require(schedule.minLr >= 0 && schedule.minLr <= lr, "min_lr", schedule.minLr,
          "a number in [0, the learning rate]");
  if (schedule.kind == "step")
    require(schedule.every >= 1, "every", double(schedule.every), "an integer >= 1");
  require(isPositive(schedule.gamma), "gamma", schedule.gamma, "a finite number > 0");
  if (schedule.kind == "multistep" && schedule.milestones.empty())
    throw Diagnostic(ExitCode::BadInput,
                     "/schedule/milestones: schedule 'multistep' needs a list of updates");
  for (size_t i = 0; i < schedule.milestones.size(); ++i)
    require(schedule.milestones[i] >= (i ? schedule.milestones[i - 1] + 1 : 1), "milestones",
            double(schedule.milestones[i]), "integers >= 1 that grow");
  require(schedule.pctStart > 0 && schedule.pctStart < 1, "pct_start", schedule.pctStart,
          "a number in (0, 1)");
  require(isPositive(schedule.divFactor), "div_factor", schedule.divFactor, "a finite number > 0");
  require(isPositive(schedule.finalDivFactor), "final_div_factor", schedule.finalDivFactor,
          "a finite number > 0");
  if (schedule.steps > 0)
    require(schedule.warmupSteps < schedule.steps, "warmup_steps", double(schedule.warmupSteps),
            "less than the schedule's steps");
}

json writeSchedule(const ScheduleSpec &schedule) {
  json object = {{"kind", schedule.kind}};
  auto write = [&](const std::string &key, const json &value) {
    if (has(schedule, key))
      object[key] = value;
  };
  write("warmup_steps", schedule.warmupSteps);
  if (schedule.warmupStart)
    write("warmup_start", *schedule.warmupStart);
  write("steps", schedule.steps);
  write("min_lr", schedule.minLr);
  write("every", schedule.every);
  write("gamma", schedule.gamma);
  write("milestones", schedule.milestones);
  write("pct_start", schedule.pctStart);
  write("div_factor", schedule.divFactor);
  write("final_div_factor", schedule.finalDivFactor);
  return object;
}

} // namespace halfstep
