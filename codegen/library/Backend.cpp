// See Backend.h.
#include "codegen/library/Backend.h"

#include "import/Diagnostic.h"
#include "runtime/embedded/bitcode.h"

#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Linker/Linker.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Passes/StandardInstrumentations.h"
#include "llvm/IR/PassTimingInfo.h"
#include "llvm/Transforms/IPO/GlobalDCE.h"
#include "llvm/Transforms/IPO/Internalize.h"

using namespace llvm;

namespace halfstep {

static std::unique_ptr<TargetMachine> makeMachine() {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMInitializeX86AsmParser(); // for inline assembly of the runtime
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

static std::unique_ptr<Module> parse(LLVMContext &context, const unsigned char *data, size_t size) {
  MemoryBufferRef buffer(StringRef(reinterpret_cast<const char *>(data), size), "runtime");
  Expected<std::unique_ptr<Module>> module = parseBitcodeFile(buffer, context);
  if (!module)
    throw Diagnostic(ExitCode::Internal,
                     "the embedded runtime cannot be read: " + toString(module.takeError()));
  return std::move(*module);
}

void Backend::addRuntime(bool primitives) {
  link(parse(*context, halfstep_embedded_bc, halfstep_embedded_bc_size));
  if (primitives)
    link(parse(*context, halfstep_embedded_onednn_bc, halfstep_embedded_onednn_bc_size));
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
  if (getenv("HS_NOSLP")) tuning.SLPVectorization = false;
  PassInstrumentationCallbacks pic; StandardInstrumentations si(*context, false, false); si.registerCallbacks(pic, &modules);
  PassBuilder builder(machine.get(), tuning, std::nullopt, &pic);
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
  if (getenv("HS_X"))
  for (Function &function : *linked)
    if (function.getName().contains("_range"))
      function.addFnAttr(Attribute::NoInline);
  if (getenv("HS_T")) {std::error_code ec; raw_fd_ostream o(getenv("HS_T"), ec); linked->print(o, nullptr);}
  run([](PassBuilder &builder) { return builder.buildPerModuleDefaultPipeline(getenv("HS_O2") ? OptimizationLevel::O2 : OptimizationLevel::O3); });
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

std::string Backend::ir() const {
  std::string text;
  raw_string_ostream stream(text);
  linked->print(stream, nullptr);
  return text;
}

std::string Backend::emit(CodeGenFileType kind) {
  SmallVector<char, 0> bytes;
  raw_svector_ostream stream(bytes);
  legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr, kind))
    throw Diagnostic(ExitCode::Internal, "LLVM cannot emit code for x86-64");
  passes.run(*linked);
  if (!error.empty())
    throw Diagnostic(ExitCode::Internal, "code generation failed: " + error);
  return std::string(bytes.begin(), bytes.end());
}

std::string Backend::assembly() { return emit(CodeGenFileType::AssemblyFile); }

std::string Backend::object() { return emit(CodeGenFileType::ObjectFile); }

} // namespace halfstep
