// Well-formed data files of every kind.
#include "NpzBytes.h"
#include "TrainerFiles.h"

#include "runtime/trainer/data/Csv.h"
#include "runtime/trainer/data/DataFile.h"
#include "runtime/trainer/data/Inflate.h"
#include "runtime/trainer/data/Npy.h"

#include <numeric>

using namespace halfstep;
using namespace halfstep::test;

namespace {

std::vector<double> valuesOf(const TensorView &tensor) {
  std::vector<double> values;
  for (size_t i = 0; i < tensor.count; ++i)
    values.push_back(loadElement(tensor.type, tensor.data + i * byteSize(tensor.type)));
  return values;
}

std::vector<double> countUp(size_t count) {
  std::vector<double> values(count);
  std::iota(values.begin(), values.end(), 0);
  return values;
}

TEST(Safetensors, WhatIsWrittenIsRead) {
  Folder folder;
  std::vector<float> x = {1, 2, 3, 4, 5, 6};
  std::vector<int64_t> y = {-1, 1};
  std::vector<float> none;
  std::string path = folder.file("t.safetensors");
  writeSafetensors(path, {view("x", x, {2, 3}), view("y", y, {2}), view("empty", none, {0, 7})},
                   {{"format", "pt"}});
  TensorFile file = readSafetensors(path);
  ASSERT_NE(file.find("x"), nullptr);
  EXPECT_EQ(file.find("x")->shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(valuesOf(*file.find("x")), (std::vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(valuesOf(*file.find("y")), (std::vector<double>{-1, 1}));
  EXPECT_EQ(file.find("empty")->count, 0u);
  EXPECT_EQ(file.metadata.at("format"), "pt");
  EXPECT_EQ(file.find("z"), nullptr);
}

TEST(Safetensors, NothingIsLeftBehindWhenWritingFails) {
  Folder folder;
  std::vector<float> x(100000, 1);
  Diagnostic diagnostic =
      diagnosticOf([&] { writeSafetensors(folder.file("none/t.safetensors"), {view("x", x, {100000})}); });
  EXPECT_EQ(diagnostic.code, ExitCode::Io);
  EXPECT_TRUE(contains(diagnostic.what(), "none/t.safetensors"));
  std::filesystem::create_directory(folder.file("taken.safetensors"));
  EXPECT_EQ(diagnosticOf([&] {
              writeSafetensors(folder.file("taken.safetensors"), {view("x", x, {100000})});
            }).code,
            ExitCode::Io);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.file("")), {}), 1);
}

TEST(Safetensors, AFullDiskIsAnIoError) {
  if (!std::filesystem::exists("/dev/full"))
    GTEST_SKIP() << "this system has no /dev/full";
  Folder folder;
  std::filesystem::create_symlink("/dev/full", folder.file("full.npy"));
  std::vector<float> x(100000, 1);
  Diagnostic diagnostic = diagnosticOf([&] { writeNpy(folder.file("full.npy"), view("x", x, {100000})); });
  EXPECT_EQ(diagnostic.code, ExitCode::Io);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

TEST(Npy, WhatIsWrittenIsRead) {
  Folder folder;
  std::vector<float> x = {0, 1, 2, 3, 4, 5};
  std::string path = folder.file("x.npy");
  for (const std::vector<int64_t> &shape : {std::vector<int64_t>{6}, {2, 3}, {1, 6, 1}}) {
    writeNpy(path, view("x", x, shape));
    EXPECT_EQ(readText(path).size(), 128 + 24u);
    TensorFile file = readNpy(path);
    EXPECT_EQ(file.tensors[0].shape, shape);
    EXPECT_EQ(valuesOf(file.tensors[0]), countUp(6));
  }
}

TEST(Npy, SeveralFilesAreOne) {
  Folder folder;
  std::vector<float> x = {0, 1};
  std::vector<int64_t> y = {5};
  writeNpy(folder.file("x.npy"), view("", x, {2}));
  writeNpy(folder.file("y.npy"), view("", y, {1}));
  DataFile data = readData(folder.file("x.npy") + "," + folder.file("y.npy"));
  ASSERT_EQ(data.file.tensors.size(), 2u);
  EXPECT_EQ(data.file.tensors[1].type, DataType::I64);
}

TEST(Npz, NumPysCompressedFile) {
  Folder folder;
  DataFile data = readData(folder.write("c.npz", compressedNpz()));
  EXPECT_EQ(data.kind, DataKind::Npz);
  ASSERT_NE(data.file.find("x"), nullptr);
  EXPECT_EQ(data.file.find("x")->shape, (std::vector<int64_t>{4, 3}));
  EXPECT_EQ(valuesOf(*data.file.find("x")), countUp(12));
  EXPECT_EQ(valuesOf(*data.file.find("y")), (std::vector<double>{0, 1, 2, 1}));
}

TEST(Npz, TheKindIsKnownByContents) {
  Folder folder;
  EXPECT_EQ(readData(folder.write("data", compressedNpz())).kind, DataKind::Npz);
}

TEST(Inflate, StoredAndFixedBlocks) {
  // zlib.compressobj(wbits=-15): level 0 of "abc"; level 9 of "aaaaaaaaaa".
  const unsigned char stored[] = {0x01, 0x03, 0x00, 0xfc, 0xff, 'a', 'b', 'c'};
  const unsigned char fixed[] = {0x4b, 0x4c, 0x84, 0x01, 0x00};
  std::string out(3, ' ');
  EXPECT_TRUE(inflate(std::as_bytes(std::span(stored)), std::as_writable_bytes(std::span(out))));
  EXPECT_EQ(out, "abc");
  out.resize(10);
  EXPECT_TRUE(inflate(std::as_bytes(std::span(fixed)), std::as_writable_bytes(std::span(out))));
  EXPECT_EQ(out, "aaaaaaaaaa");
  out.resize(9);
  EXPECT_FALSE(inflate(std::as_bytes(std::span(fixed)), std::as_writable_bytes(std::span(out))));
  out.resize(11);
  EXPECT_FALSE(inflate(std::as_bytes(std::span(fixed)), std::as_writable_bytes(std::span(out))));
}

TEST(Inflate, Crc32OfTheStandardsCheckString) {
  EXPECT_EQ(crc32(std::as_bytes(std::span("123456789", 9))), 0xcbf43926u);
}

TEST(Csv, HeaderBlanksAndTarget) {
  Folder folder;
  TensorFile file = readCsv(folder.write("t.csv", "a, Label ,b\r\n1,0,2.5\r\n\r\n-3e2,1,+4\n"));
  EXPECT_EQ(file.tensors[0].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(valuesOf(file.tensors[0]), (std::vector<double>{1, 0, 2.5, -300, 1, 4}));
  EXPECT_EQ(file.metadata.at("target"), "1");
  TensorView columns = csvColumns(file, "x", {0, 2}, false);
  EXPECT_EQ(columns.shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(valuesOf(columns), (std::vector<double>{1, 2.5, -300, 4}));
}

} // namespace
