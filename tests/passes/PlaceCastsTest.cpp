// What the observer of cast placement hears, and the globs that choose layers. The casts themselves are
// tested by lit.
#include "passes/PlaceCasts.h"
#include "passes/Overrides.h"

#include "dialect/nn/NNDialect.h"
#include "dialect/train/TrainDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace halfstep;

namespace {

/// "op class type reason" of each op of a small model under a policy.
std::vector<std::string> decisionsOf(const std::string &policy) {
  const std::string text = "module attributes {amp.policy = #amp.policy<" + policy + R"(>} {
    train.param @w : tensor<4x4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
    train.param @s : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
    func.func @forward(%x: tensor<2x4xf32>, %t: tensor<2x4xf32>) -> tensor<2x4xf32> {
      %w = train.read @w : tensor<4x4xf32>
      %s = train.read @s : tensor<4xf32>
      %c = nn.constant {value = dense<2.0> : tensor<f32>} : () -> tensor<f32>
      %y = nn.matmul %x, %w : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32> loc("fc")
      %n:3 = nn.layer_norm %y, %s, %s {axis = 1 : i64, eps = 1.0e-05 : f64}
        : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>)
      %m = nn.mul %n#0, %c : (tensor<2x4xf32>, tensor<f32>) -> tensor<2x4xf32>
      %k = nn.concat %m, %m {axis = 0 : i64} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<4x4xf32>
      %p = nn.softmax %m : (tensor<2x4xf32>) -> tensor<2x4xf32> loc("head")
      %o = amp.output %p : tensor<2x4xf32>
      %l = nn.squared_error %o, %t : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
      return %l : tensor<2x4xf32>
    }})";
  mlir::MLIRContext context;
  context.loadDialect<amp::AmpDialect, nn::NNDialect, train::TrainDialect, mlir::func::FuncDialect>();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  std::vector<std::string> lines;
  EXPECT_TRUE(module);
  EXPECT_TRUE(
      mlir::succeeded(placeCasts(*module, [&](mlir::Operation *op, const PrecisionDecision &decision) {
        std::string line;
        llvm::raw_string_ostream(line)
            << op->getName().stripDialect() << " " << classNameOf(decision.precisionClass) << " "
            << decision.type << " " << decision.reason;
        lines.push_back(line);
      })));
  return lines;
}

using Lines = std::vector<std::string>;

TEST(PlaceCasts, ReasonsOfLists) {
  EXPECT_EQ(decisionsOf(R"(name = "bf16-mixed", params = f32, compute = bf16, casts = true, lists = "cpu",
      rounding = "fused", scaler = false, scale = 1.0 : f64)"),
            (Lines{"matmul lower bf16 list cpu", "layer_norm untouched bf16 list cpu",
                   "mul untouched bf16 list cpu", "concat promote bf16 promotes its operands",
                   "softmax untouched bf16 list cpu", "squared_error fp32 f32 list cpu"}));
}

TEST(PlaceCasts, ReasonsOfOverrides) {
  EXPECT_EQ(decisionsOf(R"(name = "16-mixed", params = f32, compute = f16, casts = true, lists = "cuda",
      rounding = "fused", scaler = false, scale = 1.0 : f64, ops = {softmax = "lower", layer_norm = "untouched"},
      layers = {"h*" = "fp32"})"),
            (Lines{"matmul lower f16 list cuda", "layer_norm untouched f16 ops 'layer_norm'",
                   "mul untouched f16 list cuda", "concat untouched f16 list cuda",
                   "softmax fp32 f32 layers 'h*'", "squared_error fp32 f32 list cuda"}));
}

TEST(PlaceCasts, ReasonsOfAConvertedModel) {
  EXPECT_EQ(decisionsOf(R"(name = "O2", params = f32, compute = f16, casts = false, lists = "cpu",
      rounding = "fused", scaler = true, scale = 1.0 : f64, convert = true, keep = "norms")"),
            (Lines{"matmul lower f16 model cast", "layer_norm untouched f16 keep_norms_fp32",
                   "mul lower f16 model cast", "concat lower f16 model cast", "softmax lower f16 model cast",
                   "squared_error fp32 f32 loss in the output type"}));
}

TEST(PlaceCasts, ReasonsOfALossInLowPrecision) {
  EXPECT_EQ(decisionsOf(R"(name = "bf16-true", params = bf16, compute = bf16, casts = false, lists = "cpu",
      rounding = "fused", scaler = false, scale = 1.0 : f64, output = bf16, convert = true, masters = "none")")
                .back(),
            "squared_error lower bf16 loss in the output type");
}

TEST(PlaceCasts, ReasonsWithoutCasts) {
  EXPECT_EQ(decisionsOf(R"(name = "32-true", params = f32, compute = f32, casts = false, lists = "cpu",
      rounding = "fused", scaler = false, scale = 1.0 : f64)")
                .front(),
            "matmul untouched f32 precision 32-true");
}

TEST(Overrides, Globs) {
  for (auto [pattern, name] : {std::pair("fc1", "fc1"),
                               {"fc?", "fc1"},
                               {"*", ""},
                               {"*", "a.b"},
                               {"head.*", "head."},
                               {"*.fc*", "a.b.fc2"},
                               {"a*b*c", "axxbxbyc"},
                               {"?*", "x"},
                               {"a**b", "ab"}})
    EXPECT_TRUE(matchesGlob(pattern, name)) << pattern << " " << name;
  for (auto [pattern, name] : {std::pair("fc1", "fc10"),
                               {"fc?", "fc"},
                               {"?", ""},
                               {"head.*", "head"},
                               {"", "a"},
                               {"a*b", "acb "},
                               {"[a]", "a"},
                               {"A", "a"}})
    EXPECT_FALSE(matchesGlob(pattern, name)) << pattern << " " << name;
}

} // namespace
