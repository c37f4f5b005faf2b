// See CudaLibrary.h.
#include "codegen/library/CudaLibrary.h"
#include "codegen/cuda/Ptx.h"
#include "codegen/library/Assembler.h"
#include "codegen/library/Contract.h"
#include "codegen/library/Record.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"

using namespace llvm;

namespace halfstep {

//===----------------------------------------------------------------------===//
// Description
//===----------------------------------------------------------------------===//

std::vector<int> cudaArchitectures(const Recipe &recipe) {
  std::vector<int> list;
  SmallVector<StringRef> words;
  StringRef(recipe.cudaArch).split(words, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef word : words) {
    int number = 0;
    if (word.trim().getAsInteger(10, number) || number <= 0)
      throw Diagnostic(ExitCode::BadInput,
                       "/cuda_arch: expected sm numbers such as '80,90', got '" + recipe.cudaArch + "'");
    if (number < kPtxArchitecture)
      throw Diagnostic(ExitCode::Device, "/cuda_arch: sm_" + std::to_string(number) +
                                             " is not covered: the kernels of '" + recipe.precision.name +
                                             "' need sm_" + std::to_string(kPtxArchitecture) + " or above");
    list.push_back(number);
  }
  return list;
}

/// Bytes of shared memory by name of the kernel: what the globals of shared memory take that it refers to.
static StringMap<int64_t> sharedMemory(const CudaProgram &program) {
  constexpr unsigned sharedSpace = 3;
  StringMap<int64_t> bytes;
  auto module = mlir::cast<mlir::gpu::GPUModuleOp>(program.gpuModule());
  for (auto function : module.getOps<mlir::LLVM::LLVMFuncOp>()) {
    StringMap<int64_t> globals;
    function.walk([&](mlir::LLVM::AddressOfOp address) {
      auto global = module.lookupSymbol<mlir::LLVM::GlobalOp>(address.getGlobalName());
      if (!global || global.getAddrSpace() != sharedSpace)
        return;
      int64_t size = 1;
      mlir::Type type = global.getType();
      while (auto array = mlir::dyn_cast<mlir::LLVM::LLVMArrayType>(type)) {
        size *= array.getNumElements();
        type = array.getElementType();
      }
      globals[address.getGlobalName()] = size * type.getIntOrFloatBitWidth() / 8;
    });
    for (const auto &global : globals)
      bytes[function.getName()] += global.second;
  }
  return bytes;
}

CudaDescription describeCuda(const CudaProgram &program, const std::string &ptx, const Recipe &recipe,
                             const NoteSink &note) {
  CudaDescription cuda;
  cuda.kernels = program.kernels;
  cuda.variants = program.variants;
  cuda.arenaBytes = program.arenaBytes;
  StringMap<int64_t> shared = sharedMemory(program);
  for (const std::string &kernel : cuda.kernels)
    cuda.sharedBytes.push_back(shared.lookup(kernel));
  cuda.images.push_back({0, ptx});
  const std::vector<int> architectures = cudaArchitectures(recipe);
  if (architectures.empty())
    return cuda;
  const std::optional<std::string> ptxas = findPtxas();
  if (!ptxas)
    note("no ptxas was found, so the library holds PTX alone, which the driver assembles at the first load; "
         "set "
         "HALFSTEP_PTXAS or install the CUDA toolkit for cubins");
  for (int architecture : ptxas ? architectures : std::vector<int>())
    cuda.images.push_back({architecture, assemble(*ptxas, ptx, architecture).cubin});
  return cuda;
}

//===----------------------------------------------------------------------===//
// Table
//===----------------------------------------------------------------------===//

namespace {

class CudaTableWriter {
public:
  CudaTableWriter(Module &module, const CudaDescription &cuda) : module(module), cuda(cuda) {}

  Constant *write(const std::vector<CudaOutputs> &outputs) {
    RecordArray<hs_cuda_model> table(1);
    hs_cuda_model &model = table.items[0];
    model.image_count = int32_t(cuda.images.size());
    model.kernel_count = int32_t(cuda.kernels.size());
    model.variant_count = int32_t(cuda.variants.size());
    model.arena_bytes = cuda.arenaBytes;
    table.point(model.images, images());
    table.point(model.kernels, kernels());
    table.point(model.variants, variants(outputs));
    return table.write(module, "hs_cuda_model");
  }

private:
  Module &module;
  const CudaDescription &cuda;

  Constant *images() {
    RecordArray<hs_cuda_image> table(cuda.images.size());
    for (auto [item, image] : zip_equal(table.items, cuda.images)) {
      item.arch = image.architecture;
      item.min_arch = image.architecture ? image.architecture : kPtxArchitecture;
      // std::string ends with a NUL, which is part of a PTX image.
      item.bytes = image.bytes.size() + (image.architecture ? 0 : 1);
      table.point(item.data, addBytes(module, "image", image.bytes.c_str(), item.bytes, HS_ALIGNMENT));
    }
    return table.write(module, "images");
  }

  Constant *kernels() {
    RecordArray<hs_cuda_kernel> table(cuda.kernels.size());
    for (auto [item, name, bytes] : zip_equal(table.items, cuda.kernels, cuda.sharedBytes)) {
      item.shared_bytes = int32_t(bytes);
      table.point(item.name, addString(module, name.c_str()));
    }
    return table.write(module, "kernels");
  }

  Constant *launches(const std::vector<CudaLaunch> &step) {
    RecordArray<hs_cuda_launch> table(step.size());
    for (auto [item, launch] : zip_equal(table.items, step)) {
      item.kernel = int32_t(launch.kernel);
      for (size_t dim = 0; dim < 3; ++dim) {
        item.grid[dim] = uint32_t(launch.shape.grid[dim]);
        item.block[dim] = uint32_t(launch.shape.block[dim]);
      }
      item.arg_count = int32_t(launch.arguments.size());
      table.point(item.arg_offsets, addValues(module, "arguments", launch.arguments));
    }
    return table.write(module, "launches");
  }

  Constant *variants(const std::vector<CudaOutputs> &outputs) {
    RecordArray<hs_cuda_variant> table(cuda.variants.size());
    for (auto [item, variant, places] : zip_equal(table.items, cuda.variants, outputs)) {
      item.batch = places.batch;
      auto setStep = [&, &table = table](hs_cuda_step &step, const std::vector<CudaLaunch> &launched) {
        step.launch_count = int32_t(launched.size());
        table.point(step.launches, launches(launched));
      };
      setStep(item.train, variant.train);
      setStep(item.eval, variant.eval);
      setStep(item.forward, variant.forward);
      table.point(item.input_offset, addValues(module, "offsets", variant.inputs));
      table.point(item.target_offset, addValues(module, "offsets", variant.targets));
      table.point(item.eval_output_offset, addValues(module, "offsets", *places.eval));
      table.point(item.forward_output_offset, addValues(module, "offsets", *places.forward));
    }
    return table.write(module, "cuda_variants");
  }
};

} // namespace

Constant *addCudaTable(Module &module, const CudaDescription &cuda, const std::vector<CudaOutputs> &outputs) {
  return CudaTableWriter(module, cuda).write(outputs);
}

} // namespace halfstep
