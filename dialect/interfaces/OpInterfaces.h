// C++ side of the op interfaces, and the shape arithmetic that several dialects share.
#ifndef HALFSTEP_DIALECT_INTERFACES_OPINTERFACES_H
#define HALFSTEP_DIALECT_INTERFACES_OPINTERFACES_H

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"

namespace halfstep {

/// numpy's broadcasting as an affine map of `rank` dimensions: trailing extents are aligned, extents of 1
/// read element 0.
mlir::AffineMap broadcastMap(llvm::ArrayRef<int64_t> shape, int64_t rank, mlir::MLIRContext *context);

/// The shape that numpy's broadcasting gives `lhs` and `rhs`; failure when an extent pair is neither equal
/// nor 1.
mlir::FailureOr<llvm::SmallVector<int64_t>> broadcastShape(llvm::ArrayRef<int64_t> lhs,
                                                           llvm::ArrayRef<int64_t> rhs);

/// The wider of two floating types: f64 > f32 > {bf16, f16}; bf16 with f16 gives f32, as in torch.
mlir::Type promoteTypes(mlir::Type lhs, mlir::Type rhs);

/// Type in which kernels compute on elements of `type`: f64 for f64, else f32.
mlir::Type computeType(mlir::Type type);

} // namespace halfstep

#include "dialect/interfaces/OpInterfaces.h.inc"

#endif // HALFSTEP_DIALECT_INTERFACES_OPINTERFACES_H
