// The convolution ops of "convolution" kernels, as convolutions of the emitter.
#include "codegen/cpu/ContractionKernels.h"

#include "dialect/nn/NNDialect.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace halfstep {

static ArrayRef<int64_t> shapeOf(Value value) { return cast<RankedTensorType>(value.getType()).getShape(); }

template <typename Op>
static ConvolutionSpec makeSpec(Op op, ConvolutionKind kind, ArrayRef<int64_t> x, ArrayRef<int64_t> weight) {
  ConvolutionSpec spec;
  spec.kind = kind;
  spec.n = x[0], spec.ci = x[1], spec.h = x[2], spec.w = x[3];
  spec.co = weight[0], spec.kh = weight[2], spec.kw = weight[3];
  ArrayRef<int64_t> stride = op.getStride(), padding = op.getPadding(), dilation = op.getDilation();
  spec.strideH = stride[0], spec.strideW = stride[1];
  spec.padTop = padding[0], spec.padLeft = padding[1];
  spec.padBottom = padding[2], spec.padRight = padding[3];
  spec.dilationH = dilation[0], spec.dilationW = dilation[1];
  spec.groups = op.getGroups();
  spec.type = getElementTypeOrSelf(op->getOperand(0).getType());
  return spec;
}

ConvolutionSpec convolutionSpec(train::KernelOp kernel) {
  return llvm::TypeSwitch<Operation *, ConvolutionSpec>(&kernel.getBlock().front())
      .Case([](nn::Conv2dOp op) {
        ConvolutionSpec spec =
            makeSpec(op, ConvolutionKind::Forward, shapeOf(op.getInput()), shapeOf(op.getWeight()));
        spec.hasBias = bool(op.getBias());
        return spec;
      })
      .Case([](nn::ConvTranspose2dOp op) {
        ConvolutionSpec spec =
            makeSpec(op, ConvolutionKind::BackwardData, shapeOf(op.getResult()), shapeOf(op.getWeight()));
        spec.hasBias = bool(op.getBias());
        return spec;
      })
      .Case([](nn::Conv2dBackwardDataOp op) {
        return makeSpec(op, ConvolutionKind::BackwardData, op.getInputShape(), shapeOf(op.getWeight()));
      })
      .Case([](nn::Conv2dBackwardWeightOp op) {
        return makeSpec(op, ConvolutionKind::BackwardWeights, shapeOf(op.getInput()), op.getWeightShape());
      });
}

ContractionPlan planConvolutionKernel(train::KernelOp kernel, const CpuLevel &level) {
  return planConvolution(convolutionSpec(kernel), level);
}

LogicalResult emitConvolutionKernel(OpBuilder &builder, train::KernelOp kernel, const CpuLevel &level,
                                    ValueRange operands, Value lo, Value hi, Value scratch) {
  Operation *op = &kernel.getBlock().front();
  if (failed(checkProductTypes(op)))
    return failure();
  auto buffer = [&](unsigned operand) {
    return operands[cast<BlockArgument>(op->getOperand(operand)).getArgNumber()];
  };
  Value bias = op->getNumOperands() > 2 ? buffer(2) : Value();
  return emitConvolution(builder, op->getLoc(), convolutionSpec(kernel), level, buffer(0), buffer(1), bias,
                         operands.back(), lo, hi, scratch);
}

} // namespace halfstep
