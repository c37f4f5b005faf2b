// The host side of CUDA libraries against the emulated driver: steps, state, statuses for all that can be
// missing, and nothing left behind. The driver's own findings (leaks, races between streams, memory that
// changes under a copy) make a test fail too.
#include "TinyCuda.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <limits>
#include <memory>
#include <unistd.h>
#include <vector>

namespace halfstep::test {
namespace {

using Instance = std::unique_ptr<hs_instance, decltype(&hs_instance_destroy)>;
using Floats = std::vector<float>;

class CudaHost : public testing::Test {
protected:
  void SetUp() override {
    folder = std::filesystem::temp_directory_path() / ("halfstep-cuda-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder);
    setenv("HALFSTEP_LIBCUDA", HALFSTEP_EMULATED_DRIVER, 1);
    setenv("HALFSTEP_EMULATOR_REPORT", (folder / "report").c_str(), 1);
    setenv("HALFSTEP_EMULATOR_EXIT", "0", 1); // findings are looked at here
    for (const char *name : {"SEED", "DEVICES", "ARCH", "DRIVER", "MEMORY"})
      unsetenv((std::string("HALFSTEP_EMULATOR_") + name).c_str());
  }

  void TearDown() override {
    EXPECT_EQ(findings(), expectedFindings);
    std::filesystem::remove_all(folder);
  }

  std::string findings() const {
    std::ifstream stream(folder / "report");
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  static void setting(const char *name, const std::string &value) {
    setenv((std::string("HALFSTEP_EMULATOR_") + name).c_str(), value.c_str(), 1);
  }

  Instance make(const hs_model &model = tinyCuda, int32_t device = 0) {
    hs_config config = HS_CONFIG_INIT;
    config.device = device;
    hs_instance *instance = nullptr;
    EXPECT_EQ(hs_instance_create(&model, &config, &instance), HS_OK);
    return Instance(instance, hs_instance_destroy);
  }

  /// The message with which creation ends.
  std::string refusal(hs_status expected, const hs_model &model = tinyCuda, int32_t device = 0) {
    char text[512] = "";
    hs_config config = HS_CONFIG_INIT;
    config.device = device;
    config.error = text;
    config.error_bytes = sizeof text;
    hs_instance *instance = nullptr;
    EXPECT_EQ(hs_instance_create(&model, &config, &instance), expected);
    EXPECT_EQ(instance, nullptr);
    return text;
  }

  static hs_step_result train(const Instance &instance, const Floats &x, const Floats &y,
                              hs_status expected = HS_OK) {
    const void *inputs[] = {x.data()}, *targets[] = {y.data()};
    hs_step_result result = HS_STEP_RESULT_INIT;
    EXPECT_EQ(hs_instance_train_step(instance.get(), inputs, targets, &result), expected)
        << hs_instance_last_error(instance.get());
    return result;
  }

  static float weight(const Instance &instance) {
    float value = 0;
    EXPECT_EQ(hs_instance_param_get(instance.get(), 0, &value, sizeof value), HS_OK);
    return value;
  }

  std::filesystem::path folder;
  std::string expectedFindings;
};

TEST_F(CudaHost, TrainsForEverySeed) {
  for (int seed = 1; seed < 20; ++seed) {
    setting("SEED", std::to_string(seed));
    Instance instance = make();
    EXPECT_EQ(train(instance, {1, 2, 3, 4}, {0, 0, 0, 1}).loss, 0.5 * 10 - 1);
    EXPECT_EQ(weight(instance), 0.5f - 0.125f * 10);
    EXPECT_EQ(train(instance, {1, 1, 1, 1}, {0, 0, 0, 0}).loss, -0.75 * 4);
    EXPECT_EQ(train(instance, {2, 0, 0, 0}, {0, 0, 0, 0}).loss, -1.25 * 2);
    EXPECT_EQ(weight(instance), -1.25f - 0.125f * 2);
  }
}

TEST_F(CudaHost, TakesTheLearningRateOfTheStep) {
  Instance instance = make();
  train(instance, {1, 0, 0, 0}, {0, 0, 0, 0});
  EXPECT_EQ(hs_instance_set_lr(instance.get(), 0.5f), HS_OK);
  train(instance, {1, 0, 0, 0}, {0, 0, 0, 0});
  EXPECT_EQ(weight(instance), 0.5f - 0.125f - 0.5f);
}

TEST_F(CudaHost, EvaluatesAndRunsForward) {
  Instance instance = make();
  const Floats x = {1, 2, 3, 4}, y = {1, 1, 1, 1};
  const void *inputs[] = {x.data()}, *targets[] = {y.data()};
  Floats out(4);
  void *outputs[] = {out.data()};
  double loss = 0;
  EXPECT_EQ(hs_instance_eval_step(instance.get(), inputs, targets, outputs, &loss), HS_OK);
  EXPECT_EQ(loss, 1);
  EXPECT_EQ(out, (Floats{0.5, 1, 1.5, 2}));
  EXPECT_EQ(hs_instance_eval_step(instance.get(), inputs, targets, nullptr, &loss), HS_OK);
  out.assign(4, 0);
  EXPECT_EQ(hs_instance_forward(instance.get(), inputs, outputs), HS_OK);
  EXPECT_EQ(out, (Floats{0.5, 1, 1.5, 2}));
}

TEST_F(CudaHost, ChangesItsBatchSize) {
  Instance instance = make();
  train(instance, {1, 1, 1, 1}, {0, 0, 0, 0});
  EXPECT_EQ(hs_instance_set_batch(instance.get(), TINY_SMALL_BATCH), HS_OK);
  EXPECT_EQ(train(instance, {3, 1}, {0, 0}).loss, 0.0 * 4);
  EXPECT_EQ(weight(instance), 0 - 0.125f * 4);
}

TEST_F(CudaHost, SetsAndGetsParameters) {
  Instance instance = make();
  EXPECT_EQ(weight(instance), 0.5f);
  const float three = 3;
  EXPECT_EQ(hs_instance_param_set(instance.get(), 0, &three, sizeof three), HS_OK);
  EXPECT_EQ(weight(instance), 3);
  EXPECT_EQ(train(instance, {1, 0, 0, 0}, {0, 0, 0, 0}).loss, 3);
  EXPECT_EQ(weight(instance), 3 - 0.125f);
}

TEST_F(CudaHost, SavesWhatTheDeviceHasAndLoadsItAgain) {
  const std::string file = folder / "tiny.safetensors";
  {
    Instance instance = make();
    train(instance, {1, 0, 0, 0}, {0, 0, 0, 0});
    EXPECT_EQ(hs_instance_save(instance.get(), file.c_str(), nullptr), HS_OK);
  }
  Instance instance = make();
  train(instance, {4, 4, 4, 4}, {0, 0, 0, 0});
  EXPECT_EQ(hs_instance_load(instance.get(), file.c_str()), HS_OK) << hs_instance_last_error(instance.get());
  EXPECT_EQ(weight(instance), 0.375f);
  EXPECT_EQ(train(instance, {1, 0, 0, 0}, {0, 0, 0, 0}).loss, 0.375);
}

TEST_F(CudaHost, StopsAtGradientsThatAreNotFinite) {
  Instance instance = make();
  train(instance, {std::numeric_limits<float>::infinity(), 0, 0, 0}, {0, 0, 0, 0}, HS_ERROR_NUMERICS);
  EXPECT_EQ(weight(instance), 0.5f);
}

TEST_F(CudaHost, InstancesAreIndependent) {
  setting("DEVICES", "2");
  Instance first = make(), second = make(), other = make(tinyCuda, 1);
  train(first, {1, 0, 0, 0}, {0, 0, 0, 0});
  train(other, {3, 0, 0, 0}, {0, 0, 0, 0});
  EXPECT_EQ(weight(first), 0.5f - 0.125f);
  EXPECT_EQ(weight(second), 0.5f);
  first.reset();
  EXPECT_EQ(train(second, {2, 0, 0, 0}, {0, 0, 0, 0}).loss, 1);
  EXPECT_EQ(weight(other), 0.5f - 3 * 0.125f);
}

TEST_F(CudaHost, TakesPtxWhenTheDriverRefusesMachineCode) {
  Instance instance = make(tinyCudaWithCubin);
  EXPECT_EQ(train(instance, {2, 0, 0, 0}, {0, 0, 0, 0}).loss, 1);
}

TEST_F(CudaHost, ReportsAMissingDriver) {
  setenv("HALFSTEP_LIBCUDA", "/nonexistent/libcuda.so.1", 1);
  EXPECT_EQ(refusal(HS_ERROR_ISA),
            "libcuda.so.1 (the NVIDIA driver) is missing: install it, name its file in "
            "HALFSTEP_LIBCUDA, or compile with --target cpu");
}

TEST_F(CudaHost, ReportsAnOldDriver) {
  setting("DRIVER", "11040");
  EXPECT_EQ(refusal(HS_ERROR_ISA),
            "the NVIDIA driver is for CUDA 11.4, this library needs one for 12.0 or newer: "
            "update the driver");
}

TEST_F(CudaHost, ReportsAMachineWithoutDevices) {
  setting("DEVICES", "0");
  EXPECT_EQ(refusal(HS_ERROR_ISA), "this machine has no CUDA device that the driver can use");
}

TEST_F(CudaHost, ReportsADeviceThatIsNotThere) {
  EXPECT_EQ(refusal(HS_ERROR_USAGE, tinyCuda, 3), "device is 3, but this machine has 1 CUDA device");
  EXPECT_EQ(refusal(HS_ERROR_USAGE, tinyCuda, -1), "device is -1, expected 0 or more");
}

TEST_F(CudaHost, ReportsAnArchitectureThatIsNotCovered) {
  setting("ARCH", "75");
  EXPECT_EQ(refusal(HS_ERROR_ISA),
            "device 0 (emulated sm_75) is sm_75, this library is for sm_80 and newer: compile "
            "with --cuda-arch=75");
  setting("ARCH", "120");
  EXPECT_EQ(refusal(HS_ERROR_ISA, tinyCudaOnlyCubin).substr(0, 40),
            "device 0 (emulated sm_120) is sm_120, th");
}

TEST_F(CudaHost, ReportsTooLittleMemory) {
  setting("MEMORY", "1000");
  EXPECT_EQ(refusal(HS_ERROR_MEMORY), "device 0 has too little memory for the arena of 1024 bytes");
}

TEST_F(CudaHost, ReportsKernelsThatDoNotLoad) {
  EXPECT_EQ(
      refusal(HS_ERROR_INTERNAL, tinyCudaMalformed),
      "cannot load the kernels: line 4: 'hello' is not emulated, in kernel 'forward': the CUDA driver says: "
      "a PTX JIT compilation failed (218)");
  expectedFindings = "finding: PTX is refused: line 4: 'hello' is not emulated, in kernel 'forward'\n";
}

TEST_F(CudaHost, ReportsAFailedLaunchFromThenOn) {
  Instance instance = make(tinyCudaFaulty);
  train(instance, {1, 1, 1, 1}, {0, 0, 0, 0}, HS_ERROR_INTERNAL);
  EXPECT_STREQ(hs_instance_last_error(instance.get()),
               "cannot run a step: the CUDA driver says: unspecified launch failure (719)");
  float value;
  EXPECT_EQ(hs_instance_param_get(instance.get(), 0, &value, sizeof value), HS_ERROR_INTERNAL);
  EXPECT_NE(findings().find("kernel 'loss'"), std::string::npos);
  expectedFindings = findings(); // and nothing is added when the instance ends
}

} // namespace
} // namespace halfstep::test
