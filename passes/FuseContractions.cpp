// The second round of fusion: on kernels, after they are formed.
#include "passes/FuseContractions.h"
#include "passes/ArenaOffsets.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/nn/NNDialect.h"
#include "dialect/train/TrainDialect.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace halfstep {

static RankedTensorType tensorOf(Value value) { return cast<RankedTensorType>(value.getType()); }

static bool isCheap(Operation *op) {
  return isa<nn::ReluOp, nn::ReluBackwardOp, nn::AddOp, nn::SubOp, nn::MulOp, nn::SquaredErrorOp,
             amp::CastOp>(op);
}

/// True for a number that the formula holds.
static bool isSplat(Value value) {
  auto constant = value.getDefiningOp<nn::ConstantOp>();
  return constant && constant.getValue().isSplat() && isa<FloatType>(getElementTypeOrSelf(value));
}

/// True when the op reads, for each element of its result, numbers and the element at the same place.
static bool isAligned(ElementwiseOpInterface op, ArrayRef<int64_t> shape, bool isWide) {
  auto fits = [&](Value value) {
    return tensorOf(value).getShape() == shape && tensorOf(value).getElementType().isF64() == isWide &&
           isa<FloatType>(tensorOf(value).getElementType());
  };
  return fits(op->getResult(0)) && llvm::all_of(op->getOpOperands(), [&](OpOperand &operand) {
           return isSplat(operand.get()) ||
                  (fits(operand.get()) && op.getOperandMap(operand.getOperandNumber()).isIdentity());
         });
}

/// True when a product of this type can compute the kernel's ops as it is stored. A kernel of casts alone
/// would only make it store more.
static bool canFollow(train::KernelOp map, RankedTensorType product) {
  bool isWide = product.getElementType().isF64(), computes = false;
  for (Operation &op : map.getBlock().without_terminator()) {
    if (isa<nn::ConstantOp>(op) && isSplat(op.getResult(0)))
      continue;
    if (!isCheap(&op) || !isAligned(cast<ElementwiseOpInterface>(op), product.getShape(), isWide))
      return false;
    computes |= !isa<amp::CastOp>(op);
  }
  // What is yielded is computed here: a constant would be a tensor of its own.
  return computes && llvm::all_of(map.getYield()->getOperands(), [](Value yielded) {
           return isa_and_present<ElementwiseOpInterface>(yielded.getDefiningOp());
         });
}

/// The contraction whose result the kernel alone reads, if its ops can follow that; else null.
static train::KernelOp findProduct(train::KernelOp map) {
  if (map.getKind() != "map")
    return nullptr;
  for (Value input : map.getInputs()) {
    auto product = input.getDefiningOp<train::KernelOp>();
    if (product && product.getKind() == "contraction" && product->getNumResults() == 1 && input.hasOneUse() &&
        canFollow(map, tensorOf(input)))
      return product;
  }
  return nullptr;
}

static void clone(OpBuilder &builder, train::KernelOp kernel, IRMapping &mapping) {
  for (Operation &op : kernel.getBlock().without_terminator())
    builder.clone(op, mapping);
}

/// One kernel of both, in the place of the later one.
static void join(train::KernelOp product, train::KernelOp map) {
  llvm::SetVector<Value> inputs(llvm::from_range, product.getInputs());
  for (Value input : map.getInputs())
    if (input.getDefiningOp() != product)
      inputs.insert(input);
  OpBuilder builder(map);
  Location location = builder.getFusedLoc({product.getLoc(), map.getLoc()});
  auto joined = train::KernelOp::create(builder, location, map->getResultTypes(), product.getKind(),
                                        inputs.getArrayRef(), DenseI64ArrayAttr());
  Block *block = new Block();
  joined.getBody().push_back(block);
  IRMapping arguments, mapping;
  for (Value input : inputs)
    arguments.map(input, block->addArgument(input.getType(), input.getLoc()));
  auto bind = [&](train::KernelOp kernel) {
    for (auto [input, inner] : llvm::zip_equal(kernel.getInputs(), kernel.getBlock().getArguments()))
      mapping.map(inner, input.getDefiningOp() == product ? mapping.lookup(product.getYield()->getOperand(0))
                                                          : arguments.lookup(input));
  };
  OpBuilder inside = OpBuilder::atBlockEnd(block);
  bind(product);
  clone(inside, product, mapping);
  bind(map);
  clone(inside, map, mapping);
  SmallVector<Value> yielded =
      llvm::map_to_vector(map.getYield()->getOperands(), [&](Value value) { return mapping.lookup(value); });
  train::YieldOp::create(inside, location, yielded);
  map->replaceAllUsesWith(joined);
  map->erase();
  product->erase();
}

void fuseContractions(func::FuncOp function) {
  auto module = function->getParentOfType<ModuleOp>();
  auto policy = module->getAttrOfType<amp::PolicyAttr>(amp::kPolicyAttrName);
  if (module->hasAttr(kSeparateContractionsAttr) || (policy && policy.getRounding() == "eager"))
    return;
  SmallVector<train::KernelOp> kernels = llvm::to_vector(function.getOps<train::KernelOp>());
  for (train::KernelOp kernel : kernels)
    if (train::KernelOp product = findProduct(kernel))
      join(product, kernel);
}

} // namespace halfstep
