// Reads a data file of any kind that the trainer knows.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATA_DATAFILE_H
#define HALFSTEP_RUNTIME_TRAINER_DATA_DATAFILE_H

#include "runtime/trainer/data/Tensor.h"

namespace halfstep {

enum class DataKind { Safetensors, Npz, Npy, Csv };

/// Tensors of a file, or of several .npy files whose tensors are in their order and have no names.
struct DataFile {
  DataKind kind;
  TensorFile file;
};

/// `data` is a path, or .npy paths joined by commas. The kind is told by the suffix, otherwise by the
/// contents. Throws Diagnostic Io or BadInput.
DataFile readData(const std::string &data);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATA_DATAFILE_H
