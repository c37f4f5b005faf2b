// Cast minimisation on whole steps: it takes casts away and gives no op other types than the policy gave it.
// Its single rules are tested by lit.
#include "passes/Pipeline.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/nn/NNDialect.h"
#include "dialect/train/TrainDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <map>

using namespace halfstep;

namespace {

constexpr const char *kStep = R"(
  train.optimizer = #train.optimizer<kind = "sgd", constants = {momentum = 0.0 : f64}>} {
  train.param @w : tensor<4x4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
  train.param @s : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
  func.func @train_step(%x: tensor<2x4xf32>, %t: tensor<2x4xf32>) -> tensor<f32> {
    %w = train.read @w : tensor<4x4xf32>
    %s = train.read @s : tensor<4xf32>
    %y = nn.matmul %x, %w, %s : (tensor<2x4xf32>, tensor<4x4xf32>, tensor<4xf32>) -> tensor<2x4xf32> loc("fc1")
    %n:3 = nn.layer_norm %y, %s, %s {axis = 1 : i64, eps = 1.0e-05 : f64}
      : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>) loc("norm")
    %z = nn.matmul %n#0, %w : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32> loc("fc2")
    %r = nn.add %y, %z : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32> loc("add")
    %v = nn.matmul %r, %w : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32> loc("fc3")
    %p = nn.softmax %v : (tensor<2x4xf32>) -> tensor<2x4xf32> loc("head")
    %o = amp.output %p : tensor<2x4xf32>
    %e = nn.squared_error %o, %t : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
    %l = nn.reduce_mean %e {axes = array<i64: 0, 1>} : (tensor<2x4xf32>) -> tensor<f32>
    return %l : tensor<f32>
  }
})";

struct Counts {
  std::map<std::string, int> ops; ///< of each nn op with its types
  int casts = 0;
};

Counts countsOf(mlir::ModuleOp module) {
  Counts counts;
  module.walk([&](mlir::Operation *op) {
    counts.casts += mlir::isa<amp::CastOp>(op);
    if (!mlir::isa_and_nonnull<nn::NNDialect>(op->getDialect()))
      return;
    std::string text;
    llvm::raw_string_ostream(text) << op->getName() << " " << op->getOperandTypes() << " -> "
                                   << op->getResultTypes();
    ++counts.ops[text];
  });
  return counts;
}

void expectOnlyFewerCasts(const std::string &policy) {
  mlir::MLIRContext context;
  context.loadDialect<amp::AmpDialect, nn::NNDialect, train::TrainDialect, mlir::func::FuncDialect>();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(
      "module attributes {amp.policy = #amp.policy<" + policy + ">, " + kStep, &context);
  ASSERT_TRUE(module);
  ASSERT_TRUE(mlir::succeeded(runPipeline(*module, "optimizer", /*verifyEach=*/true)));
  Counts before = countsOf(*module);
  ASSERT_TRUE(mlir::succeeded(runPipeline(*module, "minimize-casts", /*verifyEach=*/true, "optimizer")));
  Counts after = countsOf(*module);
  EXPECT_LT(after.casts, before.casts) << policy;
  for (const auto &[op, count] : after.ops)
    EXPECT_LE(count, before.ops[op]) << policy << ": " << op;
}

TEST(MinimizeCasts, OnlyTakesCastsAway) {
  for (const char *rounding : {"fused", "eager"})
    for (const char *policy : {
             R"(name = "a", params = f32, compute = bf16, casts = true, lists = "cpu")",
             R"(name = "b", params = f32, compute = f16, casts = true, lists = "cuda")",
             R"(name = "c", params = f32, compute = bf16, casts = true, lists = "apex")",
             R"(name = "d", params = f32, compute = f16, casts = false, lists = "cpu", convert = true)",
             R"(name = "e", params = bf16, compute = bf16, casts = false, lists = "cpu", convert = true,
                 masters = "none", output = bf16, keep = "norms")",
             R"(name = "f", params = f32, compute = bf16, casts = true, lists = "cpu",
                 layers = {fc2 = "fp32", norm = "fp32", add = "promote"})",
             R"(name = "g", params = f16, compute = f16, casts = false, lists = "cpu", convert = true,
                 masters = "none", layers = {fc2 = "fp32", "?d*" = "fp32_out"})",
         })
      expectOnlyFewerCasts(std::string(policy) + R"(, scaler = false, scale = 1.0 : f64, rounding = ")" +
                           rounding + "\"");
}

} // namespace
