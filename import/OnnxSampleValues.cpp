// Tensors that are evaluated at import: their limits, and what they are as known tensors.
#include "import/OnnxSampleValues.h"

#include <algorithm>

namespace halfstep {

int64_t wholeNumber(double number) {
  constexpr double most = double(int64_t(1) << 62);
  return int64_t(std::clamp(number, -most, most));
}

size_t countCells(const Shape &shape) {
  size_t count = 1;
  for (const Dim &dim : shape) {
    if (dim.size < 1 || size_t(dim.size) > kMostSampleCells / count)
      return 0;
    count *= size_t(dim.size);
  }
  return count;
}

bool SampleTensor::isConstant() const {
  return std::all_of(cells.begin(), cells.end(), [](const Cell &cell) { return cell.isNumber(); });
}

std::optional<SampleTensor> sampleTensorOf(const KnownTensor &tensor) {
  SampleTensor result;
  result.integer = tensor.integer;
  result.shape = fixedShape(tensor.shape);
  if (tensor.size() > kMostSampleCells || (tensor.size() > 0 && countCells(result.shape) != tensor.size()))
    return {};
  for (double number : tensor.numbers)
    result.cells.push_back({number});
  for (const Dim &dim : tensor.integers) {
    Cell &cell = result.cells.emplace_back();
    if (dim.perSample)
      cell.batches = int32_t(dim.size);
    else
      cell.number = double(dim.size);
  }
  return result;
}

SampleTensor sampleTensorOf(const GraphInput &input) {
  SampleTensor result;
  result.shape = input.shape;
  result.input = input.name;
  result.cells.resize(countCells(input.shape));
  for (size_t i = 0; i < result.cells.size(); ++i) {
    result.cells[i].slope = 1;
    result.cells[i].element = int64_t(i);
  }
  return result;
}

std::optional<KnownTensor> knownTensorOf(const SampleTensor &tensor) {
  KnownTensor result;
  result.integer = tensor.integer;
  for (const Dim &dim : tensor.shape) {
    if (dim.perSample)
      return {};
    result.shape.push_back(dim.size);
  }
  for (const Cell &cell : tensor.cells) {
    if (cell.unknown || cell.element >= 0 || cell.samples ||
        (cell.batches && (cell.number != 0 || !tensor.integer)))
      return {};
    if (tensor.integer)
      result.integers.push_back(cell.batches ? Dim{cell.batches, true}
                                             : Dim{wholeNumber(cell.number), false});
    else
      result.numbers.push_back(cell.number);
  }
  return result;
}

std::optional<Shape> broadcastOf(const Shape &a, const Shape &b) {
  Shape result(std::max(a.size(), b.size()));
  for (size_t i = 0; i < result.size(); ++i) {
    Dim left = i < a.size() ? a[a.size() - 1 - i] : Dim(), right = i < b.size() ? b[b.size() - 1 - i] : Dim();
    if (left.size != right.size && left.size != 1 && right.size != 1)
      return {};
    bool perSample = left.perSample || right.perSample;
    // The batch is no fixed extent of more than 1.
    for (Dim side : {left, right})
      if (perSample && !side.perSample && side.size != 1)
        return {};
    result[result.size() - 1 - i] = {std::max(left.size, right.size), perSample};
  }
  return result;
}

} // namespace halfstep
