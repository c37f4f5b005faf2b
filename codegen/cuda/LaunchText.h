// The launches of a program as text.
#ifndef HALFSTEP_CODEGEN_CUDA_LAUNCHTEXT_H
#define HALFSTEP_CODEGEN_CUDA_LAUNCHTEXT_H

#include "codegen/cuda/Program.h"

#include <string>

namespace halfstep {

/// What a program of one batch size launches, as comments of PTX:
///
///   // train_step: 3 launches
///   //   hs_contraction0 grid 2x1x1 block 128 read 4096 written 1024: nn.matmul nn.relu
///
/// `read` and `written` are the bytes of a kernel's operands and results, each once.
std::string launchText(const CudaProgram &program);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CUDA_LAUNCHTEXT_H
