// The module around a graph: functions, parameters, loss, element types, locations.
#include "tests/import/Expect.h"

#include "import/JsonReader.h"
#include "import/ModuleBuilder.h"

#include "mlir/IR/Verifier.h"

namespace halfstep {
namespace {

class ModuleBuilder : public testing::Test {
protected:
  mlir::MLIRContext context;
  Recipe recipe;

  void SetUp() override { recipe.loss.kind = "cross_entropy"; }

  std::string build(const std::string &shape, const std::string &layers, bool locations = false,
                    const std::string &dtype = "f32") {
    Graph graph = readJsonModel("{\"halfstep\": 1, \"name\": \"m\", \"inputs\": {\"x\": {\"dtype\": \"" +
                                    dtype + "\", \"shape\": " + shape + "}},\n\"layers\": [" + layers + "]}",
                                "folder/m.json", 4);
    mlir::OwningOpRef<mlir::ModuleOp> module = buildModule(context, graph, recipe, 4);
    EXPECT_TRUE(mlir::succeeded(mlir::verify(*module)));
    std::string text;
    llvm::raw_string_ostream stream(text);
    mlir::OpPrintingFlags flags;
    if (locations)
      flags.enableDebugInfo();
    module->print(stream, flags);
    return text;
  }

  static void expectParts(const std::string &text, const std::vector<std::string> &parts) {
    size_t at = 0;
    for (const std::string &part : parts) {
      size_t found = text.find(part, at);
      ASSERT_NE(found, std::string::npos) << "not found in order: " << part << "\nin:\n" << text;
      at = found + part.size();
    }
  }
};

TEST_F(ModuleBuilder, HasParametersAndThreeFunctions) {
  expectParts(
      build(R"(["N", 8])", R"({"op": "linear", "name": "fc", "out": 3})"),
      {"module @m attributes {amp.policy = #amp.policy<name = \"32-true\"",
       "train.optimizer = #train.optimizer<kind = \"sgd\"", "train.param @fc.weight : tensor<3x8xf32>",
       "train.param @fc.bias : tensor<3xf32>",
       "@train_step(%arg0: tensor<4x8xf32> {train.name = \"x\"}, %arg1: tensor<4xi64> {train.classes = 3 : "
       "i64, train.name = \"y\"}) -> (tensor<f32>",
       "nn.matmul %arg0", "{transpose_b}", "nn.cross_entropy", "nn.reduce_mean", "@eval_step",
       "-> (tensor<f32> {train.name = \"loss\"}, tensor<4x3xf32> {train.name = \"fc\"})",
       "@forward(%arg0: tensor<4x8xf32> {train.name = \"x\"}) -> (tensor<4x3xf32> {train.name = \"fc\"})"});
}

TEST_F(ModuleBuilder, IdsAreBelowTheRowsOfTheirTable) {
  std::string text = build(R"(["N", 8])", R"({"op": "embedding", "name": "wte", "rows": 30, "out": 6},
                           {"op": "attention", "name": "a", "heads": 2})",
                           /*locations=*/false, "i64");
  expectParts(text, {"@train_step(%arg0: tensor<4x8xi64> {train.classes = 30 : i64, train.name = \"x\"}",
                     "nn.embedding %0, %arg0 : (tensor<30x6xf32>, tensor<4x8xi64>) -> tensor<4x8x6xf32>",
                     "nn.attention %1 {heads = 2 : i64, scale = 1.000000e+00 : f64}"});
}

TEST_F(ModuleBuilder, NodesHaveNameFileLineAndColumn) {
  expectParts(build(R"(["N", 8])", R"({"op": "linear", "name": "fc", "out": 3})", /*locations=*/true),
              {"loc(\"m.json\":2:12)", "loc(\"fc\"("});
}

TEST_F(ModuleBuilder, BatchNormTrainsOnTheBatchAndEvaluatesOnRunningStatistics) {
  recipe.loss.kind = "mse";
  expectParts(build(R"(["N", 3])", R"({"op": "batch_norm", "name": "bn"})"),
              {"train.param @bn.running_mean : tensor<3xf32> {buffer", "@train_step", "nn.batch_norm %",
               "nn.squared_error", "train.assign @bn.running_mean, %new_mean",
               "train.assign @bn.running_var, %new_var", "@eval_step", "nn.batch_norm_inference", "@forward",
               "nn.batch_norm_inference"});
}

TEST_F(ModuleBuilder, DropoutIsInTrainingOnlyAndNumbered) {
  recipe.loss.kind = "mse";
  std::string text = build(R"(["N", 3])", R"({"op": "dropout", "p": 0.25}, {"op": "dropout"})");
  expectParts(text, {"train.scalar \"seed\"", "train.scalar \"step\"", "nn.dropout",
                     "id = 0 : i64, p = 2.500000e-01", "id = 1 : i64"});
  EXPECT_EQ(text.find("nn.dropout", text.find("@eval_step")), std::string::npos);
}

TEST_F(ModuleBuilder, DoublePrecisionIsEverywhere) {
  recipe.precision.params = recipe.precision.compute = "f64";
  recipe.loss.kind = "mse";
  std::string text =
      build(R"(["N", 3])", R"({"op": "linear", "name": "fc", "out": 2}, {"op": "mul", "value": 2})");
  expectParts(text, {"@train_step(%arg0: tensor<4x3xf64>", "-> (tensor<f64>",
                     "value = dense<2.000000e+00> : tensor<f64>"});
  EXPECT_EQ(text.find("tensor<4x3xf32>"), std::string::npos);
}

TEST_F(ModuleBuilder, LowPrecisionIsLeftToTheCasts) {
  recipe.precision.params = recipe.precision.compute = recipe.precision.output = "bf16";
  recipe.precision.convert = true;
  recipe.precision.masters = "none";
  recipe.loss.kind = "mse";
  std::string text = build(R"(["N", 3])", R"({"op": "linear", "name": "fc", "out": 2})");
  expectParts(text, {"params = bf16, compute = bf16", "output = bf16, convert = true, masters = \"none\">",
                     "train.param @fc.weight : tensor<2x3xf32>", "@train_step(%arg0: tensor<4x3xf32>"});
}

TEST_F(ModuleBuilder, PolicyHoldsWhatIsNotTheDefault) {
  recipe.precision.keep = "norms";
  recipe.precision.masters = "split";
  recipe.precision.update = "stochastic";
  recipe.precision.ops = {{"softmax", "fp32"}};
  recipe.precision.layers = {{"head.*", "fp32"}, {"a", "lower"}};
  expectParts(build(R"(["N", 8])", R"({"op": "linear", "out": 3})"),
              {"scale = 1.000000e+00 : f64, keep = \"norms\", masters = \"split\", update = \"stochastic\", "
               "ops = {softmax = \"fp32\"}, layers = {a = \"lower\", \"head.*\" = \"fp32\"}>"});
}

TEST_F(ModuleBuilder, OutputsAreMarkedBeforeTheLoss) {
  recipe.loss.kind = "mse";
  expectParts(build(R"(["N", 3])", R"({"op": "relu", "name": "r"})"),
              {"@train_step", "%0 = nn.relu", "%1 = amp.output %0 : tensor<4x3xf32>",
               "nn.squared_error %1, %arg1", "@eval_step", "%1 = amp.output %0", "nn.squared_error %1, %arg1",
               ", %1 : tensor<f32>, tensor<4x3xf32>", "@forward", "%1 = amp.output %0", "return %1"});
}

TEST_F(ModuleBuilder, ClassAxisIsMovedLast) {
  recipe.loss.axis = 1;
  expectParts(build(R"(["N", 5, 2, 3])", R"({"op": "relu"})"),
              {"%arg1: tensor<4x2x3xi64> {train.classes = 5", "nn.transpose", "perm = array<i64: 0, 2, 3, 1>",
               "-> tensor<24x5xf32>", "-> tensor<24xi64>", "nn.cross_entropy"});
}

TEST_F(ModuleBuilder, SoftmaxOfAnotherAxisIsTransposedThereAndBack) {
  recipe.loss.kind = "mse";
  expectParts(
      build(R"(["N", 5, 3])", R"({"op": "softmax", "axis": 1})"),
      {"perm = array<i64: 0, 2, 1>", "nn.softmax", "perm = array<i64: 0, 2, 1>", "-> tensor<4x5x3xf32>"});
}

TEST_F(ModuleBuilder, LossThatDoesNotFitIsRefused) {
  recipe.loss.axis = 0;
  expectDiagnostic(ExitCode::BadInput, {"class axis cannot be 0"},
                   [&] { build(R"(["N", 3])", R"({"op": "relu"})"); });
  recipe.loss.axis = 5;
  expectDiagnostic(ExitCode::BadInput, {"axis 5 is outside"},
                   [&] { build(R"(["N", 3])", R"({"op": "relu"})"); });
  recipe.loss.axis.reset();
  expectDiagnostic(ExitCode::BadInput, {"cross_entropy needs an output"},
                   [&] { build(R"(["N", 1])", R"({"op": "flatten", "start": 0})"); });
}

TEST_F(ModuleBuilder, OutputMustBeginWithTheBatch) {
  expectDiagnostic(ExitCode::BadInput, {"its first extent must be the batch"},
                   [&] { build(R"(["N", 3])", R"({"op": "transpose", "perm": [1, 0]})"); });
}

} // namespace
} // namespace halfstep
