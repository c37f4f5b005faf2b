// Functions, comparisons, reductions, parts and products of ONNX, to the neutral graph.
#include "tests/import/Expect.h"
#include "tests/import/OnnxModel.h"

#include "import/OnnxReader.h"

#include <limits>

namespace halfstep {
namespace {

Graph read(OnnxModel &model, int64_t batch = 4) {
  return readOnnxModel(model.finish(), "m.onnx", batch, [](const std::string &) {});
}

void refuse(OnnxModel &model, ExitCode code, const std::vector<std::string> &parts) {
  expectDiagnostic(code, parts, [&] { read(model); });
}

void setText(onnx::NodeProto &node, const std::string &name, const std::string &value) {
  auto *attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::STRING);
  attribute->set_s(value);
}

void setIds(OnnxModel &model) {
  model.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      onnx::TensorProto::INT64);
}

const Node &nodeOf(const Graph &graph, const std::string &op) {
  for (const Node &node : graph.nodes)
    if (node.op == op)
      return node;
  throw std::runtime_error("no node " + op + " in " + opsOf(graph));
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

TEST(OnnxFunctions, NumbersHaveTheirDefaultsAndTheShortestDecimal) {
  OnnxModel model({0, 3});
  model.node("LeakyRelu", {"x"}, {"a"});
  OnnxModel::set(model.node("LeakyRelu", {"a"}, {"b"}), "alpha", 0.2f);
  model.node("Selu", {"b"}, {"c"});
  model.node("HardSigmoid", {"c"}, {"y"});
  Graph graph = read(model);
  EXPECT_EQ(opsOf(graph), "leaky_relu leaky_relu selu hardsigmoid");
  EXPECT_EQ(graph.nodes[0].number("alpha"), 0.01);
  EXPECT_EQ(graph.nodes[1].number("alpha"), 0.2);
  EXPECT_EQ(graph.nodes[2].number("alpha"), 1.6732632423543772);
  EXPECT_EQ(graph.nodes[3].number("beta"), 0.5);
}

TEST(OnnxFunctions, CeluOfZeroIsRefused) {
  OnnxModel model({0, 3});
  OnnxModel::set(model.node("Celu", {"x"}, {"y"}), "alpha", 0.0f);
  refuse(model, ExitCode::BadInput, {"'alpha' of 'Celu' must not be 0"});
}

TEST(OnnxFunctions, ClipByConstantsAndByTensors) {
  OnnxModel model({0, 3});
  model.floats("most", {}, 6);
  model.floats("least", {3}, -1);
  model.node("Clip", {"x", "", "most"}, {"a"});
  model.node("Clip", {"a", "least", "most"}, {"y"});
  Graph graph = read(model);
  EXPECT_EQ(opsOf(graph), "clip maximum constant minimum");
  EXPECT_EQ(graph.nodes[0].number("alpha"), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(graph.nodes[0].number("beta"), 6);
}

TEST(OnnxFunctions, SumsAndExtremesOfManyOperands) {
  OnnxModel model({0, 3});
  model.floats("w", {3});
  model.node("Max", {"x", "w", "x"}, {"a"});
  model.node("Mean", {"a", "x"}, {"b"});
  model.node("Sum", {"b"}, {"y"});
  Graph graph = read(model);
  EXPECT_EQ(opsOf(graph), "maximum maximum add mul_number reshape");
  EXPECT_EQ(nodeOf(graph, "mul_number").number("value"), 0.5);
}

TEST(OnnxFunctions, QuotientsAndPowers) {
  OnnxModel model({0, 3});
  model.floats("w", {3});
  model.floats("four", {}, 4);
  model.floats("one", {}, 1);
  model.node("Div", {"x", "four"}, {"a"});
  model.node("Div", {"one", "a"}, {"b"});
  model.node("Div", {"b", "w"}, {"c"});
  model.node("Pow", {"c", "w"}, {"d"});
  model.node("Pow", {"d", "four"}, {"y"});
  EXPECT_EQ(opsOf(read(model)), "mul_number reciprocal div pow constant pow");
}

//===----------------------------------------------------------------------===//
// Truth
//===----------------------------------------------------------------------===//

TEST(OnnxTruth, ComparisonsAreFloatingValues) {
  OnnxModel model({0, 3});
  model.floats("zero", {}, 0);
  model.node("Less", {"x", "zero"}, {"low"});
  model.node("Not", {"low"}, {"high"});
  OnnxModel::set(model.node("Cast", {"high"}, {"number"}), "to", int64_t(onnx::TensorProto::FLOAT));
  model.node("Where", {"low", "x", "number"}, {"y"});
  Graph graph = read(model);
  EXPECT_EQ(opsOf(graph), "constant compare constant compare where");
  EXPECT_EQ(graph.nodes[3].text("predicate"), "equal");
  EXPECT_EQ(graph.nodes[4].inputs, (std::vector<std::string>{"low", "x", "high"}));
}

TEST(OnnxTruth, IdsAreComparedWithIntegersAndBecomeNumbers) {
  OnnxModel model({0, 3});
  setIds(model);
  model.integers("pad", {0});
  model.integers("axes", {1});
  model.node("Unsqueeze", {"x", "axes"}, {"wide"});
  model.node("Equal", {"wide", "pad"}, {"is_pad"});
  OnnxModel::set(model.node("Cast", {"x"}, {"numbers"}), "to", int64_t(onnx::TensorProto::FLOAT));
  model.node("Squeeze", {"is_pad", "axes"}, {"flat"});
  model.node("Where", {"flat", "numbers", "numbers"}, {"y"});
  Graph graph = read(model);
  EXPECT_EQ(opsOf(graph), "reshape constant compare from_ids reshape where");
  EXPECT_EQ(nodeOf(graph, "constant").integers("integers"), (std::vector<int64_t>{0}));
  EXPECT_TRUE(graph.isIds("wide"));
  EXPECT_EQ(graph.sourceOfIds("wide"), "x");
  EXPECT_EQ(shapeText(graph, "is_pad"), "[N, 1, 3]");
}

TEST(OnnxTruth, OtherCastsAreUnsupported) {
  OnnxModel model({0, 3});
  OnnxModel::set(model.node("Cast", {"x"}, {"y"}), "to", int64_t(onnx::TensorProto::INT64));
  refuse(model, ExitCode::Unsupported, {"a cast to int64 is not supported"});
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

TEST(OnnxReductions, AxesFromInputAttributeOrNone) {
  OnnxModel model({0, 3, 4, 5});
  model.integers("axes", {-1});
  model.node("ReduceSum", {"x", "axes"}, {"a"});
  onnx::NodeProto &old = model.node("ReduceMax", {"a"}, {"b"});
  OnnxModel::set(old, "axes", std::vector<int64_t>{1, 3});
  OnnxModel::set(old, "keepdims", int64_t(0));
  OnnxModel::set(model.node("ReduceProd", {"b"}, {"y"}), "noop_with_empty_axes", int64_t(1));
  Graph graph = read(model);
  EXPECT_EQ(opsOf(graph), "reduce_sum reduce_max reduce_prod");
  EXPECT_EQ(shapeText(graph, "a"), "[N, 3, 4, 1]");
  EXPECT_EQ(shapeText(graph, "y"), "[N, 4]");
}

TEST(OnnxReductions, NormsAndLogarithms) {
  OnnxModel model({0, 3});
  model.integers("axes", {1});
  model.node("ReduceL2", {"x", "axes"}, {"a"});
  model.node("ReduceL1", {"a", "axes"}, {"b"});
  OnnxModel::set(model.node("ReduceLogSumExp", {"b", "axes"}, {"y"}), "keepdims", int64_t(0));
  Graph graph = read(model);
  EXPECT_EQ(
      opsOf(graph),
      "mul reduce_sum norm_root abs reduce_sum detach reduce_max clip sub exp reduce_sum log reshape add");
  EXPECT_EQ(shapeText(graph, "y"), "[N]");
}

TEST(OnnxReductions, BadAxesAreRefused) {
  OnnxModel model({0, 3});
  model.integers("axes", {2});
  model.node("ReduceSum", {"x", "axes"}, {"y"});
  refuse(model, ExitCode::BadInput, {"axis 2 is outside a shape of rank 2"});
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

TEST(OnnxProducts, LeadingDimensionsBroadcast) {
  OnnxModel model({0, 5, 3, 4});
  model.floats("shared", {1, 1, 4, 2});
  model.floats("each", {5, 2, 6});
  model.node("MatMul", {"x", "shared"}, {"a"});
  model.node("MatMul", {"a", "each"}, {"y"});
  Graph graph = read(model);
  EXPECT_EQ(opsOf(graph), "reshape matmul expand matmul");
  EXPECT_EQ(shapeText(graph, "y"), "[N, 5, 3, 6]");
}

TEST(OnnxProducts, VectorsLoseTheirDimensionAgain) {
  OnnxModel model({0, 3, 4});
  model.floats("v", {4});
  model.node("MatMul", {"x", "v"}, {"y"});
  Graph graph = read(model);
  EXPECT_EQ(opsOf(graph), "reshape matmul reshape");
  EXPECT_EQ(shapeText(graph, "y"), "[N, 3]");
}

TEST(OnnxProducts, LeadingDimensionsThatDiffer) {
  OnnxModel model({0, 5, 3, 4});
  model.floats("w", {6, 4, 2});
  model.node("MatMul", {"x", "w"}, {"y"});
  refuse(model, ExitCode::BadInput, {"node 0 'MatMul_node'", "do not broadcast"});
}

TEST(OnnxProducts, GemmWithFactorsAndTransposition) {
  OnnxModel model({0, 3});
  model.floats("w", {3, 2});
  model.floats("b", {2});
  onnx::NodeProto &gemm = model.node("Gemm", {"x", "w", "b"}, {"y"});
  OnnxModel::set(gemm, "alpha", 0.5f);
  OnnxModel::set(gemm, "beta", 2.0f);
  EXPECT_EQ(opsOf(read(model)), "mul_number matmul mul_number add");
}

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

TEST(OnnxParts, SlicesForwardsAndBackwards) {
  OnnxModel model({0, 3, 8});
  model.integers("starts", {0, -1});
  model.integers("ends", {INT64_MAX, INT64_MIN});
  model.integers("axes", {0, 2});
  model.integers("steps", {1, -3});
  model.node("Slice", {"x", "starts", "ends", "axes", "steps"}, {"y"});
  Graph graph = read(model);
  EXPECT_EQ(shapeText(graph, "y"), "[N, 3, 3]");
  EXPECT_EQ(graph.nodes[0].integers("starts"), (std::vector<int64_t>{0, 0, 7}));
  EXPECT_EQ(graph.nodes[0].integers("steps"), (std::vector<int64_t>{1, 1, -3}));
}

TEST(OnnxParts, SlicesThatCannotBe) {
  struct Case {
    std::vector<int64_t> starts, ends, axes, steps;
    ExitCode code;
    std::string part;
  };
  for (const Case &each :
       {Case{{1}, {2}, {0}, {1}, ExitCode::BadInput, "a part of the batch cannot be taken"},
        Case{{2}, {2}, {1}, {1}, ExitCode::Unsupported, "has no elements"},
        Case{{0}, {2}, {1}, {0}, ExitCode::BadInput, "a step of 0"},
        Case{{0}, {2}, {7}, {1}, ExitCode::BadInput, "axis 7 is outside"},
        Case{{0}, {2, 3}, {1}, {1}, ExitCode::BadInput, "as many values"}}) {
    OnnxModel model({0, 3, 8});
    model.integers("starts", each.starts);
    model.integers("ends", each.ends);
    model.integers("axes", each.axes);
    model.integers("steps", each.steps);
    model.node("Slice", {"x", "starts", "ends", "axes", "steps"}, {"y"});
    refuse(model, each.code, {each.part});
  }
}

TEST(OnnxParts, GathersBySliceByLookupAndAlongOtherAxes) {
  OnnxModel model({0, 3, 8});
  model.integers("even", {6, 4, 2});
  model.integers("any", {1, 1, -1});
  model.node("Gather", {"x", "even"}, {"a"});
  OnnxModel::set(*model.graph().mutable_node(0), "axis", int64_t(2));
  OnnxModel::set(model.node("Gather", {"a", "any"}, {"y"}), "axis", int64_t(1));
  Graph graph = read(model);
  EXPECT_EQ(opsOf(graph), "slice constant transpose reshape embedding reshape transpose");
  EXPECT_EQ(nodeOf(graph, "slice").integers("steps"), (std::vector<int64_t>{1, 1, -2}));
  EXPECT_EQ(nodeOf(graph, "constant").integers("integers"), (std::vector<int64_t>{1, 1, 2}));
  EXPECT_EQ(shapeText(graph, "y"), "[N, 3, 3]");
}

TEST(OnnxParts, GatherOutOfRangeIsRefused) {
  OnnxModel model({0, 3});
  model.integers("at", {3});
  OnnxModel::set(model.node("Gather", {"x", "at"}, {"y"}), "axis", int64_t(1));
  refuse(model, ExitCode::BadInput, {"index 3 is outside dimension 1 of [N, 3]"});
}

TEST(OnnxParts, PadsInEveryMode) {
  for (auto [mode, ops] : {std::pair("constant", "pad"),
                           {"reflect", "slice slice concat reshape"},
                           {"edge", "slice expand slice concat reshape"},
                           {"wrap", "slice slice concat reshape"}}) {
    OnnxModel model({0, 3, 8});
    model.integers("pads", {0, 0, 2, 0, 0, 1});
    setText(model.node("Pad", {"x", "pads"}, {"y"}), "mode", mode);
    Graph graph = read(model);
    EXPECT_EQ(opsOf(graph), ops) << mode;
    EXPECT_EQ(shapeText(graph, "y"), "[N, 3, 11]");
  }
}

TEST(OnnxParts, PadsBelowZeroCut) {
  OnnxModel model({0, 3, 8});
  model.integers("pads", {0, -1, 2, 0, 0, -3});
  model.node("Pad", {"x", "pads"}, {"y"});
  Graph graph = read(model);
  EXPECT_EQ(opsOf(graph), "slice pad");
  EXPECT_EQ(shapeText(graph, "y"), "[N, 2, 7]");
}

TEST(OnnxParts, PadsThatCannotBe) {
  for (auto [pads, mode, part] :
       {std::tuple(std::vector<int64_t>{1, 0, 0, 0}, "constant", "cannot pad the batch"),
        {{0, 0, 0}, "constant", "expected 4"},
        {{0, -2, 0, -1}, "constant", "leave nothing"},
        {{0, INT64_MAX, 0, 0}, "constant", "a pad of"},
        {{0, 3, 0, 0}, "reflect", "in mode reflect"},
        {{0, 1, 0, 0}, "mirror", "expected constant, reflect, edge or wrap"}}) {
    OnnxModel model({0, 3});
    model.integers("pads", pads);
    setText(model.node("Pad", {"x", "pads"}, {"y"}), "mode", mode);
    refuse(model, ExitCode::BadInput, {part});
  }
}

TEST(OnnxParts, ExpansionToTheBatch) {
  OnnxModel model({0, 3});
  model.integers("row", {1, 3});
  model.floats("w", {1, 3});
  model.node("Shape", {"x"}, {"s"});
  model.node("Expand", {"w", "s"}, {"e"});
  OnnxModel::set(model.node("ConstantOfShape", {"s"}, {"zeros"}), "unused", int64_t(0));
  model.node("Add", {"e", "x"}, {"a"});
  model.node("Add", {"a", "zeros"}, {"y"});
  Graph graph = read(model);
  EXPECT_EQ(opsOf(graph), "expand add constant expand add");
  EXPECT_EQ(shapeText(graph, "e"), "[N, 3]");
}

TEST(OnnxParts, IdsRepeatedForEachSampleAreLookedUpOnce) {
  OnnxModel model({0, 3});
  setIds(model);
  model.floats("table", {5, 4});
  model.integers("zero", {0});
  model.node("Shape", {"x"}, {"s"});
  model.node("Expand", {"zero", "s"}, {"types"});
  model.node("Gather", {"table", "types"}, {"y"});
  Graph graph = read(model);
  EXPECT_EQ(opsOf(graph), "constant embedding expand");
  EXPECT_EQ(shapeText(graph, "y"), "[N, 3, 4]");
}

TEST(OnnxParts, TilesOfComputedValues) {
  OnnxModel model({0, 3});
  model.integers("repeats", {1, 2});
  model.node("Tile", {"x", "repeats"}, {"y"});
  EXPECT_EQ(shapeText(read(model), "y"), "[N, 6]");
  OnnxModel huge({0, 3});
  huge.integers("repeats", {1, INT64_MAX});
  huge.node("Tile", {"x", "repeats"}, {"y"});
  refuse(huge, ExitCode::BadInput, {"cannot repeat dimension 1"});
}

TEST(OnnxParts, TrianglesOfComputedMatrices) {
  OnnxModel model({0, 2, 3});
  OnnxModel::set(model.node("Trilu", {"x"}, {"y"}), "upper", int64_t(0));
  Graph graph = read(model);
  EXPECT_EQ(opsOf(graph), "constant constant where");
  EXPECT_EQ(graph.nodes[0].numbers("numbers"), (std::vector<double>{1, 0, 0, 1, 1, 0}));
}

//===----------------------------------------------------------------------===//
// What is not supported
//===----------------------------------------------------------------------===//

TEST(OnnxUnsupported, EveryNodeIsListedAndHidesNoLaterOne) {
  OnnxModel model({0, 3});
  model.node("Foo", {"x"}, {"a"});
  model.node("Relu", {"a"}, {"b"});
  OnnxModel::set(model.node("Cast", {"x"}, {"c"}), "to", int64_t(onnx::TensorProto::INT64));
  model.node("Bar", {"b"}, {"d"});
  model.node("Add", {"c", "d"}, {"y"});
  try {
    read(model);
    ADD_FAILURE() << "no diagnostic";
  } catch (const UnsupportedNodes &unsupported) {
    EXPECT_EQ(unsupported.lines,
              (std::vector<std::string>{"m.onnx: node 2 'Cast_node' (Cast): a cast to int64 is not supported",
                                        "m.onnx: unsupported op Foo (node 0 'Foo_node')",
                                        "m.onnx: unsupported op Bar (node 3 'Bar_node')"}));
    EXPECT_EQ(std::string(unsupported.what()),
              "m.onnx: unsupported ops: Foo (node 0 'Foo_node'), Bar (node 3 'Bar_node')");
  }
}

} // namespace
} // namespace halfstep
