// Evaluates the small tensor arithmetic around shapes, positions and masks that exporters leave in a graph.
#ifndef HALFSTEP_IMPORT_ONNXFOLDING_H
#define HALFSTEP_IMPORT_ONNXFOLDING_H

#include "import/OnnxNode.h"
#include "import/OnnxTensors.h"

#include <optional>

namespace halfstep {

/// The result of `node` when its op can be evaluated and `inputs` (null: not known, or absent) are all known;
/// nothing otherwise. `Shape` and `Size` take `shape`, that of their operand. Extents that stand for the
/// batch stay symbolic; they are compared as `batch` samples have them. Throws BadInput for operands that do
/// not fit.
std::optional<KnownTensor> foldNode(const OnnxNode &node, const std::vector<const KnownTensor *> &inputs,
                                    const Shape *shape, int64_t batch);

/// What a Slice takes: starts, sizes and steps of each dimension. A dimension that stands for the batch is
/// taken whole, with a size of 0.
struct SliceRange {
  std::vector<int64_t> starts, sizes, steps;
};

/// The range of a Slice of a tensor of `shape`, `inputs` being those of the node; nothing when it is empty.
/// Throws BadInput for a part of the batch, and for operands that do not fit.
std::optional<SliceRange> sliceRange(const OnnxNode &node, const Shape &shape,
                                     const std::vector<const KnownTensor *> &inputs);

/// True for an op whose result depends on its operand's shape alone.
bool readsShapeOnly(const std::string &op);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_ONNXFOLDING_H
