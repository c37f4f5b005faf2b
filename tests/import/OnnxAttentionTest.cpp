// Embeddings and attention as exporters write them, to the neutral graph.
#include "tests/import/Expect.h"
#include "tests/import/OnnxModel.h"

#include "import/OnnxReader.h"

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

OnnxModel modelOfIds() {
  OnnxModel model({0, 3});
  model.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      onnx::TensorProto::INT64);
  return model;
}

TEST(OnnxAttention, GatherByIdsIsAnEmbedding) {
  OnnxModel model = modelOfIds();
  model.floats("wte", {10, 4});
  model.node("Gather", {"wte", "x"}, {"y"});
  Graph graph = read(model.finish());
  EXPECT_EQ(opsOf(graph), "embedding");
  EXPECT_EQ(graph.nodes[0].inputs, (std::vector<std::string>{"wte", "x"}));
  EXPECT_EQ(shapeText(graph, "y"), "[N, 3, 4]");
  EXPECT_EQ(graph.inputs[0].type, ElementType::I64);
}

/// Positions: Range(0, 3, 1) looks up a table of 5 or of 3 rows.
TEST(OnnxAttention, GatherOfARangeIsTheTablesHead) {
  for (int64_t rows : {5, 3}) {
    OnnxModel model({0, 3, 4});
    model.floats("wpe", {rows, 4});
    for (auto [name, value] : {std::pair("zero", 0), {"three", 3}, {"one", 1}})
      OnnxModel::set(model.node("Constant", {}, {name}), "value_int", int64_t(value));
    model.node("Range", {"zero", "three", "one"}, {"places"});
    model.node("Gather", {"wpe", "places"}, {"p"});
    model.node("Add", {"x", "p"}, {"y"});
    Graph graph = read(model.finish());
    EXPECT_EQ(opsOf(graph), rows == 3 ? "add" : "slice add");
    EXPECT_EQ(graph.nodes.back().inputs[1], rows == 3 ? "wpe" : "p");
    EXPECT_EQ(shapeText(graph, "y"), "[N, 3, 4]");
  }
}

TEST(OnnxAttention, GatherOfKnownRowsIsAnEmbeddingOfAConstant) {
  OnnxModel model({0, 2, 4});
  model.floats("w", {5, 4});
  model.integers("rows", {2, 2});
  model.node("Gather", {"w", "rows"}, {"p"});
  model.node("Add", {"x", "p"}, {"y"});
  Graph graph = read(model.finish());
  EXPECT_EQ(opsOf(graph), "constant embedding add");
  EXPECT_EQ(graph.nodes[0].integers("integers"), (std::vector<int64_t>{2, 2}));
}

/// Attention over an input [N, 5, 24] in two heads, as torch's exporter writes it.
struct Exported {
  OnnxModel model{{0, 5, 24}};

  void perm(onnx::NodeProto &node, const std::vector<int64_t> &values) {
    OnnxModel::set(node, "perm", values);
  }

  void projections() {
    model.integers("sizes", {8, 8, 8});
    model.integers("heads", {0, 5, 2, 4});
    OnnxModel::set(model.node("Split", {"x", "sizes"}, {"s0", "s1", "s2"}), "axis", int64_t(2));
    for (const std::string part : {"0", "1", "2"}) {
      model.node("Reshape", {"s" + part, "heads"}, {"v" + part});
      perm(model.node("Transpose", {"v" + part}, {"h" + part}), {0, 2, 1, 3});
    }
  }

  /// The keys' transpose, between two reshapes or not.
  void transposedKeys(bool reshaped) {
    if (!reshaped)
      return perm(model.node("Transpose", {"h1"}, {"kt"}), {0, 1, 3, 2});
    model.integers("joined", {-1, 5, 4});
    model.integers("split", {-1, 2, 4, 5});
    model.node("Reshape", {"h1", "joined"}, {"k1"});
    perm(model.node("Transpose", {"k1"}, {"k2"}), {0, 2, 1});
    model.node("Reshape", {"k2", "split"}, {"kt"});
  }

  void causalMask(float hidden) {
    model.floats("one", {}, 1);
    model.floats("zero", {}, 0);
    model.floats("hidden", {}, hidden);
    model.integers("square", {5, 5});
    model.node("Expand", {"one", "square"}, {"ones"});
    OnnxModel::set(model.node("Trilu", {"ones"}, {"lower"}), "upper", int64_t(0));
    model.node("Equal", {"lower", "zero"}, {"behind"});
    model.node("Where", {"behind", "hidden", "zero"}, {"mask"});
  }

  void result(const std::string &weights) {
    model.node("MatMul", {weights, "h2"}, {"o"});
    perm(model.node("Transpose", {"o"}, {"ot"}), {0, 2, 1, 3});
    model.integers("flat", {0, 5, 8});
    model.node("Reshape", {"ot", "flat"}, {"y"});
  }
};

TEST(OnnxAttention, CausalAttentionOfASplit) {
  for (bool reshaped : {true, false}) {
    Exported e;
    e.projections();
    e.transposedKeys(reshaped);
    e.causalMask(-3.4028235e38f);
    e.model.floats("root", {}, 0.5f);
    e.model.node("Mul", {"h0", "root"}, {"q"});
    e.model.node("Mul", {"kt", "root"}, {"k"});
    e.model.node("MatMul", {"q", "k"}, {"s"});
    e.model.node("Add", {"s", "mask"}, {"m"});
    OnnxModel::set(e.model.node("Softmax", {"m"}, {"w"}), "axis", int64_t(-1));
    e.result("w");
    std::vector<std::string> notes;
    Graph graph = read(e.model.finish(), &notes);
    const Node &attention = nodeOf(graph, "attention");
    EXPECT_EQ(attention.inputs, std::vector<std::string>{"x"});
    EXPECT_EQ(attention.integer("heads"), 2);
    EXPECT_TRUE(attention.flag("causal"));
    EXPECT_EQ(attention.number("scale"), 0.25);
    EXPECT_EQ(shapeText(graph, "y"), "[N, 5, 8]");
    EXPECT_EQ(opsOf(graph).find("softmax"), std::string::npos);
    ASSERT_EQ(notes.size(), 1u);
    EXPECT_NE(notes[0].find("taken as attention"), std::string::npos) << notes[0];
  }
}

/// Without a mask, with the scores divided, and with queries that are no part of a split.
TEST(OnnxAttention, AttentionOfSeparateTensors) {
  Exported e;
  e.projections();
  e.transposedKeys(false);
  e.model.node("Relu", {"h0"}, {"q"});
  e.model.node("MatMul", {"q", "kt"}, {"s"});
  e.model.floats("root", {}, 2);
  e.model.node("Div", {"s", "root"}, {"d"});
  e.model.node("Softmax", {"d"}, {"w"});
  e.result("w");
  Graph graph = read(e.model.finish());
  const Node &attention = nodeOf(graph, "attention");
  ASSERT_EQ(attention.inputs.size(), 3u);
  EXPECT_EQ(attention.inputs[1], "s1");
  EXPECT_EQ(attention.inputs[2], "s2");
  EXPECT_FALSE(attention.flag("causal"));
  EXPECT_EQ(attention.number("scale"), 0.5);
  EXPECT_EQ(shapeText(graph, attention.inputs[0]), "[N, 5, 8]");
}

/// A mask that hides nothing, or something else than what lies behind: the products stay.
TEST(OnnxAttention, OtherMasksAreNotTaken) {
  Exported e;
  e.projections();
  e.transposedKeys(false);
  e.model.floats("mask", {5, 5}, -1);
  e.model.node("MatMul", {"h0", "kt"}, {"s"});
  e.model.node("Add", {"s", "mask"}, {"m"});
  e.model.node("Softmax", {"m"}, {"w"});
  e.result("w");
  Graph graph = read(e.model.finish());
  EXPECT_EQ(opsOf(graph).find("attention"), std::string::npos);
  EXPECT_NE(opsOf(graph).find("matmul add softmax matmul"), std::string::npos) << opsOf(graph);
}

/// Scores that something else reads are computed for it.
TEST(OnnxAttention, SharedScoresStay) {
  Exported e;
  e.projections();
  e.transposedKeys(false);
  e.model.node("MatMul", {"h0", "kt"}, {"s"});
  e.model.node("Relu", {"s"}, {"other"});
  e.model.node("Softmax", {"s"}, {"w"});
  e.result("w");
  Graph graph = read(e.model.finish());
  EXPECT_EQ(nodeOf(graph, "attention").inputs, std::vector<std::string>{"x"});
  EXPECT_NE(opsOf(graph).find("matmul relu"), std::string::npos) << opsOf(graph);
  EXPECT_EQ(opsOf(graph).find("softmax"), std::string::npos);
}

TEST(OnnxAttention, AScaleOfZeroIsUnsupported) {
  Exported e;
  e.projections();
  e.transposedKeys(false);
  e.model.floats("root", {}, 0);
  e.model.node("MatMul", {"h0", "kt"}, {"s"});
  e.model.node("Mul", {"s", "root"}, {"d"});
  e.model.node("Softmax", {"d"}, {"w"});
  e.result("w");
  expectDiagnostic(ExitCode::Unsupported, {"the scale of attention must be a constant other than 0"},
                   [&] { read(e.model.finish()); });
}

/// The op of opset 23, on heads that a transpose made and on rows.
TEST(OnnxAttention, AttentionNodes) {
  Exported e;
  e.projections();
  OnnxModel::set(e.model.node("Attention", {"h0", "h1", "h2"}, {"o"}), "is_causal", int64_t(1));
  e.perm(e.model.node("Transpose", {"o"}, {"y"}), {0, 2, 1, 3});
  std::vector<std::string> notes;
  Graph graph = read(e.model.finish(), &notes);
  EXPECT_EQ(nodeOf(graph, "attention").inputs, std::vector<std::string>{"x"});
  EXPECT_EQ(nodeOf(graph, "attention").number("scale"), 0.5); // 1 / sqrt(4)
  EXPECT_TRUE(nodeOf(graph, "attention").flag("causal"));
  EXPECT_EQ(shapeText(graph, "y"), "[N, 5, 2, 4]");
  EXPECT_TRUE(notes.empty());

  Exported rows;
  rows.projections();
  auto &node = rows.model.node("Attention", {"s0", "s1", "s2"}, {"y"});
  OnnxModel::set(node, "q_num_heads", int64_t(4));
  OnnxModel::set(node, "kv_num_heads", int64_t(4));
  OnnxModel::set(node, "scale", 0.25f);
  Graph other = read(rows.model.finish());
  EXPECT_EQ(nodeOf(other, "attention").inputs, std::vector<std::string>{"x"});
  EXPECT_EQ(nodeOf(other, "attention").integer("heads"), 4);
  EXPECT_EQ(nodeOf(other, "attention").number("scale"), 0.25);
  EXPECT_EQ(shapeText(other, "y"), "[N, 5, 8]");
}

TEST(OnnxAttention, AttentionNodesWithoutACounterpartAreRefused) {
  auto expectRefused = [](ExitCode code, const std::string &reason, std::vector<std::string> inputs,
                          const std::function<void(onnx::NodeProto &)> &change) {
    Exported e;
    e.projections();
    change(e.model.node("Attention", inputs, {"y"}));
    expectDiagnostic(code, {"'Attention_node' (Attention)", reason}, [&] { read(e.model.finish()); });
  };
  std::vector<std::string> rows = {"s0", "s1", "s2"};
  expectRefused(ExitCode::Unsupported, "without past keys", {"h0", "h1", "h2", "", "h1"},
                [](onnx::NodeProto &) {});
  expectRefused(ExitCode::Unsupported, "softcap = 0", {"h0", "h1", "h2"},
                [](onnx::NodeProto &node) { OnnxModel::set(node, "softcap", 2.0f); });
  expectRefused(ExitCode::BadInput, "a number that the second divides", rows, [](onnx::NodeProto &node) {
    OnnxModel::set(node, "q_num_heads", int64_t(4));
    OnnxModel::set(node, "kv_num_heads", int64_t(3));
  });
}

} // namespace
} // namespace halfstep
