// From planned modules to the kernels of a GPU and the lists of launches that steps are.
#ifndef HALFSTEP_CODEGEN_CUDA_PROGRAM_H
#define HALFSTEP_CODEGEN_CUDA_PROGRAM_H

#include "codegen/cuda/Launch.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>
#include <vector>

namespace halfstep {

/// One launch of a kernel. Arguments are byte offsets in the device's arena.
struct CudaLaunch {
  size_t kernel; ///< number in CudaProgram::kernels
  LaunchShape shape;
  std::vector<int64_t> arguments;
  std::string source;    ///< the ops that it computes: "nn.matmul nn.relu"
  int64_t bytesRead = 0; ///< elements of operands and results, each once
  int64_t bytesWritten = 0;
};

/// One batch size.
struct CudaVariant {
  std::vector<CudaLaunch> train, eval, forward;
  std::vector<int64_t> inputs, targets; ///< staging places in the arena
};

/// All kernels of a library.
struct CudaProgram {
  mlir::OwningOpRef<mlir::ModuleOp> module; ///< holds one gpu.module
  std::vector<std::string> kernels;
  std::vector<CudaVariant> variants;
  int64_t arenaBytes = 0; ///< with staging places and scratch

  mlir::Operation *gpuModule() const;
};

/// Makes the program of planned modules of one context, one a batch size, whose arenas are at most
/// `arenaBytes` long. Fails, with an error at each op without a CUDA form.
mlir::FailureOr<CudaProgram> emitCudaProgram(llvm::ArrayRef<mlir::ModuleOp> planned, int64_t arenaBytes);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_CUDA_PROGRAM_H
