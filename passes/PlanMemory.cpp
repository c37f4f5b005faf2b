// plan-memory: gives every tensor of the step its place in one arena, and parameters theirs in its head.
//
//   train.param @w : tensor<4xf32> ...
//   %y = train.kernel "map"(%x) ...
// becomes
//   train.param @w : tensor<4xf32> {offsets = array<i64: 256, -1, 384, -1>} ...
//   %y = train.kernel "map"(%x) ... attributes {offsets = array<i64: 1024>}
//
// The arena is [scalars | state | gradients | work]. State and gradients have places of their own: an update
// sweeps a group of parameters as one flat array, so their masters, copies, slots and gradients each lie one
// after the other, padded to amp::kGroupPadding elements, and the padding of gradients stays zero. Split
// masters are two such parts: the low halves, and the copy that is the high ones. Work is shared by values
// that do not live at the same time.
//
// Needs: functions of kernels, reads, scalars and reshapes (fuse). Leaves: `offsets` on all kernels and
// parameters, and the module's train.state_bytes and train.arena_bytes. Test:
// tests/lit/passes/plan-memory.mlir.
#include "passes/ArenaOffsets.h"
#include "passes/Passes.h"

#include "dialect/amp/AmpDialect.h"
#include "dialect/nn/NNDialect.h"
#include "dialect/train/TrainDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace halfstep {

#define GEN_PASS_DEF_PLANMEMORY
#include "passes/Passes.h.inc"

namespace {

int64_t bytesOf(Type tensor) {
  auto type = cast<RankedTensorType>(tensor);
  return llvm::divideCeil(type.getNumElements() * type.getElementTypeBitWidth(), 8);
}

int64_t align(int64_t bytes) { return llvm::alignTo(bytes, kArenaAlignment); }

/// Bytes that a tensor of a group takes: whole multiples of the group's padding.
int64_t paddedBytes(RankedTensorType type, Type element) {
  return amp::groupElements(TypeRange{type}) * element.getIntOrFloatBitWidth() / 8;
}

//===----------------------------------------------------------------------===//
// State: parameters, copies, optimizer slots, gradients
//===----------------------------------------------------------------------===//

/// An update's parameters, and how many optimizer slots each has.
struct Group {
  SmallVector<train::ParamOp> params;
  int64_t slots = 0;
  OperandRange gradients;
};

/// The first `count` inputs of the kernel that holds `op`: its gradients.
OperandRange gradientsOf(Operation *op, size_t count) {
  return op->getParentOfType<train::KernelOp>().getInputs().take_front(count);
}

class StatePlan {
public:
  explicit StatePlan(ModuleOp module) : module(module), builder(module.getContext()), symbols(module) {}

  /// Sets the parameters' offsets; returns where the work region begins.
  int64_t run() {
    SmallVector<Group> groups = findGroups();
    for (Group &group : groups)
      placeGroup(group);
    for (auto param : module.getOps<train::ParamOp>())
      if (!offsets.contains(param))
        placeAlone(param);
    for (auto &[param, places] : offsets)
      cast<train::ParamOp>(param).setOffsets(places);
    module->setAttr(kStateBytesAttr, builder.getI64IntegerAttr(cursor));
    for (Group &group : groups)
      placeGradients(group.gradients);
    module.walk([&](train::AccumulateOp op) { placeGradients(gradientsOf(op, op.getGradients().size())); });
    return cursor;
  }

  /// Places of gradients, by the value that a kernel makes.
  DenseMap<Value, int64_t> gradientOffsets;

private:
  using Places = SmallVector<int64_t, kParamParts>;

  ModuleOp module;
  OpBuilder builder;
  SymbolTable symbols;
  int64_t cursor = kScalarsBytes;
  llvm::MapVector<Operation *, Places> offsets;

  SmallVector<Group> findGroups() {
    SmallVector<Group> groups;
    module.walk([&](train::UpdateOp update) {
      Group group{{},
                  int64_t(update.getOptimizer().slots().size()),
                  gradientsOf(update, update.getGradients().size())};
      for (auto name : update.getParams().getAsRange<FlatSymbolRefAttr>())
        group.params.push_back(symbols.lookup<train::ParamOp>(name.getValue()));
      groups.push_back(group);
    });
    return groups;
  }

  void placeGroup(const Group &group) {
    for (train::ParamOp param : group.params)
      offsets[param] = Places(kParamParts, -1);
    auto placePart = [&](unsigned part, Type element) {
      for (train::ParamOp param : group.params) {
        offsets[param][part] = cursor;
        cursor += paddedBytes(param.getTensorType(), element);
      }
      cursor = align(cursor);
    };
    train::ParamOp first = group.params.front();
    Type element = first.getTensorType().getElementType();
    placePart(0, first.getStoredElementType());
    if (first.getCopyType())
      placePart(1, *first.getCopyType());
    for (int64_t slot = 0; slot < group.slots; ++slot)
      placePart(unsigned(2 + slot), element);
  }

  /// Buffers, and parameters that nothing updates.
  void placeAlone(train::ParamOp param) {
    Places places(kParamParts, -1);
    places[0] = cursor;
    cursor = align(cursor + bytesOf(param.getTensorType().clone(param.getStoredElementType())));
    if (std::optional<Type> copy = param.getCopyType()) {
      places[1] = cursor;
      cursor = align(cursor + bytesOf(param.getTensorType().clone(*copy)));
    }
    offsets[param] = places;
  }

  /// The gradients of an update; those that are added to sums are one flat array too.
  void placeGradients(OperandRange gradients) {
    for (Value gradient : gradients) {
      auto type = cast<RankedTensorType>(gradient.getType());
      gradientOffsets[rootOf(gradient)] = cursor;
      cursor += paddedBytes(type, type.getElementType());
    }
    cursor = align(cursor);
  }
};

//===----------------------------------------------------------------------===//
// Work: the results of kernels
//===----------------------------------------------------------------------===//

/// A result and the steps, counted in operations of the function, between which it lives (both included).
struct Interval {
  Value value;
  int64_t bytes, first, last, offset = -1;

  bool meets(const Interval &other) const { return first <= other.last && other.first <= last; }
};

/// The fields of the runtime's scalars that the results of `kernel` are; none for a kernel of tensors.
ArrayRef<StringLiteral> scalarResults(train::KernelOp kernel) {
  static constexpr StringLiteral verdict[] = {"found_inf", "grad_sqnorm"},
                                 weights[] = {"weight", "weight_sum"};
  Operation *op = kernel.getYield()->getPrevNode();
  return isa_and_present<amp::FiniteCombineOp>(op) ? ArrayRef(verdict)
         : isa_and_present<train::WeighOp>(op)     ? ArrayRef(weights)
                                                   : ArrayRef<StringLiteral>();
}

class WorkPlan {
public:
  WorkPlan(func::FuncOp function, const DenseMap<Value, int64_t> &fixed, int64_t start)
      : function(function), fixed(fixed), start(start) {}

  /// Sets the kernels' offsets; returns the end of the region.
  int64_t run() {
    findIntervals();
    int64_t end = start;
    for (Interval *interval : bySize()) {
      place(*interval);
      end = std::max(end, interval->offset + interval->bytes);
    }
    DenseMap<Value, int64_t> places = fixed;
    for (const Interval &interval : intervals)
      places[interval.value] = interval.offset;
    for (auto kernel : function.getOps<train::KernelOp>())
      setOffsets(kernel, places);
    return end;
  }

private:
  func::FuncOp function;
  const DenseMap<Value, int64_t> &fixed;
  int64_t start;
  SmallVector<Interval> intervals;
  SmallVector<const Interval *> placed;

  void findIntervals() {
    DenseMap<Operation *, int64_t> order;
    for (Operation &op : function.getBody().front())
      order[&op] = int64_t(order.size());
    const bool apart = function->getParentOfType<ModuleOp>()->hasAttr(kSeparateOpsAttr);
    for (auto kernel : function.getOps<train::KernelOp>())
      for (Value result : kernel.getResults())
        if (scalarResults(kernel).empty() && !fixed.contains(result))
          intervals.push_back({result, align(bytesOf(result.getType())), order[kernel],
                               apart ? int64_t(order.size()) : lastUse(result, order)});
  }

  /// A reshape shares its source's memory: what counts is where its result is used.
  static int64_t lastUse(Value value, const DenseMap<Operation *, int64_t> &order) {
    int64_t last = order.at(value.getDefiningOp());
    for (Operation *user : value.getUsers())
      last = std::max(last, isa<nn::ReshapeOp>(user) ? lastUse(user->getResult(0), order) : order.at(user));
    return last;
  }

  /// Large ones first: the small ones then fill the gaps.
  SmallVector<Interval *> bySize() {
    SmallVector<Interval *> order;
    for (Interval &interval : intervals)
      order.push_back(&interval);
    llvm::sort(order, [](Interval *a, Interval *b) {
      return std::pair(-a->bytes, a->first) < std::pair(-b->bytes, b->first);
    });
    return order;
  }

  /// The lowest gap that holds the interval among those placed that live at the same time.
  void place(Interval &interval) {
    SmallVector<const Interval *> rivals;
    for (const Interval *other : placed)
      if (other->meets(interval))
        rivals.push_back(other);
    llvm::sort(rivals, [](const Interval *a, const Interval *b) { return a->offset < b->offset; });
    interval.offset = start;
    for (const Interval *rival : rivals) {
      if (interval.offset + interval.bytes <= rival->offset)
        break;
      interval.offset = std::max(interval.offset, rival->offset + rival->bytes);
    }
    placed.push_back(&interval);
  }

  static void setOffsets(train::KernelOp kernel, const DenseMap<Value, int64_t> &places) {
    SmallVector<int64_t> offsets;
    for (auto [i, result] : llvm::enumerate(kernel.getResults())) {
      ArrayRef<StringLiteral> scalars = scalarResults(kernel);
      offsets.push_back(scalars.empty() ? places.at(result) : scalarOffset(scalars[i]));
    }
    kernel.setOffsets(offsets);
  }
};

struct PlanMemory : impl::PlanMemoryBase<PlanMemory> {
  using PlanMemoryBase::PlanMemoryBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    StatePlan state(module);
    int64_t start = state.run(), end = start;
    for (auto function : module.getOps<func::FuncOp>())
      end = std::max(end, WorkPlan(function, state.gradientOffsets, start).run());
    module->setAttr(kArenaBytesAttr, Builder(module.getContext()).getI64IntegerAttr(end));
  }
};

} // namespace
} // namespace halfstep
