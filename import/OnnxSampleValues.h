// Tensors of integers, truths and the masks made of them, evaluated at import: their elements follow from
// extents, places, the number of a sample and the integers of one input. Exporters compute attention's masks
// from such tensors by many small ops.
#ifndef HALFSTEP_IMPORT_ONNXSAMPLEVALUES_H
#define HALFSTEP_IMPORT_ONNXSAMPLEVALUES_H

#include "import/OnnxNode.h"
#include "import/OnnxTensors.h"

#include <optional>

namespace halfstep {

/// number + batches * N + samples * n for sample n of N. With `element` >= 0 it depends on that element x of
/// the input's sample: `slope` * x is added, or, with a `slope` of 0, it is `number` where x is not 0, else
/// `otherwise`.
struct Cell {
  double number = 0, otherwise = 0, slope = 0;
  int64_t element = -1;
  int32_t batches = 0, samples = 0;
  bool unknown = false;

  bool isNumber() const { return element < 0 && batches == 0 && samples == 0 && !unknown; }
  bool isChoice() const { return element >= 0 && slope == 0 && batches == 0 && samples == 0 && !unknown; }
  bool operator==(const Cell &) const = default;
};

/// More elements than the masks of any context that is exported with a mask of its own.
inline constexpr size_t kMostSampleCells = size_t(1) << 22;

/// Elements of one sample; 0 for none, and for more than kMostSampleCells.
size_t countCells(const Shape &shape);
/// The integer that a cell's number is, within what slices use for "to the end".
int64_t wholeNumber(double number);

struct SampleTensor {
  bool integer = true;
  Shape shape;             ///< at most one extent is per sample
  std::vector<Cell> cells; ///< of one sample, row-major
  std::string input;       ///< whose elements the cells depend on; "" when on none

  bool isConstant() const;
};

/// What a known tensor is in these terms; nothing for one that is too large.
std::optional<SampleTensor> sampleTensorOf(const KnownTensor &tensor);
/// An input of integers, each its own element.
SampleTensor sampleTensorOf(const GraphInput &input);
/// The reverse, for integers and numbers that depend on nothing but the batch's size.
std::optional<KnownTensor> knownTensorOf(const SampleTensor &tensor);

/// True for ops that can be evaluated here.
bool isSampleOp(const std::string &op);
/// The result of a node whose operands are all given (null: absent); nothing when it cannot be expressed.
std::optional<SampleTensor> evaluateSamples(const OnnxNode &node,
                                            const std::vector<const SampleTensor *> &operands,
                                            int64_t replacedBatch);

/// `tensor` repeated to `shape`, to which its own must broadcast; nothing when it does not.
std::optional<SampleTensor> broadcastSamples(const SampleTensor &tensor, const Shape &shape);
/// The shape that both broadcast to; nothing when there is none.
std::optional<Shape> broadcastOf(const Shape &a, const Shape &b);

// Families of ops (OnnxSampleMath.cpp); each returns nothing for what it does not have.
using SampleOperands = std::vector<const SampleTensor *>;
bool isSampleMath(const std::string &op);
std::optional<SampleTensor> evaluateSampleMath(const OnnxNode &node, const SampleOperands &operands);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_ONNXSAMPLEVALUES_H
