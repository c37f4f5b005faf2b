// The `scaler` of a precision spec: what each preset means, and that it comes back from JSON.

#include <nlohmann/json.hpp>

#include "tests/cli/ParsePrecision.h"
#include <cmath>

#include <gtest/gtest.h>

namespace halfstep {
namespace {

ScalerSpec scalerOf(const std::string &scaler) {
  return parsePrecision(R"({"precision": "16-mixed", "scaler": )" + scaler + "}").scaling;
}

struct Preset {
  const char *name;
  double init, growth, backoff;
  int64_t interval, hysteresis;
  bool refillAtGrowth;
  std::optional<double> min, max;
};

TEST(ScalerSpec, PresetsAreThoseOfTheirOriginals) {
  const Preset presets[] = {{"torch", 0x1p16, 2, 0.5, 2000, 1, false, std::nullopt, std::nullopt},
                            {"apex", 0x1p16, 2, 0.5, 2000, 1, false, std::nullopt, 0x1p24},
                            {"deepspeed", 0x1p16, 2, 0.5, 1000, 2, true, 1, std::nullopt},
                            {"megatron", 0x1p32, 2, 0.5, 1000, 2, true, 1, std::nullopt}};
  for (const Preset &preset : presets) {
    ScalerSpec spec = scalerOf(R"({"preset": ")" + std::string(preset.name) + "\"}");
    EXPECT_EQ(spec.preset, preset.name);
    EXPECT_EQ(spec.init, preset.init) << preset.name;
    EXPECT_EQ(spec.growth, preset.growth) << preset.name;
    EXPECT_EQ(spec.backoff, preset.backoff) << preset.name;
    EXPECT_EQ(spec.interval, preset.interval) << preset.name;
    EXPECT_EQ(spec.hysteresis, preset.hysteresis) << preset.name;
    EXPECT_EQ(spec.refillAtGrowth, preset.refillAtGrowth) << preset.name;
    EXPECT_EQ(spec.min, preset.min) << preset.name;
    EXPECT_EQ(spec.max, preset.max) << preset.name;
  }
}

TEST(ScalerSpec, TheInitialScaleIsThatOfTheSpec) {
  EXPECT_EQ(parsePrecision(R"({"precision": "16-mixed", "scaler": {"preset": "megatron"}})").lossScale,
            0x1p32);
  EXPECT_EQ(parsePrecision(R"({"precision": "16-mixed", "scaler": {"preset": "apex", "max": 8}})").lossScale,
            8);
}

TEST(ScalerSpec, SettingsOverrideThePreset) {
  ScalerSpec spec =
      scalerOf(R"({"preset": "megatron", "hysteresis": 5, "interval": 7, "min": 0.25, "max": 1e12})");
  EXPECT_EQ(spec.hysteresis, 5);
  EXPECT_EQ(spec.interval, 7);
  EXPECT_EQ(spec.min, 0.25);
  EXPECT_EQ(spec.max, 1e12);
  EXPECT_TRUE(spec.refillAtGrowth);
  EXPECT_FALSE(scalerOf(R"({"hysteresis": 4})").refillAtGrowth);
}

TEST(ScalerSpec, ComesBackFromJson) {
  for (const char *scaler : {R"({"preset": "deepspeed"})", R"({"preset": "apex", "hysteresis": 3})",
                             R"({"preset": "megatron", "min": 0, "interval": 2147483647})"}) {
    PrecisionSpec spec =
        parsePrecision(R"({"precision": "16-mixed", "scaler": )" + std::string(scaler) + "}");
    nlohmann::json written = precisionToJson(spec);
    PrecisionSpec again = resolvePrecision(written, {"precision", ""}, "cpu");
    EXPECT_EQ(precisionToJson(again), written) << scaler;
    EXPECT_EQ(again.scaling.refillAtGrowth, spec.scaling.refillAtGrowth) << scaler;
  }
}

} // namespace
} // namespace halfstep
