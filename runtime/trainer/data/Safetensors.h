// safetensors files: the header's length (8 bytes, little-endian), a JSON header, the tensors' bytes.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATA_SAFETENSORS_H
#define HALFSTEP_RUNTIME_TRAINER_DATA_SAFETENSORS_H

#include "runtime/trainer/data/Tensor.h"

namespace halfstep {

/// Reads and checks everything but the values: header length, duplicate names, types, shapes, and that the
/// data ranges tile the data exactly. Throws Diagnostic BadInput naming the tensor, or Io.
TensorFile readSafetensors(const std::string &path);

/// Writes the tensors in their order, atomically. Throws Diagnostic Io.
void writeSafetensors(const std::string &path, const std::vector<TensorView> &tensors,
                      const std::map<std::string, std::string> &metadata = {});

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATA_SAFETENSORS_H
