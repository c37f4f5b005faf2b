// Text as data: characters, vocabulary, windows and their order.
#include "TrainerFiles.h"

#include "runtime/trainer/Dataset.h"
#include "runtime/trainer/data/TextFile.h"
#include "runtime/trainer/data/Utf8.h"

#include <set>

using namespace halfstep;
using namespace halfstep::test;

namespace {

/// Windows of 4 characters out of `ids`, in i64; batches of 2.
Manifest manifest(int64_t ids) {
  Manifest made;
  made.inputs = {{"ids", DataType::I64, {2, 4}, ids}};
  made.targets = {{"y", DataType::I64, {2, 4}, ids}};
  made.outputs = {{"logits", DataType::F32, {2, 4, ids}, 0}};
  made.batches = {2};
  return made;
}

struct Window {
  std::vector<int64_t> input, target;
  bool operator==(const Window &) const = default;
};

Window windowAt(const Dataset &data, size_t sample) {
  Batch batch = data.makeBatch(2);
  data.gather(std::vector<size_t>{sample}, batch);
  const auto *input = static_cast<const int64_t *>(batch.inputs()[0]);
  Window window = {{input, input + 4}, {}};
  if (data.hasTargets()) {
    const auto *target = static_cast<const int64_t *>(batch.targets()[0]);
    window.target.assign(target, target + 4);
  }
  return window;
}

std::u32string charactersOf(const TextFile &text) {
  std::u32string all(text.size(), 0);
  text.read(0, all);
  return all;
}

TEST(TextFile, CharactersOfEveryLengthAreReadFromAnyPlace) {
  Folder folder;
  std::u32string expected;
  for (size_t i = 0; i < 5000; ++i) // more than one mark
    expected += U"aä€😀\n"[i * 7 / 3 % 5];
  TextFile text(folder.write("t.txt", toUtf8(expected)), TextUnit::Character);
  EXPECT_EQ(text.size(), 5000u);
  EXPECT_EQ(text.alphabet(), U"\naä€😀");
  EXPECT_EQ(charactersOf(text), expected);
  for (size_t begin : {0u, 1u, 1023u, 1024u, 1025u, 4990u}) {
    std::u32string some(10, 0);
    text.read(begin, some);
    EXPECT_EQ(some, expected.substr(begin, 10));
  }
}

TEST(TextFile, ACharacterMayLieAcrossTwoPieces) {
  Folder folder;
  std::string bytes((size_t(1) << 20) - 1, 'a'); // a piece has 2^20 bytes
  TextFile text(folder.write("t.txt", bytes + "€b"), TextUnit::Character);
  EXPECT_EQ(text.size(), bytes.size() + 2);
  std::u32string end(2, 0);
  text.read(bytes.size(), end);
  EXPECT_EQ(end, U"€b");
}

TEST(TextFile, WhatIsNotUtf8IsLocated) {
  Folder folder;
  for (const char *bad : {"ab\xff", "ab\xc0\x80", "ab\xe2\x82", "ab\xed\xa0\x80", "ab\xf5\x80\x80\x80"}) {
    std::string path = folder.write("t.txt", bad);
    Diagnostic diagnostic = diagnosticOf([&] { TextFile(path, TextUnit::Character); });
    EXPECT_EQ(diagnostic.code, ExitCode::BadInput);
    EXPECT_TRUE(contains(diagnostic.what(), "not UTF-8 at byte 2")) << diagnostic.what();
    EXPECT_EQ(TextFile(path, TextUnit::Byte).size(), std::string_view(bad).size());
  }
}

TEST(TextFile, AFileThatShrinksIsAnError) {
  Folder folder;
  std::string path = folder.write("t.txt", std::string(5000, 'a'));
  TextFile text(path, TextUnit::Byte);
  std::filesystem::resize_file(path, 10);
  std::u32string some(100, 0);
  EXPECT_EQ(diagnosticOf([&] { text.read(1000, some); }).code, ExitCode::Io);
}

TEST(TextData, TargetsAreTheCharactersThatFollow) {
  Folder folder;
  Dataset data(folder.write("t.txt", "abcabcabcd"), manifest(5), true); // ids a 0, b 1, c 2, d 3
  EXPECT_EQ(data.size(), 2u);
  EXPECT_EQ(data.format().vocabulary, "abcd");
  EXPECT_EQ(windowAt(data, 0), (Window{{0, 1, 2, 0}, {1, 2, 0, 1}}));
  EXPECT_EQ(windowAt(data, 5), (Window{{2, 0, 1, 2}, {0, 1, 2, 3}}));
}

TEST(TextData, AModelOf256IdsTakesBytes) {
  Folder folder;
  Dataset data(folder.write("t.txt", "\xff"
                                     "abcde"),
               manifest(256), true);
  EXPECT_EQ(data.format(), DataFormat());
  EXPECT_EQ(windowAt(data, 0).input, (std::vector<int64_t>{255, 'a', 'b', 'c'}));
}

TEST(TextData, TheVocabularyOfTheFormatDecides) {
  Folder folder;
  std::string path = folder.write("t.txt", "bababa");
  DataFormat format;
  format.vocabulary = "€ba";
  EXPECT_EQ(windowAt(Dataset(path, manifest(5), true, format, false), 0).input,
            (std::vector<int64_t>{1, 2, 1, 2}));
  format.vocabulary = "€a";
  EXPECT_TRUE(contains(diagnosticOf([&] { Dataset(path, manifest(5), true, format); }).what(),
                       "character 'b' (U+0062)"));
  EXPECT_TRUE(contains(diagnosticOf([&] { Dataset(path, manifest(5), true, {}, false); }).what(),
                       "which character each id stands for"));
}

TEST(TextData, TheEndIsHeldOut) {
  Folder folder;
  Dataset data(folder.write("t.txt", std::string(41, 'a')), manifest(5), true);
  Split split = data.split(0.3, 7);
  EXPECT_EQ(split.training, (std::vector<size_t>{0, 4, 8, 12, 16, 20, 24}));
  EXPECT_EQ(split.heldOut, (std::vector<size_t>{28, 32, 36}));
}

TEST(TextData, ShuffledEpochsMoveTheirWindowsWithinTheTrainingPart) {
  Folder folder;
  Dataset data(folder.write("t.txt", std::string(401, 'a')), manifest(5), true);
  std::vector<size_t> training = data.split(0.5, 0).training;
  EXPECT_EQ(data.order(training, false, 3, 1), training);
  std::set<size_t> phases;
  for (uint64_t epoch = 0; epoch < 20; ++epoch) {
    std::vector<size_t> order = data.order(training, true, 3, epoch);
    EXPECT_EQ(order, data.order(training, true, 3, epoch));
    EXPECT_EQ(order.size(), training.size());
    EXPECT_LE(*std::max_element(order.begin(), order.end()), training.back());
    phases.insert(*std::min_element(order.begin(), order.end()));
  }
  EXPECT_EQ(phases, (std::set<size_t>{0, 1, 2, 3}));
}

TEST(TextData, PredictingNeedsNoCharacterAfterTheWindow) {
  Folder folder;
  Dataset data(folder.write("t.txt", "abcd"), manifest(5), false);
  EXPECT_EQ(data.size(), 1u);
  EXPECT_EQ(windowAt(data, 0).input, (std::vector<int64_t>{0, 1, 2, 3}));
}

TEST(TextDataErrors, AreLocated) {
  Folder folder;
  auto message = [&](const std::string &text, const Manifest &model) {
    std::string path = folder.write("t.txt", text);
    Diagnostic diagnostic = diagnosticOf([&] { Dataset(path, model, true); });
    EXPECT_EQ(diagnostic.code, ExitCode::BadInput);
    EXPECT_TRUE(std::string(diagnostic.what()).starts_with(path)) << diagnostic.what();
    return std::string(diagnostic.what());
  };
  EXPECT_TRUE(contains(message("", manifest(5)), "has 0 characters, expected at least 5"));
  EXPECT_TRUE(contains(message("abcd", manifest(5)), "has 4 characters, expected at least 5"));
  EXPECT_TRUE(contains(message("abcdefgh", manifest(5)), "has 8 different characters"));
  Manifest floats = manifest(5);
  floats.inputs[0] = {"x", DataType::F32, {2, 4}, 0};
  EXPECT_TRUE(contains(message("abcdefgh", floats), "'x' is F32 [2, 4]"));
  Manifest values = manifest(5);
  values.targets[0] = {"y", DataType::F32, {2, 4}, 0};
  EXPECT_TRUE(contains(message("abcdefgh", values), "one input of ids"));
}

TEST(TextData, ANameWithoutSuffixMayBeText) {
  Folder folder;
  EXPECT_EQ(kindOfData(folder.write("GPL-3", "some text\n")), DataKind::Text);
  EXPECT_EQ(diagnosticOf([&] { kindOfData(folder.write("binary", std::string("a\0b", 3))); }).code,
            ExitCode::BadInput);
}

TEST(DataFormat, SurvivesJson) {
  DataFormat format, read;
  EXPECT_EQ(format.toJson(), "");
  format = {"price", {0.5}, {0.25, 2}, "\n\"aé", {"cat", "dog"}};
  ASSERT_TRUE(DataFormat::fromJson(format.toJson(), read));
  EXPECT_EQ(read, format);
  EXPECT_FALSE(DataFormat::fromJson("[1]", read));
  EXPECT_FALSE(DataFormat::fromJson(R"({"mean": "x"})", read));
}

} // namespace
