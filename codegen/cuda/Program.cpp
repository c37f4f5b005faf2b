// See Program.h.
#include "codegen/cuda/Program.h"
#include "codegen/cuda/ThreadBuilder.h"

#include "codegen/cpu/KernelNames.h"
#include "passes/ArenaOffsets.h"

#include "dialect/interfaces/OpInterfaces.h"
#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace halfstep {

/// What staging places and scratch are aligned to.
static constexpr int64_t kStagingAlignment = 256;

static int64_t bytesOf(Type type) {
  auto shaped = cast<ShapedType>(type);
  return shaped.getNumElements() * shaped.getElementTypeBitWidth() / 8;
}

Operation *CudaProgram::gpuModule() const { return &(*module)->getRegion(0).front().front(); }

namespace {

class ProgramEmitter {
public:
  ProgramEmitter(MLIRContext *context, Location loc, int64_t arenaBytes)
      : b(loc, context), names("hs"), stagingBase(int64_t(llvm::alignTo(arenaBytes, kStagingAlignment))),
        end(stagingBase) {
    program.module = ModuleOp::create(loc);
    (*program.module)->setAttr(gpu::GPUDialect::getContainerModuleAttrName(), b.getUnitAttr());
    b.setInsertionPointToEnd(program.module->getBody());
    auto kernels = gpu::GPUModuleOp::create(b, "kernels");
    b.setInsertionPointToEnd(&kernels.getBodyRegion().front());
  }

  void addVariant(ModuleOp module) {
    planned = module;
    CudaVariant variant;
    placeInputs(variant);
    auto step = [&](StringRef name) { return emitStep(planned.lookupSymbol<func::FuncOp>(name), variant); };
    variant.train = step(train::kTrainStep);
    variant.eval = step(train::kEvalStep);
    variant.forward = step(train::kForward);
    program.variants.push_back(std::move(variant));
  }

  FailureOr<CudaProgram> finish() {
    if (hasFailed)
      return failure();
    placeScratch();
    return std::move(program);
  }

private:
  ImplicitLocOpBuilder b;
  KernelNames names;
  CudaProgram program;
  ModuleOp planned;
  bool hasFailed = false;
  /// Where staging begins, and where it ends for the variant that has most of it.
  const int64_t stagingBase;
  int64_t end;
  llvm::StringMap<size_t> numbers; ///< of kernels, by name

  //===--------------------------------------------------------------------===//
  // Places
  //===--------------------------------------------------------------------===//

  /// An argument that stands for the scratch memory until its place is known.
  static constexpr int64_t kScratch = -1;

  void placeInputs(CudaVariant &variant) {
    func::FuncOp step = planned.lookupSymbol<func::FuncOp>(train::kTrainStep);
    unsigned inputs = planned.lookupSymbol<func::FuncOp>(train::kForward).getNumArguments();
    int64_t at = stagingBase;
    for (auto [i, type] : llvm::enumerate(step.getArgumentTypes())) {
      (i < inputs ? variant.inputs : variant.targets).push_back(at);
      at += int64_t(llvm::alignTo(bytesOf(type), kStagingAlignment));
    }
    end = std::max(end, at);
  }

  void placeScratch() {
    int64_t scratch = 0;
    for (CudaVariant &variant : program.variants)
      for (std::vector<CudaLaunch> *step : {&variant.train, &variant.eval, &variant.forward})
        for (CudaLaunch &launch : *step) {
          scratch = std::max(scratch, launch.shape.scratchBytes);
          for (int64_t &argument : launch.arguments)
            argument = argument == kScratch ? end : argument;
        }
    program.arenaBytes = int64_t(llvm::alignTo(end + scratch, kStagingAlignment));
  }

  int64_t offsetOf(Value value, const CudaVariant &variant) {
    if (std::optional<int64_t> offset = arenaOffset(value))
      return *offset;
    size_t number = cast<BlockArgument>(rootOf(value)).getArgNumber();
    return number < variant.inputs.size() ? variant.inputs[number]
                                          : variant.targets[number - variant.inputs.size()];
  }

  int64_t offsetOf(const KernelOperand &operand, train::KernelOp kernel, const CudaVariant &variant) {
    switch (operand.kind) {
    case KernelOperand::Kind::Input:
      return offsetOf(kernel.getInputs()[operand.index], variant);
    case KernelOperand::Kind::Result:
      return (*kernel.getOffsets())[operand.index];
    case KernelOperand::Kind::Scalar:
      return scalarOffset(operand.name);
    case KernelOperand::Kind::State:
      return paramOffset(planned.lookupSymbol<train::ParamOp>(operand.name), operand.part);
    }
    llvm_unreachable("all kinds of operand are handled");
  }

  //===--------------------------------------------------------------------===//
  // Kernels
  //===--------------------------------------------------------------------===//

  /// A kernel function with one pointer an argument, of which no two overlap if one of them is written.
  template <typename Body>
  LogicalResult emitFunction(StringRef name, ArrayRef<Type> types, const LaunchShape &shape, Body body) {
    ImplicitLocOpBuilder::InsertionGuard guard(b);
    auto function = gpu::GPUFuncOp::create(b, name, b.getFunctionType(types, {}));
    function->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
    function->setAttr(NVVM::NVVMDialect::getMaxntidAttrName(),
                      b.getDenseI32ArrayAttr({int32_t(shape.threads())}));
    // Without it ptxas aims at several blocks at a time, and spills for that.
    function->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(), b.getI32IntegerAttr(1));
    for (auto [i, type] : llvm::enumerate(types)) {
      function.setArgAttr(unsigned(i), LLVM::LLVMDialect::getNoAliasAttrName(), b.getUnitAttr());
      if (cast<MemRefType>(type).getNumElements() > 1)
        function.setArgAttr(unsigned(i), LLVM::LLVMDialect::getAlignAttrName(),
                            b.getI64IntegerAttr(kArenaAlignment));
    }
    b.setInsertionPointToEnd(&function.getBody().front());
    gpu::ReturnOp::create(b);
    b.setInsertionPoint(function.getBody().front().getTerminator());
    // Shared buffers are arguments too, and adding one moves the list.
    SmallVector<Value> arguments(ValueRange(function.getArguments()).take_front(types.size()));
    if (succeeded(body(arguments)) && isLoops(function))
      return success();
    function.erase();
    return failure();
  }

  /// False for code that only the CPU has.
  static bool isLoops(gpu::GPUFuncOp function) {
    return !function
                .walk([](Operation *op) {
                  return isa<vector::VectorDialect>(op->getDialect()) ? WalkResult::interrupt()
                                                                      : WalkResult::advance();
                })
                .wasInterrupted();
  }

  LogicalResult emitKernelThreads(train::KernelOp kernel, StringRef name, const CudaForm &form,
                                  const LaunchShape &shape) {
    SmallVector<Type> types;
    for (const KernelOperand &operand : kernelOperands(kernel))
      types.push_back(operand.type);
    size_t count = types.size();
    if (shape.scratchBytes > 0)
      types.push_back(MemRefType::get({shape.scratchBytes}, b.getI8Type()));
    return emitFunction(name, types, shape, [&](ValueRange arguments) {
      KernelBuilder builder(b, kernel.getLoc(), cpuLevels().back());
      builder.isEager = roundsEagerly(kernel);
      Value scratch = count < arguments.size() ? arguments[count] : Value();
      return form.emit(builder, KernelCall{kernel, arguments.take_front(count), {}, {}, scratch});
    });
  }

  size_t numberOf(StringRef name) {
    auto [found, isNew] = numbers.try_emplace(name, program.kernels.size());
    if (isNew)
      program.kernels.push_back(name.str());
    return found->second;
  }

  static std::string sourceOf(train::KernelOp kernel) {
    std::string text;
    for (Operation &op : kernel.getBlock().without_terminator())
      if (!isa<nn::ConstantOp>(op))
        text += (text.empty() ? "" : " ") + op.getName().getStringRef().str();
    return text;
  }

  std::optional<CudaLaunch> emitLaunch(train::KernelOp kernel, const CudaVariant &variant) {
    CudaForm form = cudaFormOf(kernel);
    CudaLaunch launch;
    launch.shape = form.shape(kernel);
    auto [name, isNew] = names.nameOf(kernel);
    if (isNew && failed(emitKernelThreads(kernel, name, form, launch.shape))) {
      kernel.emitOpError() << "holds '" << coreOf(kernel)->getName() << "', which has no CUDA form";
      return {};
    }
    launch.kernel = numberOf(name);
    launch.source = sourceOf(kernel);
    for (const KernelOperand &operand : kernelOperands(kernel)) {
      launch.arguments.push_back(offsetOf(operand, kernel, variant));
      bool isState = operand.kind == KernelOperand::Kind::State;
      bool isAssigned = kernel.getKind() == "assign";
      if (operand.kind != KernelOperand::Kind::Result && !(isState && isAssigned))
        launch.bytesRead += bytesOf(operand.type);
      if (operand.kind == KernelOperand::Kind::Result || isState)
        launch.bytesWritten += bytesOf(operand.type);
    }
    if (launch.shape.scratchBytes > 0)
      launch.arguments.push_back(kScratch);
    return launch;
  }

  //===--------------------------------------------------------------------===//
  // Steps
  //===--------------------------------------------------------------------===//

  std::vector<CudaLaunch> emitStep(func::FuncOp step, const CudaVariant &variant) {
    std::vector<CudaLaunch> launches;
    for (auto kernel : step.getOps<train::KernelOp>()) {
      std::optional<CudaLaunch> launch = emitLaunch(kernel, variant);
      hasFailed |= !launch;
      if (launch)
        launches.push_back(std::move(*launch));
    }
    if (step.getSymName() != train::kForward)
      launches.push_back(storeLoss(step, variant));
    return launches;
  }

  /// The loss, where the runtime reads it: hs_scalars.loss.
  CudaLaunch storeLoss(func::FuncOp step, const CudaVariant &variant) {
    Value loss = step.getBody().front().getTerminator()->getOperand(0);
    Type element = getElementTypeOrSelf(loss);
    std::string name = "hs_loss_";
    llvm::raw_string_ostream(name) << element;
    CudaLaunch launch;
    launch.shape.block[0] = kWarp;
    if (!numbers.contains(name)) {
      SmallVector<Type> types{MemRefType::get({}, element), MemRefType::get({}, b.getF64Type())};
      (void)emitFunction(name, types, launch.shape, [&](ValueRange arguments) {
        KernelBuilder builder(b, step.getLoc(), cpuLevels().back());
        Value isFirst = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, threadInBlock(builder),
                                              builder.index(0));
        builder.when(isFirst, [&] {
          builder.storeScalar(builder.convert(builder.loadScalar(arguments[0]), builder.getF64Type()),
                              arguments[1]);
        });
        return success();
      });
    }
    launch.kernel = numberOf(name);
    launch.source = "loss";
    launch.arguments = {offsetOf(loss, variant), scalarOffset("loss")};
    return launch;
  }
};

} // namespace

FailureOr<CudaProgram> emitCudaProgram(ArrayRef<ModuleOp> planned, int64_t arenaBytes) {
  ModuleOp first = planned.front();
  MLIRContext *context = first.getContext();
  context->loadDialect<arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect, gpu::GPUDialect,
                       linalg::LinalgDialect, LLVM::LLVMDialect, NVVM::NVVMDialect, math::MathDialect,
                       memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect>();
  ProgramEmitter emitter(context, first.getLoc(), arenaBytes);
  for (ModuleOp module : planned)
    emitter.addVariant(module);
  return emitter.finish();
}

} // namespace halfstep
