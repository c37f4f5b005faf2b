// Descriptions of contractions for oneDNN, and the table behind --cpu-gemm=auto.
#include "codegen/cpu/Primitives.h"

#include "codegen/cpu/ContractionKernels.h"

#include <algorithm>

using namespace mlir;

namespace halfstep {

/// HS_F32 or HS_BF16 when all operands and the result of the kernel's only op have that type and are the
/// kernel's inputs in order; else nothing.
static std::optional<int32_t> commonType(train::KernelOp kernel) {
  Operation &op = kernel.getBlock().front();
  Type type = getElementTypeOrSelf(op.getResult(0).getType());
  if (!type.isF32() && !type.isBF16())
    return std::nullopt;
  if (op.getNextNode() != kernel.getYield() || op.getNumOperands() != kernel.getInputs().size())
    return std::nullopt;
  for (auto [operand, argument] : llvm::zip(op.getOperands(), kernel.getBlock().getArguments()))
    if (operand != argument || getElementTypeOrSelf(operand.getType()) != type)
      return std::nullopt;
  return type.isF32() ? HS_F32 : HS_BF16;
}

static PrimitiveDesc describeMatmul(const ContractionSpec &spec) {
  PrimitiveDesc desc = {};
  desc.kind = HS_PRIMITIVE_MATMUL;
  desc.has_bias = spec.hasBias;
  const int64_t extent[] = {spec.batch, spec.m, spec.n, spec.k};
  const int64_t layout[] = {spec.m * spec.k, spec.transposeA ? 1 : spec.k, spec.transposeA ? spec.m : 1,
                            spec.k * spec.n, spec.transposeB ? 1 : spec.n, spec.transposeB ? spec.k : 1};
  std::copy(std::begin(extent), std::end(extent), desc.extent);
  std::copy(std::begin(layout), std::end(layout), desc.layout);
  return desc;
}

static int32_t primitiveKind(ConvolutionKind kind) {
  switch (kind) {
  case ConvolutionKind::Forward:
    return HS_PRIMITIVE_CONV_FORWARD;
  case ConvolutionKind::BackwardData:
    return HS_PRIMITIVE_CONV_BACKWARD_DATA;
  case ConvolutionKind::BackwardWeights:
    return HS_PRIMITIVE_CONV_BACKWARD_WEIGHTS;
  }
  llvm_unreachable("all kinds are handled");
}

static PrimitiveDesc describeConvolution(const ConvolutionSpec &spec) {
  PrimitiveDesc desc = {};
  desc.kind = primitiveKind(spec.kind);
  desc.has_bias = spec.hasBias;
  const int64_t extent[] = {spec.n,           spec.ci,         spec.h,  spec.w, spec.co,
                            spec.outHeight(), spec.outWidth(), spec.kh, spec.kw};
  const int64_t layout[] = {spec.strideH,  spec.strideW,   spec.padTop,    spec.padLeft, spec.padBottom,
                            spec.padRight, spec.dilationH, spec.dilationW, spec.groups};
  std::copy(std::begin(extent), std::end(extent), desc.extent);
  std::copy(std::begin(layout), std::end(layout), desc.layout);
  return desc;
}

std::optional<PrimitiveDesc> describePrimitive(train::KernelOp kernel) {
  bool isContraction = kernel.getKind() == "contraction";
  if (!isContraction && kernel.getKind() != "convolution")
    return std::nullopt;
  std::optional<int32_t> dtype = commonType(kernel);
  if (!dtype)
    return std::nullopt;
  PrimitiveDesc desc =
      isContraction ? describeMatmul(contractionSpec(kernel)) : describeConvolution(convolutionSpec(kernel));
  desc.dtype = *dtype;
  return desc;
}

/// Contractions of one kind whose ratio (time of oneDNN / time of the generated kernel) was measured, at the
/// worst for the generated kernel. Bounds of 0 are none.
struct MeasuredChoice {
  int32_t firstKind, lastKind;
  int32_t dtype;
  int64_t mostRows, leastDepth;
  double ratio;
};

/// Zen 5 (AVX-512, bf16 dot products), one thread, level x86-64-v4-bf16, oneDNN 3.x with the layouts of our
/// tensors: products of 1 to 1024 rows and up to 4096 columns in all transposes; convolutions of the digits
/// sample, a two-layer CNN on 28x28 and ResNet-18 on 32x32. The first row that matches counts.
static constexpr MeasuredChoice measuredChoices[] = {
    // 256x4096x4096, 64x128x9216: right operands that leave the caches, packed for few rows.
    {HS_PRIMITIVE_MATMUL, HS_PRIMITIVE_MATMUL, HS_F32, 512, 2048, 0.86},
    {HS_PRIMITIVE_MATMUL, HS_PRIMITIVE_MATMUL, HS_BF16, 512, 2048, 0.86},
    // 128x784x512 and 1024x4096x4096; others are between 0.97 and 5.
    {HS_PRIMITIVE_MATMUL, HS_PRIMITIVE_MATMUL, HS_F32, 0, 0, 0.95},
    {HS_PRIMITIVE_MATMUL, HS_PRIMITIVE_MATMUL, HS_BF16, 0, 0, 0.97},
    // The gradient of the input of a 1x1 convolution with stride 2; others are between 1.1 and 7, bf16 10.
    {HS_PRIMITIVE_CONV_FORWARD, HS_PRIMITIVE_CONV_BACKWARD_WEIGHTS, HS_F32, 0, 0, 1.06},
    {HS_PRIMITIVE_CONV_FORWARD, HS_PRIMITIVE_CONV_BACKWARD_WEIGHTS, HS_BF16, 0, 0, 1.41},
};

/// A library with primitives does not start without libdnnl, so oneDNN must take less than this part of the
/// generated kernel's time. (Machines with matrix units, which only oneDNN uses, may well prefer it: that is
/// what --cpu-gemm=onednn is for.)
static constexpr double worthwhileRatio = 0.8;

static bool matches(const MeasuredChoice &choice, const PrimitiveDesc &desc) {
  if (desc.kind < choice.firstKind || desc.kind > choice.lastKind || desc.dtype != choice.dtype)
    return false;
  return desc.kind != HS_PRIMITIVE_MATMUL ||
         ((choice.mostRows == 0 || desc.extent[1] <= choice.mostRows) && desc.extent[3] >= choice.leastDepth);
}

bool prefersOnednn(const PrimitiveDesc &desc) {
  for (const MeasuredChoice &choice : measuredChoices)
    if (matches(choice, desc))
      return choice.ratio < worthwhileRatio;
  return false;
}

std::vector<PrimitiveDesc> choosePrimitives(func::FuncOp function, StringRef gemm, int32_t firstIndex) {
  std::vector<PrimitiveDesc> chosen;
  if (gemm == "generated")
    return chosen;
  Builder builder(function.getContext());
  function.walk([&](train::KernelOp kernel) {
    std::optional<PrimitiveDesc> desc = describePrimitive(kernel);
    if (!desc || (gemm == "auto" && !prefersOnednn(*desc)))
      return;
    kernel->setAttr(kPrimitiveAttr, builder.getI32IntegerAttr(firstIndex + int32_t(chosen.size())));
    chosen.push_back(*desc);
  });
  return chosen;
}

} // namespace halfstep
