// Weights under their plain names, as PyTorch's state_dict has them.
#ifndef HALFSTEP_RUNTIME_TRAINER_WEIGHTS_H
#define HALFSTEP_RUNTIME_TRAINER_WEIGHTS_H

#include "runtime/trainer/Library.h"
#include "runtime/trainer/Trainer.h"

namespace halfstep {

/// The tensors of a file under plain names: of a checkpoint its parameters and buffers, from the masters
/// where there are any; of another file all.
std::vector<TensorView> plainWeights(const TensorFile &file);

/// The file of weights, or the checkpoint (a file, or a folder as in RunOptions::resume) at `path`, whose
/// checksums are verified. Throws Diagnostic.
TensorFile readWeights(const std::string &path);

/// Sets every parameter from the tensor of its name, converted to its type. Throws Diagnostic BadInput
/// listing names that are missing or unexpected (PyTorch's num_batches_tracked is let be), or naming a wrong
/// shape; then nothing was changed.
void loadWeights(Instance &instance, const std::string &path);

/// How the data of a run are to be read: as `options` ask, and otherwise as for the weights or the checkpoint
/// that they name.
DataFormat requestedFormat(const RunOptions &options);

/// Loads what `options` name: weights, or a checkpoint. Throws Diagnostic Usage for both at once, and for
/// none if `required`.
void restoreWeights(Instance &instance, const RunOptions &options, bool required);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_WEIGHTS_H
