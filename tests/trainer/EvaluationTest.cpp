// Metrics over any number of samples, and predictions.
#include "TrainerFiles.h"

#include "runtime/trainer/Evaluation.h"
#include "runtime/trainer/Setup.h"
#include "runtime/trainer/data/Npy.h"

#include <cmath>

using namespace halfstep;
using namespace halfstep::test;

namespace {

/// Weights for the fake library, as a file.
std::string writeWeights(const Folder &folder) {
  std::vector<float> weight = {1, 0, 0, 0, 1, 0, 0.5f, 0.25f, 1}, bias = {0, 0.125f, -0.25f};
  std::string path = folder.file("weights.safetensors");
  writeSafetensors(path, {view("fc.weight", weight, {3, 3}), view("fc.bias", bias, {3})});
  return path;
}

RunOptions evaluation(const Folder &folder, size_t samples) {
  RunOptions options = fakeRun(writeClasses(folder, samples));
  options.weights = writeWeights(folder);
  return options;
}

TEST(Evaluation, ARestIsCountedExactly) {
  Folder folder;
  RunOptions options = evaluation(folder, 11);
  std::shared_ptr<const Library> library = Library::open(options.library);
  Dataset data(options.data, library->manifest(), true);
  Instance instance(library, instanceConfig(options));
  // One by one, each padded to a batch of itself, is the mean by definition.
  double sum = 0;
  size_t hits = 0;
  for (size_t i = 0; i < data.size(); ++i) {
    Metrics one = evaluateSamples(instance, data, std::vector<size_t>{i});
    sum += one.loss;
    hits += *one.accuracy == 1;
  }
  for (size_t count : {1, 2, 3, 4, 5, 6, 7, 11}) { // rests of 1 and 3 are padded, one of 2 is compiled
    double expected = 0;
    for (size_t i = 0; i < count; ++i)
      expected += evaluateSamples(instance, data, std::vector<size_t>{i}).loss;
    Metrics metrics = evaluateSamples(instance, data, consecutive(0, count));
    EXPECT_NEAR(metrics.loss, expected / double(count), 1e-12) << count;
    EXPECT_EQ(metrics.samples, int64_t(count));
  }
  Metrics all = evaluateSamples(instance, data, consecutive(0, 11));
  EXPECT_EQ(*all.accuracy, double(hits) / 11);
  EXPECT_NEAR(all.loss, sum / 11, 1e-12);
}

TEST(Evaluation, NeedsWeights) {
  Folder folder;
  RunOptions options = evaluation(folder, 5);
  options.weights.clear();
  EXPECT_EQ(diagnosticOf([&] { evaluate(options); }).code, ExitCode::Usage);
  options.weights = options.resume = writeWeights(folder);
  EXPECT_EQ(diagnosticOf([&] { evaluate(options); }).code, ExitCode::Usage);
}

TEST(Evaluation, OfACheckpointIsWhatTrainingSaid) {
  Folder folder;
  RunOptions options = fakeRun(writeClasses(folder, 8));
  options.checkpoint = folder.file("run");
  options.shuffle = false;
  RunResult trained = train(options);
  options.resume = options.checkpoint;
  Metrics metrics = evaluate(options);
  EXPECT_EQ(metrics.loss, trained.train.loss);
  EXPECT_EQ(metrics.accuracy, trained.train.accuracy);
}

TEST(Evaluation, HitsAlongAnyAxis) {
  const float nan = std::nanf("");
  std::vector<float> scores = {1, 5, 3, 5, nan, 9}; // [classes 3, inner 2]
  std::vector<int64_t> labels = {1, 2};
  auto bytes = [](const auto &values) { return reinterpret_cast<const std::byte *>(values.data()); };
  ClassAxis middle = {1, 3, 2};
  // Scores are 1, 3, NaN and 5, 5, 9.
  EXPECT_EQ(countHits(middle, DataType::F32, bytes(scores), DataType::I64, bytes(labels)), 1u);
  labels = {2, 2};
  EXPECT_EQ(countHits(middle, DataType::F32, bytes(scores), DataType::I64, bytes(labels)), 2u);
  ClassAxis last = {3, 2, 1};
  std::vector<int64_t> three = {1, 1, 0}; // 1 < 5; 3 < 5; NaN
  EXPECT_EQ(countHits(last, DataType::F32, bytes(scores), DataType::I64, bytes(three)), 3u);
}

TEST(Evaluation, TheClassAxisIsGivenOrFollowsFromTheShapes) {
  Manifest manifest;
  manifest.outputs = {{"logits", DataType::F32, {2, 5, 7}, 0}};
  manifest.targets = {{"y", DataType::I64, {2, 5}, 7}};
  ASSERT_TRUE(classAxis(manifest));
  EXPECT_EQ(classAxis(manifest)->classes, 7u);
  manifest.targets[0].shape = {2, 7};
  EXPECT_EQ(classAxis(manifest)->classes, 5u);
  EXPECT_EQ(classAxis(manifest)->inner, 7u);
  manifest.axis = -1;
  EXPECT_FALSE(classAxis(manifest)) << "7 labels for 5 rows";
  manifest.targets[0].classes = 0;
  EXPECT_FALSE(classAxis(manifest));
}

TEST(Predict, WritesARowForEverySample) {
  Folder folder;
  RunOptions options = evaluation(folder, 6);
  options.output = folder.file("out.npy");
  predict(options);
  TensorFile npy = readNpy(options.output);
  EXPECT_EQ(npy.tensors[0].shape, (std::vector<int64_t>{6, 3}));
  options.output = folder.file("out.safetensors");
  predict(options);
  TensorFile file = readSafetensors(options.output);
  ASSERT_NE(file.find("logits"), nullptr);
  EXPECT_EQ(std::memcmp(file.find("logits")->data, npy.tensors[0].data, npy.tensors[0].bytes()), 0);
  // Sample 0 is (1, 0.03, 0.06): logit 1 is its second value plus the bias.
  EXPECT_EQ(loadElement(DataType::F32, npy.tensors[0].data + 4), double(0.03f + 0.125f));
}

TEST(Predict, RefusesOtherNamesBeforeItRuns) {
  Folder folder;
  RunOptions options = evaluation(folder, 6);
  options.output = folder.file("out.txt");
  options.data = folder.file("none.npy");
  EXPECT_EQ(diagnosticOf([&] { predict(options); }).code, ExitCode::Usage);
}

} // namespace
