// Folders of PNG images as data.
#include "PngBytes.h"
#include "TrainerFiles.h"

#include "runtime/trainer/Dataset.h"
#include "runtime/trainer/data/ImageFolder.h"

using namespace halfstep;
using namespace halfstep::test;

namespace {

/// Images of 2 x 3 (height x width) and `channels`, three classes; batches of 2.
Manifest manifest(int64_t channels) {
  Manifest made;
  made.inputs = {{"x", DataType::F32, {2, channels, 2, 3}, 0}};
  made.targets = {{"y", DataType::I64, {2}, 3}};
  made.outputs = {{"logits", DataType::F32, {2, 3}, 0}};
  made.batches = {2};
  return made;
}

const std::vector<uint8_t> gray = {0, 51, 102, 153, 204, 255};
const std::vector<uint8_t> colour = {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 10, 20, 30};

std::vector<float> inputRow(const Dataset &data, size_t sample) {
  Batch batch = data.makeBatch(2);
  data.gather(std::vector<size_t>{sample}, batch);
  std::vector<float> row(size_t(batch.row(0, 1) - batch.row(0, 0)) / sizeof(float));
  std::memcpy(row.data(), batch.row(0, 0), row.size() * sizeof(float));
  return row;
}

int64_t targetOf(const Dataset &data, size_t sample) {
  Batch batch = data.makeBatch(2);
  data.gather(std::vector<size_t>{sample}, batch);
  return *static_cast<const int64_t *>(batch.targets()[0]);
}

/// A folder with two classes: "cat" has a gray and a coloured image, "dog" a gray one with an alpha channel.
std::string writeImages(const Folder &folder) {
  std::string root = folder.file("images");
  for (const char *name : {"dog", "cat", ".hidden"})
    std::filesystem::create_directories(root + "/" + name);
  folder.write("images/cat/b.png", pngBytes(3, 2, PNG_FORMAT_GRAY, gray));
  folder.write("images/cat/c.PNG", pngBytes(3, 2, PNG_FORMAT_RGB, colour));
  folder.write("images/dog/a.png",
               pngBytes(3, 2, PNG_FORMAT_GA, {0, 9, 51, 9, 102, 9, 153, 9, 204, 9, 255, 9}));
  folder.write("images/dog/notes.txt", "not an image");
  return root;
}

TEST(ImageData, SubFoldersAreClassesAndSamplesAreScaled) {
  Folder folder;
  Dataset data(writeImages(folder), manifest(1), true);
  EXPECT_EQ(data.size(), 3u);
  EXPECT_EQ(data.format().classes, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(targetOf(data, 0), 0);
  EXPECT_EQ(targetOf(data, 2), 1);
  const std::vector<float> expected = {0, 51 / 255.0f, 102 / 255.0f, 153 / 255.0f, 204 / 255.0f, 1};
  EXPECT_EQ(inputRow(data, 0), expected);
  EXPECT_EQ(inputRow(data, 0), expected); // from the cache
}

TEST(ImageData, TransparencyIsLeftOut) {
  Folder folder;
  Dataset data(writeImages(folder), manifest(1), true);
  EXPECT_EQ(inputRow(data, 2), inputRow(data, 0));
}

/// PIL's convert("L") gives these: 255 * 0.299, 0.587, 0.114, rounded.
TEST(ImageData, ColoursBecomeGray) {
  Folder folder;
  Dataset data(writeImages(folder), manifest(1), true);
  EXPECT_EQ(inputRow(data, 1),
            (std::vector<float>{76 / 255.0f, 150 / 255.0f, 29 / 255.0f, 1, 0, 18 / 255.0f}));
}

TEST(ImageData, ColoursArePlanes) {
  Folder folder;
  Dataset data(writeImages(folder), manifest(3), true);
  std::vector<float> planes = inputRow(data, 1);
  ASSERT_EQ(planes.size(), 18u);
  for (size_t i = 0; i < 6; ++i)
    for (size_t c = 0; c < 3; ++c)
      EXPECT_EQ(planes[c * 6 + i], float(colour[3 * i + c]) / 255.0f);
  std::vector<float> equal = inputRow(data, 0);
  EXPECT_EQ(equal[1], equal[7]);
  EXPECT_EQ(equal[1], equal[13]);
}

TEST(ImageData, MeanAndDeviationApplyAfterScaling) {
  Folder folder;
  std::string images = writeImages(folder);
  DataFormat format;
  format.mean = {0.5};
  format.std = {0.25};
  EXPECT_FLOAT_EQ(inputRow(Dataset(images, manifest(1), true, format), 0)[1], (0.2f - 0.5f) / 0.25f);
  format.std = {1, 2, 4};
  EXPECT_FLOAT_EQ(inputRow(Dataset(images, manifest(3), true, format), 0)[13], (0.2f - 0.5f) / 4);
  EXPECT_TRUE(contains(diagnosticOf([&] { Dataset(images, manifest(1), true, format); }).what(),
                       "one for each of the model's 1 channels; got 3"));
}

TEST(ImageData, ClassesOfTheFormatDecide) {
  Folder folder;
  std::string images = writeImages(folder);
  DataFormat format;
  format.classes = {"ant", "dog", "cat"};
  EXPECT_EQ(targetOf(Dataset(images, manifest(1), true, format), 0), 2);
  format.classes = {"ant", "dog"};
  EXPECT_TRUE(contains(diagnosticOf([&] { Dataset(images, manifest(1), true, format); }).what(),
                       "class 'cat', which is none of those trained: 'ant', 'dog'"));
}

TEST(ImageData, PredictingNeedsNoClasses) {
  Folder folder;
  writeImages(folder);
  EXPECT_EQ(Dataset(folder.file("images/cat"), manifest(1), false).size(), 2u);
  EXPECT_TRUE(contains(diagnosticOf([&] { Dataset(folder.file("images/cat"), manifest(1), true); }).what(),
                       "no sub-folders"));
}

TEST(ImageDataErrors, AreLocated) {
  Folder folder;
  std::string images = writeImages(folder);
  auto message = [&](const Manifest &model) {
    Diagnostic diagnostic = diagnosticOf([&] { Dataset(images, model, true); });
    EXPECT_EQ(diagnostic.code, ExitCode::BadInput);
    return std::string(diagnostic.what());
  };
  Manifest wide = manifest(1);
  wide.inputs[0].shape = {2, 1, 3, 2};
  EXPECT_TRUE(contains(message(wide), "cat/b.png: is 3 x 2 pixels, expected 2 x 3"));
  Manifest flat = manifest(1);
  flat.inputs[0].shape = {2, 6};
  EXPECT_TRUE(contains(message(flat), "'x' is F32 [2, 6]"));
  EXPECT_TRUE(contains(message(manifest(2)), "1 or 3 channels"));
  Manifest one = manifest(1);
  one.targets[0].classes = 1;
  EXPECT_TRUE(contains(message(one), "has 2 classes ('cat', 'dog'), and the model's output has 1"));
  std::filesystem::create_directory(folder.file("images/empty"));
  EXPECT_TRUE(contains(message(manifest(1)), "empty: holds no .png files"));
}

/// Whatever a byte does, reading ends in a Diagnostic or in an image of the right size.
TEST(ImageDataErrors, AnyByteOfAnImageMayBeWrong) {
  Folder folder;
  std::string good = pngBytes(3, 2, PNG_FORMAT_RGB, colour);
  size_t refused = 0;
  for (size_t at = 0; at < good.size(); ++at)
    for (char byte : {'\0', '\x7f', '\xff'}) {
      std::string bytes = good;
      bytes[at] = byte;
      std::string path = folder.write("t.png", bytes);
      Diagnostic diagnostic = diagnosticOf([&] { EXPECT_EQ(readPng(path, 3, {3, 2}).size(), 18u); });
      refused += diagnostic.code == ExitCode::BadInput;
      EXPECT_TRUE(diagnostic.code == ExitCode::BadInput || diagnostic.code == ExitCode::Ok);
    }
  EXPECT_GT(refused, good.size());
  for (size_t length = 0; length < good.size() - 12; ++length) { // 12: the end chunk
    std::string path = folder.write("t.png", good.substr(0, length));
    EXPECT_EQ(diagnosticOf([&] { readPng(path, 3, {3, 2}); }).code, ExitCode::BadInput) << length;
  }
}

TEST(ImageDataErrors, AHugeHeaderMakesNoHugeImage) {
  Folder folder;
  std::string bytes = pngBytes(3, 2, PNG_FORMAT_GRAY, gray);
  bytes[16] = '\x7f'; // the width
  Diagnostic diagnostic = diagnosticOf([&] { readPng(folder.write("t.png", bytes), 1, {3, 2}); });
  EXPECT_EQ(diagnostic.code, ExitCode::BadInput);
  EXPECT_TRUE(contains(diagnostic.what(), "not a valid PNG image")) << diagnostic.what();
}

} // namespace
