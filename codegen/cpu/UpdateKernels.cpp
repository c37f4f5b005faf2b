// train.sgd_update, train.adamw_update and train.assign: pass 2, which changes the state.
//
// An update reads each gradient once and writes the value, in whichever form it is kept, and the slots in one
// sweep. What does not depend on the element - bias corrections, the clipping factor, the random key - is
// computed once a call, in f64 or integers.
#include "codegen/cpu/KernelEmitters.h"
#include "codegen/cpu/StoredValues.h"

#include "dialect/amp/AmpDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace halfstep {

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

namespace {

/// Formulas on scalars of one type.
class Formula {
public:
  Formula(KernelBuilder &b, Type type) : b(b), type(type) {}

  Value number(double value) { return b.number(value, type); }
  Value cast(Value value) { return b.convert(value, type); }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, x, y); }
  Value div(Value x, Value y) { return arith::DivFOp::create(b, x, y); }
  Value sqrt(Value x) { return math::SqrtOp::create(b, x); }
  /// x * y + z, rounded once.
  Value fma(Value x, Value y, Value z) { return math::FmaOp::create(b, x, y, z); }
  Value negate(Value x) { return arith::NegFOp::create(b, x); }
  /// x^n for a whole number n >= 0 below 2^53, by repeated squaring: GPUs have no library to call.
  Value power(Value x, Value n) {
    constexpr int64_t bits = 53;
    Value whole = arith::FPToSIOp::create(b, b.getI64Type(), n);
    Value one = arith::ConstantOp::create(b, b.getI64IntegerAttr(1));
    auto step = [&](Value bit, ValueRange carried) -> KernelBuilder::Values {
      Value shift = arith::IndexCastOp::create(b, b.getI64Type(), bit);
      Value lowest = arith::AndIOp::create(b, arith::ShRUIOp::create(b, whole, shift), one);
      Value isSet = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, lowest, one);
      Value product = arith::SelectOp::create(b, isSet, mul(carried[0], carried[1]), carried[0]);
      return {product, mul(carried[1], carried[1])};
    };
    return b.carry(b.index(0), b.index(bits), 1, {number(1), x}, step)[0];
  }

private:
  KernelBuilder &b;
  Type type;
};

/// The operands of an update, by name.
struct UpdateOperands {
  UpdateOperands(ValueRange operands, bool hasSeed)
      : gradients(operands[0]), found(operands[1]), sqnorm(operands[2]), lr(operands[3]),
        invScale(operands[4]), clipNorm(operands[5]), update(operands[6]), guard(operands[7]),
        seed(hasSeed ? operands[8] : Value()), state(operands.drop_front(hasSeed ? 9 : 8)) {}

  Value gradients, found, sqnorm, lr, invScale, clipNorm, update, guard;
  Value seed; ///< null unless values are rounded stochastically
  /// Values, or the low halves of split ones; the working copy if there is one; slots.
  ValueRange state;

  Type storedType() const { return getElementTypeOrSelf(state[0].getType()); }
  /// Buffers of `state` that hold values, when there are `slots` slots.
  size_t valueParts(int64_t slots) const { return state.size() - size_t(slots); }
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

/// What a scaled gradient is multiplied with: 1 / scale, and min(1, clip_norm / (norm + 1e-6)) where there is
/// clipping (torch.nn.utils.clip_grad_norm_).
static Value gradientFactor(KernelBuilder &b, const UpdateOperands &operands) {
  Formula f(b, b.getF64Type());
  Value inverse = f.cast(b.loadScalar(operands.invScale)), limit = f.cast(b.loadScalar(operands.clipNorm));
  Value norm = f.mul(f.sqrt(b.loadScalar(operands.sqnorm)), inverse);
  // minimumf, not minnumf: a norm that is NaN must not turn into 1.
  Value factor = arith::MinimumFOp::create(b, f.number(1), f.div(limit, f.add(norm, f.number(1e-6))));
  Value clips = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, limit, f.number(0));
  return f.mul(inverse, arith::SelectOp::create(b, clips, factor, f.number(1)));
}

//===----------------------------------------------------------------------===//
// Rules
//===----------------------------------------------------------------------===//

namespace {

/// w -= lr * (nesterov ? g + momentum * b : b), b = momentum * b + g, g += weight_decay * w.
class SgdRule {
public:
  SgdRule(KernelBuilder &b, train::SgdUpdateOp op, const UpdateOperands &operands, Type compute)
      : f(b, compute), op(op), momentum(f.number(op.getMomentum().convertToDouble())),
        decay(f.number(op.getWeightDecay().convertToDouble())) {
    rate = f.negate(f.cast(b.loadScalar(operands.lr)));
  }

  Elements operator()(Value g, ValueRange old) {
    if (!op.getWeightDecay().isZero())
      g = f.fma(decay, old[0], g);
    if (op.getMomentum().isZero())
      return {f.fma(rate, g, old[0])};
    Value buffer = f.fma(momentum, old[1], g);
    Value step = op.getNesterov() ? f.fma(momentum, buffer, g) : buffer;
    return {f.fma(rate, step, old[0]), buffer};
  }

private:
  Formula f;
  train::SgdUpdateOp op;
  Value momentum, decay, rate;
};

/// w -= lr * weight_decay * w; m = beta1 * m + (1 - beta1) * g; v = beta2 * v + (1 - beta2) * g * g;
/// w -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps).
class AdamwRule {
public:
  AdamwRule(KernelBuilder &b, train::AdamwUpdateOp op, const UpdateOperands &operands, Type compute)
      : f(b, compute) {
    double first = op.getBeta1().convertToDouble(), second = op.getBeta2().convertToDouble();
    beta1 = f.number(first);
    beta2 = f.number(second);
    // 1 - beta is rounded once: in f32 the difference would lose half its digits.
    rest1 = f.number(1 - first);
    rest2 = f.number(1 - second);
    eps = f.number(op.getEps().convertToDouble());

    Formula d(b, b.getF64Type());
    Value t = b.loadScalar(operands.update), lr = d.cast(b.loadScalar(operands.lr));
    auto correction = [&](double beta) { return d.sub(d.number(1), d.power(d.number(beta), t)); };
    rate = f.cast(d.div(lr, correction(first)));
    inverseRoot = f.cast(d.div(d.number(1), d.sqrt(correction(second))));
    Value decay = d.number(op.getWeightDecay().convertToDouble());
    kept = f.cast(d.sub(d.number(1), d.mul(lr, decay)));
  }

  Elements operator()(Value g, ValueRange old) {
    Value m = f.fma(beta1, old[1], f.mul(rest1, g));
    Value v = f.fma(beta2, old[2], f.mul(rest2, f.mul(g, g)));
    Value divisor = f.fma(f.sqrt(v), inverseRoot, eps);
    Value step = f.div(f.mul(rate, m), divisor);
    return {f.fma(old[0], kept, f.negate(step)), m, v};
  }

private:
  Formula f;
  Value beta1, beta2, rest1, rest2, eps, rate, inverseRoot, kept;
};

} // namespace

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
template <typename UpdateOp>
static std::unique_ptr<StoredValues> storedValues(KernelBuilder &b, UpdateOp op,
                                                  const UpdateOperands &operands, Value begin, Type compute) {
  Type stored = operands.storedType();
  if (stored.isInteger())
    return std::make_unique<SplitValues>(b, compute);
  if (operands.seed && stored.getIntOrFloatBitWidth() == 16)
    return std::make_unique<StochasticValues>(b, cast<FloatType>(stored), b.loadScalar(operands.seed),
                                              b.loadScalar(operands.update),
                                              b.plus(begin, int64_t(*op.getStochastic())));
  return std::make_unique<PlainValues>(/*hasCopy=*/operands.valueParts(op.getSlotCount()) == 2);
}

/// One sweep over items lo..hi: `rule` gives the new value and slots of an element.
template <typename UpdateOp, typename Rule>
static void emitSweep(KernelBuilder &b, const KernelCall &call, UpdateOp op, const UpdateOperands &operands,
                      Type compute, Rule rule) {
  Value factor = b.convert(gradientFactor(b, operands), compute);
  size_t parts = operands.valueParts(op.getSlotCount());
  auto sweep = [&](Value begin, Value end, int64_t length) {
    auto slice = [&](Value buffer) { return b.slice(buffer, 0, begin, end, length); };
    std::unique_ptr<StoredValues> values = storedValues(b, op, operands, begin, compute);
    SmallVector<Value> state = llvm::map_to_vector(operands.state, slice);
    b.update({slice(operands.gradients)}, state, [&](ValueRange v) {
      Value gradient = arith::MulFOp::create(b, v[0], factor);
      ValueRange elements = v.drop_front();
      Elements old{values->read(elements.take_front(parts))};
      llvm::append_range(old, elements.drop_front(parts));
      Elements updated = rule(gradient, old);
      KernelBuilder::Values result = values->write(updated[0]);
      result.append(updated.begin() + 1, updated.end());
      return result;
    });
  };
  if (call.pieces)
    return call.pieces(sweep);
  sweep(b.times(call.lo, amp::kGroupPadding), b.times(call.hi, amp::kGroupPadding), ShapedType::kDynamic);
}

LogicalResult emitUpdate(KernelBuilder &b, const KernelCall &call) {
  auto emit = [&](auto op, auto makeRule) {
    UpdateOperands operands(call.operands, /*hasSeed=*/op.getStochastic().has_value());
    SmallVector<Value> elements(operands.state);
    elements.push_back(operands.gradients);
    Type compute = b.computeTypeOf(elements);
    b.when(mayWrite(b, operands.found, operands.guard),
           [&] { emitSweep(b, call, op, operands, compute, makeRule(operands, compute)); });
  };
  llvm::TypeSwitch<Operation *>(call.op())
      .Case([&](train::SgdUpdateOp op) {
        emit(op,
             [&](const UpdateOperands &operands, Type compute) { return SgdRule(b, op, operands, compute); });
      })
      .Case([&](train::AdamwUpdateOp op) {
        emit(op, [&](const UpdateOperands &operands, Type compute) {
          return AdamwRule(b, op, operands, compute);
        });
      });
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
