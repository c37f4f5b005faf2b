// Which kernels oneDNN may run, how they are described to the runtime, and that it computes the same.
#include "Jit.h"

#include "codegen/cpu/Primitives.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace halfstep;
using namespace halfstep::test;

namespace {

std::string replaceAll(std::string text, const std::string &from, const std::string &to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

const char *matmul = R"mlir(
func.func @train_step(%x: tensor<3x5x7xELEMENT>, %y: tensor<3x9x7xELEMENT>, %z: tensor<9xBIAS>) -> tensor<3x5x9xELEMENT> {
  %r = train.kernel "contraction" (%x, %y, %z) : (tensor<3x5x7xELEMENT>, tensor<3x9x7xELEMENT>, tensor<9xBIAS>) -> tensor<3x5x9xELEMENT> {
  ^bb0(%a: tensor<3x5x7xELEMENT>, %b: tensor<3x9x7xELEMENT>, %c: tensor<9xBIAS>):
    %p = nn.matmul %a, %b, %c {transpose_b} : (tensor<3x5x7xELEMENT>, tensor<3x9x7xELEMENT>, tensor<9xBIAS>) -> tensor<3x5x9xELEMENT>
    train.yield %p : tensor<3x5x9xELEMENT>
  }
  return %r : tensor<3x5x9xELEMENT>
}
)mlir";

const char *convolution = R"mlir(
func.func @train_step(%x: tensor<2x6x9x8xELEMENT>, %g: tensor<2x4x5x3xELEMENT>) -> tensor<4x3x3x2xELEMENT> {
  %r = train.kernel "convolution" (%x, %g) : (tensor<2x6x9x8xELEMENT>, tensor<2x4x5x3xELEMENT>) -> tensor<4x3x3x2xELEMENT> {
  ^bb0(%a: tensor<2x6x9x8xELEMENT>, %b: tensor<2x4x5x3xELEMENT>):
    %p = nn.conv2d_backward_weight %a, %b {weight_shape = array<i64: 4, 3, 3, 2>, stride = array<i64: 2, 3>,
        padding = array<i64: 1, 0, 1, 1>, dilation = array<i64: 1, 2>, groups = 2 : i64}
        : (tensor<2x6x9x8xELEMENT>, tensor<2x4x5x3xELEMENT>) -> tensor<4x3x3x2xELEMENT>
    train.yield %p : tensor<4x3x3x2xELEMENT>
  }
  return %r : tensor<4x3x3x2xELEMENT>
}
)mlir";

const char *square = R"mlir(
func.func @train_step(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %r = train.kernel "contraction" (%x) : (tensor<4x4xf32>) -> tensor<4x4xf32> {
  ^bb0(%a: tensor<4x4xf32>):
    %p = nn.matmul %a, %a : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
    train.yield %p : tensor<4x4xf32>
  }
  return %r : tensor<4x4xf32>
}
)mlir";

std::string matmulOf(const std::string &type, const std::string &biasType) {
  return replaceAll(replaceAll(matmul, "ELEMENT", type), "BIAS", biasType);
}
std::string convolutionOf(const std::string &type) { return replaceAll(convolution, "ELEMENT", type); }

std::optional<PrimitiveDesc> describe(const std::string &text) {
  return describePrimitive(KernelSource(text).kernel);
}

void expectExtents(const int64_t *actual, std::vector<int64_t> expected) {
  expected.resize(9);
  EXPECT_EQ(std::vector<int64_t>(actual, actual + 9), expected);
}

TEST(Primitives, DescribeAMatrixProduct) {
  std::optional<PrimitiveDesc> desc = describe(matmulOf("bf16", "bf16"));
  ASSERT_TRUE(desc);
  EXPECT_EQ(desc->kind, HS_PRIMITIVE_MATMUL);
  EXPECT_EQ(desc->dtype, HS_BF16);
  EXPECT_EQ(desc->has_bias, 1);
  expectExtents(desc->extent, {3, 5, 9, 7});
  expectExtents(desc->layout, {35, 7, 1, 63, 1, 7});
}

TEST(Primitives, DescribeAConvolution) {
  std::optional<PrimitiveDesc> desc = describe(convolutionOf("f32"));
  ASSERT_TRUE(desc);
  EXPECT_EQ(desc->kind, HS_PRIMITIVE_CONV_BACKWARD_WEIGHTS);
  EXPECT_EQ(desc->dtype, HS_F32);
  EXPECT_EQ(desc->has_bias, 0);
  expectExtents(desc->extent, {2, 6, 9, 8, 4, 5, 3, 3, 2});
  expectExtents(desc->layout, {2, 3, 1, 0, 1, 1, 1, 2, 2});
}

TEST(Primitives, LeaveToGeneratedCodeWhatOnednnCannotRun) {
  EXPECT_FALSE(describe(matmulOf("f64", "f64")));
  EXPECT_FALSE(describe(convolutionOf("f64")));
  EXPECT_FALSE(describe(matmulOf("f16", "f16")));
  EXPECT_FALSE(describe(matmulOf("f16", "f32")));
  EXPECT_FALSE(describe(convolutionOf("f16")));
  EXPECT_FALSE(describe(matmulOf("bf16", "f32"))) << "operands of two types";
  EXPECT_FALSE(describe(square)) << "one input is two operands";
}

TEST(Primitives, AreMarkedAndCountedFromTheFirstIndex) {
  KernelSource source(matmulOf("f32", "f32"));
  auto function = source.kernel->getParentOfType<mlir::func::FuncOp>();
  EXPECT_TRUE(choosePrimitives(function, "generated", 0).empty());
  EXPECT_FALSE(source.kernel->hasAttr(kPrimitiveAttr));
  EXPECT_EQ(choosePrimitives(function, "onednn", 5).size(), 1u);
  auto index = source.kernel->getAttrOfType<mlir::IntegerAttr>(kPrimitiveAttr);
  ASSERT_TRUE(index);
  EXPECT_EQ(index.getInt(), 5);
}

TEST(Primitives, AutoKeepsGeneratedKernelsThatAreNearlyAsFast) {
  PrimitiveDesc desc = *describe(matmulOf("f32", "f32"));
  EXPECT_FALSE(prefersOnednn(desc));
  desc.extent[1] = 256, desc.extent[2] = desc.extent[3] = 4096;
  EXPECT_FALSE(prefersOnednn(desc));
}

#ifdef HALFSTEP_WITH_ONEDNN
/// The same kernel by generated code and by oneDNN: both within the rounding of f32 sums and of the store.
void compare(const std::string &text) {
  JitKernel kernel(text, cpuLevels().front());
  std::vector<Buffer> operands = kernel.makeBuffers();
  for (size_t i = 0; i + 1 < operands.size(); ++i)
    operands[i].fillRandom(unsigned(i) + 1);
  kernel.run(operands);

  hs_primitive_desc desc = *describe(text);
  hs_variant_desc variant = {};
  variant.primitive_count = 1;
  variant.primitives = &desc;
  hs_step_args args = {};
  char error[256] = "";
  ASSERT_EQ(hs_onednn_primitive_ops.create(&variant, 1, &args.primitives, error, sizeof error), HS_OK)
      << error;
  Buffer &generated = operands.back(), other(generated.type(), generated.size());
  hs_primitive_run(&args, 0, operands[0].data(), operands[1].data(),
                   desc.has_bias ? operands[2].data() : nullptr, other.data());
  hs_onednn_primitive_ops.destroy(args.primitives);
  // No sum here has more than 40 terms of magnitude 1.
  double sums = 2 * 40 * (std::sqrt(40.0) + 2) * unitRoundoff("f32");
  for (int64_t i = 0; i < generated.size(); ++i)
    EXPECT_NEAR(generated.get(i), other.get(i),
                sums + 2 * unitRoundoff(generated.type()) * std::abs(generated.get(i)))
        << i;
}

TEST(Primitives, ComputeWhatGeneratedKernelsDo) {
  compare(matmulOf("f32", "f32"));
  compare(convolutionOf("f32"));
  if (__builtin_cpu_supports("avx512bf16")) {
    compare(matmulOf("bf16", "bf16"));
    compare(convolutionOf("bf16"));
  }
}
#endif

} // namespace
