// What the folding of known tensors is written with, and the tables of rules.
#ifndef HALFSTEP_IMPORT_ONNXFOLDRULES_H
#define HALFSTEP_IMPORT_ONNXFOLDRULES_H

#include "import/OnnxFolding.h"

#include <map>

namespace halfstep {

/// More elements than shape arithmetic, positions and masks have; what is larger is data.
inline constexpr int64_t kMaxFolded = int64_t(1) << 22;

/// The node to be folded, and its operands.
struct Fold {
  const OnnxNode &node;
  const std::vector<const KnownTensor *> &in; ///< null: not known, or absent
  const Shape *shape;                         ///< of the operand, for Shape and Size
  int64_t batch;

  const KnownTensor &operand(size_t index) const {
    if (index >= in.size() || !in[index])
      node.place.badInput("input " + std::to_string(index) + " is missing");
    return *in[index];
  }
  bool has(size_t index) const { return index < in.size() && in[index]; }
  std::vector<int64_t> integers(size_t index) const { return operand(index).fixedIntegers(node.place); }
};

using Folded = std::optional<KnownTensor>;
using FoldRule = Folded (*)(const Fold &);
using FoldRules = std::map<std::string, FoldRule>;

/// Element by element: arithmetic, comparisons, choices, casts.
const FoldRules &elementFolds();
/// Shapes and parts: what moves, repeats or creates elements.
const FoldRules &partFolds();

/// Number of elements of `shape`; nothing beyond kMaxFolded, or with an extent below 0.
std::optional<size_t> foldedCount(const std::vector<int64_t> &shape);

/// The elements of `source` at `indices`, in the given shape.
KnownTensor pick(const KnownTensor &source, const std::vector<size_t> &indices, std::vector<int64_t> shape);

/// Calls `visit` with each index of `shape`, in row-major order.
template <typename Visit>
void forEachIndex(const std::vector<int64_t> &shape, Visit visit) {
  std::vector<int64_t> index(shape.size(), 0);
  for (int64_t extent : shape)
    if (extent == 0)
      return;
  for (;;) {
    visit(index);
    size_t dim = shape.size();
    while (dim-- > 0 && ++index[dim] == shape[dim])
      index[dim] = 0;
    if (dim == SIZE_MAX)
      return;
  }
}

/// The row-major place of the element that numpy's broadcasting gives `index` of a larger shape.
size_t broadcastPlace(const std::vector<int64_t> &shape, const std::vector<int64_t> &index);

/// The shape that numpy's broadcasting gives two; nothing when they do not broadcast.
std::optional<std::vector<int64_t>> broadcastExtents(std::vector<int64_t> a, std::vector<int64_t> b);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_ONNXFOLDRULES_H
