// An instance of the hand-written library, for the tests: a handle that ends itself, and shorthands.
#ifndef HALFSTEP_TESTS_FAKE_INSTANCE_H
#define HALFSTEP_TESTS_FAKE_INSTANCE_H

#include "FakeModel.h"

#include <array>
#include <cmath>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

namespace halfstep::test {

using Instance = std::unique_ptr<hs_instance, decltype(&hs_instance_destroy)>;

inline Instance makeInstance(const hs_model &model = fake_model, hs_config config = HS_CONFIG_INIT) {
  hs_instance *instance = nullptr;
  EXPECT_EQ(hs_instance_create(&model, &config, &instance), HS_OK);
  return Instance(instance, hs_instance_destroy);
}

inline Instance makeInstance(const hs_model &model, hs_on_nonfinite policy) {
  hs_config config = HS_CONFIG_INIT;
  config.on_nonfinite = policy;
  return makeInstance(model, config);
}

/// One batch, in the arrays that the fake model takes.
struct Batch {
  std::array<float, FAKE_BATCH * FAKE_IN> x;
  std::array<float, FAKE_BATCH * FAKE_OUT> y;
  std::array<int64_t, FAKE_BATCH> id = {0, 1, 2, FAKE_CLASSES - 1};
  const void *inputs[1] = {x.data()};
  const void *targets[2] = {y.data(), id.data()};

  explicit Batch(float shift = 0) {
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = 0.1f * float(i) + shift;
    for (size_t i = 0; i < y.size(); ++i)
      y[i] = 1 - 0.2f * float(i);
  }
  Batch(const Batch &) = delete;
};

inline hs_step_result train(const Instance &instance, const Batch &batch, hs_status expected = HS_OK) {
  hs_step_result result = HS_STEP_RESULT_INIT;
  EXPECT_EQ(hs_instance_train_step(instance.get(), batch.inputs, batch.targets, &result), expected)
      << hs_instance_last_error(instance.get());
  return result;
}

template <typename T>
std::vector<T> param(const Instance &instance, int32_t index) {
  hs_param_info info = HS_PARAM_INFO_INIT;
  EXPECT_EQ(hs_instance_param_info(instance.get(), index, &info), HS_OK);
  std::vector<T> values(size_t(info.count));
  EXPECT_EQ(hs_instance_param_get(instance.get(), index, values.data(), values.size() * sizeof(T)), HS_OK);
  return values;
}

inline std::string lastError(const Instance &instance) { return hs_instance_last_error(instance.get()); }

} // namespace halfstep::test

#endif // HALFSTEP_TESTS_FAKE_INSTANCE_H
