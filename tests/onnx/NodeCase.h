// The onnx package's node tests as models that the importer takes.
//
// A node test is one op with its inputs and the outputs expected of it. It has no batch, its inputs may be
// numbers or integers, and it has no loss. `assemble` puts several of them side by side into one training
// model.
#ifndef HALFSTEP_TESTS_ONNX_NODECASE_H
#define HALFSTEP_TESTS_ONNX_NODECASE_H

#include "onnx-ml.pb.h"

#include <string>
#include <vector>

namespace halfstep::test {

/// What the inputs of a case become. The first that the importer takes is used: an input that an op allows as
/// a constant only, such as the mean of a batch normalisation, is one there.
enum class Route {
  Values,       ///< floating inputs and truth values are inputs of the model, integers are constants
  Truths,       ///< as Values, but truth values are constants
  FirstIsValue, ///< the first floating input is one of the model, all others are initialisers
  Constants     ///< all are initialisers
};
inline constexpr Route kRoutes[] = {Route::Values, Route::Truths, Route::FirstIsValue, Route::Constants};
const char *nameOf(Route route);

struct NodeCase {
  std::string name; ///< of its folder: "test_abs"
  onnx::ModelProto model;
  std::vector<onnx::TensorProto> inputs, outputs;
  /// Why the case is not read at all: an input that is no tensor, an element type that no model here has.
  std::string excluded;
  Route route = Route::Values;

  /// Of the domain ai.onnx, at least 13: the ops of a case are the newest of their kind, and those of an
  /// older opset have not changed since.
  int64_t opset() const;
  bool isDouble() const;
  /// "Abs", or the ops of an expanded function, joined by a space.
  std::string ops() const;
};

/// Reads every folder below `path`, in the order of their names. Throws std::runtime_error.
std::vector<NodeCase> readCases(const std::string &path);

/// A value that is fed to the assembled model, or that it gives: a case's own, with an extent of 1 for the
/// batch.
struct AssembledTensor {
  const NodeCase *nodeCase;
  int index; ///< of NodeCase::inputs or NodeCase::outputs
  const onnx::TensorProto &tensor() const;
  bool output = false;
};

struct Assembled {
  onnx::ModelProto model;
  std::vector<AssembledTensor> inputs;  ///< of the model, after the first, which belongs to no case
  std::vector<AssembledTensor> outputs; ///< likewise
};

/// One model of all `cases`, which have the same opset and element type. The first input, [1, 1], and the
/// first output, a multiple of it by a parameter, belong to no case: they carry the loss.
Assembled assemble(const std::vector<const NodeCase *> &cases);

/// The name in the assembled model of the case's own value.
std::string assembledName(const NodeCase &nodeCase, const std::string &value);

/// The elements of a floating tensor or of truth values, in row-major order.
std::vector<double> elementsOf(const onnx::TensorProto &tensor);

} // namespace halfstep::test

#endif // HALFSTEP_TESTS_ONNX_NODECASE_H
