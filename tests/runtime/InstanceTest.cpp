// Making instances and reaching into them.
#include "FakeInstance.h"

#include "runtime/embedded/convert.h"
#include "runtime/embedded/instance.h"

#include <cstdlib>
#include <cstring>

namespace {
using namespace halfstep::test;

std::string createError(hs_config config, hs_status expected, const hs_model &model = fake_model) {
  char text[256] = "";
  config.error = text;
  config.error_bytes = sizeof text;
  hs_instance *instance = reinterpret_cast<hs_instance *>(&config);
  EXPECT_EQ(hs_instance_create(&model, &config, &instance), expected);
  EXPECT_EQ(instance, nullptr);
  return text;
}

TEST(Instance, NullConfigMeansDefaults) {
  hs_instance *instance = nullptr;
  EXPECT_EQ(hs_instance_create(&fake_model, nullptr, &instance), HS_OK);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(instance->arena) % HS_ALIGNMENT, 0u);
  EXPECT_STREQ(hs_instance_last_error(instance), "");
  hs_instance_destroy(instance);
  hs_instance_destroy(nullptr);
}

TEST(Instance, TheModelsSeedServesWhereTheConfigHasNone) {
  hs_model model = fake_model;
  model.seed = 7;
  hs_config config = HS_CONFIG_INIT;
  config.seed = 7;
  EXPECT_EQ(param<float>(makeInstance(model), 0), param<float>(makeInstance(fake_model, config), 0));
  EXPECT_NE(param<float>(makeInstance(model), 0), param<float>(makeInstance(fake_model), 0));
  config.seed = 8;
  EXPECT_EQ(param<float>(makeInstance(model, config), 0), param<float>(makeInstance(fake_model, config), 0));
}

TEST(Instance, BadConfigsAreRefusedWithAMessage) {
  EXPECT_EQ(hs_instance_create(&fake_model, nullptr, nullptr), HS_ERROR_USAGE);
  hs_config config = HS_CONFIG_INIT;
  config.threads = -1;
  EXPECT_EQ(createError(config, HS_ERROR_USAGE), "threads is -1, expected 0 to 1024");
  config = HS_CONFIG_INIT;
  config.isa = 9;
  EXPECT_EQ(createError(config, HS_ERROR_USAGE), "isa is 9, expected 0 to 2");
  config = HS_CONFIG_INIT;
  config.on_nonfinite = 4;
  EXPECT_EQ(createError(config, HS_ERROR_USAGE), "on_nonfinite is 4, expected 0 to 3");
  config = HS_CONFIG_INIT;
  config.struct_size = 0;
  createError(config, HS_ERROR_USAGE);
}

TEST(Instance, ALevelThatIsNotThereIsAnIsaError) {
  hs_config config = HS_CONFIG_INIT;
  config.isa = HS_ISA_X86_64_V4_BF16;
  EXPECT_NE(createError(config, HS_ERROR_ISA).find("x86-64-v4"), std::string::npos);
}

TEST(Instance, AnotherAbiIsRefused) {
  hs_model model = fake_model;
  model.abi = HS_ABI + 1;
  EXPECT_NE(createError(HS_CONFIG_INIT, HS_ERROR_INTERNAL, model), "");
}

TEST(Instance, StructsOfOtherSizesAreUnderstood) {
  hs_config config = HS_CONFIG_INIT;
  config.struct_size = offsetof(hs_config, seed); // a program compiled against an older header
  config.seed = 99;
  Instance older = makeInstance(fake_model, config), plain = makeInstance();
  EXPECT_EQ(param<float>(older, FAKE_WEIGHT), param<float>(plain, FAKE_WEIGHT));

  struct Newer {
    hs_config config = HS_CONFIG_INIT;
    int64_t added = 0;
  } newer;
  newer.config.struct_size = sizeof newer;
  hs_instance *instance = nullptr;
  EXPECT_EQ(hs_instance_create(&fake_model, &newer.config, &instance), HS_OK);
  hs_instance_destroy(instance);
  newer.added = 1;
  EXPECT_EQ(hs_instance_create(&fake_model, &newer.config, &instance), HS_ERROR_USAGE);
}

struct Counter {
  size_t bytes = 0, calls = 0, failFrom = SIZE_MAX;
};

void *countedAllocate(void *user, size_t bytes, size_t alignment) {
  auto *counter = static_cast<Counter *>(user);
  if (counter->calls++ >= counter->failFrom)
    return nullptr;
  counter->bytes += bytes;
  void *memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  std::memset(memory, 0xa5, bytes);
  return memory;
}

void countedRelease(void *user, void *memory, size_t bytes) {
  static_cast<Counter *>(user)->bytes -= bytes;
  std::free(memory);
}

TEST(Instance, AllMemoryComesFromTheCallersAllocator) {
  Counter counter;
  hs_allocator allocator = {countedAllocate, countedRelease, &counter};
  hs_config config = HS_CONFIG_INIT;
  config.allocator = &allocator;
  {
    Instance instance = makeInstance(fake_model, config);
    EXPECT_GE(counter.bytes, size_t(fake_model.arena_bytes));
    size_t calls = counter.calls;
    train(instance, Batch());
    EXPECT_EQ(counter.calls, calls) << "a step allocates nothing";
  }
  EXPECT_EQ(counter.bytes, 0u);
  for (size_t failFrom : {0, 1}) {
    counter = {0, 0, failFrom};
    EXPECT_NE(createError(config, HS_ERROR_MEMORY), "");
    EXPECT_EQ(counter.bytes, 0u);
  }
}

TEST(Instance, ParametersAreListed) {
  Instance instance = makeInstance();
  int32_t count = 0;
  EXPECT_EQ(hs_instance_param_count(instance.get(), &count), HS_OK);
  EXPECT_EQ(count, FAKE_PARAMS);
  hs_param_info info = HS_PARAM_INFO_INIT;
  EXPECT_EQ(hs_instance_param_info(instance.get(), FAKE_WEIGHT, &info), HS_OK);
  EXPECT_STREQ(info.name, "fc.\"w\"");
  EXPECT_EQ(info.shape[0], FAKE_OUT);
  EXPECT_EQ(info.struct_size, sizeof info);
  EXPECT_EQ(param<int64_t>(instance, FAKE_COUNT), std::vector<int64_t>{7});
  EXPECT_EQ(param<float>(instance, FAKE_BIAS), (std::vector<float>{0.25f, -0.5f}));
}

TEST(Instance, SettingAParameterRoundsItsCopyToo) {
  Instance instance = makeInstance();
  std::vector<float> values = {1.00390625f, 1.01171875f, -3, 4, 5, 1e-30f}; // the first two are ties in bf16
  EXPECT_EQ(hs_instance_param_set(instance.get(), FAKE_WEIGHT, values.data(), 24), HS_OK);
  EXPECT_EQ(param<float>(instance, FAKE_WEIGHT), values);
  const char *copy = instance->arena + fake_model.params[FAKE_WEIGHT].copy_offset;
  EXPECT_EQ(hs_load_element(HS_BF16, copy, 0), 1.0);
  EXPECT_EQ(hs_load_element(HS_BF16, copy, 1), 1.015625);
  EXPECT_EQ(hs_load_element(HS_BF16, copy, 4), 5.0);
}

TEST(Instance, WrongParameterCallsAreRefused) {
  Instance instance = makeInstance();
  float values[8] = {};
  hs_param_info info = {};
  EXPECT_EQ(hs_instance_param_set(instance.get(), FAKE_WEIGHT, values, 20), HS_ERROR_USAGE);
  EXPECT_EQ(lastError(instance), "got 20 bytes for 'fc.\"w\"', expected 24");
  EXPECT_EQ(hs_instance_param_get(instance.get(), FAKE_WEIGHT, values, 28), HS_ERROR_USAGE);
  EXPECT_EQ(hs_instance_param_get(instance.get(), FAKE_WEIGHT, nullptr, 24), HS_ERROR_USAGE);
  EXPECT_EQ(hs_instance_param_get(instance.get(), -1, values, 24), HS_ERROR_USAGE);
  EXPECT_EQ(hs_instance_param_get(instance.get(), FAKE_PARAMS, values, 24), HS_ERROR_USAGE);
  EXPECT_EQ(hs_instance_param_info(instance.get(), 0, &info), HS_ERROR_USAGE) << "struct_size is 0";
  EXPECT_EQ(hs_instance_param_get(nullptr, 0, values, 24), HS_ERROR_USAGE);
  EXPECT_EQ(hs_instance_param_count(instance.get(), nullptr), HS_ERROR_USAGE);
  EXPECT_EQ(hs_instance_set_lr(instance.get(), NAN), HS_ERROR_USAGE);
  hs_scaler_state state = {-1, 0};
  EXPECT_EQ(hs_instance_scaler_set(instance.get(), &state), HS_ERROR_USAGE);
  EXPECT_STREQ(hs_instance_last_error(nullptr), "");
}

} // namespace
