// Weights in and out under their plain names.
#include "TrainerFiles.h"

#include "runtime/trainer/Setup.h"
#include "runtime/trainer/Weights.h"

using namespace halfstep;
using namespace halfstep::test;

namespace {

class Weights : public testing::Test {
protected:
  std::string write(const std::vector<TensorView> &tensors,
                    const std::map<std::string, std::string> &metadata = {}) const {
    std::string path = folder.file("w.safetensors");
    writeSafetensors(path, tensors, metadata);
    return path;
  }

  /// Loads the file into a new instance and returns fc.weight.
  std::vector<float> load(const std::string &path) const {
    Instance instance(Library::open(HALFSTEP_FAKE_DIR), instanceConfig(RunOptions()));
    loadWeights(instance, path);
    std::vector<std::byte> bytes = instance.get(0, instance.parameters()[0]);
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }

  Folder folder;
  std::vector<float> weight = {1, 2, 3, 4, 5, 6, 7, 8, 9}, bias = {1, 2, 3};
  std::vector<int64_t> counter = {5};
};

TEST_F(Weights, AreSetByName) {
  EXPECT_EQ(load(write({view("fc.bias", bias, {3}), view("fc.weight", weight, {3, 3})})), weight);
}

TEST_F(Weights, AreConverted) {
  std::vector<int64_t> whole(weight.begin(), weight.end());
  EXPECT_EQ(load(write({view("fc.bias", bias, {3}), view("fc.weight", whole, {3, 3})})), weight);
}

TEST_F(Weights, PyTorchsCounterIsLetBe) {
  EXPECT_EQ(load(write({view("fc.bias", bias, {3}), view("fc.weight", weight, {3, 3}),
                        view("bn.num_batches_tracked", counter, {})})),
            weight);
}

TEST_F(Weights, MissingAndUnexpectedNamesAreListed) {
  std::string path = write({view("fc.weight", weight, {3, 3}), view("head.bias", bias, {3})});
  Diagnostic diagnostic = diagnosticOf([&] { load(path); });
  EXPECT_EQ(diagnostic.code, ExitCode::BadInput);
  EXPECT_TRUE(contains(diagnostic.what(), "lacks 'fc.bias'; has 'head.bias', which the model lacks"))
      << diagnostic.what();
}

TEST_F(Weights, ShapesMustAgree) {
  std::string path = write({view("fc.bias", bias, {3}), view("fc.weight", weight, {9})});
  EXPECT_TRUE(contains(diagnosticOf([&] { load(path); }).what(), "got the shape [9], expected [3, 3]"));
}

TEST_F(Weights, ExportedWeightsAreTheTrainedOnes) {
  RunOptions options = fakeRun(writeClasses(folder, 8));
  options.checkpoint = folder.file("run");
  train(options);
  std::string out = folder.file("out.safetensors");
  exportWeights(options.checkpoint, out);
  TensorFile exported = readSafetensors(out);
  EXPECT_EQ(exported.tensors.size(), 2u);
  EXPECT_EQ(exported.metadata.at("format"), "pt");
  EXPECT_EQ(load(out), load(folder.file("run/step-2.safetensors")));
  RunOptions byWeights = options, byCheckpoint = options;
  byWeights.weights = out;
  byCheckpoint.resume = options.checkpoint;
  EXPECT_EQ(evaluate(byWeights).loss, evaluate(byCheckpoint).loss);
}

TEST_F(Weights, MastersArePreferred) {
  std::vector<float> rounded(9, 0);
  TensorFile file = readSafetensors(write({view("model.a", rounded, {9}), view("master.a", weight, {9}),
                                           view("model.b", bias, {3}), view("opt.exp_avg.a", rounded, {9})},
                                          {{"halfstep_checkpoint", "2"}}));
  std::vector<TensorView> plain = plainWeights(file);
  ASSERT_EQ(plain.size(), 2u);
  for (const TensorView &tensor : plain)
    EXPECT_EQ(loadElement(tensor.type, tensor.data), 1) << tensor.name;
}

TEST_F(Weights, ADamagedCheckpointIsNotExported) {
  RunOptions options = fakeRun(writeClasses(folder, 8));
  options.checkpoint = folder.file("run");
  train(options);
  std::string bytes = readText(folder.file("run/step-2.safetensors"));
  bytes.back() ^= 1;
  std::string damaged = folder.write("damaged.safetensors", bytes), out = folder.file("out.safetensors");
  EXPECT_EQ(diagnosticOf([&] { exportWeights(damaged, out); }).code, ExitCode::Checkpoint);
  EXPECT_FALSE(std::filesystem::exists(out));
  EXPECT_EQ(diagnosticOf([&] { exportWeights(write({view("a", bias, {3})}), out); }).code,
            ExitCode::Checkpoint);
}

} // namespace
