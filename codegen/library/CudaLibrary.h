// The part of a library that runs on a GPU: images of its kernels and the launches of its steps.
#ifndef HALFSTEP_CODEGEN_LIBRARY_CUDALIBRARY_H
#define HALFSTEP_CODEGEN_LIBRARY_CUDALIBRARY_H

#include "codegen/cuda/Program.h"
#include "import/Diagnostic.h"
#include "import/Recipe.h"

#include "llvm/IR/Module.h"

#include <string>
#include <vector>

namespace halfstep {

/// All kernels in one form.
struct CudaImage {
  int architecture; ///< sm number of a cubin; 0: PTX
  std::string bytes;
};

struct CudaDescription {
  std::vector<std::string> kernels;
  std::vector<int64_t> sharedBytes; ///< of each kernel
  std::vector<CudaVariant> variants;
  std::vector<CudaImage> images; ///< PTX first
  int64_t arenaBytes = 0;
};

/// Describes a program that was lowered, with its PTX, and a cubin for each architecture that the recipe
/// names. A note says so when there is no ptxas to assemble them; Internal when it refuses.
CudaDescription describeCuda(const CudaProgram &program, const std::string &ptx, const Recipe &recipe,
                             const NoteSink &note);

/// The sm numbers that the recipe names. BadInput for what is no list of numbers; Device for one below what
/// the kernels need.
std::vector<int> cudaArchitectures(const Recipe &recipe);

/// Adds the table hs_cuda_model to `module`. `outputs`: per variant, where evaluation and forward leave
/// outputs.
struct CudaOutputs {
  int64_t batch;
  const std::vector<int64_t> *eval, *forward;
};
llvm::Constant *addCudaTable(llvm::Module &module, const CudaDescription &cuda,
                             const std::vector<CudaOutputs> &outputs);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_LIBRARY_CUDALIBRARY_H
