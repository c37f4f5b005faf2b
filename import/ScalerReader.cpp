// See ScalerReader.h. The ranges are those of the runtime's hs_scaler, so that no spec makes a library that
// cannot be instantiated.
#include "import/ScalerReader.h"

#include "import/SpecReader.h"

#include <algorithm>
#include <cmath>
#include <limits>

using json = nlohmann::json;

namespace halfstep {
namespace {

void checkRanges(const SpecReader &reader, const ScalerSpec &scaler) {
  if (!isScale(scaler.init))
    reader.expected("init", "a number > 0 that f32 can hold");
  if (!(scaler.growth > 1 && std::isfinite(scaler.growth)))
    reader.expected("growth", "a finite number > 1");
  if (!(scaler.backoff > 0 && scaler.backoff < 1))
    reader.expected("backoff", "a number in (0, 1)");
  if (scaler.interval < 1 || scaler.interval > std::numeric_limits<int32_t>::max())
    reader.expected("interval", "an integer in [1, 2^31)");
  if (scaler.hysteresis < 1 || scaler.hysteresis > std::numeric_limits<int32_t>::max())
    reader.expected("hysteresis", "an integer in [1, 2^31)");
  if (reader.has("min") && !(*scaler.min >= 0 && std::isfinite(float(*scaler.min))))
    reader.expected("min", "a number >= 0 that f32 can hold");
  if (reader.has("max") && !isScale(*scaler.max))
    reader.expected("max", "a number > 0 that f32 can hold");
}

/// `lower` must not be above `upper`.
void checkOrder(const SpecReader &reader, const char *lower, double low, const char *upper, double high) {
  if (low > high)
    reader.fail(ExitCode::BadInput, reader.has(lower) ? lower : upper,
                std::string(lower) + " " + json(low).dump() + " contradicts " + upper + " " +
                    json(high).dump() + ": it is larger");
}

} // namespace

bool isScale(double value) { return float(value) > 0 && std::isfinite(float(value)); }

ScalerSpec scalerPreset(const std::string &preset) {
  ScalerSpec scaler;
  scaler.preset = preset;
  if (preset == "apex")
    scaler.max = 0x1p24;
  if (preset == "deepspeed" || preset == "megatron") {
    scaler.init = preset == "megatron" ? 0x1p32 : 0x1p16;
    scaler.interval = 1000;
    scaler.hysteresis = 2;
    scaler.refillAtGrowth = true;
    scaler.min = 1;
  }
  return scaler;
}

ScalerSpec readScaler(const SpecReader &reader, const std::string &preset) {
  reader.allowOnly({"preset", "init", "growth", "backoff", "interval", "hysteresis", "min", "max"});
  std::string chosen = preset;
  reader.choice("preset", chosen, {"torch", "apex", "deepspeed", "megatron"});
  ScalerSpec scaler = scalerPreset(chosen);
  double least = 0, most = 0;
  reader.number("init", scaler.init);
  reader.number("growth", scaler.growth);
  reader.number("backoff", scaler.backoff);
  reader.integer("interval", scaler.interval);
  reader.integer("hysteresis", scaler.hysteresis);
  reader.number("min", least);
  reader.number("max", most);
  if (reader.has("min"))
    scaler.min = least;
  if (reader.has("max"))
    scaler.max = most;
  checkRanges(reader, scaler);
  if (!reader.has("init") && scaler.max)
    scaler.init = std::min(scaler.init, *scaler.max);
  checkOrder(reader, "min", scaler.min.value_or(0), "init", scaler.init);
  checkOrder(reader, "init", scaler.init, "max", scaler.max.value_or(scaler.init));
  return scaler;
}

json scalerToJson(const ScalerSpec &scaler) {
  json object = {{"preset", scaler.preset},     {"init", scaler.init},
                 {"growth", scaler.growth},     {"backoff", scaler.backoff},
                 {"interval", scaler.interval}, {"hysteresis", scaler.hysteresis}};
  if (scaler.min)
    object["min"] = *scaler.min;
  if (scaler.max)
    object["max"] = *scaler.max;
  return object;
}

} // namespace halfstep
