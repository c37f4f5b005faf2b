// Arithmetic of shapes, positions and masks, by the constant that it ends in.
#include "tests/import/Expect.h"
#include "tests/import/OnnxModel.h"

#include "import/OnnxReader.h"

namespace halfstep {
namespace {

/// A model over `x` [N, 3, 4] whose output is x plus the tensor that the nodes of a test compute, as numbers.
class Folding : public ::testing::Test {
protected:
  OnnxModel model{{0, 3, 4}};

  void number(const std::string &name, int64_t value) {
    OnnxModel::set(model.node("Constant", {}, {name}), "value_int", value);
  }
  void list(const std::string &name, const std::vector<int64_t> &values) { model.integers(name, values); }
  onnx::NodeProto &node(const std::string &op, const std::vector<std::string> &inputs,
                        const std::string &output) {
    return model.node(op, inputs, {output});
  }

  /// The elements of `value`, cast to floating numbers.
  std::vector<double> numbersOf(const std::string &value) {
    OnnxModel::set(node("Cast", {value}, "numbers"), "to", int64_t(onnx::TensorProto::FLOAT));
    node("Add", {"x", "numbers"}, "y");
    Graph graph = readOnnxModel(model.finish(), "m.onnx", 5, [](const std::string &) {});
    EXPECT_EQ(opsOf(graph).substr(0, 8), "constant") << opsOf(graph);
    return graph.nodes[0].op == "constant" ? graph.nodes[0].numbers("numbers") : std::vector<double>();
  }

  void refuse(const std::string &value, ExitCode code, const std::string &part) {
    OnnxModel::set(node("Cast", {value}, "numbers"), "to", int64_t(onnx::TensorProto::FLOAT));
    node("Add", {"x", "numbers"}, "y");
    expectDiagnostic(code, {part},
                     [&] { readOnnxModel(model.finish(), "m.onnx", 5, [](const std::string &) {}); });
  }
};

using Numbers = std::vector<double>;

TEST_F(Folding, CausalMaskOfPositions) {
  number("start", 0);
  number("step", 1);
  number("length", 4);
  list("first", {0});
  list("second", {1});
  node("Range", {"start", "length", "step"}, "places");
  node("Unsqueeze", {"places", "second"}, "rows");
  node("Unsqueeze", {"places", "first"}, "columns");
  node("LessOrEqual", {"columns", "rows"}, "mask");
  list("from", {0});
  list("to", {3});
  node("Slice", {"mask", "from", "to", "first"}, "part");
  EXPECT_EQ(numbersOf("part"), (Numbers{1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0}));
}

TEST_F(Folding, ShapeArithmetic) {
  node("Shape", {"x"}, "s");
  list("last", {2});
  number("two", 2);
  node("Gather", {"s", "last"}, "four");
  node("Div", {"four", "two"}, "half");
  node("Sub", {"half", "four"}, "below");
  node("Mod", {"below", "two"}, "even");
  node("Max", {"even", "half", "below"}, "most");
  node("Concat", {"four", "half", "below", "most"}, "all");
  EXPECT_EQ(numbersOf("all"), (Numbers{4, 2, -2, 2}));
}

TEST_F(Folding, ChoiceOfExtentsByComparison) {
  list("wanted", {-1, 3, 4});
  list("minus", {-1});
  node("Shape", {"x"}, "s");
  node("Equal", {"wanted", "minus"}, "is_minus");
  node("Where", {"is_minus", "s", "wanted"}, "chosen");
  node("Expand", {"x", "chosen"}, "y");
  Graph graph = readOnnxModel(model.finish(), "m.onnx", 5, [](const std::string &) {});
  EXPECT_EQ(shapeText(graph, "y"), "[N, 3, 4]");
}

TEST_F(Folding, TensorsOfAnyRank) {
  list("shape", {2, 2});
  auto *value = node("ConstantOfShape", {"shape"}, "sevens").add_attribute();
  value->set_name("value");
  value->set_type(onnx::AttributeProto::TENSOR);
  value->mutable_t()->set_data_type(onnx::TensorProto::INT64);
  value->mutable_t()->add_dims(1);
  value->mutable_t()->add_int64_data(7);
  OnnxModel::set(node("Trilu", {"sevens"}, "upper"), "upper", int64_t(1));
  node("Transpose", {"upper"}, "lower");
  OnnxModel::set(node("Concat", {"upper", "lower"}, "both"), "axis", int64_t(1));
  list("row", {-1});
  OnnxModel::set(node("Gather", {"both", "row"}, "last"), "axis", int64_t(0));
  EXPECT_EQ(numbersOf("last"), (Numbers{0, 7, 7, 7}));
}

TEST_F(Folding, RunningAndWholeSums) {
  list("ones", {1, 1, 1, 1});
  number("axis", 0);
  node("CumSum", {"ones", "axis"}, "count");
  OnnxModel::set(node("ReduceProd", {"count"}, "product"), "keepdims", int64_t(0));
  node("Mul", {"count", "product"}, "scaled");
  EXPECT_EQ(numbersOf("scaled"), (Numbers{24, 48, 72, 96}));
}

TEST_F(Folding, DivisionByZeroIsRefused) {
  list("one", {1});
  list("zero", {0});
  node("Div", {"one", "zero"}, "bad");
  refuse("bad", ExitCode::BadInput, "'Div' by 0");
}

TEST_F(Folding, ProductsOutOfRangeAreRefused) {
  list("most", {INT64_MAX});
  node("Mul", {"most", "most"}, "bad");
  refuse("bad", ExitCode::BadInput, "is out of range");
}

TEST_F(Folding, LargeRangesAreNotMade) {
  number("start", 0);
  number("step", 1);
  number("length", int64_t(1) << 40);
  node("Range", {"start", "length", "step"}, "places");
  refuse("places", ExitCode::Unsupported, "'Range' is supported on constants and shapes only");
}

TEST_F(Folding, SumsWithTheBatchAreRefused) {
  node("Shape", {"x"}, "s");
  list("first", {0});
  list("one", {1});
  node("Gather", {"s", "first"}, "n");
  node("Add", {"n", "one"}, "more");
  refuse("more", ExitCode::BadInput, "'Add' of numbers that depend on the batch");
}

TEST_F(Folding, ManyLargeTensorsAreRefused) {
  number("start", 0);
  number("step", 1);
  number("length", 1 << 21);
  node("Range", {"start", "length", "step"}, "a0");
  for (int i = 0; i < 8; ++i)
    node("Neg", {"a" + std::to_string(i)}, "a" + std::to_string(i + 1));
  refuse("a8", ExitCode::Unsupported, "elements from constants");
}

} // namespace
} // namespace halfstep
