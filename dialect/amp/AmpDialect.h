// The amp dialect's C++ classes.
#ifndef HALFSTEP_DIALECT_AMP_AMPDIALECT_H
#define HALFSTEP_DIALECT_AMP_AMPDIALECT_H

#include "dialect/interfaces/OpInterfaces.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Dialect.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/amp/AmpDialect.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/amp/AmpAttributes.h.inc"
#define GET_OP_CLASSES
#include "dialect/amp/AmpOps.h.inc"

namespace halfstep::amp {

/// Name of the module attribute that holds the policy.
inline constexpr llvm::StringLiteral kPolicyAttrName = "amp.policy";

/// Tensors of a group (gradients, masters, moments) lie one after the other, each padded to this many
/// elements, so that one sweep over flat memory serves them all and each begins on a cache line.
inline constexpr int64_t kGroupPadding = 32;

/// Elements that one entry of `amp.finite_partials` covers: fixed, so that sums do not depend on threads.
inline constexpr int64_t kFiniteChunk = 4096;

/// Elements of a group of tensors, padding included.
int64_t groupElements(mlir::TypeRange tensors);

/// The module's policy; null, with an error at the module, when it has none.
PolicyAttr getPolicy(mlir::ModuleOp module);

} // namespace halfstep::amp

#endif // HALFSTEP_DIALECT_AMP_AMPDIALECT_H
