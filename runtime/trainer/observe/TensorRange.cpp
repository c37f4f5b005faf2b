// See TensorRange.h.
#include "runtime/trainer/observe/TensorRange.h"

#include <algorithm>
#include <cmath>

namespace halfstep {

TensorRange rangeOf(const TensorView &tensor) {
  TensorRange range;
  range.count = tensor.count;
  bool any = false;
  const size_t bytes = byteSize(tensor.type);
  for (size_t i = 0; i < tensor.count; ++i) {
    double value = loadElement(tensor.type, tensor.data + i * bytes);
    range.nan += std::isnan(value);
    range.infinite += std::isinf(value);
    if (!std::isfinite(value))
      continue;
    range.min = any ? std::min(range.min, value) : value;
    range.max = any ? std::max(range.max, value) : value;
    any = true;
  }
  return range;
}

} // namespace halfstep
