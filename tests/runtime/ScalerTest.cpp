// The scaler against stored traces of torch.amp.GradScaler, bit for bit.
#include "halfstep/scaler.h"

#include <nlohmann/json.hpp>

#include <array>
#include <bit>
#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <random>
#include <set>

namespace {

using Scaler = std::unique_ptr<hs_scaler, decltype(&hs_scaler_destroy)>;

nlohmann::json vectors(const char *name) {
  return nlohmann::json::parse(std::ifstream(HALFSTEP_SCALER_VECTORS))[name];
}

Scaler make(const hs_scaler_config &config) {
  hs_scaler *scaler = nullptr;
  EXPECT_EQ(hs_scaler_create(&config, &scaler), HS_OK);
  return Scaler(scaler, hs_scaler_destroy);
}

hs_scaler_state stateOf(const Scaler &scaler) {
  hs_scaler_state state;
  EXPECT_EQ(hs_scaler_get_state(scaler.get(), &state), HS_OK);
  return state;
}

TEST(Scaler, UpdatesAsTorchDoes) {
  size_t steps = 0;
  for (const auto &trace : vectors("update")) {
    hs_scaler_config config = HS_SCALER_CONFIG_INIT;
    config.init = std::bit_cast<float>(trace["init_bits"].get<uint32_t>());
    config.growth = trace["growth"];
    config.backoff = trace["backoff"];
    config.interval = trace["interval"];
    Scaler scaler = make(config);
    for (const auto &step : trace["steps"]) {
      ASSERT_EQ(hs_scaler_update(scaler.get(), step[0].get<int>()), HS_OK);
      ASSERT_EQ(std::bit_cast<uint32_t>(stateOf(scaler).scale), step[1].get<uint32_t>()) << "step " << steps;
      ASSERT_EQ(stateOf(scaler).growth_tracker, step[2].get<int32_t>()) << "step " << steps;
      ++steps;
    }
  }
  EXPECT_EQ(steps, 4760u);
}

TEST(Scaler, FollowsTorchOverTenThousandSteps) {
  const auto trace = nlohmann::json::parse(std::ifstream(HALFSTEP_SCALER_TRACE));
  hs_scaler_config config = HS_SCALER_CONFIG_INIT;
  config.init = trace["init"];
  config.growth = trace["growth"];
  config.backoff = trace["backoff"];
  config.interval = trace["interval"];
  Scaler scaler = make(config);
  std::map<size_t, uint32_t> changes;
  for (const auto &change : trace["scale_bits"])
    changes[change[0]] = change[1];
  const std::set<size_t> resets = trace["tracker_resets"].get<std::set<size_t>>();
  const std::string found = trace["found"];
  ASSERT_EQ(found.size(), 10000u);
  uint32_t scaleBits = 0;
  int32_t tracker = 0;
  for (size_t step = 0; step < found.size(); ++step) {
    ASSERT_EQ(hs_scaler_update(scaler.get(), found[step] == '1'), HS_OK);
    if (auto change = changes.find(step); change != changes.end())
      scaleBits = change->second;
    tracker = resets.contains(step) ? 0 : tracker + 1;
    ASSERT_EQ(std::bit_cast<uint32_t>(stateOf(scaler).scale), scaleBits) << "step " << step;
    ASSERT_EQ(stateOf(scaler).growth_tracker, tracker) << "step " << step;
  }
}

// Rows hold signed or unsigned bits, depending on the type.
uint32_t bits(const nlohmann::json &value) { return uint32_t(value.get<int64_t>()); }

TEST(Scaler, UnscalesAsTorchDoes) {
  const std::map<std::string, hs_dtype> types = {
      {"float32", HS_F32}, {"float16", HS_F16}, {"bfloat16", HS_BF16}};
  size_t rows = 0;
  for (const auto &row : vectors("unscale")) {
    hs_dtype type = types.at(row[0]);
    uint32_t mask = type == HS_F32 ? ~0u : 0xffffu, in = bits(row[3]) & mask, out = 0;
    float scale = std::bit_cast<float>(bits(row[1]));
    int found = 0;
    ASSERT_EQ(hs_unscale(type, &in, &out, 1, scale, &found), HS_OK);
    EXPECT_EQ(out, bits(row[4]) & mask) << row;
    EXPECT_EQ(found, row[5].get<int>()) << row;
    ++rows;
  }
  EXPECT_EQ(rows, 158u);
}

TEST(Scaler, FoundInfCollectsOverSeveralTensors) {
  float bad[] = {INFINITY}, good[] = {1, 2};
  int found = 0;
  EXPECT_EQ(hs_unscale(HS_F32, bad, bad, 1, 2, &found), HS_OK);
  EXPECT_EQ(hs_unscale(HS_F32, good, good, 2, 2, &found), HS_OK);
  EXPECT_EQ(found, 1);
  EXPECT_EQ(good[1], 1.0f);
}

TEST(Scaler, ZeroConfigMeansTorchsDefaults) {
  hs_scaler *scaler = nullptr;
  ASSERT_EQ(hs_scaler_create(nullptr, &scaler), HS_OK);
  float scale = 0;
  EXPECT_EQ(hs_scaler_scale(scaler, &scale), HS_OK);
  EXPECT_EQ(scale, 65536.0f);
  hs_scaler_destroy(scaler);
}

TEST(Scaler, BoundsHoldWhenSet) {
  hs_scaler_config config = HS_SCALER_CONFIG_INIT;
  config.init = 4;
  config.interval = 1;
  config.min = 3;
  config.max = 6;
  Scaler scaler = make(config);
  hs_scaler_update(scaler.get(), 0);
  EXPECT_EQ(stateOf(scaler).scale, 6.0f);
  hs_scaler_update(scaler.get(), 1);
  hs_scaler_update(scaler.get(), 1);
  EXPECT_EQ(stateOf(scaler).scale, 3.0f);
}

//===----------------------------------------------------------------------===//
// Presets, against models that follow the originals' own variables
//===----------------------------------------------------------------------===//

/// DeepSpeed's DynamicLossScaler: no tracker, but the iteration and that of the last overflow.
struct DeepSpeed {
  double scale = 65536;
  int window = 1000, delayedShift = 2, hysteresis = 2;
  int64_t iteration = 0, lastOverflow = -1;

  void update(bool overflow) {
    if (overflow) {
      if (delayedShift == 1 || hysteresis == 1)
        scale = std::max(scale / 2, 1.0);
      else
        --hysteresis;
      lastOverflow = iteration;
    } else if ((iteration - lastOverflow) % window == 0) {
      hysteresis = delayedShift;
      scale *= 2;
    }
    ++iteration;
  }
};

/// Megatron's DynamicGradScaler, whose hysteresis counter goes on below zero.
struct Megatron {
  double scale = 0x1p32;
  int interval = 1000, full = 2, hysteresis = 2, growth = 0;

  void update(bool overflow) {
    if (overflow) {
      growth = 0;
      if (--hysteresis <= 0)
        scale = std::max(scale * 0.5, 1.0);
    } else if (++growth == interval) {
      growth = 0;
      hysteresis = full;
      scale *= 2;
    }
  }
};

/// Apex's update_scale_hysteresis: refilled by every clean step.
struct ApexHysteresis {
  double scale = 65536;
  int interval = 2000, full = 3, hysteresis = 3, growth = 0;

  void update(bool overflow) {
    if (overflow && --hysteresis > 0) {
      growth = 0;
      return;
    }
    if (overflow) {
      scale *= 0.5;
      growth = 0;
    } else if (++growth == interval) {
      scale *= 2;
      growth = 0;
    }
    if (!overflow)
      hysteresis = full;
  }
};

/// 10,000 steps of clean stretches, among them some as long as an interval, and bursts of overflows.
std::vector<bool> script() {
  std::vector<bool> steps;
  std::minstd_rand random(7);
  const std::array<size_t, 6> clean = {1, 3, 200, 999, 1000, 2001}, bursts = {1, 1, 2, 3, 5, 40};
  while (steps.size() < 10000) {
    steps.insert(steps.end(), clean[random() % clean.size()], false);
    steps.insert(steps.end(), bursts[random() % bursts.size()], true);
  }
  steps.resize(10000);
  return steps;
}

template <typename Model>
void follows(Model model, const hs_scaler_config &config) {
  Scaler scaler = make(config);
  size_t step = 0;
  for (bool overflow : script()) {
    model.update(overflow);
    ASSERT_EQ(hs_scaler_update(scaler.get(), overflow), HS_OK);
    ASSERT_EQ(stateOf(scaler).scale, model.scale) << "step " << step;
    ++step;
  }
}

hs_scaler_config preset(float init, int32_t interval, int32_t hysteresis, int32_t refill, float min) {
  return {sizeof(hs_scaler_config), init, 2, 0.5, interval, min, 0, hysteresis, refill};
}

TEST(Scaler, FollowsDeepSpeed) { follows(DeepSpeed(), preset(0x1p16f, 1000, 2, 0, 1)); }

TEST(Scaler, FollowsDeepSpeedWithoutHysteresis) {
  DeepSpeed model;
  model.delayedShift = model.hysteresis = 1;
  model.window = 200;
  follows(model, preset(0x1p16f, 200, 1, 0, 1));
}

TEST(Scaler, FollowsMegatron) { follows(Megatron(), preset(0x1p32f, 1000, 2, 0, 1)); }

TEST(Scaler, FollowsApexsHysteresis) { follows(ApexHysteresis(), preset(0x1p16f, 2000, 3, 1, 0)); }

int32_t leftOf(const Scaler &scaler) {
  int32_t left = 0;
  EXPECT_EQ(hs_scaler_get_hysteresis(scaler.get(), &left), HS_OK);
  return left;
}

TEST(Scaler, StateAndHysteresisTogetherResumeExactly) {
  const std::vector<bool> steps = script();
  const hs_scaler_config config = preset(0x1p16f, 1000, 3, 0, 1);
  Scaler whole = make(config), part = make(config);
  for (size_t step = 0; step < steps.size(); ++step) {
    if (step % 7 == 0) { // every state is saved at some time, and another scaler goes on from it
      hs_scaler_state state = stateOf(part);
      int32_t left = leftOf(part);
      part = make(config);
      ASSERT_EQ(hs_scaler_set_state(part.get(), &state), HS_OK);
      ASSERT_EQ(hs_scaler_set_hysteresis(part.get(), left), HS_OK);
    }
    hs_scaler_update(whole.get(), steps[step]);
    hs_scaler_update(part.get(), steps[step]);
    ASSERT_EQ(stateOf(whole).scale, stateOf(part).scale) << "step " << step;
    ASSERT_EQ(leftOf(whole), leftOf(part)) << "step " << step;
  }
}

TEST(Scaler, HysteresisHasItsRange) {
  Scaler scaler = make(preset(8, 1, 2, 0, 1));
  int32_t left = 0;
  EXPECT_EQ(leftOf(scaler), 2);
  for (int32_t wrong : {0, -1, 3})
    EXPECT_EQ(hs_scaler_set_hysteresis(scaler.get(), wrong), HS_ERROR_USAGE);
  EXPECT_EQ(hs_scaler_get_hysteresis(nullptr, &left), HS_ERROR_USAGE);
  EXPECT_EQ(hs_scaler_get_hysteresis(scaler.get(), nullptr), HS_ERROR_USAGE);
  hs_scaler *none = nullptr;
  hs_scaler_config negative = preset(8, 1, -1, 0, 1);
  EXPECT_EQ(hs_scaler_create(&negative, &none), HS_ERROR_USAGE);
}

TEST(Scaler, StateRoundTrips) {
  Scaler scaler = make(HS_SCALER_CONFIG_INIT);
  hs_scaler_state state = {0.75f, 1999};
  EXPECT_EQ(hs_scaler_set_state(scaler.get(), &state), HS_OK);
  EXPECT_EQ(hs_scaler_update(scaler.get(), 0), HS_OK);
  EXPECT_EQ(stateOf(scaler).scale, 1.5f);
  EXPECT_EQ(stateOf(scaler).growth_tracker, 0);
}

TEST(Scaler, RefusesWhatMakesNoSense) {
  hs_scaler *scaler = nullptr;
  for (auto [growth, backoff, interval] :
       {std::tuple{1.0, 0.5, 1}, {2.0, 1.0, 1}, {2.0, -0.5, 1}, {2.0, 0.5, -1}, {NAN, 0.5, 1}}) {
    hs_scaler_config config = {sizeof config, 1, growth, backoff, interval, 0, 0, 0, 0};
    EXPECT_EQ(hs_scaler_create(&config, &scaler), HS_ERROR_USAGE);
    EXPECT_EQ(scaler, nullptr);
  }
  Scaler good = make(HS_SCALER_CONFIG_INIT);
  for (hs_scaler_state state : {hs_scaler_state{INFINITY, 0}, {NAN, 0}, {-1, 0}, {1, -1}})
    EXPECT_EQ(hs_scaler_set_state(good.get(), &state), HS_ERROR_USAGE);
  int found = 0;
  float value = 1;
  EXPECT_EQ(hs_unscale(HS_F64, &value, &value, 1, 1, &found), HS_ERROR_USAGE);
  EXPECT_EQ(hs_unscale(HS_F32, nullptr, &value, 1, 1, &found), HS_ERROR_USAGE);
  EXPECT_EQ(hs_unscale(HS_F32, &value, &value, 1, 1, nullptr), HS_ERROR_USAGE);
  EXPECT_EQ(hs_unscale(HS_F32, nullptr, nullptr, 0, 1, &found), HS_OK);
  EXPECT_EQ(hs_scaler_create(nullptr, nullptr), HS_ERROR_USAGE);
  EXPECT_EQ(hs_scaler_update(nullptr, 0), HS_ERROR_USAGE);
  hs_scaler_destroy(nullptr);
}

} // namespace
