// Where the values of a planned function lie: what plan-memory decided, as codegen and the library writer
// read it.
#ifndef HALFSTEP_PASSES_ARENAOFFSETS_H
#define HALFSTEP_PASSES_ARENAOFFSETS_H

#include "dialect/train/TrainDialect.h"

#include <optional>

namespace halfstep {

/// Bytes that the step's scalars (hs_scalars of the runtime) take at the head of the arena.
inline constexpr int64_t kScalarsBytes = 256;
/// Every tensor of the arena begins on a multiple of this.
inline constexpr int64_t kArenaAlignment = 64;

/// Places that a parameter may have: values, working copy, and at most three optimizer slots.
inline constexpr unsigned kParamParts = 5;

/// Module attributes that plan-memory sets: bytes of scalars and state, and of the whole arena without
/// scratch.
inline constexpr llvm::StringLiteral kStateBytesAttr = "train.state_bytes";
inline constexpr llvm::StringLiteral kArenaBytesAttr = "train.arena_bytes";

/// Unit attribute of a module whose ops are to be observed one by one: `fuse` makes each op that computes a
/// kernel of its own, and `plan-memory` lets no two values share memory.
inline constexpr llvm::StringLiteral kSeparateOpsAttr = "train.separate_ops";
/// Of a module whose contractions stay kernels of their own: a library's primitive computes no more than one.
inline constexpr llvm::StringLiteral kSeparateContractionsAttr = "train.separate_contractions";

/// Byte offset of a field of hs_scalars; `field` is one that `train.scalar` may name, or found_inf,
/// grad_sqnorm, loss, weight, weight_sum, first, apply.
int64_t scalarOffset(llvm::StringRef field);

/// Place of part `part` of a parameter: 0 values (of split ones, the low halves), 1 working copy, 2..
/// optimizer slots. -1 for what there is not.
int64_t paramOffset(train::ParamOp param, unsigned part);

/// The value whose memory `value` shares: reshapes followed to their source.
mlir::Value rootOf(mlir::Value value);

/// Byte offset of `value` from the arena's start; none for arguments of the function.
std::optional<int64_t> arenaOffset(mlir::Value value);

} // namespace halfstep

#endif // HALFSTEP_PASSES_ARENAOFFSETS_H
