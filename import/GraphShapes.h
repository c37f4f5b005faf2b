// Shape rules of the importer's op vocabulary.
#ifndef HALFSTEP_IMPORT_GRAPHSHAPES_H
#define HALFSTEP_IMPORT_GRAPHSHAPES_H

#include "import/Graph.h"

namespace halfstep {

/// Shapes of the results of `node`. `target` is the wanted shape of a reshape; `replacedBatch` is the batch
/// that the file had fixed (0: none), for the message when an extent that equals it cannot be rebound. Throws
/// Diagnostic.
std::vector<Shape> inferShapes(const Node &node, const std::vector<Shape> &operands, const Shape &target,
                               int64_t replacedBatch);

/// `axis` in [-rank, rank) as a dimension; BadInput otherwise.
int64_t normalizeAxis(int64_t axis, size_t rank, const Place &place);

/// Resolves a reshape's target. An extent 0 copies the input's at the same place (unless `zeroIsExtent`), -1
/// is inferred; at most one extent of -1. When `replacedBatch` is not 0, or an extent stands for the batch
/// already, the batch goes to the first extent that can hold it. Throws BadInput when the counts differ.
Shape resolveReshape(const Shape &input, Shape wanted, bool zeroIsExtent, int64_t replacedBatch,
                     const Place &place);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_GRAPHSHAPES_H
