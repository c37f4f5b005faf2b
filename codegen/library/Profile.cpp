// See Profile.h.
#include "codegen/library/Profile.h"

#include "codegen/cpu/KernelCost.h"

#include "dialect/train/TrainDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SetVector.h"

#include <nlohmann/json.hpp>

using namespace mlir;
using nlohmann::ordered_json;

namespace halfstep {

std::string stampsSymbol(const std::string &name) { return name + "_kernel_stamps"; }

static func::FuncOp trainStep(ModuleOp planned) {
  return planned.lookupSymbol<func::FuncOp>(train::kTrainStep);
}

int64_t trainKernelCount(ModuleOp planned) {
  return llvm::range_size(trainStep(planned).getOps<train::KernelOp>());
}

/// The names in a location, each once: a kernel may serve many layers.
static void collectNames(Location location, llvm::SetVector<StringRef> &names) {
  location->walk([&](Location inner) {
    if (auto name = dyn_cast<NameLoc>(inner))
      names.insert(name.getName().getValue());
    return WalkResult::advance();
  });
}

static std::string layerOf(train::KernelOp kernel) {
  llvm::SetVector<StringRef> names;
  for (Operation &op : kernel.getBlock().without_terminator())
    collectNames(op.getLoc(), names);
  if (names.empty())
    return "";
  constexpr size_t shown = 2;
  std::string text = llvm::join(names.getArrayRef().take_front(shown), " ");
  return names.size() > shown ? text + " +" + std::to_string(names.size() - shown) : text;
}

/// Transposes tell a layer's products apart: forward, gradient of the input, gradient of the weight.
static std::string opsOf(train::KernelOp kernel) {
  std::string text;
  for (Operation &op : kernel.getBlock().without_terminator()) {
    text += (text.empty() ? "" : " ") + op.getName().stripDialect().str();
    for (StringRef flag : {"transpose_a", "transpose_b"})
      if (op.hasAttr(flag))
        text += "/" + flag.str();
  }
  return text;
}

std::string profileText(ModuleOp planned) {
  ordered_json kernels = ordered_json::array();
  for (auto kernel : trainStep(planned).getOps<train::KernelOp>()) {
    KernelCost cost = costOf(kernel);
    std::string compute;
    llvm::raw_string_ostream(compute) << cost.compute;
    kernels.push_back({{"layer", layerOf(kernel)},
                       {"kind", kernel.getKind().str()},
                       {"ops", opsOf(kernel)},
                       {"flops", cost.flops},
                       {"bytes", cost.bytes},
                       {"compute", compute}});
  }
  return ordered_json{{"kernels", kernels}}.dump(2, ' ', false, ordered_json::error_handler_t::replace) +
         "\n";
}

} // namespace halfstep
