// Reads an ONNX model into the neutral graph.
#ifndef HALFSTEP_IMPORT_ONNXREADER_H
#define HALFSTEP_IMPORT_ONNXREADER_H

#include "import/Graph.h"

#include <functional>

namespace halfstep {

/// `content` is the file's, `file` its path: for messages, and the folder where external data may lie.
/// Initialisers become parameters under their own names. A leading extent other than `batch` is rebound to
/// it. All unsupported nodes are named in one Diagnostic (Unsupported). `note` hears what training changes in
/// the exported graph.
Graph readOnnxModel(const std::string &content, const std::string &file, int64_t batch,
                    const std::function<void(const std::string &)> &note);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_ONNXREADER_H
