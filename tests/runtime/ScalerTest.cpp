// The scaler against stored traces of torch.amp.GradScaler, bit for bit.
#include "halfstep/scaler.h"

#include <nlohmann/json.hpp>

#include <bit>
#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <memory>

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
    hs_scaler_config config = {sizeof config, 1, growth, backoff, interval, 0, 0};
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
