// NumPy's .npy files.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATA_NPY_H
#define HALFSTEP_RUNTIME_TRAINER_DATA_NPY_H

#include "runtime/trainer/data/Tensor.h"

#include <span>

namespace halfstep {

/// The array in the bytes of a .npy file, versions 1 to 3, little-endian, C order. The view points into
/// `bytes`. `where` begins messages. Throws Diagnostic BadInput.
TensorView parseNpy(const std::string &where, std::span<const std::byte> bytes);

/// One tensor without a name. Throws Diagnostic BadInput or Io.
TensorFile readNpy(const std::string &path);

/// Writes atomically; BF16, which NumPy lacks, is a Diagnostic Internal. Throws Diagnostic Io.
void writeNpy(const std::string &path, const TensorView &tensor);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATA_NPY_H
