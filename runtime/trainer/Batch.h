// Memory for the samples of one step.
#ifndef HALFSTEP_RUNTIME_TRAINER_BATCH_H
#define HALFSTEP_RUNTIME_TRAINER_BATCH_H

#include "runtime/trainer/Manifest.h"

#include <cstddef>
#include <vector>

namespace halfstep {

/// One batch of the inputs and targets of a library, with the arrays of pointers that its functions take.
class Batch {
public:
  Batch(const std::vector<TensorSpec> &inputs, const std::vector<TensorSpec> &targets, int64_t size);

  const void *const *inputs() const { return pointers.data(); }
  const void *const *targets() const { return pointers.data() + inputCount; }

  /// Where row `row` of tensor `tensor` begins; the targets come after the inputs.
  std::byte *row(size_t tensor, size_t row) { return buffers[tensor].data() + row * rowBytes[tensor]; }

private:
  std::vector<std::vector<std::byte>> buffers;
  std::vector<size_t> rowBytes;
  std::vector<const void *> pointers;
  size_t inputCount;
};

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_BATCH_H
