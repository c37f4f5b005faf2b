// Reads the offsets that plan-memory left in the IR.
#include "passes/ArenaOffsets.h"

#include "dialect/nn/NNDialect.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace halfstep {

int64_t scalarOffset(StringRef field) {
  // The offsets of hs_scalars in runtime/embedded/contract.h.
  return llvm::StringSwitch<int64_t>(field)
      .Case("lr", 0)
      .Case("loss_scale", 4)
      .Case("inv_scale", 8)
      .Case("found_inf", 12)
      .Case("grad_sqnorm", 16)
      .Case("loss", 24)
      .Case("update", 32)
      .Case("seed", 40)
      .Case("step", 48)
      .Case("clip_norm", 56)
      .Case("guard", 60)
      .Case("weight", 64)
      .Case("weight_sum", 72)
      .Case("first", 80)
      .Case("apply", 84)
      .Default(-1);
}

int64_t paramOffset(train::ParamOp param, unsigned part) {
  std::optional<ArrayRef<int64_t>> offsets = param.getOffsets();
  return offsets && part < offsets->size() ? (*offsets)[part] : -1;
}

Value rootOf(Value value) {
  while (auto reshape = value.getDefiningOp<nn::ReshapeOp>())
    value = reshape.getInput();
  return value;
}

std::optional<int64_t> arenaOffset(Value value) {
  value = rootOf(value);
  Operation *op = value.getDefiningOp();
  if (auto kernel = dyn_cast_or_null<train::KernelOp>(op))
    return (*kernel.getOffsets())[cast<OpResult>(value).getResultNumber()];
  if (auto read = dyn_cast_or_null<train::ReadOp>(op))
    return paramOffset(SymbolTable::lookupNearestSymbolFrom<train::ParamOp>(read, read.getParamAttr()),
                       read.getCopy() ? 1 : 0);
  if (auto scalar = dyn_cast_or_null<train::ScalarOp>(op))
    return scalarOffset(scalar.getField());
  return std::nullopt;
}

} // namespace halfstep
