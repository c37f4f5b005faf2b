// train.update and train.assign: pass 2, which changes the state.
//
// An update reads each gradient once and writes the value, in whichever form it is kept, and the slots in one
// sweep. What does not depend on the element - bias corrections, the clipping factor, the random key - is
// computed once a call, in f64 or integers.
#include "codegen/cpu/KernelEmitters.h"
#include "codegen/cpu/StoredValues.h"
#include "codegen/cpu/UpdateRules.h"

#include "dialect/amp/AmpDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace halfstep {

namespace {

/// The operands of an update, by name.
struct UpdateOperands {
  UpdateOperands(train::UpdateOp op, ValueRange operands)
      : gradients(operands[0]), found(operands[1]), sqnorm(operands[2]), lr(operands[3]),
        invScale(operands[4]), clipNorm(operands[5]), update(operands[6]), guard(operands[7]) {
    size_t next = 8;
    if (op.getStochastic())
      seed = operands[next++];
    if (op.getWeights()) {
      weights = operands[next++];
      apply = operands[next++];
    }
    state = operands.drop_front(next);
  }

  Value gradients, found, sqnorm, lr, invScale, clipNorm, update, guard;
  Value seed;           ///< null unless values are rounded stochastically
  Value weights, apply; ///< null unless gradients are sums over batches
  /// Values, or the low halves of split ones; the working copy if there is one; slots.
  ValueRange state;

  Type storedType() const { return getElementTypeOrSelf(state[0].getType()); }
  /// Buffers of `state` that hold values, when there are `slots` slots.
  size_t valueParts(size_t slots) const { return state.size() - slots; }
};

/// The old and new elements of a parameter: its value, then the slots.
using Elements = SmallVector<Value>;

} // namespace

/// True unless a gradient was infinite or NaN and the step is guarded.
static Value mayWrite(KernelBuilder &b, Value found, Value guard) {
  Value zero = b.integer(0, b.getI32Type());
  auto isZero = [&](Value buffer) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, b.loadScalar(buffer), zero);
  };
  return arith::OrIOp::create(b, isZero(found), isZero(guard));
}

/// True when the update may change the state in this step.
static Value mayUpdate(KernelBuilder &b, const UpdateOperands &operands) {
  Value may = mayWrite(b, operands.found, operands.guard);
  if (!operands.apply)
    return may;
  Value isLast = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, b.loadScalar(operands.apply),
                                       b.integer(0, b.getI32Type()));
  return arith::AndIOp::create(b, may, isLast);
}

/// What a scaled gradient is multiplied with: 1 / scale, 1 / the weight of all batches where it is a sum over
/// them, and min(1, clip_norm / (norm + 1e-6)) where there is clipping (torch.nn.utils.clip_grad_norm_).
static Value gradientFactor(KernelBuilder &b, const UpdateOperands &operands) {
  Formula f(b, b.getF64Type());
  Value inverse = f.cast(b.loadScalar(operands.invScale)), limit = f.cast(b.loadScalar(operands.clipNorm));
  if (operands.weights)
    inverse = f.div(inverse, b.loadScalar(operands.weights));
  Value norm = f.mul(f.sqrt(b.loadScalar(operands.sqnorm)), inverse);
  // minimumf, not minnumf: a norm that is NaN must not turn into 1.
  Value factor = arith::MinimumFOp::create(b, f.number(1), f.div(limit, f.add(norm, f.number(1e-6))));
  Value clips = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, limit, f.number(0));
  return f.mul(inverse, arith::SelectOp::create(b, clips, factor, f.number(1)));
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

ContractionPlan planUpdate(train::KernelOp kernel, const CpuLevel &) {
  // An item is one padding unit of the group, so items share no cache line of a state that has 2 bytes or
  // more an element.
  SmallVector<KernelOperand> operands = kernelOperands(kernel);
  int64_t bytes = 0;
  for (const KernelOperand &operand : operands)
    if (operand.type.getRank() == 1)
      bytes += operand.type.getElementTypeBitWidth() / 8 *
               (operand.kind == KernelOperand::Kind::State ? 2 : 1) * amp::kGroupPadding;
  ContractionPlan plan;
  plan.items = operands[0].type.getNumElements() / amp::kGroupPadding;
  plan.grain = grainOf(bytes, 20 * amp::kGroupPadding);
  return plan;
}

/// How the values of the update `op` are kept.
static std::unique_ptr<StoredValues> storedValues(KernelBuilder &b, train::UpdateOp op,
                                                  const UpdateOperands &operands, size_t parts, Value begin,
                                                  Type compute) {
  Type stored = operands.storedType();
  if (stored.isInteger())
    return std::make_unique<SplitValues>(b, compute);
  if (operands.seed && stored.getIntOrFloatBitWidth() == 16)
    return std::make_unique<StochasticValues>(b, cast<FloatType>(stored), b.loadScalar(operands.seed),
                                              b.loadScalar(operands.update),
                                              b.plus(begin, int64_t(*op.getStochastic())));
  return std::make_unique<PlainValues>(/*hasCopy=*/parts == 2);
}

static std::unique_ptr<UpdateRule> ruleOf(KernelBuilder &b, train::OptimizerAttr optimizer,
                                          const UpdateOperands &operands, Type compute) {
  Formula d(b, b.getF64Type());
  Value rate = d.cast(b.loadScalar(operands.lr));
  if (double scale = optimizer.constant("lr_scale"); scale != 1)
    rate = d.mul(rate, d.number(scale));
  return makeUpdateRule(b, optimizer, {rate, b.loadScalar(operands.update)}, compute);
}

/// One sweep over items lo..hi.
static void emitSweep(KernelBuilder &b, const KernelCall &call, train::UpdateOp op,
                      const UpdateOperands &operands, Type compute) {
  train::OptimizerAttr optimizer = op.getOptimizer();
  Value begin = b.times(call.lo, amp::kGroupPadding), end = b.times(call.hi, amp::kGroupPadding);
  auto slice = [&](Value buffer) { return b.slice(buffer, 0, begin, end); };
  size_t parts = operands.valueParts(optimizer.slots().size());
  Formula f(b, compute);
  Value factor = b.convert(gradientFactor(b, operands), compute);
  std::unique_ptr<UpdateRule> rule = ruleOf(b, optimizer, operands, compute);
  std::unique_ptr<StoredValues> values = storedValues(b, op, operands, parts, begin, compute);
  double bound = optimizer.constant("clip_value");
  SmallVector<Value> state = llvm::map_to_vector(operands.state, slice);
  b.update({slice(operands.gradients)}, state, [&](ValueRange v) {
    Value gradient = f.mul(v[0], factor);
    if (bound != 0)
      gradient = f.larger(f.smaller(gradient, f.number(bound)), f.number(-bound));
    ValueRange elements = v.drop_front();
    Elements old{values->read(elements.take_front(parts))};
    llvm::append_range(old, elements.drop_front(parts));
    Elements updated = (*rule)(gradient, old);
    KernelBuilder::Values result = values->write(updated[0]);
    result.append(updated.begin() + 1, updated.end());
    return result;
  });
}

LogicalResult emitUpdate(KernelBuilder &b, const KernelCall &call) {
  auto op = cast<train::UpdateOp>(call.op());
  UpdateOperands operands(op, call.operands);
  SmallVector<Value> elements(operands.state);
  elements.push_back(operands.gradients);
  Type compute = b.computeTypeOf(elements);
  b.when(mayUpdate(b, operands), [&] { emitSweep(b, call, op, operands, compute); });
  return success();
}

ContractionPlan planAssign(train::KernelOp kernel, const CpuLevel &) {
  MemRefType type = kernelOperands(kernel).back().type;
  ContractionPlan plan;
  plan.items = type.getNumElements();
  plan.grain = grainOf(type.getElementTypeBitWidth() / 8 * 2, 1);
  return plan;
}

LogicalResult emitAssign(KernelBuilder &b, const KernelCall &call) {
  auto copy = [&] {
    Value value = b.slice(b.flat(call.operands.front()), 0, call.lo, call.hi);
    Value buffer = b.slice(b.flat(call.operands.back()), 0, call.lo, call.hi);
    b.copy(value, buffer);
  };
  if (cast<train::AssignOp>(call.op()).getFoundInf())
    b.when(mayWrite(b, call.operands[1], call.operands[2]), copy);
  else
    copy();
  return success();
}

} // namespace halfstep
