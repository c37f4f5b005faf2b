// The classes that a precision spec gives to single ops and layers, before any list.
#ifndef HALFSTEP_PASSES_OVERRIDES_H
#define HALFSTEP_PASSES_OVERRIDES_H

#include "passes/OpLists.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/interfaces/Glob.h"

#include <string>

namespace halfstep {

/// The layer that `op` belongs to: the node's name that the importer left in its location; empty where it has
/// none. Only ops of nn that compute belong to a layer.
llvm::StringRef layerOf(mlir::Operation *op);

/// The key under which op lists know `op`; empty where they do not.
llvm::StringRef precisionKeyOf(mlir::Operation *op);

struct Override {
  PrecisionClass precisionClass;
  std::string reason; ///< "layers 'head.*'", "ops 'softmax'"
};

/// What the policy's `layers`, and then its `ops`, say of `op`. Of several globs that match, the one with
/// most literal characters decides. The policy must have passed checkOverrides().
std::optional<Override> findOverride(amp::PolicyAttr policy, mlir::Operation *op);

/// Error at the module when an override names no class or matches nothing in the module, and at the op where
/// globs of the same length give different classes.
mlir::LogicalResult checkOverrides(mlir::ModuleOp module, amp::PolicyAttr policy);

} // namespace halfstep

#endif // HALFSTEP_PASSES_OVERRIDES_H
