// See Backend.h.
#include "codegen/library/Backend.h"

#include "import/Diagnostic.h"
#include "runtime/embedded/bitcode.h"

#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Linker/Linker.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Transforms/IPO/GlobalDCE.h"
#include "llvm/Transforms/IPO/Internalize.h"

#include <mutex>

using namespace llvm;

namespace halfstep {

static void initializeTarget() {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMInitializeX86AsmParser(); // for inline assembly of the runtime
}

static std::unique_ptr<TargetMachine> makeMachine() {
  static std::once_flag once;
  std::call_once(once, initializeTarget);
  const Triple triple("x86_64-pc-linux-gnu");
  std::string error;
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target)
    throw Diagnostic(ExitCode::Internal, "LLVM lacks the target x86-64: " + error);
  TargetOptions options;
  // A program that links the archive keeps only what it calls.
  options.FunctionSections = true;
  options.DataSections = true;
  return std::unique_ptr<TargetMachine>(target->createTargetMachine(
      triple, "x86-64", "", options, Reloc::PIC_, CodeModel::Small, CodeGenOptLevel::Aggressive));
}

Backend::Backend(const std::string &name) : context(std::make_unique<LLVMContext>()), machine(makeMachine()) {
  // Remarks and warnings are for developers of kernels, who use `--emit llvm` and opt.
  context->setDiagnosticHandlerCallBack(
      [](const DiagnosticInfo *info, void *self) {
        std::string &error = static_cast<Backend *>(self)->error;
        if (info->getSeverity() != DS_Error || !error.empty())
          return;
        raw_string_ostream stream(error);
        DiagnosticPrinterRawOStream printer(stream);
        info->print(printer);
      },
      this);
  context->setDiscardValueNames(false);
  linked = std::make_unique<Module>(name, *context);
  linked->setSourceFileName(name);
  linked->setTargetTriple(machine->getTargetTriple());
  linked->setDataLayout(machine->createDataLayout());
}

Backend::~Backend() = default;

void Backend::link(std::unique_ptr<Module> part) {
  part->setTargetTriple(linked->getTargetTriple());
  part->setDataLayout(linked->getDataLayout());
  part->setSourceFileName(linked->getSourceFileName());
  if (Linker::linkModules(*linked, std::move(part)))
    throw Diagnostic(ExitCode::Internal, "parts of the library cannot be linked: " + error);
}

void Backend::add(mlir::ModuleOp lowered) {
  mlir::MLIRContext &mlirContext = *lowered.getContext();
  mlir::registerBuiltinDialectTranslation(mlirContext);
  mlir::registerLLVMDialectTranslation(mlirContext);
  std::unique_ptr<Module> part = mlir::translateModuleToLLVMIR(lowered, *context, linked->getName());
  if (!part)
    throw Diagnostic(ExitCode::Internal, "the kernels cannot be translated to LLVM IR");
  link(std::move(part));
}

void Backend::add(StringRef bitcode) {
  Expected<std::unique_ptr<Module>> module =
      parseBitcodeFile(MemoryBufferRef(bitcode, linked->getName()), *context);
  if (!module)
    throw Diagnostic(ExitCode::Internal, "bitcode cannot be read: " + toString(module.takeError()));
  link(std::move(*module));
}

static StringRef asText(const unsigned char *data, size_t size) {
  return StringRef(reinterpret_cast<const char *>(data), size);
}

void Backend::addRuntime(bool primitives, bool cuda) {
  add(asText(halfstep_embedded_bc, halfstep_embedded_bc_size));
  if (primitives)
    add(asText(halfstep_embedded_onednn_bc, halfstep_embedded_onednn_bc_size));
  if (cuda)
    add(asText(halfstep_embedded_cuda_bc, halfstep_embedded_cuda_bc_size));
  // The compiler that made the bitcode is no part of the library.
  if (NamedMDNode *ident = linked->getNamedMetadata("llvm.ident"))
    ident->eraseFromParent();
}

static void verify(const Module &module) {
  std::string broken;
  raw_string_ostream stream(broken);
  if (verifyModule(module, &stream))
    throw Diagnostic(ExitCode::Internal, "the library's code is malformed: " + broken);
}

static void internalize(Module &module, const StringSet<> &kept) {
  internalizeModule(module, [&](const GlobalValue &value) { return kept.contains(value.getName()); });
}

void Backend::run(const std::function<ModulePassManager(PassBuilder &)> &pipeline) {
  PipelineTuningOptions tuning;
  tuning.SLPVectorization = true;
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager components;
  ModuleAnalysisManager modules;
  PassBuilder builder(machine.get(), tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  pipeline(builder).run(*linked, modules);
}

void Backend::optimize(const StringSet<> &kept) {
  verify(*linked);
  internalize(*linked, kept);
  // O3 takes half as long again for twice the code, because it unrolls more. Convolutions and transformers
  // are no faster for it, since their inner loops are written unrolled; a tiny MLP's step would gain 15 %.
  run([](PassBuilder &builder) { return builder.buildPerModuleDefaultPipeline(OptimizationLevel::O2); });
}

void Backend::hide(const StringSet<> &exported) {
  verify(*linked);
  internalize(*linked, exported);
  run([](PassBuilder &) {
    ModulePassManager passes;
    passes.addPass(GlobalDCEPass());
    return passes;
  });
}

std::string Backend::bitcode() const {
  std::string bytes;
  raw_string_ostream stream(bytes);
  WriteBitcodeToFile(*linked, stream);
  return bytes;
}

std::string Backend::ir() const {
  std::string text;
  raw_string_ostream stream(text);
  linked->print(stream, nullptr);
  return text;
}

void Backend::emit(CodeGenFileType kind, raw_pwrite_stream &stream) {
  legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr, kind))
    throw Diagnostic(ExitCode::Internal, "LLVM cannot emit code for x86-64");
  passes.run(*linked);
  if (!error.empty())
    throw Diagnostic(ExitCode::Internal, "code generation failed: " + error);
}

std::string Backend::assembly() {
  SmallVector<char, 0> bytes;
  raw_svector_ostream stream(bytes);
  emit(CodeGenFileType::AssemblyFile, stream);
  return std::string(bytes.begin(), bytes.end());
}

void Backend::writeObject(const std::string &path) {
  std::error_code failure;
  raw_fd_ostream stream(path, failure, sys::fs::CD_CreateNew);
  if (!failure) {
    emit(CodeGenFileType::ObjectFile, stream);
    stream.close();
    failure = stream.error();
    stream.clear_error();
  }
  if (failure)
    throw Diagnostic(ExitCode::Io, path + ": " + failure.message());
}

} // namespace halfstep
