// External data must lie in the model's folder, symbolic links resolved, and have the bytes that the shape
// needs.
#include "tests/import/Expect.h"
#include "tests/import/OnnxModel.h"

#include "import/OnnxReader.h"

#include <filesystem>
#include <fstream>

namespace halfstep {
namespace {

namespace fs = std::filesystem;

class OnnxExternalData : public testing::Test {
protected:
  fs::path root = fs::path(testing::TempDir()) / "halfstep-external-data";

  void SetUp() override {
    fs::remove_all(root);
    fs::create_directories(root / "model" / "sub");
    for (const char *file : {"model/weights.bin", "model/sub/weights.bin", "secret.bin"})
      write(root / file, 6 * sizeof(float) + 4);
  }
  void TearDown() override { fs::remove_all(root); }

  static void write(const fs::path &path, size_t bytes) {
    std::ofstream(path, std::ios::binary) << std::string(bytes, '\0');
  }

  Graph read(const std::string &location, const std::string &offset = "4", const std::string &length = "24") {
    OnnxModel model({0, 3});
    onnx::TensorProto &tensor = model.floats("w", {3, 2});
    tensor.clear_float_data();
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    for (auto [key, value] : {std::pair("location", location), {"offset", offset}, {"length", length}}) {
      auto *entry = tensor.add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
    model.node("MatMul", {"x", "w"}, {"y"});
    return readOnnxModel(model.finish(), (root / "model" / "m.onnx").string(), 4, [](const std::string &) {});
  }
};

TEST_F(OnnxExternalData, InsideTheFolderIsRead) {
  EXPECT_EQ(read("weights.bin").findParameter("w")->init.data.size(), 6u);
  EXPECT_EQ(read("sub/weights.bin").findParameter("w")->init.data.size(), 6u);
}

TEST_F(OnnxExternalData, PathsThatLeaveTheFolderAreRefused) {
  fs::create_symlink(root / "secret.bin", root / "model" / "link.bin");
  fs::create_directory_symlink(root, root / "model" / "up");
  for (std::string location : {"../secret.bin", "sub/../weights.bin", "link.bin", "up/secret.bin", "", "."})
    expectDiagnostic(ExitCode::BadInput, {"external data"}, [&] { read(location); });
  expectDiagnostic(ExitCode::BadInput, {"external data"}, [&] { read((root / "secret.bin").string()); });
}

TEST_F(OnnxExternalData, LinkInsideTheFolderIsFollowed) {
  fs::create_symlink("weights.bin", root / "model" / "alias.bin");
  EXPECT_EQ(read("alias.bin").parameters.size(), 1u);
}

TEST_F(OnnxExternalData, MissingFileIsAnIoError) {
  expectDiagnostic(ExitCode::Io, {"'gone.bin'"}, [&] { read("gone.bin"); });
}

TEST_F(OnnxExternalData, OffsetsAreChecked) {
  expectDiagnostic(ExitCode::BadInput, {"ends before"}, [&] { read("weights.bin", "5"); });
  expectDiagnostic(ExitCode::BadInput, {"ends before"}, [&] { read("weights.bin", "9223372036854775807"); });
  expectDiagnostic(ExitCode::BadInput, {"not an offset"}, [&] { read("weights.bin", "-4"); });
  expectDiagnostic(ExitCode::BadInput, {"expected 24 bytes"}, [&] { read("weights.bin", "0", "28"); });
}

} // namespace
} // namespace halfstep
