// Emits step functions: one call a kernel, with the addresses that plan-memory chose.
//
// A kernel is a function over memrefs and a range of items. Around it stands a range function in the form
// that the runtime's parallel_for takes, which knows the addresses; a step calls the range function itself
// when the work is too small to share, and hands it to parallel_for otherwise.
#include "codegen/cpu/StepFunction.h"

#include "codegen/cpu/Kernel.h"
#include "codegen/cpu/KernelNames.h"
#include "codegen/cpu/Primitives.h"
#include "passes/ArenaOffsets.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/nn/NNDialect.h"
#include "dialect/train/TrainDialect.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;

namespace halfstep {

// Byte offsets of the fields of hs_step_args.
enum StepArgs : int64_t { kArena = 0, kInputs = 8, kTargets = 16, kParallelFor = 24, kParallelUser = 32 };

int64_t scratchBytesOf(ModuleOp planned, const CpuLevel &level) {
  int64_t bytes = 0;
  planned.walk(
      [&](train::KernelOp kernel) { bytes = std::max(bytes, planKernel(kernel, level).scratchBytes); });
  return llvm::alignTo(bytes, kArenaAlignment);
}

namespace {

class StepEmitter {
public:
  StepEmitter(ModuleOp planned, const CpuLevel &level, const std::string &prefix, const ArenaPlan &arena,
              const std::string &stamps)
      : planned(planned), level(level), prefix(prefix), arena(arena), stamps(stamps), names(prefix),
        b(planned.getLoc(), planned.getContext()), converter(planned.getContext()) {}

  OwningOpRef<ModuleOp> run() {
    OwningOpRef<ModuleOp> made = ModuleOp::create(planned.getLoc());
    module = *made;
    b.setInsertionPointToEnd(module.getBody());
    for (StringRef name : {train::kTrainStep, train::kEvalStep, train::kForward})
      if (auto function = planned.lookupSymbol<func::FuncOp>(name))
        if (failed(emitStep(function)))
          return nullptr;
    return made;
  }

private:
  ModuleOp planned, module;
  const CpuLevel &level;
  std::string prefix;
  ArenaPlan arena;
  std::string stamps; ///< symbol of the array for time stamps, or empty
  KernelNames names;
  ImplicitLocOpBuilder b;
  LLVMTypeConverter converter;
  int64_t rangeFunctions = 0;

  Type pointer() { return LLVM::LLVMPointerType::get(b.getContext()); }
  Value i32(int64_t value) { return arith::ConstantOp::create(b, b.getI32IntegerAttr(int32_t(value))); }
  Value i64(int64_t value) { return arith::ConstantOp::create(b, b.getI64IntegerAttr(value)); }
  FunctionType rangeType() {
    return b.getFunctionType({pointer(), b.getI64Type(), b.getI64Type(), b.getI32Type()}, {});
  }

  Value offset(Value base, int64_t bytes) {
    if (bytes == 0)
      return base;
    return LLVM::GEPOp::create(b, pointer(), b.getI8Type(), base, ArrayRef<LLVM::GEPArg>{int32_t(bytes)});
  }
  Value offset(Value base, Value bytes) {
    return LLVM::GEPOp::create(b, pointer(), b.getI8Type(), base, ArrayRef<LLVM::GEPArg>{bytes});
  }
  /// Constant indices of a GEPOp have 29 bits; arenas are larger.
  Value inArena(Value base, int64_t bytes) { return bytes == 0 ? base : offset(base, i64(bytes)); }
  Value load(Type type, Value address) { return LLVM::LoadOp::create(b, type, address); }
  Value argsField(Value args, int64_t field) { return load(pointer(), offset(args, field)); }

  /// Address of a value of the planned function.
  Value addressOf(Value value, Value args, Value arenaBase) {
    if (std::optional<int64_t> bytes = arenaOffset(value))
      return inArena(arenaBase, *bytes);
    auto argument = cast<BlockArgument>(rootOf(value));
    auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
    // Targets follow the inputs; the forward function has none.
    int64_t inputs = planned.lookupSymbol<func::FuncOp>(train::kForward).getNumArguments();
    int64_t index = argument.getArgNumber();
    bool isTarget = function.getSymName() != train::kForward && index >= inputs;
    Value list = argsField(args, isTarget ? kTargets : kInputs);
    return load(pointer(), offset(list, 8 * (isTarget ? index - inputs : index)));
  }

  Value addressOf(const KernelOperand &operand, train::KernelOp kernel, Value args, Value arenaBase) {
    switch (operand.kind) {
    case KernelOperand::Kind::Input:
      return addressOf(kernel.getInputs()[operand.index], args, arenaBase);
    case KernelOperand::Kind::Result:
      return inArena(arenaBase, (*kernel.getOffsets())[operand.index]);
    case KernelOperand::Kind::Scalar:
      return offset(arenaBase, scalarOffset(operand.name));
    case KernelOperand::Kind::State:
      return inArena(arenaBase,
                     paramOffset(planned.lookupSymbol<train::ParamOp>(operand.name), operand.part));
    }
    llvm_unreachable("all kinds of operand are handled");
  }

  /// A memref over memory at `address`; kernels take bare pointers, so the descriptor folds away.
  Value memrefAt(Value address, MemRefType type) {
    Value descriptor = MemRefDescriptor::fromStaticShape(b, b.getLoc(), converter, type, address);
    return UnrealizedConversionCastOp::create(b, TypeRange{type}, ValueRange{descriptor}).getResult(0);
  }

  func::FuncOp function(const std::string &name, FunctionType type, bool isPrivate) {
    auto made = func::FuncOp::create(b, name, type);
    if (isPrivate)
      made.setPrivate();
    return made;
  }

  //===--------------------------------------------------------------------===//
  // Kernels and their range functions
  //===--------------------------------------------------------------------===//

  FailureOr<std::string> emitKernelOnce(train::KernelOp kernel) {
    auto [name, isNew] = names.nameOf(kernel);
    if (isNew && failed(emitKernelFunction(module, name, kernel, level)))
      return failure();
    return name;
  }

  FailureOr<func::FuncOp> emitRange(train::KernelOp kernel) {
    FailureOr<std::string> name = emitKernelOnce(kernel);
    if (failed(name))
      return failure();
    ImplicitLocOpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(module.getBody());
    func::FuncOp range = function(*name + "_range" + std::to_string(rangeFunctions++), rangeType(), true);
    // Inlined, they make steps so long that LLVM's time grows faster than their length; the gain is a call.
    range->setAttr("passthrough", b.getStrArrayAttr({"noinline"}));
    Block *block = range.addEntryBlock();
    b.setInsertionPointToEnd(block);
    Value args = block->getArgument(0), base = argsField(args, kArena);
    SmallVector<Value> operands;
    for (const KernelOperand &operand : kernelOperands(kernel))
      operands.push_back(memrefAt(addressOf(operand, kernel, args, base), operand.type));
    for (unsigned i : {1u, 2u})
      operands.push_back(arith::IndexCastOp::create(b, b.getIndexType(), block->getArgument(i)));
    operands.push_back(scratchOf(kernel, base, block->getArgument(3)));
    func::CallOp::create(b, *name, TypeRange(), operands);
    func::ReturnOp::create(b);
    return range;
  }

  Value scratchOf(train::KernelOp kernel, Value base, Value worker) {
    int64_t bytes = std::max<int64_t>(1, planKernel(kernel, level).scratchBytes);
    Value wide = arith::ExtSIOp::create(b, b.getI64Type(), worker);
    Value place = arith::AddIOp::create(b, i64(arena.arenaBytes),
                                        arith::MulIOp::create(b, wide, i64(arena.scratchBytes)));
    return memrefAt(offset(base, place), MemRefType::get({bytes}, b.getI8Type()));
  }

  //===--------------------------------------------------------------------===//
  // Steps
  //===--------------------------------------------------------------------===//

  LogicalResult emitStep(func::FuncOp source) {
    func::FuncOp step =
        function(prefix + "_" + source.getSymName().str(), b.getFunctionType({pointer()}, {}), false);
    ImplicitLocOpBuilder::InsertionGuard guard(b);
    Block *block = step.addEntryBlock();
    b.setInsertionPointToEnd(block);
    Value args = block->getArgument(0);
    bool timed = !stamps.empty() && source.getSymName() == train::kTrainStep;
    int64_t stamp = 0;
    if (timed)
      emitStamp(stamp++);
    for (auto kernel : source.getOps<train::KernelOp>()) {
      if (failed(emitLaunch(kernel, args)))
        return failure();
      if (timed)
        emitStamp(stamp++);
    }
    if (source.getSymName() != train::kForward)
      emitLoss(source, args);
    func::ReturnOp::create(b);
    return success();
  }

  LogicalResult emitLaunch(train::KernelOp kernel, Value args) {
    if (auto primitive = kernel->getAttrOfType<IntegerAttr>(kPrimitiveAttr)) {
      emitPrimitive(kernel, int32_t(primitive.getInt()), args);
      return success();
    }
    FailureOr<func::FuncOp> range = emitRange(kernel);
    if (failed(range))
      return failure();
    ContractionPlan plan = planKernel(kernel, level);
    if (plan.items <= plan.grain)
      emitDirectCall(*range, args, plan.items);
    else
      emitParallel(*range, args, plan);
    return success();
  }

  /// stamps[i] = the time stamp counter.
  void emitStamp(int64_t i) {
    if (!module.lookupSymbol(stamps)) {
      ImplicitLocOpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToEnd(module.getBody());
      LLVM::GlobalOp::create(b, b.getI64Type(), /*isConstant=*/false, LLVM::Linkage::External, stamps,
                             Attribute());
    }
    Value now = LLVM::CallIntrinsicOp::create(b, b.getI64Type(), b.getStringAttr("llvm.readcyclecounter"),
                                              ValueRange())
                    .getResult(0);
    LLVM::StoreOp::create(b, now, offset(LLVM::AddressOfOp::create(b, pointer(), stamps), 8 * i));
  }

  void emitDirectCall(func::FuncOp range, Value args, int64_t items) {
    func::CallOp::create(b, range, ValueRange{args, i64(0), i64(items), i32(0)});
  }

  /// parallel_for(user, range, args, items, grain), or the call itself where the host gave none.
  void emitParallel(func::FuncOp range, Value args, const ContractionPlan &plan) {
    Value parallelFor = argsField(args, kParallelFor);
    Value none = LLVM::ZeroOp::create(b, pointer());
    Value isAlone = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::eq, parallelFor, none);
    scf::IfOp::create(
        b, isAlone,
        [&](OpBuilder &inner, Location) {
          ImplicitLocOpBuilder::InsertionGuard guard(b);
          b.setInsertionPoint(inner.getInsertionBlock(), inner.getInsertionPoint());
          emitDirectCall(range, args, plan.items);
          scf::YieldOp::create(b);
        },
        [&](OpBuilder &inner, Location) {
          ImplicitLocOpBuilder::InsertionGuard guard(b);
          b.setInsertionPoint(inner.getInsertionBlock(), inner.getInsertionPoint());
          Value body = func::ConstantOp::create(b, range.getFunctionType(), range.getSymName());
          Value address =
              UnrealizedConversionCastOp::create(b, TypeRange{pointer()}, ValueRange{body}).getResult(0);
          auto type =
              LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()),
                                          {pointer(), pointer(), pointer(), b.getI64Type(), b.getI64Type()});
          LLVM::CallOp::create(b, type,
                               ValueRange{parallelFor, argsField(args, kParallelUser), address, args,
                                          i64(plan.items), i64(plan.grain)});
          scf::YieldOp::create(b);
        });
  }

  /// hs_primitive_run(args, index, a, b, bias or null, out).
  void emitPrimitive(train::KernelOp kernel, int32_t index, Value args) {
    Value base = argsField(args, kArena);
    SmallVector<Value> operands{args, i32(index)};
    for (unsigned i = 0; i < 3; ++i)
      operands.push_back(i < kernel.getInputs().size() ? addressOf(kernel.getInputs()[i], args, base)
                                                       : Value(LLVM::ZeroOp::create(b, pointer())));
    operands.push_back(inArena(base, (*kernel.getOffsets())[0]));
    constexpr StringLiteral name = "hs_primitive_run";
    if (!module.lookupSymbol(name)) {
      ImplicitLocOpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToEnd(module.getBody());
      function(name.str(), b.getFunctionType(ValueRange(operands).getTypes(), {}), true);
    }
    func::CallOp::create(b, name, TypeRange(), operands);
  }

  /// The loss, where the runtime reads it: hs_scalars.loss.
  void emitLoss(func::FuncOp source, Value args) {
    Value loss = source.getBody().front().getTerminator()->getOperand(0);
    Type element = getElementTypeOrSelf(loss);
    Value base = argsField(args, kArena);
    Value value = load(element, inArena(base, *arenaOffset(loss)));
    if (!element.isF64())
      value = arith::ExtFOp::create(b, b.getF64Type(), value);
    LLVM::StoreOp::create(b, value, offset(base, scalarOffset("loss")));
  }
};

} // namespace

void annotateKernels(ModuleOp planned, const CpuLevel &level) {
  KernelNames names("k");
  Builder builder(planned.getContext());
  planned.walk([&](train::KernelOp kernel) {
    ContractionPlan plan = planKernel(kernel, level);
    kernel->setAttr("kernel", builder.getStringAttr(names.nameOf(kernel).first));
    kernel->setAttr("items", builder.getI64IntegerAttr(plan.items));
    kernel->setAttr("grain", builder.getI64IntegerAttr(plan.grain));
    kernel->setAttr("scratch", builder.getI64IntegerAttr(plan.scratchBytes));
  });
}

OwningOpRef<ModuleOp> emitCpuModule(ModuleOp planned, const CpuLevel &level, const std::string &prefix,
                                    const ArenaPlan &arena, const std::string &stamps) {
  planned.getContext()
      ->loadDialect<arith::ArithDialect, func::FuncDialect, linalg::LinalgDialect, LLVM::LLVMDialect,
                    math::MathDialect, memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect,
                    x86vector::X86VectorDialect>();
  return StepEmitter(planned, level, prefix, arena, stamps).run();
}

} // namespace halfstep
