// The element-wise ops of a kernel's region as formulas on scalars.
#ifndef HALFSTEP_CODEGEN_CPU_REGIONFORMULAS_H
#define HALFSTEP_CODEGEN_CPU_REGIONFORMULAS_H

#include "codegen/cpu/KernelBuilder.h"

#include "llvm/ADT/DenseMap.h"

namespace halfstep {

/// Computes values of a region for one element, each once and when it is asked for. With eager rounding,
/// every op's result is rounded to its type.
class RegionFormulas {
public:
  using Value = mlir::Value;

  /// `compute`: the type of floating scalars. `read`: the scalar of an operand that is read from memory, null
  /// for one that is computed. `linearIndex`: the element's row-major index as i64.
  RegionFormulas(KernelBuilder &b, mlir::Type compute, llvm::function_ref<Value(mlir::OpOperand &)> read,
                 llvm::function_ref<Value()> linearIndex)
      : b(b), compute(compute), read(read), linearIndex(linearIndex) {}

  /// The scalar of an operand of an op in the region.
  Value of(mlir::OpOperand &operand);

private:
  KernelBuilder &b;
  mlir::Type compute;
  llvm::function_ref<Value(mlir::OpOperand &)> read;
  llvm::function_ref<Value()> linearIndex;
  llvm::DenseMap<Value, Value> scalars;

  Value emit(mlir::Operation *op);
};

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_REGIONFORMULAS_H
