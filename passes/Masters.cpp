// masters: decides how each parameter that ops read in low precision is stored. The policy's `masters` says
// how:
//
//   train.param @w : tensor<3x4xf32> {init = ...}
//   %w = train.read @w : tensor<3x4xf32>
//   %0 = amp.cast %w : tensor<3x4xf32> to tensor<3x4xbf16>
// becomes with "separate", where the optimizer writes a working copy beside the master in one sweep,
//   train.param @w : tensor<3x4xf32> {copy_type = bf16, init = ...}
//   %0 = train.read @w {copy} : tensor<3x4xbf16>
// with "split", where the copy is half of the master and the rest of its bits lies beside it,
//   train.param @w : tensor<3x4xf32> {copy_type = bf16, init = ..., split}
//   %0 = train.read @w {copy} : tensor<3x4xbf16>
// and with "none", where there is no master,
//   train.param @w : tensor<3x4xbf16> {init = ...}
//   %0 = train.read @w : tensor<3x4xbf16>
//
// A parameter that ops read in its own type too, or in two low ones, is stored as with "separate": neither
// other form holds what they read. One without casts stays as it is, and so do buffers, which the optimizer
// does not write. With `update = "stochastic"` the updates of parameters in 16 bits are rounded so.
//
// Needs: at most one cast of a value to a type (minimize-casts). Leaves: no narrowing cast of a parameter
// whose copy has that type. Tests: tests/lit/passes/masters.mlir, masters-errors.mlir.
#include "passes/Passes.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/train/TrainDialect.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace halfstep {

#define GEN_PASS_DEF_MASTERS
#include "passes/Passes.h.inc"

namespace {

/// How ops read a parameter, in all functions.
struct Uses {
  SmallVector<amp::CastOp> casts; ///< narrowing ones
  bool inOwnType = false;         ///< something else reads it

  /// The only type in which ops read it; null when there are several.
  Type onlyType() const {
    bool same =
        llvm::all_of(casts, [&](amp::CastOp cast) { return getElementTypeOrSelf(cast) == firstType(); });
    return same && !inOwnType ? firstType() : Type();
  }
  Type firstType() const {
    amp::CastOp first = casts.front();
    return getElementTypeOrSelf(first);
  }
};

/// The read that `op` casts to a narrower type; null for any other op.
train::ReadOp narrowedRead(Operation *op) {
  auto cast = dyn_cast<amp::CastOp>(op);
  if (!cast || getElementTypeOrSelf(cast).getIntOrFloatBitWidth() >=
                   getElementTypeOrSelf(cast.getInput()).getIntOrFloatBitWidth())
    return {};
  return cast.getInput().getDefiningOp<train::ReadOp>();
}

/// The parameters that are cast, with their uses in the order of the module.
llvm::MapVector<train::ParamOp, Uses> findUses(ModuleOp module) {
  SymbolTable symbols(module);
  llvm::MapVector<train::ParamOp, Uses> all;
  auto usesOf = [&](train::ReadOp read) -> Uses & {
    return all[symbols.lookup<train::ParamOp>(read.getParam())];
  };
  module.walk([&](Operation *op) {
    if (train::ReadOp read = narrowedRead(op))
      usesOf(read).casts.push_back(cast<amp::CastOp>(op));
    else if (auto read = dyn_cast<train::ReadOp>(op))
      usesOf(read).inOwnType |=
          llvm::any_of(op->getUsers(), [](Operation *user) { return !narrowedRead(user); });
  });
  all.remove_if([](auto &entry) { return entry.first.getBuffer() || entry.second.casts.empty(); });
  return all;
}

/// Replaces the casts to the type of the working copy, which is that of the first cast, by reads of it.
void readCopy(train::ParamOp param, const Uses &uses) {
  Type element = uses.firstType();
  param.setCopyType(element);
  for (amp::CastOp cast : uses.casts) {
    if (getElementTypeOrSelf(cast) != element)
      continue;
    auto read = cast.getInput().getDefiningOp<train::ReadOp>();
    OpBuilder builder(cast);
    auto copy = train::ReadOp::create(builder, cast.getLoc(), cast.getType(), param.getSymNameAttr(),
                                      /*copy=*/true);
    cast.replaceAllUsesWith(copy.getResult());
    cast.erase();
    if (read.use_empty())
      read.erase();
  }
}

/// Initial values of another type. Numbers that the runtime makes are rounded when it stores them.
FailureOr<train::InitAttr> initInType(train::ParamOp param, FloatType type) {
  train::InitAttr init = param.getInit();
  if (!init.getData())
    return init;
  auto data = dyn_cast<DenseFPElementsAttr>(init.getData());
  if (!data)
    return param.emitError() << "'" << param.getSymName()
                             << "' has initial values that are not dense, which cannot be rounded to "
                             << type;
  ElementsAttr rounded = data.mapValues(type, [&](const APFloat &value) {
    APFloat result = value;
    bool exact;
    result.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven, &exact);
    return result.bitcastToAPInt();
  });
  return train::InitAttr::get(param.getContext(), init.getKind(), init.getA(), init.getB(), rounded);
}

/// Gives the parameter the type in which all read it.
LogicalResult storeInType(train::ParamOp param, const Uses &uses, FloatType type) {
  FailureOr<train::InitAttr> init = initInType(param, type);
  if (failed(init))
    return failure();
  param.setInitAttr(*init);
  param.setType(param.getTensorType().clone(type));
  for (amp::CastOp cast : uses.casts) {
    Value read = cast.getInput();
    read.setType(cast.getType());
    cast.replaceAllUsesWith(read);
    cast.erase();
  }
  return success();
}

struct Masters : impl::MastersBase<Masters> {
  using MastersBase::MastersBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    amp::PolicyAttr policy = amp::getPolicy(module);
    if (!policy || failed(verify(module, policy)))
      return signalPassFailure();
    for (auto &[param, uses] : findUses(module))
      if (failed(store(param, uses, policy.getMasters())))
        return signalPassFailure();
    // The number of the first element is known when updates are split into sweeps.
    if (policy.getUpdate() == "stochastic")
      module.walk([](train::UpdateOp update) { update.setStochastic(0); });
  }

  static LogicalResult verify(ModuleOp module, amp::PolicyAttr policy) {
    if (!llvm::is_contained({"separate", "split", "none"}, policy.getMasters()))
      return module.emitError() << "masters '" << policy.getMasters()
                                << "', expected separate, split or none";
    if (!llvm::is_contained({"nearest", "stochastic"}, policy.getUpdate()))
      return module.emitError() << "update '" << policy.getUpdate() << "', expected nearest or stochastic";
    return success();
  }

  static LogicalResult store(train::ParamOp param, const Uses &uses, StringRef masters) {
    Type type = uses.onlyType();
    if (type && masters == "none")
      return storeInType(param, uses, cast<FloatType>(type));
    if (type && masters == "split") {
      if (!type.isBF16() || !param.getTensorType().getElementType().isF32())
        return param.emitError() << "'" << param.getSymName() << "' is "
                                 << param.getTensorType().getElementType() << " and read in " << type
                                 << ", but split masters are f32 that is read in bf16; use separate ones";
      param.setSplit(true);
    }
    readCopy(param, uses);
    return success();
  }
};

} // namespace
} // namespace halfstep
