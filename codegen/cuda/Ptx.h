// From the kernels of a program to PTX.
#ifndef HALFSTEP_CODEGEN_CUDA_PTX_H
#define HALFSTEP_CODEGEN_CUDA_PTX_H

#include "codegen/cuda/Program.h"

#include <string>

namespace halfstep {

/// The architecture that PTX is made for: the lowest with arithmetic on bf16.
inline constexpr int kPtxArchitecture = 80;

/// Lowers the program's kernels to the NVVM dialect, in place.
mlir::LogicalResult lowerToNvvm(CudaProgram &program);

/// PTX of a lowered program. Each kernel takes one pointer an argument and runs with the launch's block
/// shape. No CUDA toolkit is needed, and none of NVIDIA's libraries is linked.
mlir::FailureOr<std::string> emitPtx(const CudaProgram &program);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CUDA_PTX_H
