// Merging of dimensions.
#include "codegen/cpu/StridedDomain.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace halfstep {

Strides rowMajorStrides(ArrayRef<int64_t> shape) {
  Strides strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;)
    strides[i - 1] = strides[i] * shape[i];
  return strides;
}

Strides keptStrides(ArrayRef<int64_t> shape, ArrayRef<int64_t> axes) {
  Strides strides(shape.size(), 0);
  int64_t stride = 1;
  for (size_t dim = shape.size(); dim-- > 0;)
    if (!is_contained(axes, int64_t(dim))) {
      strides[dim] = stride;
      stride *= shape[dim];
    }
  return strides;
}

SmallVector<int64_t> mergeDimensions(ArrayRef<int64_t> extents, ArrayRef<Strides *> accesses) {
  SmallVector<int64_t> merged;
  SmallVector<Strides> walked(accesses.size());
  for (auto [dim, extent] : enumerate(extents)) {
    if (extent == 1)
      continue;
    bool joins = !merged.empty();
    for (auto [access, strides] : zip(accesses, walked))
      joins = joins && strides.back() == (*access)[dim] * extent;
    if (!joins)
      merged.push_back(1);
    merged.back() *= extent;
    for (auto [access, strides] : zip(accesses, walked)) {
      if (joins)
        strides.pop_back();
      strides.push_back((*access)[dim]);
    }
  }
  for (auto [access, strides] : zip(accesses, walked))
    *access = strides;
  return merged;
}

} // namespace halfstep
