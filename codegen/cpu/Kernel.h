// One train.kernel as code: what its function takes, how its work is cut, and its body.
#ifndef HALFSTEP_CODEGEN_CPU_KERNEL_H
#define HALFSTEP_CODEGEN_CPU_KERNEL_H

#include "codegen/cpu/Contraction.h"
#include "codegen/cpu/CpuLevel.h"

#include "dialect/train/TrainDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SmallVector.h"

#include <string>

namespace halfstep {

/// One memref argument of a kernel function and what it is bound to.
struct KernelOperand {
  enum class Kind { Input, Result, Scalar, State };
  Kind kind;
  unsigned index = 0;    ///< Input, Result: number of the kernel's operand or result
  std::string name;      ///< Scalar: field of hs_scalars; State: parameter symbol
  unsigned part = 0;     ///< State: 0 values (master), 1 working copy, 2.. optimizer slots
  mlir::MemRefType type; ///< static shape, identity layout
};

/// The arguments of a kernel's function, in order: all inputs, then all results. Three kinds differ:
///
///   finite_partials  the gradients as one flat memref (Input 0, amp::groupElements elements), both results
///   update           the flat gradients (Input of the first), found_inf, sqnorm (Inputs); the Scalars lr,
///                    inv_scale, clip_norm, update, guard; then the State of the first parameter as flat
///                    memrefs of groupElements: part 0, part 1 if it has a copy, parts 2.. for the slots
///                    (SGD: one if momentum is not 0; AdamW: two), which have the parameter's type
///   assign           the value, found_inf if it is guarded (Inputs), the Scalar guard if it is guarded,
///                    State part 0 of the buffer
llvm::SmallVector<KernelOperand> kernelOperands(train::KernelOp kernel);

/// The op of the kernel that is not element-wise; null when all are.
mlir::Operation *coreOf(train::KernelOp kernel);

/// True when the policy of the kernel's module rounds after each op. A module without one rounds what it
/// stores.
bool roundsEagerly(train::KernelOp kernel);

/// How the kernel's work is cut. The items are independent: no two of them write the same element, and no
/// result depends on how lo..hi is split.
ContractionPlan planKernel(train::KernelOp kernel, const CpuLevel &level);

/// Emits items lo..hi (index values) at the builder's insertion point. `operands`: memrefs as kernelOperands
/// says, of which no two overlap if one of them is written; `scratch`: memref<Sxi8> with the plan's
/// scratchBytes, or null when that is 0. Fails with an error at the op that has no code.
mlir::LogicalResult emitKernel(mlir::OpBuilder &builder, train::KernelOp kernel, const CpuLevel &level,
                               mlir::ValueRange operands, mlir::Value lo, mlir::Value hi,
                               mlir::Value scratch);

/// Adds `func.func private @name(operands..., lo: index, hi: index, scratch: memref<Sxi8>)` around emitKernel
/// to `into` (memref<1xi8> where the plan has no scratch). Its memref arguments are noalias.
mlir::FailureOr<mlir::func::FuncOp> emitKernelFunction(mlir::ModuleOp into, llvm::StringRef name,
                                                       train::KernelOp kernel, const CpuLevel &level);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_KERNEL_H
