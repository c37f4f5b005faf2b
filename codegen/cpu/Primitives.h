// Which contractions oneDNN runs instead of generated kernels, and how they are described to the runtime.
#ifndef HALFSTEP_CODEGEN_CPU_PRIMITIVES_H
#define HALFSTEP_CODEGEN_CPU_PRIMITIVES_H

#include "dialect/train/TrainDialect.h"
#include "runtime/embedded/contract.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <optional>
#include <vector>

namespace halfstep {

/// The i32 attribute of a train.kernel that a primitive runs: the primitive's index.
inline constexpr llvm::StringLiteral kPrimitiveAttr = "codegen.primitive";

/// What generated code passes to hs_primitive_run by index.
using PrimitiveDesc = hs_primitive_desc;

/// The kernel as a primitive; none if oneDNN cannot run it: no contraction or convolution, f64, operands of
/// several types, inputs that are not the op's operands one by one, or ops behind the contraction.
std::optional<PrimitiveDesc> describePrimitive(train::KernelOp kernel);

/// True where the shipped table holds oneDNN to be worth a library at run time: the choice of `auto`.
bool prefersOnednn(const PrimitiveDesc &desc);

/// Decides for each kernel of `function` and marks those that oneDNN runs with kPrimitiveAttr, counting from
/// `firstIndex`; returns their descriptions in this order. `gemm` is "onednn" (all that it can run),
/// "generated" (none) or "auto".
std::vector<PrimitiveDesc> choosePrimitives(mlir::func::FuncOp function, llvm::StringRef gemm,
                                            int32_t firstIndex);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_PRIMITIVES_H
