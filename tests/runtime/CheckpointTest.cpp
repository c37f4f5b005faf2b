// Checkpoints: bit-exact round trips, the file's format, and failures to write.
#include "CheckpointFile.h"
#include "FakeInstance.h"

#include "runtime/embedded/instance.h"

#include <csignal>
#include <fcntl.h>
#include <sys/resource.h>

namespace {
using namespace halfstep::test;

TEST(Checkpoint, ResumingIsBitExact) {
  TemporaryFolder folder;
  std::string path = folder.file("a.safetensors");
  Instance first = makeInstance(fake_scaled_model);
  Batch batch;
  for (int i = 0; i < 4; ++i)
    train(first, batch);
  hs_instance_set_lr(first.get(), 0.03f);
  ASSERT_EQ(hs_instance_save(first.get(), path.c_str(), "{\"epoch\": 3}"), HS_OK) << lastError(first);

  hs_config config = HS_CONFIG_INIT;
  config.seed = 5;
  Instance second = makeInstance(fake_scaled_model, config);
  ASSERT_EQ(hs_instance_load(second.get(), path.c_str()), HS_OK) << lastError(second);
  EXPECT_EQ(wholeState(second), wholeState(first));
  for (int i = 0; i < 5; ++i) {
    hs_step_result a = train(first, batch), b = train(second, batch);
    EXPECT_EQ(a.loss, b.loss);
    EXPECT_EQ(a.scale, b.scale);
    EXPECT_EQ(a.updates, b.updates);
  }
  EXPECT_EQ(wholeState(second), wholeState(first));
}

TEST(Checkpoint, ResumesWithinAHysteresis) {
  TemporaryFolder folder;
  std::string path = folder.file("a.safetensors");
  hs_model model = fake_scaled_model;
  model.hysteresis = 3;
  Instance first = makeInstance(model), second = makeInstance(model);
  Batch bad;
  bad.x[0] = INFINITY;
  for (int i = 0; i < 2; ++i)
    train(first, bad);
  ASSERT_EQ(hs_instance_save(first.get(), path.c_str(), NULL), HS_OK) << lastError(first);
  ASSERT_EQ(hs_instance_load(second.get(), path.c_str()), HS_OK) << lastError(second);
  EXPECT_EQ(wholeState(second), wholeState(first));
  EXPECT_EQ(train(second, bad).next_scale, 512.0f);
}

TEST(Checkpoint, HoldsTheTensorsUnderTheirNames) {
  TemporaryFolder folder;
  std::string path = folder.file("a.safetensors");
  Instance instance = makeInstance();
  ASSERT_EQ(hs_instance_save(instance.get(), path.c_str(), "line\n\"quoted\" é"), HS_OK);
  CheckpointFile file(path);
  EXPECT_EQ(file.header["model.fc.\"w\""]["dtype"], "BF16");
  EXPECT_EQ(file.header["master.fc.\"w\""]["dtype"], "F32");
  EXPECT_EQ(file.header["master.fc.\"w\""]["shape"], (nlohmann::json{FAKE_OUT, FAKE_IN}));
  EXPECT_EQ(file.header["opt.momentum_buffer.fc.bias"]["dtype"], "F32");
  EXPECT_EQ(file.header["model.fc.bias"]["data_offsets"][1].get<int>() -
                file.header["model.fc.bias"]["data_offsets"][0].get<int>(),
            8);
  EXPECT_FALSE(file.header.contains("master.fc.bias"));
  EXPECT_EQ(file.header["model.count"]["shape"], nlohmann::json::array());
  const auto &metadata = file.header["__metadata__"];
  EXPECT_EQ(metadata["model"], "fake");
  EXPECT_EQ(metadata["precision"], "bf16-mixed");
  EXPECT_EQ(metadata["halfstep_checkpoint"], "2");
  EXPECT_EQ(metadata["user"], "line\n\"quoted\" é");
  EXPECT_EQ(file.headerBytes % 8, 0u);
}

TEST(Checkpoint, ReplacesAnOlderOneAndLeavesNoTemporaryFile) {
  TemporaryFolder folder;
  std::string path = folder.file("a.safetensors");
  Instance instance = makeInstance();
  ASSERT_EQ(hs_instance_save(instance.get(), path.c_str(), nullptr), HS_OK);
  train(instance, Batch());
  ASSERT_EQ(hs_instance_save(instance.get(), path.c_str(), nullptr), HS_OK);
  Instance other = makeInstance();
  ASSERT_EQ(hs_instance_load(other.get(), path.c_str()), HS_OK);
  EXPECT_EQ(wholeState(other), wholeState(instance));
  EXPECT_EQ(folder.count(), 1u);
}

TEST(Checkpoint, WhatCannotBeWrittenIsAnIoErrorAndLeavesNothing) {
  TemporaryFolder folder;
  Instance instance = makeInstance();
  std::filesystem::create_directory(folder.file("a"));
  std::filesystem::create_directory(folder.file("a/b")); // not empty: cannot be replaced
  EXPECT_EQ(hs_instance_save(instance.get(), folder.file("a").c_str(), nullptr), HS_ERROR_IO);
  EXPECT_EQ(hs_instance_save(instance.get(), folder.file("no/such").c_str(), nullptr), HS_ERROR_IO);
  EXPECT_NE(lastError(instance).find("No such file"), std::string::npos) << lastError(instance);
  EXPECT_EQ(folder.count(), 1u);
  EXPECT_EQ(hs_instance_save(instance.get(), nullptr, nullptr), HS_ERROR_USAGE);
  EXPECT_EQ(hs_instance_save(instance.get(), "", nullptr), HS_ERROR_USAGE);
  EXPECT_EQ(hs_instance_save(nullptr, "x", nullptr), HS_ERROR_USAGE);
  EXPECT_EQ(hs_instance_save(instance.get(), folder.file("b").c_str(), "\xff"), HS_ERROR_USAGE);
}

// A file size limit stands in for a full disk.
TEST(Checkpoint, AFullDiskLeavesTheOldFile) {
  TemporaryFolder folder;
  std::string path = folder.file("a.safetensors");
  Instance instance = makeInstance();
  ASSERT_EQ(hs_instance_save(instance.get(), path.c_str(), nullptr), HS_OK);
  std::string before = readFile(path);
  train(instance, Batch());
  rlimit limit, small;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  small = limit;
  small.rlim_cur = 100;
  auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  hs_status status = hs_instance_save(instance.get(), path.c_str(), nullptr);
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(status, HS_ERROR_IO);
  EXPECT_EQ(readFile(path), before);
  EXPECT_EQ(folder.count(), 1u);
}

} // namespace
