// Data against what a library takes: names, shapes, types, values.
#include "TrainerFiles.h"

#include "runtime/trainer/Dataset.h"
#include "runtime/trainer/data/Npy.h"

#include <cmath>
#include <limits>

using namespace halfstep;
using namespace halfstep::test;

namespace {

/// Two features in f32, class ids below 3 in i64; batches of 2.
Manifest manifest() {
  Manifest made;
  made.inputs = {{"x", DataType::F32, {2, 2}, 0}};
  made.targets = {{"labels", DataType::I64, {2}, 3}};
  made.outputs = {{"logits", DataType::F32, {2, 3}, 0}};
  made.batches = {2};
  return made;
}

std::vector<float> inputRow(const Dataset &data, size_t sample) {
  Batch batch = data.makeBatch(2);
  data.gather(std::vector<size_t>{sample}, batch);
  const float *row = static_cast<const float *>(batch.inputs()[0]);
  return {row[0], row[1]};
}

int64_t targetOf(const Dataset &data, size_t sample) {
  Batch batch = data.makeBatch(2);
  data.gather(std::vector<size_t>{sample}, batch);
  return *static_cast<const int64_t *>(batch.targets()[0]);
}

std::string write(const Folder &folder, const std::vector<TensorView> &tensors) {
  std::string path = folder.file("t.safetensors");
  writeSafetensors(path, tensors);
  return path;
}

const std::vector<float> features = {0, 1, 2, 3, 4, 5};
const std::vector<int64_t> ids = {2, 0, 1};

TEST(Dataset, TargetsAreFoundUnderAnyOfTheirNames) {
  Folder folder;
  for (const char *name : {"y", "labels", "logits"}) {
    Dataset data(write(folder, {view("x", features, {3, 2}), view(name, ids, {3})}), manifest(), true);
    EXPECT_EQ(data.size(), 3u);
    EXPECT_EQ(inputRow(data, 2), (std::vector<float>{4, 5}));
    EXPECT_EQ(targetOf(data, 0), 2);
  }
}

TEST(Dataset, ShapesMayDifferWhenTheCountsAgree) {
  Folder folder;
  Dataset data(write(folder, {view("x", features, {3, 1, 2, 1}), view("y", ids, {3, 1})}), manifest(), true);
  EXPECT_EQ(inputRow(data, 1), (std::vector<float>{2, 3}));
}

TEST(Dataset, BytesAreConverted) {
  Folder folder;
  std::vector<std::byte> bytes = {std::byte(0), std::byte(255), std::byte(7), std::byte(1)};
  std::vector<int64_t> two = {1, 1};
  TensorView x = {"x", DataType::U8, {2, 2}, bytes.data(), bytes.size()};
  Dataset data(write(folder, {x, view("y", two, {2})}), manifest(), true);
  EXPECT_EQ(inputRow(data, 0), (std::vector<float>{0, 255}));
}

TEST(Dataset, NpyFilesGoByOrder) {
  Folder folder;
  writeNpy(folder.file("a.npy"), view("", features, {3, 2}));
  writeNpy(folder.file("b.npy"), view("", ids, {3}));
  std::string both = folder.file("a.npy") + "," + folder.file("b.npy");
  EXPECT_EQ(targetOf(Dataset(both, manifest(), true), 2), 1);
  EXPECT_EQ(Dataset(both, manifest(), false).size(), 3u);
  EXPECT_EQ(Dataset(folder.file("a.npy"), manifest(), false).size(), 3u);
  EXPECT_TRUE(contains(diagnosticOf([&] { Dataset(folder.file("a.npy"), manifest(), true); }).what(),
                       "got 1 .npy files, expected 2"));
}

TEST(Dataset, CsvTakesTheNamedOrTheLastColumn) {
  Folder folder;
  std::string named = folder.write("n.csv", "a,label,b\n1,2,3\n4,0,6\n");
  EXPECT_EQ(inputRow(Dataset(named, manifest(), true), 1), (std::vector<float>{4, 6}));
  EXPECT_EQ(targetOf(Dataset(named, manifest(), true), 0), 2);
  std::string last = folder.write("l.csv", "a,b,kind\n1,2,0\n");
  EXPECT_EQ(inputRow(Dataset(last, manifest(), true), 0), (std::vector<float>{1, 2}));
  EXPECT_EQ(inputRow(Dataset(last, manifest(), false), 0), (std::vector<float>{1, 2}));
  std::string bare = folder.write("b.csv", "a,b\n8,9\n");
  EXPECT_EQ(inputRow(Dataset(bare, manifest(), false), 0), (std::vector<float>{8, 9}));
}

TEST(Dataset, CsvTakesTheTargetOfTheFormat) {
  Folder folder;
  std::string path = folder.write("t.csv", "Kind,a,label\n2,8,9\n");
  DataFormat format;
  for (const char *target : {"Kind", "1"}) {
    format.target = target;
    Dataset data(path, manifest(), true, format);
    EXPECT_EQ(targetOf(data, 0), 2);
    EXPECT_EQ(inputRow(data, 0), (std::vector<float>{8, 9}));
  }
  format.target = "kind";
  EXPECT_TRUE(
      contains(diagnosticOf([&] { Dataset(path, manifest(), true, format); }).what(),
               "no target column 'kind'; expected one of its columns 'Kind', 'a', 'label', or a number from "
               "1 to 3"));
  // What is only predicted need not have the target.
  std::string bare = folder.write("b.csv", "a,b\n8,9\n");
  EXPECT_EQ(inputRow(Dataset(bare, manifest(), false, format), 0), (std::vector<float>{8, 9}));
}

TEST(Dataset, CsvNeedsNoHeader) {
  Folder folder;
  std::string path = folder.write("t.csv", "8,2,+9\n1,0,3\n");
  DataFormat format;
  format.target = "2";
  Dataset data(path, manifest(), true, format);
  EXPECT_EQ(data.size(), 2u);
  EXPECT_EQ(targetOf(data, 0), 2);
  EXPECT_EQ(inputRow(data, 0), (std::vector<float>{8, 9}));
  format.target = "y";
  EXPECT_TRUE(contains(diagnosticOf([&] { Dataset(path, manifest(), true, format); }).what(),
                       "expected a number from 1 to 3: its first line holds numbers"));
}

struct WrongData {
  const char *name;
  std::vector<float> x;
  std::vector<int64_t> xShape;
  std::vector<int64_t> y, yShape;
  const char *xName, *yName;
  const char *expected;
};

class DatasetErrors : public testing::TestWithParam<WrongData> {};

TEST_P(DatasetErrors, AreLocated) {
  Folder folder;
  const WrongData &wrong = GetParam();
  std::string path =
      write(folder, {view(wrong.xName, wrong.x, wrong.xShape), view(wrong.yName, wrong.y, wrong.yShape)});
  Diagnostic diagnostic = diagnosticOf([&] { Dataset(path, manifest(), true); });
  EXPECT_EQ(diagnostic.code, ExitCode::BadInput);
  EXPECT_TRUE(contains(diagnostic.what(), wrong.expected)) << diagnostic.what();
}

const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();

INSTANTIATE_TEST_SUITE_P(
    All, DatasetErrors,
    testing::Values(
        WrongData{"NoInput", features, {3, 2}, ids, {3}, "z", "y", "lacks the tensor 'x'; it has 'y', 'z'"},
        WrongData{"NoTarget", features, {3, 2}, ids, {3}, "x", "z", "lacks the tensor 'y'"},
        WrongData{"Width", features, {2, 3}, {0, 1}, {2}, "x", "y", "got 3 values a sample"},
        WrongData{"Lengths", features, {3, 2}, {0, 1}, {2}, "x", "y", "got 2 samples, expected 3"},
        WrongData{"NoSamples", {}, {0, 2}, {}, {0}, "x", "y", "has no samples"},
        WrongData{"Scalar", {1}, {}, ids, {3}, "x", "y", "is a single number"},
        WrongData{"NaN", {0, 1, 2, nan}, {2, 2}, {0, 1}, {2}, "x", "y", "value is nan in sample 1"},
        WrongData{"Infinite", {0, -inf, 2, 3}, {2, 2}, {0, 1}, {2}, "x", "y", "value is -inf in sample 0"},
        WrongData{"ClassTooLarge",
                  features,
                  {3, 2},
                  {0, 1, 3},
                  {3},
                  "x",
                  "y",
                  "id 3 in sample 2 is outside [0, 3)"},
        WrongData{"ClassNegative", features, {3, 2}, {0, -1, 2}, {3}, "x", "y", "id -1 in sample 1"}),
    [](const auto &instance) { return std::string(instance.param.name); });

TEST(DatasetErrors, FractionsAreNoClassIds) {
  Folder folder;
  std::string path = folder.write("t.csv", "a,b,y\n1,2,0\n1,2,0.5\n");
  EXPECT_TRUE(contains(diagnosticOf([&] { Dataset(path, manifest(), true); }).what(),
                       "value 0.5 in sample 1 cannot be converted to I64"));
}

TEST(DatasetErrors, DoublesMustFitIntoFloats) {
  Folder folder;
  std::string path = folder.write("t.csv", "a,b,y\n1,2,0\n1e300,2,0\n");
  EXPECT_TRUE(contains(diagnosticOf([&] { Dataset(path, manifest(), true); }).what(), "1e+300 in sample 1"));
}

} // namespace
