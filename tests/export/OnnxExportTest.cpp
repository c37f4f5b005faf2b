// The form of exported graphs: names, values, inference mode, and what cannot be exported.
#include "tests/import/Expect.h"
#include "tests/import/OnnxModel.h"

#include "export/OnnxExport.h"
#include "import/JsonReader.h"
#include "import/OnnxReader.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace halfstep {
namespace {

class OnnxExport : public testing::Test {
protected:
  OnnxExport() {
    std::string name = (std::filesystem::temp_directory_path() / "halfstep-export-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder = name;
  }
  ~OnnxExport() override { std::filesystem::remove_all(folder); }

  std::string write(const std::string &name, const std::string &contents) const {
    std::ofstream(folder / name, std::ios::binary) << contents;
    return (folder / name).string();
  }

  onnx::GraphProto exported(const std::string &path, const std::vector<ExportWeight> &weights) const {
    return parseOnnx(exportOnnx({path, weights, "w.safetensors"}), "exported").graph();
  }

  std::filesystem::path folder;
};

const char *const linear = R"({"halfstep": 1, "inputs": {"x": {"dtype": "f32", "shape": ["N", 2]}},
  "layers": [{"op": "linear", "name": "fc", "out": 3}, {"op": "dropout", "name": "drop"}]})";
const std::vector<ExportWeight> linearWeights = {{"fc.weight", {3, 2}, {1, 2, 3, 4, 5, 6}},
                                                 {"fc.bias", {3}, {7, 8, 9}}};

std::string opsOf(const onnx::GraphProto &graph) {
  std::string text;
  for (const auto &node : graph.node())
    text += (text.empty() ? "" : " ") + node.op_type();
  return text;
}

std::vector<float> valuesOf(const onnx::GraphProto &graph, const std::string &name) {
  for (const auto &tensor : graph.initializer())
    if (tensor.name() == name) {
      std::vector<float> values(tensor.raw_data().size() / sizeof(float));
      std::memcpy(values.data(), tensor.raw_data().data(), tensor.raw_data().size());
      return values;
    }
  return {};
}

TEST_F(OnnxExport, ALinearLayerIsAGemmWithItsOwnWeights) {
  onnx::GraphProto graph = exported(write("m.json", linear), linearWeights);
  EXPECT_EQ(opsOf(graph), "Gemm Identity");
  EXPECT_EQ(valuesOf(graph, "fc.weight"), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(valuesOf(graph, "fc.bias"), (std::vector<float>{7, 8, 9}));
  EXPECT_EQ(graph.node(0).name(), "fc");
  EXPECT_EQ(graph.input(0).type().tensor_type().shape().dim(0).dim_param(), "N");
  EXPECT_EQ(graph.output(0).name(), "drop");
  EXPECT_EQ(graph.output(0).type().tensor_type().shape().dim(1).dim_value(), 3);
}

TEST_F(OnnxExport, NodesHaveNamesOfTheirOwn) {
  const char *text = R"({"halfstep": 1, "inputs": {"x": {"dtype": "f32", "shape": ["N", 3, 4, 4]}},
    "layers": [{"op": "global_avg_pool", "name": "mean", "flatten": true}]})";
  onnx::GraphProto graph = exported(write("m.json", text), {});
  EXPECT_EQ(opsOf(graph), "AveragePool Reshape");
  EXPECT_NE(graph.node(0).name(), graph.node(1).name());
}

TEST_F(OnnxExport, TheWeightsMustBeTheModels) {
  std::string path = write("m.json", linear);
  auto refuse = [&](std::vector<ExportWeight> weights, const std::string &expected) {
    expectDiagnostic(ExitCode::BadInput, {"w.safetensors", expected},
                     [&] { exportOnnx({path, weights, "w.safetensors"}); });
  };
  refuse({linearWeights[0]}, "lacks 'fc.bias'");
  refuse({linearWeights[0], linearWeights[1], {"fc2.bias", {1}, {0}}},
         "has 'fc2.bias', which the model lacks");
  refuse({{"fc.weight", {2, 3}, {1, 2, 3, 4, 5, 6}}, linearWeights[1]}, "shape [2, 3], expected [3, 2]");
}

TEST_F(OnnxExport, AnOnnxModelKeepsItsNodesAndTakesTheValues) {
  OnnxModel model({0, 2});
  model.floats("w", {2, 3});
  model.floats("unused", {4}, 5);
  model.node("MatMul", {"x", "w"}, {"h"});
  model.node("Relu", {"h"}, {"y"});
  onnx::GraphProto graph = exported(write("m.onnx", model.finish()), {{"w", {2, 3}, {1, 2, 3, 4, 5, 6}}});
  EXPECT_EQ(opsOf(graph), "MatMul Relu");
  EXPECT_EQ(valuesOf(graph, "w"), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(graph.initializer(1).float_data(0), 5);
}

TEST_F(OnnxExport, AFoldedWeightIsReadThroughATranspose) {
  OnnxModel model({0, 2});
  model.floats("onnx::MatMul_3", {2, 3});
  model.node("MatMul", {"x", "onnx::MatMul_3"}, {"y"}).set_name("/fc/MatMul");
  onnx::GraphProto graph =
      exported(write("m.onnx", model.finish()), {{"fc.weight", {3, 2}, {1, 2, 3, 4, 5, 6}}});
  EXPECT_EQ(opsOf(graph), "Transpose MatMul");
  EXPECT_EQ(graph.node(0).input(0), "fc.weight");
  EXPECT_EQ(graph.node(0).output(0), graph.node(1).input(1));
  EXPECT_EQ(valuesOf(graph, "fc.weight"), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(graph.initializer_size(), 1);
}

TEST_F(OnnxExport, TrainingModeEnds) {
  OnnxModel model({0, 2, 3, 3});
  for (const char *name : {"scale", "shift", "mean", "var"})
    model.floats(name, {2});
  model.floats("ratio", {}, 0.5f);
  onnx::TensorProto &training = *model.graph().add_initializer();
  training.set_name("training");
  training.set_data_type(onnx::TensorProto::BOOL);
  training.add_int32_data(1);
  OnnxModel::set(model.node("BatchNormalization", {"x", "scale", "shift", "mean", "var"}, {"h", "m2", "v2"}),
                 "training_mode", int64_t(1));
  model.node("Dropout", {"h", "ratio", "training"}, {"y"});
  std::vector<ExportWeight> weights;
  for (const char *name : {"scale", "shift", "mean", "var"})
    weights.push_back({name, {2}, {3, 4}});
  onnx::GraphProto graph = exported(write("m.onnx", model.finish()), weights);
  EXPECT_EQ(graph.node(0).attribute(0).i(), 0);
  EXPECT_EQ(graph.node(0).output_size(), 1);
  EXPECT_EQ(graph.node(1).input_size(), 2);
  EXPECT_EQ(valuesOf(graph, "var"), (std::vector<float>{3, 4}));
}

TEST_F(OnnxExport, AParameterThatANodeCopiesGetsItsOwnValue) {
  OnnxModel model({0, 2});
  model.floats("a", {2});
  model.node("Identity", {"a"}, {"b"});
  model.node("Mul", {"x", "a"}, {"h"});
  model.node("Mul", {"h", "b"}, {"y"});
  onnx::GraphProto graph =
      exported(write("m.onnx", model.finish()), {{"a", {2}, {1, 2}}, {"b", {2}, {3, 4}}});
  EXPECT_EQ(opsOf(graph), "Mul Mul");
  EXPECT_EQ(valuesOf(graph, "a"), (std::vector<float>{1, 2}));
  EXPECT_EQ(valuesOf(graph, "b"), (std::vector<float>{3, 4}));
}

/// The examples of the format's page are complete models, one or more an op.
TEST_F(OnnxExport, EveryOpOfTheJsonFormatCanBeExported) {
  std::ifstream page(HALFSTEP_SOURCE_DIR "/docs/model-format.md");
  std::string text{std::istreambuf_iterator<char>(page), {}};
  const std::string open = "```json\n", close = "```";
  size_t models = 0;
  for (size_t at = text.find(open); at != text.npos; at = text.find(open, at), ++models) {
    at += open.size();
    std::string path = write("m.json", text.substr(at, text.find(close, at) - at));
    Graph graph = readJsonModel(text.substr(at, text.find(close, at) - at), path, -1);
    std::vector<ExportWeight> weights;
    for (const Parameter &parameter : graph.parameters) {
      ExportWeight &weight = weights.emplace_back(ExportWeight{parameter.name, {}, {}});
      for (const Dim &dim : parameter.shape)
        weight.shape.push_back(dim.size);
      weight.values.resize(size_t(countElements(parameter.shape, path)));
    }
    EXPECT_GT(exported(path, weights).node_size(), 0) << path;
  }
  EXPECT_GT(models, 20u);
}

TEST_F(OnnxExport, MlirCannotBeExported) {
  expectDiagnostic(ExitCode::Unsupported, {".mlir"},
                   [&] { exportOnnx({write("m.mlir", "module {}\n"), {}, "w.safetensors"}); });
}

} // namespace
} // namespace halfstep
