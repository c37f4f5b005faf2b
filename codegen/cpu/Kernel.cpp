// The interface of kernels: arguments, and the choice of the family that emits one.
#include "codegen/cpu/Kernel.h"

#include "codegen/cpu/KernelEmitters.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace halfstep {

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

namespace {

/// Collects the arguments of one kernel.
class OperandList {
public:
  explicit OperandList(train::KernelOp kernel) : kernel(kernel) {}

  SmallVector<KernelOperand> take() { return std::move(operands); }

  void addInputsAndResults() {
    for (unsigned i = 0; i < kernel.getNumOperands(); ++i)
      addInput(i);
    addResults();
  }

  void addFinitePartials(amp::FinitePartialsOp op) {
    addFlatInput(op.getGradients());
    addResults();
  }

  void addAssign(train::AssignOp op) {
    addInput(argumentNumber(op.getValue()));
    if (op.getFoundInf()) {
      addInput(argumentNumber(op.getFoundInf()));
      addScalar("guard", IntegerType::get(kernel.getContext(), 32));
    }
    auto param = SymbolTable::lookupNearestSymbolFrom<train::ParamOp>(op, op.getParamAttr());
    addState(op.getParam(), 0, memrefOf(param.getTensorType()));
  }

  void addWeigh(train::WeighOp op) {
    if (op.getRows())
      addInput(argumentNumber(op.getRows()));
    addScalar("first", IntegerType::get(kernel.getContext(), 32));
    addResults();
  }

  void addAccumulate(train::AccumulateOp op) {
    addFlatInput(op.getGradients());
    addInput(argumentNumber(op.getWeight()));
    addScalar("first", IntegerType::get(kernel.getContext(), 32));
    Type element = getElementTypeOrSelf(op.getSums()[0]);
    operands.push_back(
        {Kind::Result, 0, "", 0, MemRefType::get({amp::groupElements(op.getSums().getTypes())}, element)});
  }

  void addUpdate(train::UpdateOp op) {
    MLIRContext *context = kernel.getContext();
    addFlatInput(op.getGradients());
    addInput(argumentNumber(op.getFoundInf()));
    addInput(argumentNumber(op.getSqnorm()));
    for (StringRef name : {"lr", "inv_scale", "clip_norm"})
      addScalar(name, Float32Type::get(context));
    addScalar("update", Float64Type::get(context));
    addScalar("guard", IntegerType::get(context, 32));
    if (op.getStochastic())
      addScalar("seed", IntegerType::get(context, 64));
    if (op.getWeights()) {
      addInput(argumentNumber(op.getWeights()));
      addScalar("apply", IntegerType::get(context, 32));
    }

    auto first = cast<FlatSymbolRefAttr>(op.getParams()[0]);
    auto param = SymbolTable::lookupNearestSymbolFrom<train::ParamOp>(op, first);
    int64_t elements = amp::groupElements(op.getGradients().getTypes());
    auto group = [&](Type element) { return MemRefType::get({elements}, element); };
    Type element = param.getTensorType().getElementType();
    addState(first.getValue(), 0, group(param.getStoredElementType()));
    if (std::optional<Type> copy = param.getCopyType())
      addState(first.getValue(), 1, group(*copy));
    for (unsigned slot = 0; slot < op.getOptimizer().slots().size(); ++slot)
      addState(first.getValue(), 2 + slot, group(element));
  }

private:
  train::KernelOp kernel;
  SmallVector<KernelOperand> operands;
  using Kind = KernelOperand::Kind;

  static MemRefType memrefOf(Type type) {
    auto tensor = cast<RankedTensorType>(type);
    return MemRefType::get(tensor.getShape(), tensor.getElementType());
  }
  static unsigned argumentNumber(Value value) { return cast<BlockArgument>(value).getArgNumber(); }

  void addInput(unsigned index) {
    operands.push_back({Kind::Input, index, "", 0, memrefOf(kernel.getInputs()[index].getType())});
  }
  void addResults() {
    for (auto [i, type] : llvm::enumerate(kernel.getResultTypes()))
      operands.push_back({Kind::Result, unsigned(i), "", 0, memrefOf(type)});
  }
  /// Tensors of one group, which lie one after the other.
  void addFlatInput(ValueRange tensors) {
    auto type =
        MemRefType::get({amp::groupElements(tensors.getTypes())}, getElementTypeOrSelf(tensors[0].getType()));
    operands.push_back({Kind::Input, argumentNumber(tensors[0]), "", 0, type});
  }
  void addScalar(StringRef field, Type type) {
    operands.push_back({Kind::Scalar, 0, field.str(), 0, MemRefType::get({}, type)});
  }
  void addState(StringRef symbol, unsigned part, MemRefType type) {
    operands.push_back({Kind::State, 0, symbol.str(), part, type});
  }
};

} // namespace

SmallVector<KernelOperand> kernelOperands(train::KernelOp kernel) {
  OperandList list(kernel);
  llvm::TypeSwitch<Operation *>(&kernel.getBlock().front())
      .Case([&](amp::FinitePartialsOp op) { list.addFinitePartials(op); })
      .Case([&](train::AssignOp op) { list.addAssign(op); })
      .Case([&](train::WeighOp op) { list.addWeigh(op); })
      .Case([&](train::AccumulateOp op) { list.addAccumulate(op); })
      .Case([&](train::UpdateOp op) { list.addUpdate(op); })
      .Default([&](Operation *) { list.addInputsAndResults(); });
  return list.take();
}

Value narrowSource(Value value) {
  auto cast = value.getDefiningOp<amp::CastOp>();
  return cast && cast.isWidening() ? narrowSource(cast.getInput()) : value;
}

bool isStoredAs(Value value, Value yielded) {
  auto cast = yielded.getDefiningOp<amp::CastOp>();
  return yielded == value || (cast && cast.isNarrowing() && cast.getInput() == value);
}

Value KernelCall::input(Value value) const {
  auto argument = dyn_cast<BlockArgument>(narrowSource(value));
  return argument ? operands[argument.getArgNumber()] : Value();
}

Value KernelCall::resultOf(Value opResult) const {
  for (auto [i, yielded] : llvm::enumerate(kernel.getYield()->getOperands()))
    if (isStoredAs(opResult, yielded))
      return result(unsigned(i));
  return {};
}

//===----------------------------------------------------------------------===//
// Families
//===----------------------------------------------------------------------===//

namespace {

/// What a family of kernels offers. Contractions have a builder of their own.
struct Family {
  ContractionPlan (*plan)(train::KernelOp, const CpuLevel &) = nullptr;
  LogicalResult (*emit)(KernelBuilder &, const KernelCall &) = nullptr;
};

} // namespace

static LogicalResult emitContractionCall(KernelBuilder &b, const KernelCall &call) {
  return emitContractionKernel(b, call.kernel, b.level, call.operands, call.lo, call.hi, call.scratch);
}

static LogicalResult emitConvolutionCall(KernelBuilder &b, const KernelCall &call) {
  return emitConvolutionKernel(b, call.kernel, b.level, call.operands, call.lo, call.hi, call.scratch);
}

Operation *coreOf(train::KernelOp kernel) {
  for (Operation &op : kernel.getBlock().without_terminator())
    if (!isa<ElementwiseOpInterface, nn::ConstantOp, nn::ReshapeOp>(op))
      return &op;
  return nullptr;
}

/// The family of a kernel by its core; no `plan` for one that has no code.
static Family familyOf(train::KernelOp kernel) {
  Operation *core = coreOf(kernel);
  if (!core)
    return {planMap, emitMap};
  return llvm::TypeSwitch<Operation *, Family>(core)
      .Case<nn::ReduceSumOp, nn::ReduceMeanOp, nn::ReduceMaxOp, nn::ReduceMinOp, nn::ReduceProdOp>(
          [](auto) { return Family{planReduce, emitReduce}; })
      .Case<nn::MatmulOp>([](auto) { return Family{planContractionKernel, emitContractionCall}; })
      .Case<nn::Conv2dOp, nn::ConvTranspose2dOp, nn::Conv2dBackwardDataOp, nn::Conv2dBackwardWeightOp>(
          [](auto) { return Family{planConvolutionKernel, emitConvolutionCall}; })
      .Case<nn::SoftmaxOp, nn::SoftmaxBackwardOp, nn::LogSoftmaxOp, nn::LogSoftmaxBackwardOp, nn::LayerNormOp,
            nn::LayerNormBackwardInputOp, nn::RmsNormOp, nn::RmsNormBackwardInputOp, nn::CrossEntropyOp,
            nn::CrossEntropyBackwardOp>([](auto) { return Family{planRow, emitRow}; })
      .Case<nn::SoftCrossEntropyOp, nn::SoftCrossEntropyBackwardOp, nn::NllOp, nn::NllBackwardOp>(
          [](auto) { return Family{planRow, emitRow}; })
      .Case<nn::ClassMeanOp>([](auto) { return Family{planClassMean, emitClassMean}; })
      .Case<nn::LayerNormBackwardParamsOp, nn::RmsNormBackwardScaleOp, nn::BatchNormStatsOp,
            nn::BatchNormBackwardParamsOp>([](auto) { return Family{planColumn, emitColumn}; })
      .Case<nn::GroupNormStatsOp, nn::GroupNormBackwardSumsOp>(
          [](auto) { return Family{planGroup, emitGroup}; })
      .Case<nn::Resize2dOp, nn::Resize2dBackwardOp>([](auto) { return Family{planResize, emitResize}; })
      .Case<nn::MaxPool2dOp, nn::MaxPool2dBackwardOp, nn::AvgPool2dOp, nn::AvgPool2dBackwardOp>(
          [](auto) { return Family{planPool, emitPool}; })
      .Case<nn::AttentionOp>([](auto) { return Family{planAttention, emitAttention}; })
      .Case<nn::AttentionBackwardOp>(
          [](auto) { return Family{planAttentionBackward, emitAttentionBackward}; })
      .Case<nn::RotaryOp>([](auto) { return Family{planRotary, emitRotary}; })
      .Case<nn::EmbeddingOp, nn::EmbeddingBackwardOp>(
          [](auto) { return Family{planEmbedding, emitEmbedding}; })
      .Case<nn::TransposeOp, nn::SplitOp, nn::ConcatOp>([](auto) { return Family{planMove, emitMove}; })
      .Case<nn::SliceOp, nn::PlaceOp>([](auto) { return Family{planPart, emitPart}; })
      .Case<amp::FinitePartialsOp, amp::FiniteCombineOp>([](auto) { return Family{planFinite, emitFinite}; })
      .Case<train::WeighOp, train::AccumulateOp>([](auto) { return Family{planAccumulate, emitAccumulate}; })
      .Case<train::UpdateOp>([](auto) { return Family{planUpdate, emitUpdate}; })
      .Case<train::AssignOp>([](auto) { return Family{planAssign, emitAssign}; })
      .Default([](Operation *) { return Family{}; });
}

ContractionPlan planKernel(train::KernelOp kernel, const CpuLevel &level) {
  Family family = familyOf(kernel);
  return family.plan ? family.plan(kernel, level) : ContractionPlan{};
}

int64_t grainOf(int64_t bytes, int64_t flops) {
  // About 50 us of work: what hands out a chunk at no noticeable cost.
  constexpr int64_t grainBytes = 64 * 1024, grainFlops = 128 * 1024;
  int64_t byBytes = llvm::divideCeil(grainBytes, std::max<int64_t>(bytes, 1));
  int64_t byFlops = llvm::divideCeil(grainFlops, std::max<int64_t>(flops, 1));
  return std::min(byBytes, byFlops);
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

bool roundsEagerly(train::KernelOp kernel) {
  auto module = kernel->getParentOfType<ModuleOp>();
  auto policy = module->getAttrOfType<amp::PolicyAttr>(amp::kPolicyAttrName);
  return policy && policy.getRounding() == "eager";
}

LogicalResult emitKernel(OpBuilder &builder, train::KernelOp kernel, const CpuLevel &level,
                         ValueRange operands, Value lo, Value hi, Value scratch) {
  Family family = familyOf(kernel);
  if (!family.emit)
    return kernel.emitOpError() << "holds '" << coreOf(kernel)->getName() << "', which has no CPU kernel";
  KernelBuilder b(builder, kernel.getLoc(), level);
  b.isEager = roundsEagerly(kernel);
  return family.emit(b, KernelCall{kernel, operands, lo, hi, scratch});
}

FailureOr<func::FuncOp> emitKernelFunction(ModuleOp into, StringRef name, train::KernelOp kernel,
                                           const CpuLevel &level) {
  MLIRContext *context = into.getContext();
  context->loadDialect<arith::ArithDialect, func::FuncDialect, linalg::LinalgDialect, LLVM::LLVMDialect,
                       math::MathDialect, memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect,
                       x86vector::X86VectorDialect>();
  OpBuilder builder(context);
  int64_t scratchBytes = planKernel(kernel, level).scratchBytes;
  SmallVector<Type> types;
  for (const KernelOperand &operand : kernelOperands(kernel))
    types.push_back(operand.type);
  size_t count = types.size();
  types.append({builder.getIndexType(), builder.getIndexType(),
                MemRefType::get({std::max<int64_t>(scratchBytes, 1)}, builder.getI8Type())});

  builder.setInsertionPointToEnd(into.getBody());
  auto function = func::FuncOp::create(builder, kernel.getLoc(), name, builder.getFunctionType(types, {}));
  function.setPrivate();
  for (unsigned i = 0; i < types.size(); ++i)
    if (isa<MemRefType>(types[i]))
      function.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(), builder.getUnitAttr());

  Block *entry = function.addEntryBlock();
  builder.setInsertionPointToEnd(entry);
  auto returns = func::ReturnOp::create(builder, kernel.getLoc());
  builder.setInsertionPoint(returns);
  ValueRange arguments = entry->getArguments();
  Value scratch = scratchBytes > 0 ? arguments[count + 2] : Value();
  if (failed(emitKernel(builder, kernel, level, arguments.take_front(count), arguments[count],
                        arguments[count + 1], scratch))) {
    function.erase();
    return failure();
  }
  return function;
}

} // namespace halfstep
