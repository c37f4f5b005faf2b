// Counts from the types of a kernel's ops and operands.
#include "codegen/cpu/KernelCost.h"

#include "codegen/cpu/Kernel.h"

#include "dialect/nn/NNDialect.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace halfstep {

static double elementsOf(Value value) {
  return double(cast<RankedTensorType>(value.getType()).getNumElements());
}

static double largestOf(Operation *op) {
  double elements = 0;
  for (Value value : op->getOperands())
    elements = std::max(elements, elementsOf(value));
  for (Value value : op->getResults())
    elements = std::max(elements, elementsOf(value));
  return elements;
}

/// `output` holds the result of the forward convolution, whose elements each sum over a filter's taps.
static double convolutionFlops(double outputElements, ArrayRef<int64_t> weight) {
  return 2 * outputElements * double(weight[1] * weight[2] * weight[3]);
}

static double flopsOf(Operation *op) {
  auto shape = [](Value value) { return cast<RankedTensorType>(value.getType()).getShape(); };
  return llvm::TypeSwitch<Operation *, double>(op)
      .Case([&](nn::MatmulOp matmul) {
        ArrayRef<int64_t> lhs = shape(matmul.getLhs());
        return 2 * elementsOf(matmul.getResult()) *
               double(lhs[lhs.size() - (matmul.getTransposeA() ? 2 : 1)]);
      })
      .Case([&](nn::Conv2dOp conv) {
        return convolutionFlops(elementsOf(conv.getResult()), shape(conv.getWeight()));
      })
      .Case([&](nn::ConvTranspose2dOp conv) {
        return convolutionFlops(elementsOf(conv.getInput()), shape(conv.getWeight()));
      })
      .Case([&](nn::Conv2dBackwardDataOp conv) {
        return convolutionFlops(elementsOf(conv->getOperand(0)), shape(conv.getWeight()));
      })
      .Case([&](nn::Conv2dBackwardWeightOp conv) {
        return convolutionFlops(elementsOf(conv->getOperand(1)), conv.getWeightShape());
      })
      .Default([](Operation *other) { return largestOf(other); });
}

static double bytesOf(train::KernelOp kernel) {
  double bytes = 0;
  for (const KernelOperand &operand : kernelOperands(kernel)) {
    double size = double(operand.type.getNumElements()) * operand.type.getElementTypeBitWidth() / 8;
    // A working copy is written only.
    bool twice = operand.kind == KernelOperand::Kind::State && operand.part != 1;
    bytes += twice ? 2 * size : size;
  }
  return bytes;
}

KernelCost costOf(train::KernelOp kernel) {
  KernelCost cost;
  cost.compute = Float32Type::get(kernel.getContext());
  for (Operation &op : kernel.getBlock().without_terminator()) {
    cost.flops += flopsOf(&op);
    if (op.getNumOperands() == 0)
      continue;
    Type element = getElementTypeOrSelf(op.getOperand(0));
    bool product = isa<nn::MatmulOp, nn::Conv2dOp, nn::ConvTranspose2dOp, nn::Conv2dBackwardDataOp,
                       nn::Conv2dBackwardWeightOp>(op);
    if (element.isF64() || (product && element.isBF16()))
      cost.compute = element;
  }
  cost.bytes = bytesOf(kernel);
  return cost;
}

} // namespace halfstep
