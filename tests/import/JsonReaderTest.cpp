// The JSON model format: ops, defaults, parameters, and wrong models.
#include "tests/import/Expect.h"

#include "import/JsonReader.h"

namespace halfstep {
namespace {

/// A chain over an input of `shape`.
Graph chain(const std::string &shape, const std::string &layers, int64_t batch = 4) {
  return readJsonModel("{\"halfstep\": 1, \"inputs\": {\"x\": {\"dtype\": \"f32\", \"shape\": " + shape +
                           "}},\n\"layers\": [" + layers + "]}",
                       "m.json", batch);
}

Graph nodes(const std::string &shape, const std::string &list, const std::string &outputs) {
  return readJsonModel("{\"halfstep\": 1, \"inputs\": {\"x\": {\"dtype\": \"f32\", \"shape\": " + shape +
                           "}},\n\"nodes\": [" + list + "], \"outputs\": " + outputs + "}",
                       "m.json", 4);
}

TEST(JsonReader, LinearHasPytorchsParameters) {
  Graph graph = chain(R"(["N", 64])", R"({"op": "linear", "name": "fc", "out": 32})");
  ASSERT_EQ(graph.parameters.size(), 2u);
  EXPECT_EQ(graph.parameters[0].name, "fc.weight");
  EXPECT_EQ(toString(graph.parameters[0].shape), "[32, 64]");
  EXPECT_EQ(graph.parameters[1].name, "fc.bias");
  EXPECT_DOUBLE_EQ(graph.parameters[1].init.b, 0.125); // 1 / sqrt(64)
  EXPECT_EQ(shapeText(graph, "fc"), "[N, 32]");
  EXPECT_EQ(graph.nodes[0].place.toString(), "m.json:2:12: layers[0] 'fc'");
}

TEST(JsonReader, Conv2dFollowsStridePaddingDilationGroups) {
  Graph graph =
      chain(R"(["N", 4, 9, 9])", R"({"op": "conv2d", "name": "c", "out": 8, "kernel": [3, 5], "stride": 2,
                      "padding": [1, 2], "groups": 2, "bias": false})");
  EXPECT_EQ(toString(graph.parameters[0].shape), "[8, 2, 3, 5]");
  EXPECT_EQ(graph.parameters.size(), 1u);
  EXPECT_EQ(shapeText(graph, "c"), "[N, 8, 5, 5]");
}

TEST(JsonReader, BatchNormHasBuffers) {
  Graph graph = chain(R"(["N", 3, 2, 2])", R"({"op": "batch_norm", "name": "bn"})");
  ASSERT_EQ(graph.parameters.size(), 4u);
  EXPECT_FALSE(graph.findParameter("bn.bias")->buffer);
  EXPECT_TRUE(graph.findParameter("bn.running_mean")->buffer);
  EXPECT_EQ(graph.findParameter("bn.running_var")->init.a, 1);
  EXPECT_EQ(graph.nodes[0].number("momentum"), 0.1);
}

TEST(JsonReader, NamesDefaultToOpAndIndex) {
  Graph graph = chain(R"(["N", 4])", R"({"op": "relu"}, {"op": "tanh"})");
  EXPECT_EQ(graph.nodes[1].name, "tanh_1");
  EXPECT_EQ(graph.outputs, std::vector<std::string>{"tanh_1"});
}

TEST(JsonReader, FlattenAndReshapeKeepTheBatch) {
  Graph graph = chain(R"(["N", 2, 3, 4])", R"({"op": "flatten"}, {"op": "reshape", "shape": ["N", 4, -1]},
                      {"op": "flatten", "start": 0})");
  EXPECT_EQ(shapeText(graph, "flatten_0"), "[N, 24]");
  EXPECT_EQ(shapeText(graph, "reshape_1"), "[N, 4, 6]");
  EXPECT_EQ(shapeText(graph, "flatten_2"), "[24*N]");
}

TEST(JsonReader, SharedParameterMayComeBeforeItsOwner) {
  Graph graph = nodes(R"(["N", 4])", R"(
    {"op": "linear", "name": "a", "inputs": ["x"], "outputs": ["h"], "attrs": {"out": 4, "params": {"weight": "b.weight"}}},
    {"op": "linear", "name": "b", "inputs": ["h"], "outputs": ["y"],
     "attrs": {"out": 4, "init": {"weight": {"kind": "constant", "value": 3}}}})",
                      R"(["y"])");
  EXPECT_EQ(graph.parameters.size(), 3u);
  EXPECT_EQ(graph.findParameter("b.weight")->init.a, 3);
  EXPECT_EQ(graph.nodes[0].inputs[1], "b.weight");
}

TEST(JsonReader, SharedParameterNeedsAnOwnerAndItsShape) {
  expectDiagnostic(ExitCode::BadInput, {"'gone.weight', which no node owns"}, [] {
    chain(R"(["N", 4])", R"({"op": "linear", "name": "a", "out": 4, "params": {"weight": "gone.weight"}})");
  });
  expectDiagnostic(ExitCode::BadInput, {"'a.weight' has shape [4, 4], expected [5, 4]"}, [] {
    chain(R"(["N", 4])", R"({"op": "linear", "name": "a", "out": 4},
          {"op": "linear", "name": "b", "out": 5, "params": {"weight": "a.weight"}})");
  });
}

TEST(JsonReader, KaimingAndXavierBounds) {
  Graph graph = chain(R"(["N", 6])", R"(
    {"op": "linear", "name": "a", "out": 4, "bias": false, "init": {"weight": {"kind": "kaiming_uniform"}}},
    {"op": "linear", "name": "b", "out": 2, "bias": false, "init": {"weight": {"kind": "xavier_uniform"}}})");
  EXPECT_DOUBLE_EQ(graph.parameters[0].init.b, 1); // sqrt(6 / 6)
  EXPECT_DOUBLE_EQ(graph.parameters[1].init.b, 1); // sqrt(6 / (4 + 2))
}

TEST(JsonReader, FixedLeadingExtentIsReboundToTheBatch) {
  EXPECT_EQ(shapeText(chain("[8, 4]", R"({"op": "relu"})", 4), "relu_0"), "[N, 4]");
  EXPECT_EQ(shapeText(chain("[8, 4]", R"({"op": "relu"})", 8), "relu_0"), "[8, 4]");
}

TEST(JsonReader, AllUnknownOpsInOneDiagnostic) {
  expectDiagnostic(ExitCode::Unsupported, {"'linaer' (fc)", "'rleu'"}, [] {
    chain(R"(["N", 4])", R"({"op": "linaer", "name": "fc"}, {"op": "relu"}, {"op": "rleu"})");
  });
}

struct WrongChain {
  const char *shape, *layers, *message;
};

TEST(JsonReader, WrongLayersAreRefusedAtTheirPlace) {
  const WrongChain cases[] = {
      {R"(["N", 4])", R"({"op": "linear", "out": 0})", "expected a whole number in [1"},
      {R"(["N", 4])", R"({"op": "linear"})", "layers[0] 'linear_0': the attribute 'out' is missing"},
      {R"(["N", 4])", R"({"op": "linear", "out": 2, "outt": 3})", "unknown key 'outt'"},
      {R"(["N", 4])", R"({"op": "linear", "out": 2.5})", "got the number 2.5"},
      {R"(["N", 4])", R"({"op": "conv2d", "out": 2, "kernel": 3})", "rank 4, got shape [N, 4]"},
      {R"(["N", 3, 8, 8])", R"({"op": "conv2d", "out": 4, "kernel": 3, "groups": 2})",
       "'groups' 2 must divide"},
      {R"(["N", 1, 2, 2])", R"({"op": "conv2d", "out": 4, "kernel": 3})", "a window of 3 does not fit"},
      {R"(["N", 1, 8, 8])", R"({"op": "max_pool2d", "kernel": 2, "padding": 2})",
       "more than half of the window"},
      {R"(["N", 2, 4, 4])", R"({"op": "conv_transpose2d", "out": 2, "kernel": 3, "output_padding": 1})",
       "output padding 1 is not below the stride 1"},
      {R"(["N", 2, 4, 4])", R"({"op": "conv_transpose2d", "out": 3, "kernel": 3, "groups": 2})",
       "'groups' 2 must divide"},
      {R"(["N", 2, 4, 4])", R"({"op": "conv_transpose2d", "out": 2, "kernel": 1, "padding": 2})",
       "cuts off all of an extent of 4"},
      {R"(["N", 4, 2])", R"({"op": "group_norm", "groups": 3})", "3 groups do not divide the 4 channels"},
      {R"(["N", 4])", R"({"op": "instance_norm"})", "with more than channels, got shape [N, 4]"},
      {R"(["N", 1, 4, 4])", R"({"op": "upsample"})", "needs either 'size' or 'scale'"},
      {R"(["N", 1, 4, 4])", R"({"op": "upsample", "scale": 2, "mode": "cubic"})",
       "or \"bilinear\", got 'cubic'"},
      {R"(["N", 1, 4, 4])", R"({"op": "upsample", "scale": 2, "align_corners": true})",
       "'align_corners' goes with the mode"},
      {R"(["N", 1, 4, 4])", R"({"op": "upsample", "scale": 2147483648})", "an extent of 4 to 8589934592"},
      {R"(["N", 4])", R"({"op": "reshape", "shape": ["N", 3]})", "cannot reshape [N, 4] to [N, 3]"},
      {R"(["N", 4])", R"({"op": "reshape", "shape": ["M", 4]})", "'M' is not the name of the batch"},
      {R"(["N", 4])", R"({"op": "reshape", "shape": ["N", -1, -1]})", "more than one extent of -1"},
      {R"(["N", 4])", R"({"op": "transpose", "perm": [0, 0]})", "'perm' must name each"},
      {R"(["N", 4])", R"({"op": "softmax", "axis": 2})", "axis 2 is outside"},
      {R"(["N", 4])", R"({"op": "dropout", "p": 1})", "'p' must be below 1"},
      {R"(["N", 4])", R"({"op": "gelu", "approximate": "fast"})", "expected \"none\" or \"tanh\""},
      {R"(["N", 4])", R"({"op": "add"})", "needs a number 'value'"},
      {R"(["N", 4])", R"({"op": "matmul"})", "needs the nodes form"},
      {R"(["N", 4])", R"({"op": "relu", "name": "x"})", "'x' is already taken"},
      {R"(["N", 4])", R"({"op": "relu", "name": "a"}, {"op": "relu", "name": "a"})",
       "another node has this name"},
      {R"(["N", 4])", R"({"op": "linear", "out": 2, "init": {"bias": {"kind": "xavier_uniform"}}})",
       "two extents"},
      {R"(["N", 4])", R"({"op": "linear", "out": 2, "init": {"weight": {"kind": "zeros"}}})",
       "unknown init 'zeros'"},
      {R"(["N", "T"])", R"({"op": "relu"})", "expected a whole number"},
      {R"(["N", 2147483648, 2147483648])", R"({"op": "relu"})", "has more than"},
      {R"([])", R"({"op": "relu"})", "needs a leading extent"},
      {R"(["N", 4])", "", "a model needs a layer"},
  };
  for (const WrongChain &wrong : cases)
    expectDiagnostic(ExitCode::BadInput, {"m.json:", wrong.message},
                     [&] { chain(wrong.shape, wrong.layers); });
}

TEST(JsonReader, WrongGraphsAreRefused) {
  expectDiagnostic(ExitCode::BadInput, {"'h' is not defined before its use"}, [] {
    nodes(R"(["N", 4])", R"({"op": "relu", "name": "r", "inputs": ["h"], "outputs": ["y"]})", R"(["y"])");
  });
  expectDiagnostic(ExitCode::BadInput, {"'z' is not defined"}, [] {
    nodes(R"(["N", 4])", R"({"op": "relu", "name": "r", "inputs": ["x"], "outputs": ["y"]})", R"(["z"])");
  });
  expectDiagnostic(ExitCode::BadInput, {"has 1 outputs, got 2"}, [] {
    nodes(R"(["N", 4])", R"({"op": "relu", "name": "r", "inputs": ["x"], "outputs": ["y", "z"]})",
          R"(["y"])");
  });
  expectDiagnostic(ExitCode::BadInput, {"sizes sum to 3"}, [] {
    nodes(
        R"(["N", 4])",
        R"({"op": "split", "name": "s", "inputs": ["x"], "outputs": ["y", "z"], "attrs": {"axis": 1, "sizes": [1, 2]}})",
        R"(["y"])");
  });
}

/// A chain over ids [N, 6].
Graph idChain(const std::string &layers) {
  return readJsonModel(
      R"({"halfstep": 1, "inputs": {"x": {"dtype": "i64", "shape": ["N", 6]}}, "layers": [)" + layers + "]}",
      "m.json", 4);
}

TEST(JsonReader, EmbeddingLooksUpIds) {
  Graph graph = idChain(R"({"op": "embedding", "name": "wte", "rows": 10, "out": 4}, {"op": "relu"})");
  EXPECT_EQ(shapeText(graph, "wte"), "[N, 6, 4]");
  const Parameter &table = graph.parameters.at(0);
  EXPECT_EQ(table.name, "wte.weight");
  EXPECT_EQ(toString(table.shape), "[10, 4]");
  EXPECT_EQ(table.init.kind, Init::Kind::Normal);
  EXPECT_EQ(table.init.b, 1);
}

TEST(JsonReader, TableMayBeTheWeightOfALinear) {
  Graph graph = idChain(R"({"op": "embedding", "name": "wte", "rows": 10, "out": 4},
      {"op": "linear", "name": "head", "out": 10, "bias": false, "params": {"weight": "wte.weight"}})");
  EXPECT_EQ(graph.parameters.size(), 1u);
  EXPECT_EQ(graph.nodes[1].inputs[1], "wte.weight");
}

TEST(JsonReader, IdsAreForEmbeddingsOnly) {
  expectDiagnostic(ExitCode::BadInput,
                   {"m.json:1:", "'x' holds ids (i64), which only 'embedding', the mask of 'attention'"},
                   [] { idChain(R"({"op": "relu"})"); });
  expectDiagnostic(ExitCode::BadInput, {"'x' are the ids of an embedding, expected an input of i64"},
                   [] { chain(R"(["N", 4])", R"({"op": "embedding", "rows": 4, "out": 4})"); });
}

TEST(JsonReader, AttentionOfOneInputOrThree) {
  Graph packed = chain(R"(["N", 5, 24])", R"({"op": "attention", "name": "a", "heads": 2, "causal": true})");
  EXPECT_EQ(shapeText(packed, "a"), "[N, 5, 8]");
  EXPECT_DOUBLE_EQ(packed.nodes[0].number("scale"), 0.5); // 1 / sqrt(4)
  EXPECT_TRUE(packed.nodes[0].flag("causal"));
  Graph three = nodes(R"(["N", 5, 8])",
                      R"({"op": "attention", "name": "a", "inputs": ["x", "x", "x"], "outputs": ["y"],
                          "attrs": {"heads": 8, "scale": 2}})",
                      R"(["y"])");
  EXPECT_EQ(shapeText(three, "y"), "[N, 5, 8]");
  EXPECT_EQ(three.nodes[0].number("scale"), 2);
  EXPECT_FALSE(three.nodes[0].flag("causal"));
}

TEST(JsonReader, WrongAttentionIsRefused) {
  const WrongChain cases[] = {
      {R"(["N", 5, 24])", R"({"op": "attention"})", "the attribute 'heads' is missing"},
      {R"(["N", 5, 24])", R"({"op": "attention", "heads": 5})",
       "does not hold query, key and value of 5 equal heads"},
      {R"(["N", 24])", R"({"op": "attention", "heads": 2})", "rank 3, got shape [N, 24]"},
      {R"(["N", 5, 24])", R"({"op": "attention", "heads": 2, "mask": 1})", "unknown key 'mask'"}};
  for (const WrongChain &wrong : cases)
    expectDiagnostic(ExitCode::BadInput, {"m.json:", wrong.message},
                     [&] { chain(wrong.shape, wrong.layers); });
  expectDiagnostic(ExitCode::BadInput, {"takes query, key and value, or one input", "got 2"}, [] {
    nodes(
        R"(["N", 5, 8])",
        R"({"op": "attention", "name": "a", "inputs": ["x", "x"], "outputs": ["y"], "attrs": {"heads": 1}})",
        R"(["y"])");
  });
}

TEST(JsonReader, VersionIsChecked) {
  expectDiagnostic(ExitCode::BadInput, {"expected version 1"},
                   [] { readJsonModel("{\"halfstep\": 2}", "m.json", 1); });
  expectDiagnostic(ExitCode::BadInput, {"'halfstep' is missing"}, [] { readJsonModel("{}", "m.json", 1); });
}

} // namespace
} // namespace halfstep
