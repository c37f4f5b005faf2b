// The library that `bench --profile` runs: its training step writes down when each kernel ended, and a file
// beside it tells what the kernels are.
#ifndef HALFSTEP_CODEGEN_LIBRARY_PROFILE_H
#define HALFSTEP_CODEGEN_LIBRARY_PROFILE_H

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace halfstep {

/// The exported uint64_t[kernels + 1] of a profiling library: the time stamp counter at the start of the last
/// training step and after each of its kernels.
std::string stampsSymbol(const std::string &name);

/// NAME.profile.json: {"kernels": [{"layer", "kind", "ops", "flops", "bytes", "compute"}, ...]} in the order
/// of the training step of a planned module.
std::string profileText(mlir::ModuleOp planned);

/// Kernels of the training step.
int64_t trainKernelCount(mlir::ModuleOp planned);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_LIBRARY_PROFILE_H
