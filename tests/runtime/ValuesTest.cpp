// The forms in which values are kept: split ones lose no bit, and their copy is rounded half up.
#include "runtime/embedded/values.h"

#include "CheckpointFile.h"
#include "runtime/embedded/convert.h"
#include "runtime/embedded/init.h"

#include <bit>
#include <cstring>

namespace {
using namespace halfstep::test;

constexpr int64_t count = 65536;
const int64_t shape[] = {count};

/// A parameter of `count` f32 values at offset 0 (the copy behind them), split or not.
hs_param_desc parameter(bool split) {
  hs_param_desc param = {};
  param.info = {sizeof(hs_param_info), "p", HS_F32, 1, shape, count, HS_PARAMETER};
  param.offset = split ? -1 : 0;
  param.copy_offset = count * 4;
  param.low_offset = split ? 0 : -1;
  param.copy_dtype = HS_BF16;
  param.slot_offset[0] = param.slot_offset[1] = param.slot_offset[2] = -1;
  param.init = HS_INIT_NORMAL;
  param.init_b = 3;
  return param;
}

using Arena = std::vector<uint64_t>;
Arena makeArena() { return Arena(size_t(count)); }
char *bytes(Arena &arena) { return reinterpret_cast<char *>(arena.data()); }

uint16_t highHalf(Arena &arena, int64_t i) {
  uint16_t bits;
  std::memcpy(&bits, bytes(arena) + count * 4 + i * 2, sizeof bits);
  return bits;
}

bool isNan(uint32_t bits) { return (bits & 0x7fffffff) > 0x7f800000; }

/// Every upper half with lower halves around the ties.
std::vector<float> patterns(uint32_t low) {
  std::vector<float> values(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i)
    values[size_t(i)] = std::bit_cast<float>(uint32_t(i) << 16 | low);
  return values;
}

TEST(Values, SplittingLosesNoBit) {
  hs_param_desc param = parameter(true);
  Arena arena = makeArena();
  for (uint32_t low : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
    std::vector<float> values = patterns(low), back(values.size());
    hs_store_values(&param, bytes(arena), values.data());
    hs_load_values(&param, bytes(arena), back.data());
    for (int64_t i = 0; i < count; ++i) {
      auto bits = std::bit_cast<uint32_t>(values[size_t(i)]), got = std::bit_cast<uint32_t>(back[size_t(i)]);
      if (isNan(bits)) { // stays one, of the same sign, in both views
        EXPECT_TRUE(isNan(got) && (got ^ bits) >> 31 == 0) << std::hex << bits;
        EXPECT_TRUE(isNan(uint32_t(highHalf(arena, i)) << 16)) << std::hex << bits;
        continue;
      }
      ASSERT_EQ(got, bits);
      ASSERT_EQ(highHalf(arena, i), uint16_t((uint64_t(bits) + 0x8000) >> 16)) << std::hex << bits;
    }
  }
}

TEST(Values, TheCopyDiffersFromNearestEvenOnlyOnTies) {
  hs_param_desc split = parameter(true), separate = parameter(false);
  Arena one = makeArena(), other = makeArena();
  for (uint32_t low : {0u, 0x7fffu, 0x8000u, 0x8001u}) {
    std::vector<float> values = patterns(low);
    hs_store_values(&split, bytes(one), values.data());
    hs_store_values(&separate, bytes(other), values.data());
    for (int64_t i = 0; i < count; ++i) {
      auto bits = std::bit_cast<uint32_t>(values[size_t(i)]);
      if (!isNan(bits) && (bits & 0x1ffff) != 0x8000)
        ASSERT_EQ(highHalf(one, i), highHalf(other, i)) << std::hex << bits;
    }
  }
}

TEST(Values, SplitMastersStartFromTheSameValues) {
  for (hs_init_kind kind : {HS_INIT_CONSTANT, HS_INIT_UNIFORM, HS_INIT_NORMAL, HS_INIT_DATA}) {
    std::vector<float> data = patterns(0x1234), values[2] = {std::vector<float>(size_t(count)), values[0]};
    for (bool split : {false, true}) {
      hs_param_desc param = parameter(split);
      param.init = kind;
      param.init_a = 0.1;
      param.init_data = data.data();
      hs_model model = {};
      model.param_count = 1;
      model.params = &param;
      Arena arena = makeArena();
      hs_init_state(&model, bytes(arena), 11);
      hs_load_values(&param, bytes(arena), values[split].data());
    }
    for (size_t i = 0; i < values[0].size(); ++i)
      if (!std::isnan(values[0][i]))
        ASSERT_EQ(std::bit_cast<uint32_t>(values[0][i]), std::bit_cast<uint32_t>(values[1][i])) << kind;
  }
}

/// The hand-written model with its weight split: it can do all but train.
struct SplitModel {
  std::vector<hs_param_desc> params{fake_model.params, fake_model.params + FAKE_PARAMS};
  hs_model model = fake_model;

  SplitModel() {
    params[FAKE_WEIGHT].low_offset = params[FAKE_WEIGHT].offset;
    params[FAKE_WEIGHT].offset = -1;
    model.params = params.data();
  }
};

TEST(Values, ACheckpointOfSplitMastersIsThatOfSeparateOnes) {
  SplitModel split;
  TemporaryFolder folder;
  std::string one = folder.file("split"), other = folder.file("separate");
  const std::vector<float> values = {1.001953125f, -2.7182818f, 3e-39f, 1e30f, 0.1f, -0.0f};
  Instance first = makeInstance(split.model), separate = makeInstance();
  for (auto [instance, path] : {std::pair{&first, &one}, {&separate, &other}}) {
    ASSERT_EQ(hs_instance_param_set(instance->get(), FAKE_WEIGHT, values.data(), 24), HS_OK);
    ASSERT_EQ(hs_instance_save(instance->get(), path->c_str(), nullptr), HS_OK);
  }
  EXPECT_EQ(readFile(one), readFile(other)) << "none of the values is a tie";

  hs_config config = HS_CONFIG_INIT;
  config.seed = 9;
  Instance second = makeInstance(split.model, config);
  ASSERT_NE(wholeState(second), wholeState(first));
  ASSERT_EQ(hs_instance_load(second.get(), one.c_str()), HS_OK) << lastError(second);
  EXPECT_EQ(wholeState(second), wholeState(first));
  EXPECT_EQ(param<float>(second, FAKE_WEIGHT), values);
}

TEST(Values, ARefusedCheckpointLeavesSplitMastersAlone) {
  SplitModel split;
  TemporaryFolder folder;
  std::string path = folder.file("a");
  Instance first = makeInstance(split.model);
  ASSERT_EQ(hs_instance_save(first.get(), path.c_str(), nullptr), HS_OK);
  hs_config config = HS_CONFIG_INIT;
  config.seed = 9;
  Instance second = makeInstance(split.model, config);
  std::string before = wholeState(second);
  CheckpointFile file(path);
  for (size_t i = 0; i < file.data.size(); ++i) {
    CheckpointFile changed = file;
    changed.data[i] = char(changed.data[i] ^ 1);
    writeFile(path, changed.contents());
    ASSERT_EQ(hs_instance_load(second.get(), path.c_str()), HS_ERROR_CHECKPOINT);
    ASSERT_EQ(wholeState(second), before);
  }
}

} // namespace
