// Parameters that exporters folded, renamed or merged.
#include "tests/import/Expect.h"
#include "tests/import/OnnxModel.h"

#include "import/OnnxReader.h"

namespace halfstep {
namespace {

Graph read(OnnxModel &model) {
  return readOnnxModel(model.finish(), "m.onnx", 4, [](const std::string &) {});
}

/// A product with a folded weight [3, 2] that counts up; its node bears `name`.
onnx::NodeProto &product(OnnxModel &model, const std::string &weight, const std::string &name,
                         const std::string &result = "y") {
  onnx::TensorProto &tensor = model.floats(weight, {3, 2});
  for (int i = 0; i < 6; ++i)
    tensor.set_float_data(i, float(i));
  onnx::NodeProto &node = model.node("MatMul", {"x", weight}, {result});
  node.set_name(name);
  return node;
}

void describe(onnx::NodeProto &node, const std::string &call, const std::string &scopes) {
  for (auto [key, value] :
       {std::pair("pkg.torch.onnx.fx_node", call), {"pkg.torch.onnx.name_scopes", scopes}}) {
    auto &entry = *node.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
}

void expectWeight(const Graph &graph, const std::string &name) {
  const Parameter *weight = graph.findParameter(name);
  ASSERT_TRUE(weight) << name;
  EXPECT_EQ(toString(weight->shape), "[2, 3]");
  EXPECT_EQ(weight->init.data, (std::vector<double>{0, 2, 4, 1, 3, 5}));
  EXPECT_EQ(graph.nodes[0].inputs[1], name);
  EXPECT_TRUE(graph.nodes[0].flag("transpose_b"));
  EXPECT_EQ(graph.parameters.size(), graph.nodes[0].inputs.size() - 1);
}

TEST(OnnxNames, TheBiasNamesAFoldedWeight) {
  OnnxModel model({0, 3});
  model.floats("h.0.fc.bias", {2});
  product(model, "onnx::MatMul_12", "/other/MatMul", "p");
  model.node("Add", {"h.0.fc.bias", "p"}, {"y"});
  expectWeight(read(model), "h.0.fc.weight");
}

TEST(OnnxNames, TheNodeNamesAFoldedWeightWithoutBias) {
  for (auto [node, weight] : {std::pair("/fc/MatMul", "fc.weight"),
                              {"/seq/seq.0/MatMul", "seq.0.weight"},
                              {"/h.1/mlp/mlp.2/MatMul_3", "h.1.mlp.2.weight"}}) {
    OnnxModel model({0, 3});
    product(model, "onnx::MatMul_7", node);
    expectWeight(read(model), weight);
  }
}

TEST(OnnxNames, MetadataNameAFoldedWeight) {
  OnnxModel model({0, 3});
  describe(product(model, "val_3", "node_MatMul_1"),
           "%linear : call_function[target=torch.ops.aten.linear.default](args = (%x, %p_h_0_fc_weight), "
           "kwargs = {})",
           "['', 'h.0', 'h.0.fc', 'linear']");
  expectWeight(read(model), "h.0.fc.weight");
}

TEST(OnnxNames, AModuleThatRunsTwiceHasOneWeight) {
  OnnxModel model({0, 2});
  for (const char *weight : {"onnx::MatMul_1", "onnx::MatMul_2"})
    model.floats(weight, {2, 2}, 0.5f);
  model.node("MatMul", {"x", "onnx::MatMul_1"}, {"h"}).set_name("/fc/MatMul");
  model.node("MatMul", {"h", "onnx::MatMul_2"}, {"y"}).set_name("/fc/MatMul_1");
  Graph graph = read(model);
  ASSERT_EQ(graph.parameters.size(), 1u);
  EXPECT_EQ(graph.nodes[0].inputs[1], "fc.weight");
  EXPECT_EQ(graph.nodes[1].inputs[1], "fc.weight");
}

TEST(OnnxNames, WhatIsNotCertainStays) {
  auto expectKept = [](OnnxModel &model, const std::string &name) {
    Graph graph = read(model);
    EXPECT_TRUE(graph.findParameter(name)) << name;
    EXPECT_FALSE(graph.nodes[0].flag("transpose_b"));
  };
  OnnxModel own({0, 3});
  product(own, "weight", "/fc/MatMul");
  expectKept(own, "weight");
  OnnxModel nameless({0, 3});
  product(nameless, "onnx::MatMul_1", "MatMul_3");
  expectKept(nameless, "onnx::MatMul_1");
  OnnxModel taken({0, 3});
  product(taken, "onnx::MatMul_1", "/fc/MatMul", "h");
  taken.floats("fc.weight", {2});
  taken.node("Mul", {"h", "fc.weight"}, {"y"});
  expectKept(taken, "onnx::MatMul_1");
  OnnxModel other({0, 3});
  describe(product(other, "val_3", "node"), "%m : call_function[target=matmul](args = (%x, %p_fc_weights))",
           "['', 'fc', 'm']");
  expectKept(other, "val_3");
}

TEST(OnnxNames, MergedNormsAreApart) {
  OnnxModel model({0, 3});
  model.floats("a.weight", {3});
  model.floats("a.bias", {3}, 0);
  for (auto [input, output, module] : {std::tuple("x", "h", "a"), {"h", "y", "b"}}) {
    std::string name = module;
    describe(model.node("LayerNormalization", {input, "a.weight", "a.bias"}, {output}),
             "%n : call(args = (%v, [3], %p_" + name + "_weight, %p_" + name + "_bias, 1e-05))",
             "['', '" + name + "', 'n']");
  }
  Graph graph = read(model);
  EXPECT_EQ(graph.parameters.size(), 4u);
  EXPECT_EQ(graph.nodes[1].inputs, (std::vector<std::string>{"h", "b.weight", "b.bias"}));
}

TEST(OnnxNames, ATableThatAProductReadsStaysOne) {
  OnnxModel model({0, 4});
  model.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      onnx::TensorProto::INT64);
  onnx::TensorProto &table = model.floats("wte", {3, 2}), &folded = model.floats("onnx::MatMul_9", {2, 3});
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 2; ++j) {
      table.set_float_data(2 * i + j, float(i - 5 * j));
      folded.set_float_data(3 * j + i, float(i - 5 * j));
    }
  model.node("Gather", {"wte", "x"}, {"h"});
  model.node("MatMul", {"h", "onnx::MatMul_9"}, {"y"}).set_name("/head/MatMul");
  Graph graph = read(model);
  ASSERT_EQ(graph.parameters.size(), 1u);
  EXPECT_EQ(graph.nodes[1].inputs[1], "wte");
}

} // namespace
} // namespace halfstep
