// See BatchWeight.h.
#include "runtime/trainer/BatchWeight.h"

namespace halfstep {

bool BatchWeight::isWeighted() const {
  return manifest.targets.size() == 1 && manifest.targets[0].classes > 0 &&
         (manifest.targets[0].ignore || !manifest.classWeights.empty());
}

template <typename Value>
double BatchWeight::sum(Batch &batch, size_t rows, Value value) const {
  const TensorSpec &target = manifest.targets[0];
  double total = 0;
  for (size_t row = 0; row < rows; ++row) {
    const std::byte *labels = batch.row(manifest.inputs.size(), row);
    for (size_t i = 0; i < target.sampleCount(); ++i) {
      auto id = int64_t(loadElement(target.type, labels + i * byteSize(target.type)));
      if (id != target.ignore)
        total += value(size_t(id));
    }
  }
  return total;
}

double BatchWeight::of(Batch &batch, size_t rows) const {
  if (!isWeighted())
    return double(rows);
  return sum(batch, rows,
             [&](size_t id) { return id < manifest.classWeights.size() ? manifest.classWeights[id] : 1.0; });
}

size_t BatchWeight::labels(Batch &batch, size_t rows) const {
  return size_t(sum(batch, rows, [](size_t) { return 1.0; }));
}

} // namespace halfstep
