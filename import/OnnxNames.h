// Parameters that an exporter renamed, transposed or merged, as PyTorch had them.
#ifndef HALFSTEP_IMPORT_ONNXNAMES_H
#define HALFSTEP_IMPORT_ONNXNAMES_H

#include "import/Graph.h"

#include "onnx-ml.pb.h"

namespace halfstep {

/// A value that was an initialiser: the transpose of `parameter`, which took its place.
struct FoldedTranspose {
  std::string value, parameter;
};

/// What restoreParameterNames has found.
struct RestoredNames {
  std::vector<FoldedTranspose> transposes;
  std::vector<std::string> tied;  ///< weights that are an embedding's table, which a product reads transposed
  std::vector<std::string> apart; ///< parameters whose equal initial values had been merged
};

/// Changes initialisers back to what they were in PyTorch:
///   - The weight of a Linear, which exporters fold into "onnx::MatMul_12" or "val_3" [in, out], becomes
///   "fc1.weight"
///     [out, in]. Its name follows from the bias beside it, from the node's metadata, or from the node's
///     name. The folded transpose of an embedding's table becomes the table.
///   - A vector that is used under the name of another because their values were equal becomes a parameter of
///   its own,
///     where metadata name it.
/// What is not certain stays as it is. Nodes keep their places; the values of `transposes` are left without a
/// producer. `folder` is where external data may lie.
RestoredNames restoreParameterNames(onnx::ModelProto &model, const std::string &file,
                                    const std::string &folder);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_ONNXNAMES_H
