// gpu.func -> NVVM -> PTX, all in process: no CUDA toolkit is needed.
#include "codegen/cuda/Ptx.h"
#include "codegen/cuda/ExpandMath.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;

namespace halfstep {

/// The lowest architecture with bf16 arithmetic, and the PTX version that has all we use of it.
static constexpr llvm::StringLiteral kChip = "sm_80", kFeatures = "+ptx70";

static LogicalResult runLowering(ModuleOp module) {
  PassManager manager(module.getContext());
  OpPassManager &gpu = manager.nest<gpu::GPUModuleOp>();
  gpu.addPass(createConvertLinalgToLoopsPass());
  gpu.addPass(createCanonicalizerPass());
  gpu.addPass(createCSEPass());
  gpu.addPass(createExpandMathPass());
  gpu.addPass(memref::createExpandStridedMetadataPass());
  gpu.addPass(createLowerAffinePass());
  gpu.addPass(createSCFToControlFlowPass());
  ConvertGpuOpsToNVVMOpsOptions options;
  options.useBarePtrCallConv = true;
  gpu.addPass(createConvertGpuOpsToNVVMOps(options));
  gpu.addPass(createCanonicalizerPass());
  gpu.addPass(createReconcileUnrealizedCastsPass());
  return manager.run(module);
}

static std::unique_ptr<llvm::TargetMachine> nvptxMachine(std::string &error) {
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTarget();
  LLVMInitializeNVPTXTargetMC();
  LLVMInitializeNVPTXAsmPrinter();
  llvm::Triple triple("nvptx64-nvidia-cuda");
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  return std::unique_ptr<llvm::TargetMachine>(
      target->createTargetMachine(triple, kChip, kFeatures, llvm::TargetOptions(), llvm::Reloc::PIC_, {},
                                  llvm::CodeGenOptLevel::Aggressive));
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager calls;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(calls);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, calls, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(module, modules);
}

static FailureOr<std::string> translateToPtx(gpu::GPUModuleOp gpuModule) {
  DialectRegistry registry;
  registerBuiltinDialectTranslation(registry);
  registerGPUDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
  gpuModule.getContext()->appendDialectRegistry(registry);
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module = translateModuleToLLVMIR(gpuModule, context, "halfstep");
  std::string error;
  std::unique_ptr<llvm::TargetMachine> machine = nvptxMachine(error);
  if (!module || !machine)
    return gpuModule.emitError() << "cannot make PTX: "
                                 << (error.empty() ? "the kernels do not translate" : error);
  module->setTargetTriple(machine->getTargetTriple());
  module->setDataLayout(machine->createDataLayout());
  optimize(*module, *machine);
  llvm::SmallString<0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::AssemblyFile))
    return gpuModule.emitError() << "this LLVM cannot write PTX";
  passes.run(*module);
  return std::string(text.str());
}

/// convert-gpu-to-nvvm asks the dialects for their conversions.
static void registerConversions(MLIRContext *context) {
  DialectRegistry conversions;
  arith::registerConvertArithToLLVMInterface(conversions);
  cf::registerConvertControlFlowToLLVMInterface(conversions);
  registerConvertMemRefToLLVMInterface(conversions);
  context->appendDialectRegistry(conversions);
}

LogicalResult lowerToNvvm(CudaProgram &program) {
  registerConversions(program.module->getContext());
  if (failed(runLowering(*program.module)))
    return failure();
  // A function that is left would be one of libdevice's.
  WalkResult calls = program.module->walk([](LLVM::CallOp call) {
    call.emitError() << "needs '" << call.getCallee().value_or("a function") << "', which has no CUDA form";
    return WalkResult::interrupt();
  });
  return failure(calls.wasInterrupted());
}

FailureOr<std::string> emitPtx(const CudaProgram &program) {
  return translateToPtx(cast<gpu::GPUModuleOp>(program.gpuModule()));
}

} // namespace halfstep
