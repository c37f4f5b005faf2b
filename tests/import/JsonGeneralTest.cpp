// Functions, comparisons, reductions and parts of tensors in the JSON model format.
#include "tests/import/Expect.h"

#include "import/JsonReader.h"

#include <limits>

namespace halfstep {
namespace {

/// A model of one layer over `x` [N, 3, 8].
Graph layer(const std::string &op) {
  return readJsonModel(
      R"({"halfstep": 1, "inputs": {"x": {"dtype": "f32", "shape": ["N", 3, 8]}}, "layers": [)" + op + "]}",
      "m.json", 4);
}

/// A model of one node over `x` [N, 3, 8].
Graph node(const std::string &op, const std::string &inputs, const std::string &attrs,
           const std::string &type = "f32") {
  return readJsonModel(R"({"halfstep": 1, "inputs": {"x": {"dtype": ")" + type +
                           R"(", "shape": ["N", 3, 8]}}, "nodes": [{"op": ")" + op +
                           R"(", "name": "n", "inputs": )" + inputs + R"(, "outputs": ["y"], "attrs": )" +
                           attrs + R"(}], "outputs": ["y"]})",
                       "m.json", 4);
}

void refuse(const std::string &op, const std::string &part) {
  expectDiagnostic(ExitCode::BadInput, {"m.json:1:", part}, [&] { layer(op); });
}

TEST(JsonGeneral, FunctionsKnowTheirDefaults) {
  EXPECT_EQ(opsOf(layer(R"({"op": "exp"}, {"op": "mish"}, {"op": "round"})")), "exp mish round");
  EXPECT_EQ(layer(R"({"op": "leaky_relu"})").nodes[0].number("alpha"), 0.01);
  EXPECT_EQ(layer(R"({"op": "elu", "alpha": 0.5})").nodes[0].number("alpha"), 0.5);
  EXPECT_EQ(layer(R"({"op": "hardsigmoid"})").nodes[0].number("alpha"), 1.0 / 6);
  Graph clipped = layer(R"({"op": "clip", "max": 6})");
  EXPECT_EQ(clipped.nodes[0].number("alpha"), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(clipped.nodes[0].number("beta"), 6);
}

TEST(JsonGeneral, ANumberInPlaceOfASecondInput) {
  Graph graph = layer(R"({"op": "pow", "value": 2})");
  EXPECT_EQ(opsOf(graph), "constant pow");
  EXPECT_EQ(graph.nodes[0].numbers("numbers"), std::vector<double>{2});
  EXPECT_EQ(opsOf(node("div", R"(["x", "x"])", "{}")), "div");
}

TEST(JsonGeneral, IdsAreComparedWithIntegers) {
  Graph graph = node("compare", R"(["x"])", R"({"predicate": "not_equal", "value": 0})", "i64");
  EXPECT_EQ(graph.nodes[0].integers("integers"), std::vector<int64_t>{0});
  EXPECT_FALSE(graph.isIds("y"));
}

TEST(JsonGeneral, ReductionsAndParts) {
  EXPECT_EQ(shapeText(node("reduce_max", R"(["x"])", R"({"axes": [-1, 1]})"), "y"), "[N]");
  EXPECT_EQ(shapeText(node("reduce_sum", R"(["x"])", R"({"axes": [1], "keep_dims": true})"), "y"),
            "[N, 1, 8]");
  EXPECT_EQ(shapeText(node("slice", R"(["x"])", R"({"axis": 2, "start": -7, "end": -1, "step": 4})"), "y"),
            "[N, 3, 2]");
  EXPECT_EQ(shapeText(node("pad", R"(["x"])", R"({"before": [0, 1, 0], "after": [0, 0, 2]})"), "y"),
            "[N, 4, 10]");
  EXPECT_EQ(shapeText(node("concat", R"(["x", "x"])", R"({"axis": -1})"), "y"), "[N, 3, 16]");
  EXPECT_EQ(shapeText(node("expand", R"(["x"])", R"({"shape": [2, "N", 3, 8]})"), "y"), "[2, N, 3, 8]");
}

TEST(JsonGeneral, WhatDoesNotFitIsRefused) {
  refuse(R"({"op": "clip", "min": 1, "max": 0})", "'min' must not be above 'max'");
  refuse(R"({"op": "celu", "alpha": 0})", "'alpha' must not be 0");
  refuse(R"({"op": "div"})", "takes two inputs, or one and a number 'value'");
  refuse(R"({"op": "compare", "predicate": "near", "value": 1})", "'near' is no predicate");
  refuse(R"({"op": "reduce_sum", "axes": [3]})", "axis 3 is outside a shape of rank 3");
  refuse(R"({"op": "reduce_sum", "axes": [1, -2]})", "axis 1 is given twice");
  refuse(R"({"op": "slice", "axis": 0})", "a part of the batch cannot be taken");
  refuse(R"({"op": "slice", "axis": 1, "start": 2, "end": 2})", "has no elements");
  refuse(R"({"op": "pad", "before": [1, 0, 0], "after": [0, 0, 0]})", "cannot pad the batch");
  refuse(R"({"op": "pad", "before": [0], "after": [0]})", "two values for each dimension");
  refuse(R"({"op": "expand", "shape": ["N", 3, 9]})", "do not broadcast");
  refuse(R"({"op": "where"})", "'where' needs the nodes form");
}

TEST(JsonGeneral, IdsAreNotComparedWithNumbers) {
  expectDiagnostic(ExitCode::BadInput, {"m.json:1:"},
                   [] { node("compare", R"(["x"])", R"({"predicate": "less", "value": 0.5})", "i64"); });
}

} // namespace
} // namespace halfstep
