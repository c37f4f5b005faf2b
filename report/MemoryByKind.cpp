// See MemoryByKind.h.
#include "report/MemoryByKind.h"

#include "passes/ArenaOffsets.h"
#include "report/Provenance.h"

#include "dialect/nn/NNDialect.h"
#include "dialect/train/TrainDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace halfstep {

int64_t tensorBytes(Type tensor) {
  auto type = cast<RankedTensorType>(tensor);
  return int64_t(llvm::divideCeil(type.getNumElements() * type.getElementTypeBitWidth(), 8));
}

std::string typeName(Type element) {
  std::string name;
  llvm::raw_string_ostream(name) << element;
  return name;
}

//===----------------------------------------------------------------------===//
// State
//===----------------------------------------------------------------------===//

static std::string elementName(RankedTensorType type) { return typeName(type.getElementType()); }

static int64_t slotCount(train::ParamOp param) {
  int64_t count = 0;
  for (unsigned part = 2; part < kParamParts; ++part)
    count += paramOffset(param, part) >= 0;
  return count;
}

std::vector<WeightReport> weightsOf(ModuleOp planned) {
  std::vector<WeightReport> weights;
  for (auto param : planned.getOps<train::ParamOp>()) {
    RankedTensorType type = param.getTensorType();
    WeightReport weight{param.getSymName().str(), param.getBuffer(), {}, {}, type.getShape().vec(), 0};
    auto add = [&](RankedTensorType stored, const char *role) {
      weight.types.push_back(elementName(stored));
      weight.roles.push_back(role);
      weight.bytes += tensorBytes(stored);
    };
    std::optional<Type> copy = param.getCopyType();
    RankedTensorType stored = type.clone(param.getStoredElementType());
    add(stored, param.getBuffer() ? "buffer" : param.getSplit() ? "low half" : copy ? "master" : "weight");
    if (copy)
      add(type.clone(*copy), param.getSplit() ? "high half" : "copy");
    weights.push_back(weight);
  }
  return weights;
}

static void addState(ModuleOp planned, MemoryReport &memory) {
  for (auto param : planned.getOps<train::ParamOp>()) {
    RankedTensorType type = param.getTensorType();
    int64_t stored = tensorBytes(type.clone(param.getStoredElementType()));
    if (std::optional<Type> copy = param.getCopyType()) {
      memory.masters += stored;
      memory.params += tensorBytes(type.clone(*copy));
    } else {
      memory.params += stored;
    }
    memory.moments += slotCount(param) * tensorBytes(type);
  }
}

static int64_t gradientBytes(ModuleOp planned) {
  int64_t bytes = 0;
  planned.walk([&](train::UpdateOp update) {
    for (Value gradient : update.getGradients())
      bytes += tensorBytes(gradient.getType());
  });
  return bytes;
}

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

static bool holdsBackward(train::KernelOp kernel) {
  return llvm::any_of(kernel.getBlock(), [](Operation &op) { return isBackward(&op); });
}

/// A reshape shares its source's memory: what counts is who reads its result.
static bool isReadBackward(Value value) {
  return llvm::any_of(value.getUsers(), [](Operation *user) {
    if (isa<nn::ReshapeOp>(user))
      return isReadBackward(user->getResult(0));
    auto kernel = dyn_cast<train::KernelOp>(user);
    return kernel && holdsBackward(kernel);
  });
}

std::vector<ActivationReport> activationsOf(ModuleOp planned) {
  std::vector<ActivationReport> activations;
  auto step = planned.lookupSymbol<func::FuncOp>(train::kTrainStep);
  for (auto kernel : step.getOps<train::KernelOp>()) {
    if (holdsBackward(kernel))
      continue;
    for (auto [result, yielded] : llvm::zip_equal(kernel.getResults(), kernel.getYield()->getOperands())) {
      if (!isReadBackward(result))
        continue;
      auto type = cast<RankedTensorType>(result.getType());
      Operation *source = yielded.getDefiningOp();
      activations.push_back({originOf(source), source->getName().getStringRef().str(), elementName(type),
                             type.getShape().vec(), tensorBytes(type)});
    }
  }
  llvm::stable_sort(activations,
                    [](const ActivationReport &a, const ActivationReport &b) { return a.bytes > b.bytes; });
  return activations;
}

MemoryReport memoryByKind(ModuleOp planned) {
  MemoryReport memory;
  addState(planned, memory);
  for (const ActivationReport &activation : activationsOf(planned))
    memory.activations += activation.bytes;
  memory.gradients = gradientBytes(planned);
  memory.arena = planned->getAttrOfType<IntegerAttr>(kArenaBytesAttr).getInt();
  memory.workspace = memory.arena - memory.params - memory.masters - memory.moments - memory.activations;
  return memory;
}

} // namespace halfstep
