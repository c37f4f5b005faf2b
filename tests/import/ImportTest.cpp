// The entry of the importer: kinds told apart by content, .mlir input, unreadable files.
#include "tests/import/Expect.h"
#include "tests/import/OnnxModel.h"

#include "import/Import.h"

#include <filesystem>
#include <fstream>

namespace halfstep {
namespace {

namespace fs = std::filesystem;

class Import : public testing::Test {
protected:
  fs::path root = fs::path(testing::TempDir()) / "halfstep-import";
  mlir::MLIRContext context;
  Recipe recipe;

  void SetUp() override {
    fs::create_directories(root);
    recipe.loss.kind = "mse";
  }
  void TearDown() override { fs::remove_all(root); }

  /// Imports a file of this content for 4 samples; the module as text.
  std::string import(const std::string &name, const std::string &content, int64_t batch = 4) {
    std::ofstream(root / name, std::ios::binary) << content;
    std::string text;
    llvm::raw_string_ostream stream(text);
    importModel(context, (root / name).string(), recipe, batch, [](const std::string &) {})->print(stream);
    return text;
  }
};

const char *const json = R"({"halfstep": 1, "name": "m", "inputs": {"x": {"dtype": "f32", "shape": ["N", 3]}},
                             "layers": [{"op": "linear", "name": "fc", "out": 2}]})";

TEST_F(Import, KindIsKnownByContent) {
  EXPECT_NE(import("model.onnx", json).find("nn.matmul"), std::string::npos);
  EXPECT_NE(import("model.json", std::string("\xef\xbb\xbf \n") + json).find("nn.matmul"), std::string::npos);
  OnnxModel onnx({0, 3});
  onnx.node("Relu", {"x"}, {"y"});
  EXPECT_NE(import("model", onnx.finish()).find("nn.relu"), std::string::npos);
}

TEST_F(Import, MlirRoundTrips) {
  std::string text = import("a.json", json);
  EXPECT_EQ(import("b.mlir", text), text);
}

TEST_F(Import, MlirGetsTheRecipesPolicy) {
  std::string text = import("a.json", json);
  recipe.optimizer.kind = "adamw";
  EXPECT_NE(import("b.mlir", text).find("kind = \"adamw\""), std::string::npos);
}

TEST_F(Import, WrongMlirIsRefused) {
  std::string text = import("a.json", json);
  expectDiagnostic(ExitCode::BadInput, {"is for a batch of 4, asked for 8"},
                   [&] { import("b.mlir", text, 8); });
  expectDiagnostic(ExitCode::BadInput, {"no function @train_step"},
                   [&] { import("c.mlir", "module {\n}\n"); });
  expectDiagnostic(ExitCode::BadInput, {"d.mlir:2:"},
                   [&] { import("d.mlir", "module {\n  nn.relu %x\n}\n"); });
  expectDiagnostic(ExitCode::BadInput, {"nested deeper"},
                   [&] { import("e.mlir", "module { " + std::string(100000, '(')); });
  expectDiagnostic(ExitCode::BadInput, {"f.mlir:1:"}, [&] { import("f.mlir", "hello world"); });
  std::string dynamic = text;
  dynamic.insert(dynamic.find("return"), "%d = builtin.unrealized_conversion_cast to tensor<?xf32>\n    ");
  expectDiagnostic(ExitCode::BadInput, {"g.mlir:", "tensor<?xf32>", "static shape"},
                   [&] { import("g.mlir", dynamic); });
}

TEST_F(Import, MissingFilesAndFoldersAreIoErrors) {
  auto importPath = [&](const std::string &path) {
    importModel(context, path, recipe, 4, [](const std::string &) {});
  };
  expectDiagnostic(ExitCode::Io, {"gone.json", "cannot open"},
                   [&] { importPath((root / "gone.json").string()); });
  expectDiagnostic(ExitCode::Io, {"is a folder"}, [&] { importPath(root.string()); });
  expectDiagnostic(ExitCode::BadInput, {"is empty"}, [&] { import("empty.json", ""); });
}

} // namespace
} // namespace halfstep
