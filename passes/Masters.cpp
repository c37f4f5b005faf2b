// masters: parameters that ops read in low precision get a working copy, which the optimizer writes beside
// the master in the same pass over memory.
//
//   train.param @w : tensor<3x4xf32> {init = ...}
//   %w = train.read @w : tensor<3x4xf32>
//   %0 = amp.cast %w : tensor<3x4xf32> to tensor<3x4xbf16>
// becomes
//   train.param @w : tensor<3x4xf32> {copy_type = bf16, init = ...}
//   %0 = train.read @w {copy} : tensor<3x4xbf16>
//
// Needs: at most one cast of a value to a type (minimize-casts). Leaves: no narrowing cast of a parameter
// whose copy has that type. Buffers, which the optimizer does not write, keep their casts. Test:
// tests/lit/passes/masters.mlir.
#include "passes/Passes.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/train/TrainDialect.h"

using namespace mlir;

namespace halfstep {

#define GEN_PASS_DEF_MASTERS
#include "passes/Passes.h.inc"

namespace {

bool isNarrowing(amp::CastOp op) {
  return getElementTypeOrSelf(op).getIntOrFloatBitWidth() <
         getElementTypeOrSelf(op.getInput()).getIntOrFloatBitWidth();
}

/// Makes `op` read the working copy of `param`, in the type that the first cast of the parameter gave it.
void readCopy(amp::CastOp op, train::ParamOp param) {
  Type element = getElementTypeOrSelf(op);
  if (!param.getCopyType())
    param.setCopyType(element);
  if (*param.getCopyType() != element)
    return;
  OpBuilder builder(op);
  auto copy =
      train::ReadOp::create(builder, op.getLoc(), op.getType(), param.getSymNameAttr(), /*copy=*/true);
  op.replaceAllUsesWith(copy.getResult());
  op.erase();
}

struct Masters : impl::MastersBase<Masters> {
  using MastersBase::MastersBase;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    getOperation().walk([&](amp::CastOp op) {
      auto read = op.getInput().getDefiningOp<train::ReadOp>();
      if (!read || !isNarrowing(op))
        return;
      auto param = symbols.lookup<train::ParamOp>(read.getParam());
      if (!param.getBuffer())
        readCopy(op, param);
      if (read.use_empty())
        read.erase();
    });
  }
};

} // namespace
} // namespace halfstep
