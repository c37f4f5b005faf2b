// Opening libraries: what is none is refused before the loader sees it.
#include "TrainerFiles.h"

#include "runtime/trainer/Library.h"

using namespace halfstep;
using namespace halfstep::test;

namespace {

class LibraryFile : public testing::Test {
protected:
  void SetUp() override {
    folder.write("fake.manifest.json", readText(std::string(HALFSTEP_FAKE_DIR) + "/fake.manifest.json"));
  }

  /// The code of opening a folder whose library has these contents.
  ExitCode codeOf(const std::string &contents) const {
    std::string path = folder.write("libfake.so", contents);
    return diagnosticOf([&] { Library::open(path); }).code;
  }

  Folder folder;
  std::string whole = readText(std::string(HALFSTEP_FAKE_DIR) + "/libfake.so");
};

TEST_F(LibraryFile, AWholeOneOpens) { EXPECT_EQ(codeOf(whole), ExitCode::Ok); }

TEST_F(LibraryFile, ACutOneIsRefused) {
  for (size_t part = 0; part < 16; ++part)
    EXPECT_EQ(codeOf(whole.substr(0, whole.size() * part / 16)), ExitCode::BadInput) << part;
  EXPECT_EQ(codeOf(whole.substr(0, whole.size() - 1)), ExitCode::BadInput);
}

TEST_F(LibraryFile, HeadersMustNameTheFilesOwnParts) {
  // Offsets of e_phoff, e_shoff, e_phnum and of the first segment's p_filesz.
  for (size_t offset : {0x20, 0x28, 0x38, 0x40 + 0x20}) {
    std::string edited = whole;
    edited.replace(offset, 2, "\xff\xff");
    edited.replace(offset + 2, offset == 0x38 ? 0 : 4, offset == 0x38 ? "" : "\xff\xff\xff\xff");
    EXPECT_EQ(codeOf(edited), ExitCode::BadInput) << offset;
  }
}

TEST_F(LibraryFile, OtherFilesAreRefused) {
  EXPECT_EQ(codeOf("not a library"), ExitCode::BadInput);
  EXPECT_EQ(codeOf(std::string("\x7f"
                               "ELF") +
                   std::string(200, '\0')),
            ExitCode::BadInput);
}

TEST_F(LibraryFile, AFolderMustHoldOne) {
  Folder empty;
  EXPECT_EQ(diagnosticOf([&] { Library::open(empty.file(".")); }).code, ExitCode::BadInput);
  folder.write("other.manifest.json", "{}");
  EXPECT_EQ(diagnosticOf([&] { Library::open(folder.file(".")); }).code, ExitCode::Usage);
  EXPECT_EQ(diagnosticOf([&] { Library::open(folder.file("libnone.so")); }).code, ExitCode::Io);
}

} // namespace
