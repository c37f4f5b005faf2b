// Entry of the export: a model file and trained weights in, an ONNX file for inference out.
#ifndef HALFSTEP_EXPORT_ONNXEXPORT_H
#define HALFSTEP_EXPORT_ONNXEXPORT_H

#include "import/Diagnostic.h"

#include <cstdint>
#include <string>
#include <vector>

namespace halfstep {

/// A weight under its name in the model.
struct ExportWeight {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<double> values; ///< row-major
};

struct ExportRequest {
  std::string model; ///< path of a .json or .onnx model
  std::vector<ExportWeight> weights;
  std::string weightsFile; ///< where they come from, for messages
  NoteSink note = [](const std::string &) {};
};

/// The bytes of the ONNX model with these weights: an .onnx model is that file with other values, in
/// inference mode; a .json model is written op by op. Parameters are initialisers of their own names, in f32
/// (f64 in a model that has them so); the batch is symbolic where the model's is. Throws Diagnostic: BadInput
/// when the weights are not the model's, Unsupported with all ops that cannot be written.
std::string exportOnnx(const ExportRequest &request);

} // namespace halfstep

#endif // HALFSTEP_EXPORT_ONNXEXPORT_H
