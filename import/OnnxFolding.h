// Evaluates the small tensor arithmetic around shapes that exporters leave in a graph.
#ifndef HALFSTEP_IMPORT_ONNXFOLDING_H
#define HALFSTEP_IMPORT_ONNXFOLDING_H

#include "import/OnnxNode.h"
#include "import/OnnxTensors.h"

#include <optional>

namespace halfstep {

/// The result of `node` when its op can be evaluated and `inputs` (null: not known, or absent) are all known;
/// nothing otherwise. `Shape` takes `shape`, that of its operand. Throws BadInput for operands that do not
/// fit.
std::optional<KnownTensor> foldNode(const OnnxNode &node, const std::vector<const KnownTensor *> &inputs,
                                    const Shape *shape);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_ONNXFOLDING_H
