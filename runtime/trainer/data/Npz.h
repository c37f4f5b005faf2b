// NumPy's .npz files: zip archives of .npy files, stored or deflated.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATA_NPZ_H
#define HALFSTEP_RUNTIME_TRAINER_DATA_NPZ_H

#include "runtime/trainer/data/Tensor.h"

namespace halfstep {

/// Every array under its name without ".npy". Checksums are verified. Archives and members from 4 GiB on
/// (zip64) are refused. Throws Diagnostic BadInput or Io.
TensorFile readNpz(const std::string &path);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATA_NPZ_H
