// Reads a data file of any kind that the trainer knows.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATA_DATAFILE_H
#define HALFSTEP_RUNTIME_TRAINER_DATA_DATAFILE_H

#include "runtime/trainer/data/Tensor.h"

namespace halfstep {

enum class DataKind { Safetensors, Npz, Npy, Csv, Text, Images };

/// The forms of data, for help texts and messages.
inline constexpr const char *dataForms = ".safetensors, .npz, .npy (as x.npy,y.npy), .csv, .txt for "
                                         "next-character models, or a folder of .png by class";

/// Tensors of a file, or of several .npy files whose tensors are in their order and have no names.
struct DataFile {
  DataKind kind;
  TensorFile file;
};

/// What `data` is: a path, or .npy paths joined by commas. Told by the suffix, otherwise by the contents; a
/// folder is one of images. Throws Diagnostic Io or BadInput.
DataKind kindOfData(const std::string &data);

/// Reads data of tensors: not Text, not Images. `csvTarget` and `targetNeeded` as
/// in readCsv. Throws Diagnostic Io or BadInput.
DataFile readData(const std::string &data, const std::string &csvTarget = "", bool targetNeeded = true);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATA_DATAFILE_H
