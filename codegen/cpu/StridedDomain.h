// Index domains of strided memory accesses: how dimensions become loops.
#ifndef HALFSTEP_CODEGEN_CPU_STRIDEDDOMAIN_H
#define HALFSTEP_CODEGEN_CPU_STRIDEDDOMAIN_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace halfstep {

/// Elements to move in memory for one step of each dimension of a domain; 0 where the element stays.
using Strides = llvm::SmallVector<int64_t>;

/// Strides of a tensor that holds the elements of `shape` in row-major order.
Strides rowMajorStrides(llvm::ArrayRef<int64_t> shape);

/// Strides of a reduction's result over the dimensions of its operand: 0 along `axes`.
Strides keptStrides(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> axes);

/// Drops dimensions of one element from a domain and the strides of its accesses, and joins neighbours that
/// every access walks as one, so that loops are as long as they can be. Returns the extents that are left:
/// none for a domain of one element.
llvm::SmallVector<int64_t> mergeDimensions(llvm::ArrayRef<int64_t> extents,
                                           llvm::ArrayRef<Strides *> accesses);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CPU_STRIDEDDOMAIN_H
