// Damaged and hostile data files: one diagnostic that says where, never a crash.
#include "NpzBytes.h"
#include "TrainerFiles.h"

#include "runtime/trainer/data/DataFile.h"

#include <cstring>

using namespace halfstep;
using namespace halfstep::test;

namespace {

/// A safetensors file with this header and `bytes` bytes of data.
std::string tensors(const std::string &header, size_t bytes = 8) {
  uint64_t length = header.size();
  return std::string(reinterpret_cast<const char *>(&length), 8) + header + std::string(bytes, '\0');
}

/// A header with one tensor.
std::string entry(const std::string &dtype, const std::string &shape, const std::string &offsets) {
  return R"({"x":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

std::string lengthOnly(uint64_t length) {
  return std::string(reinterpret_cast<const char *>(&length), 8) + "{}";
}

/// A .npy file with this header and `bytes` bytes of data.
std::string npy(const std::string &header, size_t bytes = 8, char version = 1) {
  std::string text = "\x93NUMPY";
  text += version;
  text += '\0';
  text += char(header.size() & 0xff);
  text += char(header.size() >> 8);
  return text + header + std::string(bytes, '\0');
}

std::string npyHeader(const std::string &descr, const std::string &shape) {
  return "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }";
}

/// The compressed .npz with one byte changed.
std::string npzWith(size_t at, char byte) {
  std::string bytes = compressedNpz();
  bytes[at] = byte;
  return bytes;
}

struct Case {
  const char *name;
  const char *file;
  std::string contents;
  const char *expected; ///< part of the message
};

std::vector<Case> safetensorsCases() {
  const char *file = "t.safetensors";
  return {
      {"Empty", file, "", "too short"},
      {"SevenBytes", file, "1234567", "too short"},
      {"LengthPastEnd", file, lengthOnly(3), "truncated or of another kind"},
      {"LengthHuge", file, lengthOnly(UINT64_MAX), "truncated or of another kind"},
      {"HeaderNotJson", file, tensors("{\"x\":"), "not JSON"},
      {"HeaderNotUtf8", file, tensors("{\"\xff\":1}"), "not JSON"},
      {"HeaderIsAList", file, tensors("[]", 0), "not an object"},
      {"HeaderTooDeep", file, tensors(std::string(100000, '[')), "nested too deeply"},
      {"DuplicateName", file,
       tensors(
           R"({"x":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"x":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})"),
       "occurs twice"},
      {"EntryIsANumber", file, tensors(R"({"x":1})"), "expected dtype, shape and data_offsets"},
      {"EntryLacksShape", file, tensors(R"({"x":{"dtype":"U8","data_offsets":[0,8]}})"), "expected dtype"},
      {"UnknownType", file, tensors(entry(R"("F8_E4M3")", "[8]", "[0,8]")), "F8_E4M3"},
      {"TypeIsANumber", file, tensors(entry("3", "[8]", "[0,8]")), "not supported"},
      {"NegativeExtent", file, tensors(entry(R"("U8")", "[-8]", "[0,8]")), "shape is malformed"},
      {"FractionalExtent", file, tensors(entry(R"("U8")", "[8.5]", "[0,8]")), "shape is malformed"},
      {"ProductOverflows", file, tensors(entry(R"("F32")", "[4294967296,4294967296,2]", "[0,8]")),
       "too large"},
      {"ProductWrapsToRightSize", file, tensors(entry(R"("U8")", "[9223372036854775807,2,8]", "[0,8]")),
       "too large"},
      {"SizeDiffersFromShape", file, tensors(entry(R"("F32")", "[3]", "[0,8]")), "expected 12"},
      {"OffsetsBackwards", file, tensors(entry(R"("U8")", "[8]", "[8,0]")), "data_offsets"},
      {"OffsetsPastEnd", file, tensors(entry(R"("U8")", "[9]", "[0,9]")), "data_offsets"},
      {"OffsetsHuge", file, tensors(entry(R"("U8")", "[8]", "[18446744073709551608,18446744073709551615]")),
       "data_offsets"},
      {"OneOffset", file, tensors(entry(R"("U8")", "[8]", "[8]")), "data_offsets"},
      {"TrailingBytes", file, tensors(entry(R"("U8")", "[8]", "[0,8]"), 9), "after the last tensor"},
      {"Overlap", file,
       tensors(
           R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})"),
       "overlaps"},
      {"MetadataIsANumber", file, tensors(R"({"__metadata__":{"a":1}})", 0), "not a string"},
  };
}

std::vector<Case> npyCases() {
  const char *file = "t.npy";
  return {
      {"NpyEmpty", file, "", "signature"},
      {"NpyVersion", file, npy(npyHeader("<f4", "(2,)"), 8, 9), "version 9"},
      {"NpyHeaderTruncated", file, npy(npyHeader("<f4", "(2,)")).substr(0, 30), "truncated"},
      {"NpyBigEndian", file, npy(npyHeader(">f4", "(2,)")), "'>f4'"},
      {"NpyObject", file, npy(npyHeader("|O", "(1,)")), "'|O'"},
      {"NpyStructured", file, npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}"),
       "structured"},
      {"NpyFortran", file, npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1)}"),
       "ascontiguousarray"},
      {"NpyShapeNegative", file, npy(npyHeader("<f4", "(-2,)")), "shape is malformed"},
      {"NpyShapeOverflows", file, npy(npyHeader("<f4", "(9223372036854775807, 9223372036854775807)")),
       "too large"},
      {"NpyTooLittleData", file, npy(npyHeader("<f4", "(3,)")), "expected 12"},
      {"NpyTooMuchData", file, npy(npyHeader("<f4", "(1,)")), "expected 4"},
      {"NpyUnclosed", file, npy("{'descr': '<f4"), "malformed"},
      {"NpyNotADictionary", file, npy("[1]"), "malformed"},
  };
}

std::vector<Case> otherCases() {
  std::string packed = compressedNpz();
  size_t directory = packed.find("PK\x01\x02");
  return {
      {"NpzEmpty", "t.npz", "", "directory is missing"},
      {"NpzTruncated", "t.npz", packed.substr(0, packed.size() - 5), "directory is missing"},
      {"NpzCutInFront", "t.npz", packed.substr(100), "malformed"},
      {"NpzChecksum", "t.npz", npzWith(directory + 16, '\x55'), "checksum"},
      {"NpzStream", "t.npz", npzWith(70, '\xff'), "'x.npy'"},
      {"NpzMethod", "t.npz", npzWith(directory + 10, 14), "unsupported method"},
      {"NpzBomb", "t.npz", npzWith(directory + 27, '\x7f'), "impossible size"},
      {"NpzEncrypted", "t.npz", npzWith(directory + 8, 1), "encrypted"},
      {"CsvEmpty", "t.csv", "", "t.csv"},
      {"CsvBlank", "t.csv", "\n\n", "no samples"},
      {"CsvOnlyHeader", "t.csv", "a,b\n", "no samples"},
      {"CsvNumberThenWord", "t.csv", "1,2\n3,x\n", "t.csv:2:2: 'x'"},
      {"CsvOnlyCommas", "t.csv", ",,\n", "no samples"},
      {"CsvWord", "t.csv", "a,b\n1,two\n", "t.csv:2:2: 'two'"},
      {"CsvEmptyCell", "t.csv", "a,b\n1,\n", "t.csv:2:2"},
      {"CsvRagged", "t.csv", "a,b\n1,2\n3\n", "t.csv:3: got 1 columns"},
      {"CsvBinary", "t.csv", std::string("a,b\n\0,1", 7), "not a text file"},
      {"UnknownKind", "t.bin", "what is this?", "expected .safetensors"},
  };
}

std::vector<Case> allCases() {
  std::vector<Case> cases = safetensorsCases();
  for (const auto &more : {npyCases(), otherCases()})
    cases.insert(cases.end(), more.begin(), more.end());
  return cases;
}

class HostileData : public testing::TestWithParam<Case> {};

TEST_P(HostileData, IsOneDiagnosticThatNamesTheFile) {
  Folder folder;
  std::string path = folder.write(GetParam().file, GetParam().contents);
  Diagnostic diagnostic = diagnosticOf([&] { trainingSamples(path, 0); });
  EXPECT_EQ(diagnostic.code, ExitCode::BadInput);
  EXPECT_TRUE(contains(diagnostic.what(), GetParam().expected)) << diagnostic.what();
  EXPECT_TRUE(std::string(diagnostic.what()).starts_with(path)) << diagnostic.what();
}

INSTANTIATE_TEST_SUITE_P(All, HostileData, testing::ValuesIn(allCases()),
                         [](const auto &instance) { return std::string(instance.param.name); });

/// Whatever one changed byte does, it ends in a Diagnostic or in a readable file.
TEST(HostileDataBytes, AnyByteOfACompressedFileMayBeWrong) {
  Folder folder;
  for (size_t at = 0; at < compressedNpz().size(); ++at)
    for (char byte : {'\0', '\x01', '\x7f', '\xff'}) {
      std::string path = folder.write("t.npz", npzWith(at, byte));
      diagnosticOf([&] { readData(path); });
    }
}

TEST(HostileDataBytes, AnyByteOfASafetensorsHeaderMayBeWrong) {
  Folder folder;
  std::string good = readText(writeClasses(folder, 5));
  for (size_t at = 0; at < good.size(); ++at)
    for (char byte : {'\0', '"', '9', '\xff'}) {
      std::string bytes = good;
      bytes[at] = byte;
      std::string path = folder.write("t.safetensors", bytes);
      diagnosticOf([&] { readData(path); });
    }
}

TEST(HostileDataPlaces, MissingFilesAndFolders) {
  Folder folder;
  EXPECT_EQ(diagnosticOf([&] { readData(folder.file("none.npy")); }).code, ExitCode::Io);
  std::filesystem::create_directory(folder.file("d.npz"));
  EXPECT_EQ(diagnosticOf([&] { readData(folder.file("d.npz")); }).code, ExitCode::Io);
  EXPECT_EQ(diagnosticOf([&] { readData("/dev/zero"); }).code, ExitCode::Io);
  EXPECT_EQ(diagnosticOf([&] { readData(""); }).code, ExitCode::Io);
}

} // namespace
