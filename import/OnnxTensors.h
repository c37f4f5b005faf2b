// Tensors inside an ONNX file or beside it, read with every size checked.
#ifndef HALFSTEP_IMPORT_ONNXTENSORS_H
#define HALFSTEP_IMPORT_ONNXTENSORS_H

#include "import/Graph.h"

#include "onnx-ml.pb.h"

namespace halfstep {

/// A tensor that is known at import. Integer elements are extents: they may stand for the batch.
struct KnownTensor {
  bool integer = false;
  std::vector<int64_t> shape;
  std::vector<Dim> integers;   ///< row-major, when `integer` (BOOL too: 0 or 1)
  std::vector<double> numbers; ///< row-major, otherwise

  size_t size() const { return integer ? integers.size() : numbers.size(); }
  /// Integers of which none stands for the batch; BadInput otherwise.
  std::vector<int64_t> fixedIntegers(const Place &place) const;
  bool isScalar() const { return size() == 1; }
};

/// The extents of a tensor as a shape.
Shape fixedShape(const std::vector<int64_t> &extents);

/// Number of elements of `tensor`, every extent checked.
int64_t countElements(const onnx::TensorProto &tensor, const Place &place);

/// Name of an element type: "int64".
std::string onnxTypeName(int32_t type);

/// Reads `tensor`: f32, f64, int32, int64 or bool (Unsupported otherwise), from typed fields, raw bytes, or a
/// file that must lie in `folder` after symbolic links are resolved.
KnownTensor readTensor(const onnx::TensorProto &tensor, const std::string &folder, const Place &place);

/// Moves data that lie in another file into the tensor; of the types and from the places that readTensor
/// takes.
void takeInside(onnx::TensorProto &tensor, const std::string &folder, const Place &place);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_ONNXTENSORS_H
