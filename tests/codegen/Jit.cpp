// From the text of a kernel to machine code in this process: emitKernelFunction, lowerToLlvm, LLVM at -O3,
// LLJIT.
#include "Jit.h"

#include "codegen/cpu/LowerToLlvm.h"
#include "dialect/amp/AmpDialect.h"
#include "dialect/nn/NNDialect.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/InitAllDialects.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/ExecutionEngine/Orc/ObjectTransformLayer.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include <chrono>
#include <stdexcept>

using namespace mlir;

namespace halfstep::test {

static constexpr const char *kernelName = "kernel_under_test", *entryName = "call_kernel_under_test";

namespace {

/// Collects diagnostics, so that a failure can be thrown with its reason.
class Diagnostics {
public:
  explicit Diagnostics(MLIRContext *context)
      : handler(context, [this](Diagnostic &diagnostic) { text += diagnostic.str() + "\n"; }) {}
  [[noreturn]] void fail(const std::string &what) const { throw std::runtime_error(what + ": " + text); }

private:
  std::string text;
  ScopedDiagnosticHandler handler;
};

class Stopwatch {
public:
  double milliseconds() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  }

private:
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
};

template <typename T>
T orThrow(llvm::Expected<T> value) {
  if (!value)
    throw std::runtime_error(llvm::toString(value.takeError()));
  return std::move(*value);
}

void orThrow(llvm::Error error) {
  if (error)
    throw std::runtime_error(llvm::toString(std::move(error)));
}

} // namespace

static std::unique_ptr<MLIRContext> makeContext() {
  DialectRegistry registry;
  registerAllDialects(registry);
  registry.insert<nn::NNDialect, amp::AmpDialect, train::TrainDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  auto context = std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  for (StringRef name : {"affine", "arith", "cf", "func", "linalg", "llvm", "math", "memref", "scf", "tensor",
                         "ub", "vector", "x86vector", "nn", "amp", "train"})
    context->getOrLoadDialect(name);
  return context;
}

KernelSource::KernelSource(const std::string &moduleText) : context(makeContext()) {
  Diagnostics diagnostics(context.get());
  module = parseSourceString<ModuleOp>(moduleText, context.get());
  if (!module)
    diagnostics.fail("cannot parse");
  module->walk([&](train::KernelOp found) { kernel = found; });
  if (!kernel)
    diagnostics.fail("no train.kernel in the module");
}

KernelSource::~KernelSource() = default;

struct JitKernel::Code {
  explicit Code(const std::string &moduleText) : source(moduleText) {}
  KernelSource source; // owns the types of the arguments
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

/// void entry(ptr data[], i64 lo, i64 hi, ptr scratch): calls the kernel's function with its pointers apart.
static void addEntry(llvm::Module &module, size_t operandCount) {
  llvm::IRBuilder<> b(module.getContext());
  llvm::Type *pointer = b.getPtrTy(), *index = b.getInt64Ty();
  auto *type = llvm::FunctionType::get(b.getVoidTy(), {pointer, index, index, pointer}, false);
  auto *entry = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, entryName, module);
  b.SetInsertPoint(llvm::BasicBlock::Create(module.getContext(), "", entry));
  SmallVector<llvm::Value *> arguments;
  for (size_t i = 0; i < operandCount; ++i)
    arguments.push_back(b.CreateLoad(pointer, b.CreateConstGEP1_64(pointer, entry->getArg(0), i)));
  for (unsigned i = 1; i < 4; ++i)
    arguments.push_back(entry->getArg(i));
  b.CreateCall(module.getFunction(kernelName), arguments);
  b.CreateRetVoid();
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder passes(&machine);
  passes.registerModuleAnalyses(modules);
  passes.registerCGSCCAnalyses(callGraph);
  passes.registerFunctionAnalyses(functions);
  passes.registerLoopAnalyses(loops);
  passes.crossRegisterProxies(loops, functions, callGraph, modules);
  passes.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(module, modules);
}

static std::string printAssembly(const llvm::Module &module, llvm::TargetMachine &machine) {
  std::unique_ptr<llvm::Module> copy = llvm::CloneModule(module);
  SmallString<0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::AssemblyFile))
    throw std::runtime_error("this target prints no assembly");
  passes.run(*copy);
  return std::string(text);
}

static llvm::orc::JITTargetMachineBuilder hostMachine() {
  static const bool initialized = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    return true;
  }();
  (void)initialized;
  // Not the host's features: they would be added to those of the level.
  llvm::orc::JITTargetMachineBuilder builder{llvm::Triple(llvm::sys::getProcessTriple())};
  builder.setCodeGenOptLevel(llvm::CodeGenOptLevel::Aggressive);
  return builder;
}

/// Fails on code that calls the compiler's runtime, as for conversions that an instruction set lacks:
/// generated libraries link none.
static llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
refuseRuntimeCalls(std::unique_ptr<llvm::MemoryBuffer> object) {
  auto file = llvm::object::ObjectFile::createObjectFile(object->getMemBufferRef());
  if (!file)
    return file.takeError();
  for (const llvm::object::SymbolRef &symbol : (*file)->symbols()) {
    llvm::Expected<uint32_t> flags = symbol.getFlags();
    llvm::Expected<StringRef> name = symbol.getName();
    if (!flags || !name)
      return llvm::joinErrors(flags.takeError(), name.takeError());
    if ((*flags & llvm::object::SymbolRef::SF_Undefined) && name->starts_with("__"))
      return llvm::createStringError("the kernel calls " + *name);
  }
  return object;
}

JitKernel::JitKernel(const std::string &moduleText, const CpuLevel &level, const JitOptions &options)
    : code(std::make_unique<Code>(moduleText)) {
  compile(level, options);
}
JitKernel::~JitKernel() = default;
JitKernel::JitKernel(JitKernel &&) = default;

void JitKernel::compile(const CpuLevel &level, const JitOptions &options) {
  KernelSource &source = code->source;
  Diagnostics diagnostics(source.context.get());
  arguments = kernelOperands(source.kernel);
  plan = planKernel(source.kernel, level);

  Stopwatch mlirTime;
  OwningOpRef<ModuleOp> target = ModuleOp::create(source.kernel.getLoc());
  if (failed(emitKernelFunction(*target, kernelName, source.kernel, level)))
    diagnostics.fail("cannot emit");
  if (failed(lowerToLlvm(*target, level)))
    diagnostics.fail("cannot lower");
  llvm::raw_string_ostream(llvmText) << *target;
  mlirMilliseconds = mlirTime.milliseconds();

  Stopwatch llvmTime;
  auto llvmContext = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<llvm::Module> module = translateModuleToLLVMIR(*target, *llvmContext);
  if (!module)
    diagnostics.fail("cannot translate");
  auto machineBuilder = hostMachine();
  auto machine = orThrow(machineBuilder.createTargetMachine());
  module->setDataLayout(machine->createDataLayout());
  module->setTargetTriple(machine->getTargetTriple());
  addEntry(*module, arguments.size());
  optimize(*module, *machine);
  if (options.keepAssembly)
    assemblyText = printAssembly(*module, *machine);
  code->jit = orThrow(llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(machineBuilder).create());
  code->jit->getObjTransformLayer().setTransform(refuseRuntimeCalls);
  orThrow(code->jit->addIRModule(llvm::orc::ThreadSafeModule(std::move(module), std::move(llvmContext))));
  entry = orThrow(code->jit->lookup(entryName)).toPtr<decltype(entry)>();
  llvmMilliseconds = llvmTime.milliseconds();
}

static std::string typeName(Type type) {
  std::string name;
  llvm::raw_string_ostream(name) << type;
  return name;
}

std::vector<Buffer> JitKernel::makeBuffers() const {
  std::vector<Buffer> buffers;
  for (const KernelOperand &argument : arguments)
    buffers.emplace_back(typeName(argument.type.getElementType()), argument.type.getNumElements());
  return buffers;
}

void JitKernel::run(std::vector<Buffer> &buffers, int64_t chunk) const {
  std::vector<void *> data;
  for (Buffer &buffer : buffers)
    data.push_back(buffer.data());
  if (chunk <= 0)
    chunk = plan.items;
  int64_t ranges = (plan.items + chunk - 1) / chunk;
  for (int64_t i = ranges; i-- > 0;) {
    Buffer scratch("i8", std::max<int64_t>(plan.scratchBytes, 1));
    std::memset(scratch.data(), i % 2 ? 0xff : 0x41, size_t(scratch.size()));
    run(data, i * chunk, std::min(plan.items, (i + 1) * chunk), scratch.data());
    if (!scratch.guardsIntact())
      throw std::runtime_error("the kernel wrote outside its scratch buffer");
  }
}

std::vector<const CpuLevel *> hostLevels() {
  std::vector<const CpuLevel *> levels;
  for (const CpuLevel &level : cpuLevels())
    if (!level.bf16Dot || __builtin_cpu_supports("avx512bf16"))
      levels.push_back(&level);
  return levels;
}

} // namespace halfstep::test
