// First values: distributions, reproducibility, types and working copies.
#include "runtime/embedded/init.h"

#include "runtime/embedded/convert.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

namespace {

constexpr int64_t count = 40000;
const int64_t shape[] = {count};

// The values of a model with `params` alike parameters, which follow each other in the arena.
std::vector<double> fill(hs_init_kind kind, double a, double b, hs_dtype dtype, uint64_t seed,
                         int32_t index = 0) {
  hs_param_desc param = {{sizeof(hs_param_info), "p", dtype, 1, shape, count, HS_PARAMETER},
                         0,
                         count * 8,
                         -1,
                         HS_BF16,
                         {-1, -1},
                         HS_F32,
                         kind,
                         a,
                         b,
                         nullptr};
  std::vector<hs_param_desc> params(size_t(index) + 1, param);
  hs_model model = {};
  model.param_count = index + 1;
  model.params = params.data();
  std::vector<double> arena(size_t(count) * 2); // f64, so aligned for every type
  char *bytes = reinterpret_cast<char *>(arena.data());
  hs_init_state(&model, bytes, seed);
  std::vector<double> values(count);
  for (int64_t i = 0; i < count; ++i) {
    values[size_t(i)] = hs_load_element(dtype, bytes, i);
    float rounded = hs_f32_from_bf16(hs_bf16_from_f32(float(values[size_t(i)])));
    EXPECT_EQ(hs_load_element(HS_BF16, bytes + count * 8, i), double(rounded));
  }
  return values;
}

double mean(const std::vector<double> &values, double power = 1, double center = 0) {
  double sum = 0;
  for (double value : values)
    sum += std::pow(value - center, power);
  return sum / double(values.size());
}

// Bounds: 6 standard errors of the mean and of the variance for 40,000 samples.
TEST(Init, UniformFillsItsInterval) {
  for (hs_dtype dtype : {HS_F32, HS_F16, HS_BF16}) {
    auto values = fill(HS_INIT_UNIFORM, -1, 3, dtype, 1);
    for (double value : values)
      ASSERT_TRUE(value >= -1 && value <= 3);
    EXPECT_NEAR(mean(values), 1, 6 * std::sqrt(16 / 12.0 / count));
    EXPECT_NEAR(mean(values, 2, 1), 16 / 12.0, 0.05);
  }
}

TEST(Init, NormalHasItsMeanAndDeviation) {
  auto values = fill(HS_INIT_NORMAL, 2, 0.5, HS_F32, 1);
  EXPECT_NEAR(mean(values), 2, 6 * 0.5 / std::sqrt(count));
  EXPECT_NEAR(mean(values, 2, 2), 0.25, 6 * 0.25 * std::sqrt(2.0 / count));
  EXPECT_NEAR(mean(values, 3, 2), 0, 6 * 0.125 * std::sqrt(15.0 / count));
  for (double value : values)
    ASSERT_TRUE(std::isfinite(value));
}

TEST(Init, ASeedGivesTheSameValuesAndAnotherSeedOthers) {
  auto values = fill(HS_INIT_UNIFORM, 0, 1, HS_F32, 7);
  EXPECT_EQ(fill(HS_INIT_UNIFORM, 0, 1, HS_F32, 7), values);
  EXPECT_NE(fill(HS_INIT_UNIFORM, 0, 1, HS_F32, 8), values);
  EXPECT_NE(fill(HS_INIT_UNIFORM, 0, 1, HS_F32, 7, 1), values) << "the parameter's index matters";
}

TEST(Init, ConstantInEveryType) {
  for (hs_dtype dtype : {HS_F32, HS_F64, HS_F16, HS_BF16, HS_I64, HS_I32, HS_U8})
    EXPECT_EQ(fill(HS_INIT_CONSTANT, 3, 0, dtype, 0)[1], 3);
}

} // namespace
