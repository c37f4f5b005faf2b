// The element-wise ops of a "map" or "reduce" kernel as one computation over a domain of indices.
#ifndef HALFSTEP_CODEGEN_CPU_ELEMENTWISEREGION_H
#define HALFSTEP_CODEGEN_CPU_ELEMENTWISEREGION_H

#include "codegen/cpu/KernelEmitters.h"
#include "codegen/cpu/StridedDomain.h"

#include "mlir/IR/AffineMap.h"
#include "llvm/ADT/DenseMap.h"

namespace halfstep {

/// A tensor that each element of the domain reads or writes one element of.
struct ElementAccess {
  /// A region argument, the result of a constant, or (written) what the region yields.
  mlir::Value value;
  Strides strides;
};

/// Reads ops of a region as formulas on the elements of a domain. Dimensions that every access treats alike
/// are merged, so that loops are as long as they can be.
///
/// An operand that is a region argument is read through the op's map; one that is defined in the region has
/// the domain's shape, or one element that serves all.
class ElementwiseRegion {
public:
  /// `domain`: shape of the results. `outputs`: what is written, with strides for `domain`.
  ElementwiseRegion(train::KernelOp kernel, llvm::ArrayRef<int64_t> domain,
                    llvm::ArrayRef<ElementAccess> outputs);

  /// Extents of the merged dimensions; none when the domain has one element.
  llvm::ArrayRef<int64_t> extents() const { return merged; }
  size_t rank() const { return merged.size(); }
  /// With strides for the merged dimensions.
  llvm::ArrayRef<ElementAccess> inputs() const { return reads; }
  llvm::ArrayRef<ElementAccess> outputs() const { return writes; }
  /// f64 if a value of the region is f64, else f32.
  mlir::Type computeType() const { return compute; }

  /// Bytes moved and operations computed by all elements with one index in dimension `dim`.
  int64_t bytesPerIndex(size_t dim) const;
  int64_t flopsPerIndex(size_t dim) const;

  /// The memrefs of inputs(). Fails, with an error at the op, on a constant whose elements cannot be read.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>> buffers(KernelBuilder &b, const KernelCall &call) const;
  /// The same as strided views over those merged dimensions that move them.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>> views(KernelBuilder &b, const KernelCall &call) const;
  /// The same view of the memref of an output.
  mlir::Value view(KernelBuilder &b, mlir::Value buffer, const ElementAccess &access) const;
  /// The map from `dims` (of the merged ones, in order) to the dimensions of an access's view.
  mlir::AffineMap mapOf(const ElementAccess &access, llvm::ArrayRef<size_t> dims,
                        mlir::MLIRContext *context) const;

  /// Emits the formulas: the scalars of `wanted`, operands of ops in the region, from the elements of
  /// inputs(). `indexOf` gives the element's index in a merged dimension.
  llvm::SmallVector<mlir::Value> emit(KernelBuilder &b, mlir::ValueRange elements,
                                      llvm::MutableArrayRef<mlir::OpOperand> wanted,
                                      llvm::function_ref<mlir::Value(size_t)> indexOf) const;

private:
  train::KernelOp kernel;
  llvm::SmallVector<int64_t> domain, merged;
  llvm::SmallVector<ElementAccess> reads, writes;
  /// Which of `reads` an operand is, for those that are read from memory.
  llvm::DenseMap<mlir::OpOperand *, size_t> readOf;
  mlir::Type compute;
  int64_t flops = 0;

  void collectReads();
  void addRead(mlir::OpOperand &operand, const Strides &strides);
  Strides stridesOf(mlir::OpOperand &operand) const;
  void merge();
  int64_t elementsPerIndex(size_t dim) const;
};

/// The region of a "map" kernel, whose results have the domain's shape.
ElementwiseRegion mapRegion(train::KernelOp kernel);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_ELEMENTWISEREGION_H
