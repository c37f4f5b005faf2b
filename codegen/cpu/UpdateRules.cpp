// One class an optimizer; the formulas are those of torch.optim, and train.update's description has them.
#include "codegen/cpu/UpdateRules.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace halfstep {

Value Formula::add(Value x, Value y) { return arith::AddFOp::create(b, x, y); }
Value Formula::sub(Value x, Value y) { return arith::SubFOp::create(b, x, y); }
Value Formula::mul(Value x, Value y) { return arith::MulFOp::create(b, x, y); }
Value Formula::div(Value x, Value y) { return arith::DivFOp::create(b, x, y); }
Value Formula::sqrt(Value x) { return math::SqrtOp::create(b, x); }
Value Formula::fma(Value x, Value y, Value z) { return math::FmaOp::create(b, x, y, z); }
Value Formula::negate(Value x) { return arith::NegFOp::create(b, x); }
Value Formula::smaller(Value x, Value y) { return arith::MinimumFOp::create(b, x, y); }
Value Formula::larger(Value x, Value y) { return arith::MaximumFOp::create(b, x, y); }

Value Formula::power(Value x, Value n) {
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

namespace {

using Elements = SmallVector<Value>;

/// What a rule is made from.
struct RuleInputs {
  KernelBuilder &b;
  train::OptimizerAttr optimizer;
  const UpdateNumbers &numbers;
  Type compute;
};

/// What the rules share.
class Rule : public UpdateRule {
protected:
  explicit Rule(const RuleInputs &in)
      : f(in.b, in.compute), d(in.b, in.b.getF64Type()), optimizer(in.optimizer) {}

  Formula f; ///< in the type of the elements
  Formula d; ///< in f64, for numbers of the whole call

  double constant(StringRef name) { return optimizer.constant(name); }
  bool has(StringRef name) { return constant(name) != 0; }
  Value number(StringRef name) { return f.number(constant(name)); }
  /// 1 - constant, rounded once: in f32 the difference would lose half its digits.
  Value rest(StringRef name) { return f.number(1 - constant(name)); }

  /// g + weight_decay * w.
  Value decayed(Value gradient, Value value) {
    return has("weight_decay") ? f.fma(number("weight_decay"), value, gradient) : gradient;
  }

private:
  train::OptimizerAttr optimizer;
};

class Sgd : public Rule {
public:
  explicit Sgd(const RuleInputs &in) : Rule(in), rate(f.negate(f.cast(in.numbers.rate))) {}

  Elements operator()(Value g, ValueRange old) override {
    g = decayed(g, old[0]);
    if (!has("momentum"))
      return {f.fma(rate, g, old[0])};
    Value buffer = f.fma(number("momentum"), old[1], g);
    Value step = has("nesterov") ? f.fma(number("momentum"), buffer, g) : buffer;
    return {f.fma(rate, step, old[0]), buffer};
  }

private:
  Value rate;
};

/// adam, and adamw with `decoupled`: its weight decay takes a part of the value itself.
template <bool decoupled>
class Adam : public Rule {
public:
  explicit Adam(const RuleInputs &in) : Rule(in) {
    auto correction = [&](StringRef beta) {
      return d.sub(d.number(1), d.power(d.number(constant(beta)), in.numbers.t));
    };
    rate = f.cast(d.div(in.numbers.rate, correction("beta1")));
    inverseRoot = f.cast(d.div(d.number(1), d.sqrt(correction("beta2"))));
    kept = f.cast(d.sub(d.number(1), d.mul(in.numbers.rate, d.number(constant("weight_decay")))));
  }

  Elements operator()(Value g, ValueRange old) override {
    if (!decoupled)
      g = decayed(g, old[0]);
    Value m = f.fma(number("beta1"), old[1], f.mul(rest("beta1"), g));
    Value v = f.fma(number("beta2"), old[2], f.mul(rest("beta2"), f.mul(g, g)));
    Value largest = has("amsgrad") ? f.larger(old[3], v) : v;
    Value step = f.div(f.mul(rate, m), f.fma(f.sqrt(largest), inverseRoot, number("eps")));
    Elements updated{decoupled ? f.fma(old[0], kept, f.negate(step)) : f.sub(old[0], step), m, v};
    if (has("amsgrad"))
      updated.push_back(largest);
    return updated;
  }

private:
  Value rate, inverseRoot, kept;
};

class Adagrad : public Rule {
public:
  explicit Adagrad(const RuleInputs &in) : Rule(in) {
    Value before = d.sub(in.numbers.t, d.number(1));
    Value slowing = d.fma(before, d.number(constant("lr_decay")), d.number(1));
    rate = f.cast(d.div(in.numbers.rate, slowing));
  }

  Elements operator()(Value g, ValueRange old) override {
    g = decayed(g, old[0]);
    Value sum = f.fma(g, g, old[1]);
    Value step = f.div(f.mul(rate, g), f.add(f.sqrt(sum), number("eps")));
    return {f.sub(old[0], step), sum};
  }

private:
  Value rate;
};

class Rmsprop : public Rule {
public:
  explicit Rmsprop(const RuleInputs &in) : Rule(in), rate(f.negate(f.cast(in.numbers.rate))) {}

  Elements operator()(Value g, ValueRange old) override {
    g = decayed(g, old[0]);
    // square_avg, then momentum_buffer and grad_avg where there are such.
    Value square = f.fma(number("alpha"), old[1], f.mul(rest("alpha"), f.mul(g, g))), spread = square;
    Value average;
    if (has("centered")) {
      average = f.fma(number("alpha"), old.back(), f.mul(rest("alpha"), g));
      // A variance: rounding must not make it negative, whose root would be NaN.
      spread = f.larger(f.fma(f.negate(average), average, square), f.number(0));
    }
    Value step = f.div(g, f.add(f.sqrt(spread), number("eps"))), buffer;
    if (has("momentum"))
      step = buffer = f.fma(number("momentum"), old[2], step);
    Elements updated{f.fma(rate, step, old[0]), square};
    for (Value slot : {buffer, average})
      if (slot)
        updated.push_back(slot);
    return updated;
  }

private:
  Value rate;
};

template <typename Kind>
std::unique_ptr<UpdateRule> make(const RuleInputs &inputs) {
  return std::make_unique<Kind>(inputs);
}

struct RuleRow {
  StringLiteral kind;
  std::unique_ptr<UpdateRule> (*make)(const RuleInputs &);
};

constexpr RuleRow rules[] = {{"sgd", make<Sgd>},
                             {"adam", make<Adam<false>>},
                             {"adamw", make<Adam<true>>},
                             {"adagrad", make<Adagrad>},
                             {"rmsprop", make<Rmsprop>}};

} // namespace

std::unique_ptr<UpdateRule> makeUpdateRule(KernelBuilder &b, train::OptimizerAttr optimizer,
                                           const UpdateNumbers &numbers, Type compute) {
  const RuleRow *row =
      llvm::find_if(rules, [&](const RuleRow &each) { return each.kind == optimizer.getKind(); });
  assert(row != std::end(rules) && "every optimizer of the table has a formula");
  return row->make({b, optimizer, numbers, compute});
}

} // namespace halfstep
