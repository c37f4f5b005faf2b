// Steps whose values are read, on the library written by hand: what made a value that is not finite, and
// ranges.
#include "TrainerFiles.h"

#include "runtime/trainer/observe/Calibration.h"
#include "runtime/trainer/observe/NonfiniteDoctor.h"
#include "runtime/trainer/observe/ValueTable.h"

#include <cmath>

using namespace halfstep;
using namespace halfstep::test;

namespace {

/// Ten samples: two batches of four and one of two; weights that take each sum beyond f32.
struct FakeRun {
  Folder folder;
  RunOptions options;
  std::vector<std::string> said;
  int compilations = 0;

  explicit FakeRun(float weight) {
    options = fakeRun(writeClasses(folder, 10));
    options.steps = 3;
    options.shuffle = false;
    std::vector<float> weights(9, weight), biases(3, 0);
    options.weights = folder.file("weights.safetensors");
    writeSafetensors(options.weights, {view("fc.weight", weights, {3, 3}), view("fc.bias", biases, {3})});
    options.separateOps = [this] {
      ++compilations;
      return std::string(HALFSTEP_FAKE_DIR);
    };
    options.explain = [this](const std::string &text) { said.push_back(text); };
  }
};

TEST(Observe, AStepThatEndsTheRunIsExplainedFirst) {
  FakeRun run(3.4e38f);
  EXPECT_EQ(diagnosticOf([&] { train(run.options); }).code, ExitCode::Numerics);
  ASSERT_EQ(run.said.size(), 1u);
  const std::string &text = run.said[0];
  EXPECT_TRUE(contains(text, "step 1 was not finite and ends the run, at a loss scale of 1: ")) << text;
  EXPECT_TRUE(contains(text, "'fc' (nn.matmul), fake.json:3:1, in the forward pass: ")) << text;
  EXPECT_TRUE(contains(text, "of 12 elements of its result f32[4, 3] are not finite (")) << text;
  EXPECT_TRUE(contains(text, "\n  reads input 'x' f32[4, 3]: from 0.02 to 1.1\n")) << text;
  EXPECT_TRUE(contains(text, "\n  reads parameter 'fc.weight' f32[3, 3]: from 3.4e+38 to 3.4e+38")) << text;
  EXPECT_TRUE(contains(text, "\n  reads a constant f32[4]: from -1 to 2, 1 inf")) << text;
}

TEST(Observe, SkippedStepsAreExplainedOnceForEachOp) {
  FakeRun run(3.4e38f);
  run.options.onNonfinite = "skip";
  EXPECT_EQ(train(run.options).skipped, 3);
  EXPECT_EQ(run.said.size(), 1u) << "in the batch of two, too, it is the first op";
  EXPECT_EQ(run.compilations, 1);
}

TEST(Observe, IgnoredStepsAreExplained) {
  FakeRun run(3.4e38f);
  run.options.onNonfinite = "ignore";
  EXPECT_EQ(train(run.options).skipped, 0);
  ASSERT_EQ(run.said.size(), 1u);
  EXPECT_TRUE(contains(run.said[0], "step 1 was not finite and was applied all the same")) << run.said[0];
  EXPECT_TRUE(contains(run.said[0], "'fc.weight' f32[3, 3]: from 3.4e+38 to 3.4e+38")) << "as before the step";
}

TEST(Observe, FiniteStepsCompileNothing) {
  FakeRun run(0.5f);
  train(run.options);
  EXPECT_TRUE(run.said.empty());
  EXPECT_EQ(run.compilations, 0);
}

TEST(Observe, CalibrationRecordsEachTensorOnce) {
  FakeRun run(0.5f);
  run.options.steps = 2;
  Calibration calibration = calibrate(run.options, 1024);
  EXPECT_EQ(calibration.steps, 2);
  ASSERT_EQ(calibration.tensors.size(), 4u);
  const TensorRecord &input = calibration.tensors[0], &weight = calibration.tensors[1];
  EXPECT_EQ(input.name, "x");
  EXPECT_EQ(input.count, 2u * 12);
  EXPECT_EQ(weight.role, TensorRecord::Role::Parameter);
  EXPECT_LT(weight.min, 0.5) << "the second step saw the first one's update";
  const TensorRecord &forward = calibration.tensors[2], &gradient = calibration.tensors[3];
  EXPECT_EQ(forward.layer, "fc");
  EXPECT_EQ(gradient.name, "fc.weight");
  EXPECT_EQ(gradient.scale, 1024);
  EXPECT_EQ(gradient.max, 1024 * forward.max) << "the same memory, at the loss scale";
  ASSERT_EQ(calibration.ops.size(), 2u);
  EXPECT_EQ(calibration.ops[0].operands, (std::vector<size_t>{0, 1}));
  EXPECT_EQ(calibration.ops[1].operands, (std::vector<size_t>{2}));
  EXPECT_EQ(calibration.ops[1].results, (std::vector<size_t>{3}));
  EXPECT_TRUE(calibration.ops[1].backward);
}

TEST(Observe, CalibrationNeedsABatch) {
  FakeRun run(0.5f);
  run.options.data = writeClasses(run.folder, 3);
  Diagnostic diagnostic = diagnosticOf([&] { calibrate(run.options, 1); });
  EXPECT_EQ(diagnostic.code, ExitCode::BadInput);
  EXPECT_TRUE(contains(diagnostic.what(), "3 samples are less than one batch of 4")) << diagnostic.what();
}

TEST(Observe, ADamagedTableIsAnInternalError) {
  Folder folder;
  for (const char *text : {"", "{", "[1]", R"([{"batch": 4}])",
                           R"([{"batch": 4, "ops": [], "gradients": [], "loss":
                                {"kind": "value", "op": 7, "result": 0, "dtype": "f32", "shape": []}}])"}) {
    folder.write("x.values.json", text);
    EXPECT_EQ(diagnosticOf([&] { readValueTables(folder.file(""), "x"); }).code, ExitCode::Internal) << text;
  }
}

TEST(Observe, ARangeIsThatOfTheFiniteValues) {
  std::vector<float> values = {INFINITY, -2, NAN, 3, -INFINITY};
  TensorRange range = rangeOf(view("", values, {5}));
  EXPECT_EQ(range.min, -2);
  EXPECT_EQ(range.max, 3);
  EXPECT_EQ(range.infinite, 2u);
  EXPECT_EQ(range.nan, 1u);
  EXPECT_EQ(range.finite(), 2u);
}

} // namespace
