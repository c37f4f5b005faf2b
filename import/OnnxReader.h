// Reads an ONNX model into the neutral graph.
#ifndef HALFSTEP_IMPORT_ONNXREADER_H
#define HALFSTEP_IMPORT_ONNXREADER_H

#include "import/Graph.h"

#include "onnx-ml.pb.h"

#include <functional>

namespace halfstep {

/// The model in a file of this content; `file` is for messages. Throws Diagnostic BadInput.
onnx::ModelProto parseOnnx(const std::string &content, const std::string &file);

/// `content` is the file's, `file` its path: for messages, and the folder where external data may lie.
/// Initialisers become parameters under their own names, or those that they had in PyTorch (OnnxNames.h). A
/// leading extent other than `batch` is rebound to it. All unsupported nodes are named in one Diagnostic
/// (Unsupported). `note` hears what training changes in the exported graph.
Graph readOnnxModel(const std::string &content, const std::string &file, int64_t batch,
                    const std::function<void(const std::string &)> &note);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_ONNXREADER_H
