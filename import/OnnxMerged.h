// Gives parameters that an exporter merged their own initialisers again.
#ifndef HALFSTEP_IMPORT_ONNXMERGED_H
#define HALFSTEP_IMPORT_ONNXMERGED_H

#include "onnx-ml.pb.h"

#include <functional>
#include <string>

namespace halfstep {

/// torch's exporter keeps one of all initialisers that are equal, which for an untrained model are the ones
/// and zeros of all its normalisations and biases: trained like that, layers would share them. Where such an
/// initialiser, all of whose elements are equal, is read by nodes of different modules (as the nodes'
/// metadata tell), each module gets a copy under the name that the parameter had. `file` is the model's;
/// `note` is told.
void separateMerged(onnx::ModelProto &model, const std::string &file,
                    const std::function<void(const std::string &)> &note);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_ONNXMERGED_H
