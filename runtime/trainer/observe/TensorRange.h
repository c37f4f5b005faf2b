// What the elements of a tensor are, in a few numbers.
#ifndef HALFSTEP_RUNTIME_TRAINER_OBSERVE_TENSORRANGE_H
#define HALFSTEP_RUNTIME_TRAINER_OBSERVE_TENSORRANGE_H

#include "runtime/trainer/data/Tensor.h"

namespace halfstep {

struct TensorRange {
  double min = 0, max = 0; ///< of the finite ones; only if there are any
  size_t count = 0, infinite = 0, nan = 0;

  size_t finite() const { return count - infinite - nan; }
};

TensorRange rangeOf(const TensorView &tensor);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_OBSERVE_TENSORRANGE_H
