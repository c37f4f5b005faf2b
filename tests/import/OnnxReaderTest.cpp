// ONNX ops, patterns and shape arithmetic to the neutral graph.
#include "tests/import/Expect.h"
#include "tests/import/OnnxModel.h"

#include "import/OnnxReader.h"

namespace halfstep {
namespace {

Graph read(const std::string &content, int64_t batch = 4, std::vector<std::string> *notes = nullptr) {
  return readOnnxModel(content, "m.onnx", batch, [&](const std::string &note) {
    if (notes)
      notes->push_back(note);
  });
}

TEST(OnnxReader, GemmKeepsNamesAndPlace) {
  OnnxModel model({0, 3});
  model.floats("fc.weight", {2, 3}, 0.5f);
  model.floats("fc.bias", {2});
  OnnxModel::set(model.node("Gemm", {"x", "fc.weight", "fc.bias"}, {"y"}), "transB", int64_t(1));
  Graph graph = read(model.finish());
  EXPECT_EQ(opsOf(graph), "matmul");
  EXPECT_TRUE(graph.nodes[0].flag("transpose_b"));
  EXPECT_EQ(graph.nodes[0].place.toString(), "m.onnx: node 0 'Gemm_node' (Gemm)");
  EXPECT_EQ(graph.findParameter("fc.weight")->init.data, std::vector<double>(6, 0.5));
  EXPECT_EQ(shapeText(graph, "y"), "[N, 2]");
}

TEST(OnnxReader, MatMulTakesTheAddOfAVectorAsBias) {
  OnnxModel model({0, 3});
  model.floats("w", {3, 2});
  model.floats("b", {2});
  model.node("MatMul", {"x", "w"}, {"h"});
  model.node("Add", {"b", "h"}, {"y"});
  Graph graph = read(model.finish());
  EXPECT_EQ(opsOf(graph), "matmul");
  EXPECT_EQ(graph.nodes[0].inputs, (std::vector<std::string>{"x", "w", "b"}));
  EXPECT_FALSE(graph.nodes[0].flag("transpose_b"));
}

TEST(OnnxReader, MatMulSeesThroughATransposedWeight) {
  OnnxModel model({0, 3});
  model.floats("w", {2, 3});
  model.node("Transpose", {"w"}, {"wt"});
  model.node("MatMul", {"x", "wt"}, {"y"});
  Graph graph = read(model.finish());
  EXPECT_EQ(opsOf(graph), "matmul");
  EXPECT_TRUE(graph.nodes[0].flag("transpose_b"));
  EXPECT_EQ(graph.nodes[0].inputs[1], "w");
}

TEST(OnnxReader, ErfGeluInBothOrders) {
  for (bool flipped : {false, true})
    for (bool halfFirst : {false, true}) {
      OnnxModel model({0, 3});
      for (auto [name, value] : {std::pair("root", 1.4142135f), {"one", 1.0f}, {"half", 0.5f}})
        model.floats(name, {}, value);
      model.node("Div", {"x", "root"}, {"d"});
      model.node("Erf", {"d"}, {"e"});
      flipped ? model.node("Add", {"one", "e"}, {"a"}) : model.node("Add", {"e", "one"}, {"a"});
      if (halfFirst) {
        model.node("Mul", {"half", "x"}, {"h"});
        flipped ? model.node("Mul", {"h", "a"}, {"y"}) : model.node("Mul", {"a", "h"}, {"y"});
      } else {
        flipped ? model.node("Mul", {"x", "a"}, {"p"}) : model.node("Mul", {"a", "x"}, {"p"});
        flipped ? model.node("Mul", {"half", "p"}, {"y"}) : model.node("Mul", {"p", "half"}, {"y"});
      }
      EXPECT_EQ(opsOf(read(model.finish())), "gelu");
    }
}

TEST(OnnxReader, ErfThatIsNoGeluIsAFunction) {
  OnnxModel model({0, 3});
  model.floats("root", {}, 1.5f);
  model.node("Div", {"x", "root"}, {"d"});
  model.node("Erf", {"d"}, {"y"});
  EXPECT_EQ(opsOf(read(model.finish())), "mul_number erf");
}

TEST(OnnxReader, SigmoidTimesItsInputIsSilu) {
  OnnxModel model({0, 3});
  model.node("Sigmoid", {"x"}, {"s"});
  model.node("Mul", {"s", "x"}, {"y"});
  EXPECT_EQ(opsOf(read(model.finish())), "silu");
}

TEST(OnnxReader, InferenceBatchNormIsTrainedWithANote) {
  OnnxModel model({0, 3});
  for (const char *name : {"scale", "shift", "mean", "var"})
    model.floats(name, {3});
  onnx::NodeProto &norm = model.node("BatchNormalization", {"x", "scale", "shift", "mean", "var"}, {"y"});
  OnnxModel::set(norm, "momentum", 0.9f);
  OnnxModel::set(norm, "epsilon", 1e-5f);
  std::vector<std::string> notes;
  Graph graph = read(model.finish(), 4, &notes);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("'BatchNormalization_node'"), std::string::npos);
  EXPECT_EQ(graph.nodes[0].number("momentum"), 0.1);
  EXPECT_EQ(graph.nodes[0].number("eps"), 1e-5);
  EXPECT_TRUE(graph.findParameter("mean")->buffer);
  EXPECT_FALSE(graph.findParameter("scale")->buffer);
}

TEST(OnnxReader, InferenceDropoutIsTrainedWithANote) {
  OnnxModel model({0, 3});
  model.floats("ratio", {}, 0.3f);
  model.node("Dropout", {"x", "ratio"}, {"y"});
  std::vector<std::string> notes;
  Graph graph = read(model.finish(), 4, &notes);
  EXPECT_EQ(notes.size(), 1u);
  EXPECT_EQ(graph.nodes[0].number("p"), 0.3);
}

TEST(OnnxReader, IdentityOfAnInitializerIsAParameterOfItsOwn) {
  OnnxModel model({0, 3});
  model.floats("a", {3}, 2);
  model.node("Identity", {"a"}, {"b"});
  model.node("Mul", {"x", "a"}, {"h"});
  model.node("Mul", {"h", "b"}, {"y"});
  Graph graph = read(model.finish());
  ASSERT_EQ(graph.parameters.size(), 2u);
  EXPECT_EQ(graph.findParameter("b")->init.data, std::vector<double>(3, 2));
}

TEST(OnnxReader, ScalarsAreNumbers) {
  OnnxModel model({0, 3});
  model.floats("two", {}, 2);
  model.node("Mul", {"two", "x"}, {"a"});
  model.node("Sub", {"a", "two"}, {"b"});
  model.node("Div", {"b", "two"}, {"y"});
  Graph graph = read(model.finish());
  EXPECT_EQ(opsOf(graph), "mul_number add_number mul_number");
  EXPECT_EQ(graph.nodes[2].number("value"), 0.5);
  EXPECT_TRUE(graph.parameters.empty());
}

/// A number broadcasts to nothing; there is no element of the empty side to take.
TEST(OnnxReader, ArithmeticOfAnEmptyTensorIsEmpty) {
  OnnxModel model({0, 3});
  model.integers("none", {});
  OnnxModel::set(model.node("Constant", {}, {"one"}), "value_int", int64_t(1));
  model.node("Mul", {"none", "one"}, {"shape"});
  model.node("Reshape", {"x", "shape"}, {"y"});
  expectDiagnostic(ExitCode::BadInput, {"cannot reshape [N, 3] to []"}, [&] { read(model.finish()); });
}

TEST(OnnxReader, ShapeArithmeticOfASymbolicBatchFolds) {
  OnnxModel model({0, 6, 4});
  model.integers("zero", {0});
  model.integers("rest", {-1});
  model.node("Shape", {"x"}, {"s"});
  model.node("Gather", {"s", "zero"}, {"n"});
  model.node("Concat", {"n", "rest"}, {"t"});
  model.node("Reshape", {"x", "t"}, {"y"});
  Graph graph = read(model.finish());
  EXPECT_EQ(opsOf(graph), "reshape");
  EXPECT_EQ(shapeText(graph, "y"), "[N, 24]");
}

TEST(OnnxReader, FixedBatchIsReboundOrRefused) {
  OnnxModel model({8, 6});
  model.integers("t", {8, 2, 3});
  model.node("Reshape", {"x", "t"}, {"y"});
  EXPECT_EQ(shapeText(read(model.finish()), "y"), "[N, 2, 3]");

  OnnxModel mixed({8, 6});
  mixed.floats("c", {8, 6});
  mixed.node("Add", {"x", "c"}, {"y"});
  std::string content = mixed.finish();
  expectDiagnostic(ExitCode::BadInput, {"do not broadcast", "use --batch 8"}, [&] { read(content, 4); });
  EXPECT_EQ(shapeText(read(content, 8), "y"), "[8, 6]");
}

TEST(OnnxReader, PoolingAndGlobalMean) {
  OnnxModel model({0, 2, 6, 6});
  model.integers("axes", {2, 3});
  onnx::NodeProto &pool = model.node("MaxPool", {"x"}, {"p"});
  OnnxModel::set(pool, "kernel_shape", std::vector<int64_t>{2, 2});
  OnnxModel::set(pool, "strides", std::vector<int64_t>{2, 2});
  OnnxModel::set(model.node("ReduceMean", {"p", "axes"}, {"y"}), "keepdims", int64_t(0));
  Graph graph = read(model.finish());
  EXPECT_EQ(opsOf(graph), "max_pool2d avg_pool2d reshape");
  EXPECT_EQ(shapeText(graph, "y"), "[N, 2]");
}

TEST(OnnxReader, SplitToSequenceIsASplit) {
  OnnxModel model({0, 6});
  model.integers("sizes", {2, 4});
  model.integers("index", {1});
  OnnxModel::set(model.node("SplitToSequence", {"x", "sizes"}, {"q"}), "axis", int64_t(1));
  model.node("SequenceAt", {"q", "index"}, {"s"});
  model.node("Relu", {"s"}, {"y"});
  EXPECT_EQ(shapeText(read(model.finish()), "y"), "[N, 4]");
}

TEST(OnnxReader, AllUnsupportedOpsInOneDiagnostic) {
  OnnxModel model({0, 3});
  model.node("Foo", {"x"}, {"a"});
  model.node("Relu", {"a"}, {"b"});
  model.node("Bar", {"b"}, {"y"}).set_domain("acme");
  expectDiagnostic(ExitCode::Unsupported, {"Foo (node 0 'Foo_node')", "acme.Bar (node 2 'Bar_node')"},
                   [&] { read(model.finish()); });
}

TEST(OnnxReader, WrongFilesAreRefused) {
  OnnxModel model({0, 3});
  model.node("Relu", {"x"}, {"y"});
  std::string good = model.finish();
  expectDiagnostic(ExitCode::BadInput, {"cut short or damaged"},
                   [&] { read(good.substr(0, good.size() / 2)); });

  OnnxModel old({0, 3}, 7);
  old.node("Relu", {"x"}, {"y"});
  expectDiagnostic(ExitCode::Unsupported, {"opset 7", "13"}, [&] { read(old.finish()); });

  OnnxModel undefined({0, 3});
  undefined.node("Relu", {"z"}, {"y"});
  expectDiagnostic(ExitCode::BadInput, {"'z' is not defined"}, [&] { read(undefined.finish()); });

  OnnxModel twice({0, 3});
  twice.node("Relu", {"x"}, {"y"});
  twice.node("Tanh", {"x"}, {"y"});
  expectDiagnostic(ExitCode::BadInput, {"'y' is defined twice"}, [&] { read(twice.finish()); });

  OnnxModel shortData({0, 3});
  shortData.floats("w", {3, 2}).mutable_float_data()->RemoveLast();
  shortData.node("MatMul", {"x", "w"}, {"y"});
  expectDiagnostic(ExitCode::BadInput, {"has 5 elements, its shape needs 6"},
                   [&] { read(shortData.finish()); });

  OnnxModel huge({0, 3});
  huge.floats("w", {1}).set_dims(0, int64_t(1) << 62);
  huge.node("MatMul", {"x", "w"}, {"y"});
  expectDiagnostic(ExitCode::BadInput, {"out of range"}, [&] { read(huge.finish()); });
}

} // namespace
} // namespace halfstep
