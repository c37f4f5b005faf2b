// Cast placement with its reasons: the pass places the casts, the precision report also asks why.
#ifndef HALFSTEP_PASSES_PLACECASTS_H
#define HALFSTEP_PASSES_PLACECASTS_H

#include "passes/OpLists.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <string>

namespace halfstep {

/// What was decided for one op of the forward graph.
struct PrecisionDecision {
  PrecisionClass precisionClass;
  mlir::Type type;    ///< element type of the op's first result; null when it has none
  std::string reason; ///< "list cpu", "ops 'softmax'", "layers 'head.*'", "model cast", ...
};

using DecisionObserver = llvm::function_ref<void(mlir::Operation *, const PrecisionDecision &)>;

/// Casts the functions of `module` as its `amp.policy` says (the pass place-casts) and removes `amp.output`.
/// `observer` hears of each op that computes, in program order, once its casts stand; casts themselves,
/// reads, outputs, constants and returns are no such ops. Fails with an error at the op or at the module.
mlir::LogicalResult placeCasts(mlir::ModuleOp module, DecisionObserver observer = nullptr);

} // namespace halfstep

#endif // HALFSTEP_PASSES_PLACECASTS_H
