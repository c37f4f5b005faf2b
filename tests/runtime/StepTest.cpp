// The steps around a generated step function: checks of the data, non-finite gradients, the scaler, results.
#include "FakeInstance.h"

#include "runtime/embedded/instance.h"

#include <cstring>

namespace {
using namespace halfstep::test;

std::vector<char> stateBytes(const Instance &instance) {
  return {instance->arena + HS_SCALARS_BYTES, instance->arena + fake_model.state_bytes};
}

TEST(Step, TrainingReducesTheLossAndCountsUpdates) {
  Instance instance = makeInstance();
  Batch batch;
  hs_step_result first = train(instance, batch), last = first;
  EXPECT_EQ(first.updates, 1);
  EXPECT_EQ(first.skipped, 0);
  EXPECT_EQ(first.scale, 1.0f);
  EXPECT_GT(first.grad_norm, 0);
  for (int i = 0; i < 50; ++i)
    last = train(instance, batch);
  EXPECT_LT(last.loss, 0.5 * first.loss);
  EXPECT_EQ(last.updates, 51);
  EXPECT_EQ(param<int64_t>(instance, FAKE_COUNT)[0], 7 + 51);
}

TEST(Step, ThePowerOfTwoScaleChangesNothingButItself) {
  Instance plain = makeInstance(fake_model), scaled = makeInstance(fake_scaled_model);
  Batch batch;
  for (int i = 0; i < 7; ++i) {
    hs_step_result a = train(plain, batch), b = train(scaled, batch);
    EXPECT_EQ(a.loss, b.loss);
    EXPECT_NEAR(a.grad_norm, b.grad_norm, 1e-12 * a.grad_norm);
    EXPECT_EQ(b.scale, 1024.0f * float(1 << (i / 3))) << "it doubles every 3 clean steps";
  }
  EXPECT_EQ(param<float>(plain, FAKE_WEIGHT), param<float>(scaled, FAKE_WEIGHT));
}

TEST(Step, WithAScalerANonfiniteStepIsSkipped) {
  Instance instance = makeInstance(fake_scaled_model);
  Batch good, bad;
  bad.x[0] = INFINITY;
  train(instance, good);
  auto before = stateBytes(instance);
  hs_step_result result = train(instance, bad);
  EXPECT_EQ(result.skipped, 1);
  EXPECT_EQ(result.updates, 1);
  EXPECT_EQ(result.scale, 1024.0f);
  EXPECT_TRUE(std::isnan(result.grad_norm));
  EXPECT_EQ(stateBytes(instance), before);
  EXPECT_EQ(train(instance, good).scale, 512.0f);
}

TEST(Step, WithoutAScalerANonfiniteStepStops) {
  Instance instance = makeInstance(fake_model);
  Batch bad;
  bad.x[0] = NAN;
  auto before = stateBytes(instance);
  hs_step_result result = train(instance, bad, HS_ERROR_NUMERICS);
  EXPECT_EQ(result.skipped, 1);
  EXPECT_EQ(stateBytes(instance), before);
  EXPECT_NE(lastError(instance).find("not finite"), std::string::npos);
  EXPECT_EQ(train(instance, Batch()).updates, 1);
}

TEST(Step, StopWithAScalerLeavesTheScalerToo) {
  Instance instance = makeInstance(fake_scaled_model, HS_NONFINITE_STOP);
  Batch bad;
  bad.x[0] = INFINITY;
  train(instance, bad, HS_ERROR_NUMERICS);
  EXPECT_EQ(train(instance, Batch()).scale, 1024.0f);
}

TEST(Step, HysteresisHoldsTheScaleAtTheFirstOverflow) {
  hs_model model = fake_scaled_model;
  model.hysteresis = 2;
  Instance instance = makeInstance(model);
  Batch bad;
  bad.x[0] = INFINITY;
  EXPECT_EQ(train(instance, bad).next_scale, 1024.0f);
  EXPECT_EQ(train(instance, bad).scale, 1024.0f);
  EXPECT_EQ(train(instance, bad).scale, 512.0f) << "once it has shrunk, every overflow shrinks it";
  EXPECT_EQ(train(instance, bad).scale, 256.0f);
}

TEST(Step, TheNextScaleKnowsNoMinimum) {
  hs_model model = fake_scaled_model;
  model.scale_min = 1024;
  Instance instance = makeInstance(model);
  Batch bad;
  EXPECT_EQ(train(instance, bad).next_scale, 1024.0f);
  bad.x[0] = INFINITY;
  EXPECT_EQ(train(instance, bad).next_scale, 512.0f);
  EXPECT_EQ(train(instance, Batch()).scale, 1024.0f);
}

TEST(Step, SkipWithoutAScalerGoesOn) {
  Instance instance = makeInstance(fake_model, HS_NONFINITE_SKIP);
  Batch bad;
  bad.x[0] = INFINITY;
  EXPECT_EQ(train(instance, bad).skipped, 1);
  EXPECT_EQ(train(instance, Batch()).updates, 1);
  EXPECT_EQ(instance->step, 2u) << "attempts count skipped steps";
}

TEST(Step, IgnoreUpdatesAllTheSame) {
  Instance instance = makeInstance(fake_model, HS_NONFINITE_IGNORE);
  Batch bad;
  bad.x[0] = INFINITY;
  hs_step_result result = train(instance, bad);
  EXPECT_EQ(result.skipped, 0);
  EXPECT_EQ(result.updates, 1);
  EXPECT_FALSE(std::isfinite(param<float>(instance, FAKE_WEIGHT)[0]));
}

TEST(Step, AClassIdOutOfRangeIsFoundBeforeAnythingRuns) {
  for (int64_t id : {int64_t(-1), int64_t(FAKE_CLASSES), INT64_MIN, INT64_MAX}) {
    Instance instance = makeInstance();
    Batch batch;
    batch.id[2] = id;
    auto before = stateBytes(instance);
    train(instance, batch, HS_ERROR_INPUT);
    EXPECT_EQ(lastError(instance), "id " + std::to_string(id) + " in sample 2 of 'id' is outside [0, 5)");
    EXPECT_EQ(stateBytes(instance), before);
    EXPECT_EQ(instance->step, 0u);
  }
}

TEST(Step, NullPointersAreRefused) {
  Instance instance = makeInstance();
  Batch batch;
  const void *none[2] = {nullptr, nullptr};
  void *outputs[1] = {nullptr};
  hs_instance *handle = instance.get();
  EXPECT_EQ(hs_instance_train_step(nullptr, batch.inputs, batch.targets, nullptr), HS_ERROR_USAGE);
  EXPECT_EQ(hs_instance_train_step(handle, nullptr, batch.targets, nullptr), HS_ERROR_USAGE);
  EXPECT_EQ(hs_instance_train_step(handle, none, batch.targets, nullptr), HS_ERROR_USAGE);
  EXPECT_EQ(lastError(instance), "the data of 'x' is NULL");
  EXPECT_EQ(hs_instance_train_step(handle, batch.inputs, none, nullptr), HS_ERROR_USAGE);
  EXPECT_EQ(hs_instance_eval_step(handle, batch.inputs, nullptr, nullptr, nullptr), HS_ERROR_USAGE);
  EXPECT_EQ(hs_instance_forward(handle, batch.inputs, nullptr), HS_ERROR_USAGE);
  EXPECT_EQ(hs_instance_forward(handle, batch.inputs, outputs), HS_ERROR_USAGE);
  EXPECT_EQ(hs_instance_train_step(handle, batch.inputs, batch.targets, nullptr), HS_OK);
}

TEST(Step, AShorterResultOfAnOlderProgramIsNotOverrun) {
  Instance instance = makeInstance();
  Batch batch;
  hs_step_result result = HS_STEP_RESULT_INIT;
  result.struct_size = offsetof(hs_step_result, scale);
  result.scale = -5;
  result.updates = -6;
  EXPECT_EQ(hs_instance_train_step(instance.get(), batch.inputs, batch.targets, &result), HS_OK);
  EXPECT_GT(result.grad_norm, 0);
  EXPECT_EQ(result.scale, -5.0f);
  EXPECT_EQ(result.updates, -6);
  EXPECT_EQ(result.struct_size, offsetof(hs_step_result, scale));
  result.struct_size = 0;
  EXPECT_EQ(hs_instance_train_step(instance.get(), batch.inputs, batch.targets, &result), HS_ERROR_USAGE);
}

TEST(Step, EvaluationAndForwardGiveTheSameOutputsAndChangeNothing) {
  Instance instance = makeInstance();
  Batch batch;
  auto before = stateBytes(instance);
  float evaluated[FAKE_BATCH * FAKE_OUT], predicted[FAKE_BATCH * FAKE_OUT];
  void *evalOutputs[] = {evaluated}, *outputs[] = {predicted};
  double loss = 0;
  EXPECT_EQ(hs_instance_eval_step(instance.get(), batch.inputs, batch.targets, evalOutputs, &loss), HS_OK);
  EXPECT_EQ(hs_instance_forward(instance.get(), batch.inputs, outputs), HS_OK);
  EXPECT_EQ(std::memcmp(evaluated, predicted, sizeof predicted), 0);
  EXPECT_EQ(stateBytes(instance), before);
  EXPECT_EQ(train(instance, batch).loss, loss);
  EXPECT_EQ(hs_instance_eval_step(instance.get(), batch.inputs, batch.targets, nullptr, nullptr), HS_OK);
}

TEST(Step, BatchSizesThatAreCompiledInCanBeChosen) {
  Instance instance = makeInstance();
  Batch batch;
  void *outputs[] = {batch.y.data()};
  EXPECT_EQ(hs_instance_set_batch(instance.get(), FAKE_SMALL_BATCH), HS_OK);
  batch.id[2] = 99; // beyond the smaller batch: not looked at
  train(instance, batch);
  EXPECT_EQ(hs_instance_forward(instance.get(), batch.inputs, outputs), HS_ERROR_UNSUPPORTED);
  EXPECT_EQ(hs_instance_set_batch(instance.get(), 3), HS_ERROR_UNSUPPORTED);
  EXPECT_EQ(lastError(instance), "batch size 3 is not compiled in; compile with --batch 3 (now: 2)");
  train(instance, batch);
  EXPECT_EQ(hs_instance_set_batch(instance.get(), FAKE_BATCH), HS_OK);
  train(instance, batch, HS_ERROR_INPUT);
}

TEST(Step, TheLearningRateAndTheScalerCanBeSet) {
  Instance instance = makeInstance(fake_scaled_model);
  Batch batch;
  auto before = param<float>(instance, FAKE_WEIGHT);
  EXPECT_EQ(hs_instance_set_lr(instance.get(), 0), HS_OK);
  hs_scaler_state state = {8, 2};
  EXPECT_EQ(hs_instance_scaler_set(instance.get(), &state), HS_OK);
  EXPECT_EQ(train(instance, batch).scale, 8.0f);
  EXPECT_EQ(param<float>(instance, FAKE_WEIGHT), before);
  EXPECT_EQ(hs_instance_scaler_get(instance.get(), &state), HS_OK);
  EXPECT_EQ(state.scale, 16.0f);
  EXPECT_EQ(state.growth_tracker, 0);
}

TEST(Step, ThreadsOfItsOwnAndOfTheCallerGiveTheSameResult) {
  hs_config config = HS_CONFIG_INIT;
  config.threads = 3;
  Instance threaded = makeInstance(fake_model, config), plain = makeInstance();
  config.parallel_for = [](void *, hs_range_fn body, void *arg, int64_t n, int64_t) { body(arg, 0, n, 0); };
  Instance hosted = makeInstance(fake_model, config);
  EXPECT_NE(threaded->pool, nullptr);
  EXPECT_EQ(hosted->pool, nullptr);
  EXPECT_EQ(plain->parallel_for, nullptr);
  Batch batch;
  EXPECT_EQ(train(threaded, batch).loss, train(plain, batch).loss);
  EXPECT_EQ(train(hosted, batch).updates, 1);
}

} // namespace
