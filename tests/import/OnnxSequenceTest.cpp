// Normalisations, rotary positions and masks that exporters write as many nodes, to the neutral graph.
#include "tests/import/Expect.h"
#include "tests/import/OnnxModel.h"

#include "import/OnnxReader.h"
#include "import/OnnxSampleValues.h"

#include <algorithm>

namespace halfstep {
namespace {

Graph read(const std::string &content, std::vector<std::string> *notes = nullptr) {
  return readOnnxModel(content, "m.onnx", 4, [&](const std::string &note) {
    if (notes)
      notes->push_back(note);
  });
}

const Node &nodeOf(const Graph &graph, const std::string &op) {
  for (const Node &node : graph.nodes)
    if (node.op == op)
      return node;
  throw std::runtime_error("no node " + op + " in " + opsOf(graph));
}

void number(OnnxModel &model, const std::string &name, float value) {
  OnnxModel::set(model.node("Constant", {}, {name}), "value_float", value);
}

//===----------------------------------------------------------------------===//
// Normalisations
//===----------------------------------------------------------------------===//

/// `x` of [N, 3, 4] over the root of its mean square, from the square on; "r" is the result.
void divideByRoot(OnnxModel &model, const std::string &x, const std::string &form) {
  number(model, "two", 2);
  number(model, "one", 1);
  number(model, "eps", 1e-5f);
  if (form == "product")
    model.node("Mul", {x, x}, {"square"});
  else
    model.node("Pow", {x, "two"}, {"square"});
  OnnxModel::set(model.node("ReduceMean", {"square"}, {"mean"}), "axes", std::vector<int64_t>{-1});
  model.node("Add", {"mean", "eps"}, {"sum"});
  model.node("Sqrt", {"sum"}, {"root"});
  if (form == "quotient")
    return void(model.node("Div", {x, "root"}, {"r"}));
  if (form == "one over")
    model.node("Div", {"one", "root"}, {"inverse"});
  else
    model.node("Reciprocal", {"root"}, {"inverse"});
  model.node("Mul", {x, "inverse"}, {"r"});
}

TEST(OnnxSequence, RootMeanSquareNormalisationInEachForm) {
  for (const char *form : {"reciprocal", "product", "quotient", "one over"}) {
    OnnxModel model({0, 3, 4}, 13);
    model.floats("w", {4});
    divideByRoot(model, "x", form);
    model.node("Mul", {"w", "r"}, {"y"});
    std::vector<std::string> notes;
    Graph graph = read(model.finish(), &notes);
    EXPECT_EQ(opsOf(graph), "rms_norm") << form;
    EXPECT_EQ(graph.nodes[0].inputs, (std::vector<std::string>{"x", "w"}));
    EXPECT_EQ(graph.nodes[0].integer("axis"), 2);
    EXPECT_EQ(graph.nodes[0].number("eps"), 1e-5);
    ASSERT_EQ(notes.size(), 1u);
    EXPECT_NE(notes[0].find("root-mean-square normalisation: 'Mul_node'"), std::string::npos) << notes[0];
  }
}

TEST(OnnxSequence, ARootThatSomethingElseReadsStays) {
  OnnxModel model({0, 3, 4}, 13);
  model.floats("w", {4});
  divideByRoot(model, "x", "quotient");
  model.node("Mul", {"w", "r"}, {"s"});
  model.node("Add", {"s", "root"}, {"y"});
  EXPECT_EQ(opsOf(read(model.finish())).find("rms_norm"), std::string::npos);
}

TEST(OnnxSequence, LayerNormalisationWrittenOut) {
  OnnxModel model({0, 3, 4}, 13);
  model.floats("w", {4});
  model.floats("b", {4}, 0);
  OnnxModel::set(model.node("ReduceMean", {"x"}, {"center"}), "axes", std::vector<int64_t>{-1});
  model.node("Sub", {"x", "center"}, {"distance"});
  divideByRoot(model, "distance", "quotient");
  model.node("Mul", {"r", "w"}, {"scaled"});
  model.node("Add", {"scaled", "b"}, {"y"});
  Graph graph = read(model.finish());
  EXPECT_EQ(nodeOf(graph, "layer_norm").inputs, (std::vector<std::string>{"x", "w", "b"}));
}

TEST(OnnxSequence, RmsNormalizationNode) {
  OnnxModel model({0, 3, 4}, 23);
  model.floats("w", {3, 4});
  OnnxModel::set(model.node("RMSNormalization", {"x", "w"}, {"y"}), "axis", int64_t(1));
  Graph graph = read(model.finish());
  EXPECT_EQ(opsOf(graph), "rms_norm");
  EXPECT_EQ(graph.nodes[0].integer("axis"), 1);
}

TEST(OnnxSequence, GeluByTanh) {
  OnnxModel model({0, 4}, 13);
  for (auto [name, value] : {std::pair("three", 3.0f),
                             {"cubic", 0.044715f},
                             {"scale", 0.7978845834732056f},
                             {"one", 1.0f},
                             {"half", 0.5f}})
    number(model, name, value);
  model.node("Pow", {"x", "three"}, {"cube"});
  model.node("Mul", {"cube", "cubic"}, {"c"});
  model.node("Add", {"x", "c"}, {"s"});
  model.node("Mul", {"s", "scale"}, {"u"});
  model.node("Tanh", {"u"}, {"t"});
  model.node("Add", {"t", "one"}, {"p"});
  model.node("Mul", {"x", "half"}, {"h"});
  model.node("Mul", {"h", "p"}, {"y"});
  Graph graph = read(model.finish());
  EXPECT_EQ(opsOf(graph), "gelu");
  EXPECT_TRUE(graph.nodes[0].flag("tanh"));
}

//===----------------------------------------------------------------------===//
// Rotary positions
//===----------------------------------------------------------------------===//

/// x [N, 2, 3, 4] turned by tables of `shape`.
Graph turned(const std::vector<int64_t> &shape) {
  OnnxModel model({0, 2, 3, 4});
  model.floats("cos", shape, 0.5f);
  model.floats("sin", shape, 0.25f);
  for (auto [name, value] : {std::pair("zero", int64_t(0)), {"two", 2}, {"end", INT64_MAX}, {"last", -1}})
    model.integers(name, {value});
  model.node("Slice", {"x", "zero", "two", "last"}, {"low"});
  model.node("Slice", {"x", "two", "end", "last"}, {"high"});
  model.node("Neg", {"high"}, {"negated"});
  OnnxModel::set(model.node("Concat", {"negated", "low"}, {"r"}), "axis", int64_t(-1));
  model.node("Mul", {"x", "cos"}, {"a"});
  model.node("Mul", {"r", "sin"}, {"b"});
  model.node("Add", {"a", "b"}, {"y"});
  return read(model.finish());
}

TEST(OnnxSequence, RotaryPositionsHaveConstantTables) {
  for (std::vector<int64_t> shape : {std::vector<int64_t>{1, 1, 3, 4}, {3, 4}, {1, 3, 4}}) {
    Graph graph = turned(shape);
    const Node &node = nodeOf(graph, "rotary");
    EXPECT_EQ(shapeText(graph, node.inputs[0]), "[N, 3, 8]");
    EXPECT_EQ(shapeText(graph, node.inputs[1]), "[3, 4]");
    EXPECT_EQ(std::get<std::vector<double>>(nodeOf(graph, "constant").attributes.at("numbers")),
              std::vector<double>(12, 0.5));
    EXPECT_TRUE(graph.parameters.empty());
  }
}

TEST(OnnxSequence, RotaryPositionsOfRows) {
  // Tables [1, t, 1, d] turn values [n, t, h, d].
  Graph graph = turned({1, 2, 1, 4});
  EXPECT_EQ(shapeText(graph, nodeOf(graph, "rotary").inputs[0]), "[N, 2, 12]");
}

//===----------------------------------------------------------------------===//
// Masks
//===----------------------------------------------------------------------===//

/// Attention over x [N, 5, 24] in two heads, with `mask` made from an input of integers [N, 5].
struct Masked {
  OnnxModel model{{0, 5, 24}};

  Masked() {
    auto &input = *model.graph().add_input() = model.graph().input(0);
    input.set_name("ids");
    auto &type = *input.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::INT64);
    type.mutable_shape()->mutable_dim()->RemoveLast();
    model.integers("sizes", {8, 8, 8});
    model.integers("heads", {0, 5, 2, 4});
    OnnxModel::set(model.node("Split", {"x", "sizes"}, {"s0", "s1", "s2"}), "axis", int64_t(2));
    for (std::string part : {"0", "1", "2"}) {
      model.node("Reshape", {"s" + part, "heads"}, {"r" + part});
      OnnxModel::set(model.node("Transpose", {"r" + part}, {"h" + part}), "perm",
                     std::vector<int64_t>{0, 2, 1, 3});
    }
    OnnxModel::set(model.node("Transpose", {"h1"}, {"kt"}), "perm", std::vector<int64_t>{0, 1, 3, 2});
    number(model, "zero", 0);
    number(model, "low", -3.4028234663852886e38f);
    for (auto [name, value] : {std::pair("first", int64_t(0)), {"five", 5}, {"step", 1}})
      OnnxModel::set(model.node("Constant", {}, {name}), "value_int", value);
    model.node("MatMul", {"h0", "kt"}, {"scores"});
  }
  /// "padding": the ids as truths [N, 1, 1, 5].
  void padding() {
    model.integers("middle", {1, 2});
    OnnxModel::set(model.node("Cast", {"ids"}, {"shown"}), "to", int64_t(onnx::TensorProto::BOOL));
    model.node("Unsqueeze", {"shown", "middle"}, {"padding"});
  }
  /// "causal": places as truths [5, 5].
  void causal(const std::string &compare = "GreaterOrEqual") {
    model.integers("column", {1});
    model.node("Range", {"first", "five", "step"}, {"places"});
    model.node("Unsqueeze", {"places", "column"}, {"queries"});
    model.node(compare, {"queries", "places"}, {"causal"});
  }
  /// Adds 0 or the lowest number by the truths `mask`.
  Graph finish(const std::string &mask) {
    model.node("Where", {mask, "zero", "low"}, {"added"});
    model.node("Add", {"scores", "added"}, {"masked"});
    return finishWith("masked");
  }
  Graph finishWith(const std::string &scores) {
    model.node("Softmax", {scores}, {"weights"});
    model.node("MatMul", {"weights", "h2"}, {"y"});
    return read(model.finish());
  }
};

TEST(OnnxSequence, PaddingHidesKeysByTheInput) {
  Masked m;
  m.padding();
  Graph graph = m.finish("padding");
  const Node &node = nodeOf(graph, "attention");
  EXPECT_EQ(node.inputs, (std::vector<std::string>{"x", "ids"}));
  EXPECT_TRUE(node.flag("masked"));
  EXPECT_FALSE(node.flag("causal"));
}

TEST(OnnxSequence, CausalAndPaddingTogether) {
  Masked m;
  m.padding();
  m.causal();
  m.model.node("And", {"causal", "padding"}, {"both"});
  Graph graph = m.finish("both");
  EXPECT_EQ(nodeOf(graph, "attention").inputs.back(), "ids");
  EXPECT_TRUE(nodeOf(graph, "attention").flag("causal"));
}

TEST(OnnxSequence, CausalAloneNeedsNoMask) {
  Masked m;
  m.causal();
  Graph graph = m.finish("causal");
  EXPECT_TRUE(nodeOf(graph, "attention").flag("causal"));
  EXPECT_FALSE(nodeOf(graph, "attention").flag("masked"));
}

/// masked_fill: Where(hidden, low, scores).
TEST(OnnxSequence, ScoresThatAreReplaced) {
  Masked m;
  m.causal();
  m.model.node("Not", {"causal"}, {"hidden"});
  m.model.node("Where", {"hidden", "low", "scores"}, {"masked"});
  Graph graph = m.finishWith("masked");
  EXPECT_TRUE(nodeOf(graph, "attention").flag("causal"));
}

/// (1 - mask) * lowest, on floating numbers.
TEST(OnnxSequence, PaddingByArithmetic) {
  Masked m;
  m.model.integers("middle", {1, 2});
  number(m.model, "one", 1);
  OnnxModel::set(m.model.node("Cast", {"ids"}, {"numbers"}), "to", int64_t(onnx::TensorProto::FLOAT));
  m.model.node("Unsqueeze", {"numbers", "middle"}, {"wide"});
  m.model.node("Sub", {"one", "wide"}, {"inverted"});
  m.model.node("Mul", {"inverted", "low"}, {"added"});
  m.model.node("Add", {"scores", "added"}, {"masked"});
  EXPECT_EQ(nodeOf(m.finishWith("masked"), "attention").inputs.back(), "ids");
}

/// A band of places is neither causal nor all: it becomes a constant that is added.
TEST(OnnxSequence, OtherMasksOfPlacesAreConstants) {
  Masked m;
  m.causal("LessOrEqual");
  Graph graph = m.finish("causal");
  const Node &node = nodeOf(graph, "attention");
  EXPECT_FALSE(node.flag("causal"));
  EXPECT_EQ(shapeText(graph, node.inputs.back()), "[1, 1, 5, 5]");
  auto numbers = std::get<std::vector<double>>(nodeOf(graph, "constant").attributes.at("numbers"));
  EXPECT_EQ(numbers[1], 0);     // query 0, key 1
  EXPECT_LT(numbers[5], -1e38); // query 1, key 0
}

TEST(OnnxSequence, MasksThatNoKernelHasStayProducts) {
  Masked m;
  m.padding();
  m.causal("LessOrEqual");
  m.model.node("And", {"causal", "padding"}, {"both"});
  std::string ops = opsOf(m.finish("both"));
  EXPECT_EQ(ops.find("attention"), std::string::npos) << ops;
  EXPECT_NE(ops.find("add softmax matmul"), std::string::npos) << ops;
}

/// A truth that the graph computes from floating values becomes what is added.
TEST(OnnxSequence, TruthsOfFloatingValuesAreAdded) {
  OnnxModel model({0, 5, 8}, 23);
  model.integers("sizes", {1});
  for (auto [name, value] : {std::pair("first", int64_t(0)), {"last", 2}})
    OnnxModel::set(model.node("Constant", {}, {name}), "value_int", value);
  number(model, "zero", 0);
  OnnxModel::set(model.node("Gather", {"x", "first"}, {"column"}), "axis", int64_t(2));
  model.node("Greater", {"column", "zero"}, {"shown"});
  model.integers("middle", {1, 2});
  model.node("Unsqueeze", {"shown", "middle"}, {"mask"});
  OnnxModel::set(model.node("Attention", {"x", "x", "x", "mask"}, {"y"}), "q_num_heads", int64_t(2));
  auto &node = *model.graph().mutable_node(model.graph().node_size() - 1);
  OnnxModel::set(node, "kv_num_heads", int64_t(2));
  Graph graph = read(model.finish());
  const Node &attention = nodeOf(graph, "attention");
  EXPECT_EQ(shapeText(graph, attention.inputs.back()), "[N, 1, 1, 5]");
  EXPECT_EQ(nodeOf(graph, "where").outputs[0], attention.inputs.back());
}

TEST(OnnxSequence, AttentionNodesShareKeysAndTakeMasks) {
  OnnxModel model({0, 5, 16}, 23);
  model.integers("sizes", {8, 4, 4});
  model.floats("mask", {1, 1, 5, 5}, 0);
  OnnxModel::set(model.node("Split", {"x", "sizes"}, {"q", "k", "v"}), "axis", int64_t(2));
  auto &node = model.node("Attention", {"q", "k", "v"}, {"y"});
  OnnxModel::set(node, "q_num_heads", int64_t(4));
  OnnxModel::set(node, "kv_num_heads", int64_t(2));
  Graph graph = read(model.finish());
  EXPECT_EQ(nodeOf(graph, "attention").inputs, (std::vector<std::string>{"x"}));
  EXPECT_EQ(nodeOf(graph, "attention").integer("kv_heads"), 2);
}

} // namespace
} // namespace halfstep
