// The table of functions: a value and its gradients a line. Sub-gradients where there is a kink are
// PyTorch's.
#include "dialect/nn/Functions.h"

#include "mlir/IR/Matchers.h"
#include "llvm/ADT/StringMap.h"

#include <cmath>
#include <numbers>

using namespace mlir;

namespace halfstep::nn {

using Numbers = FunctionNumbers;
using Order = Scalar::Order;

//===----------------------------------------------------------------------===//
// Parts of formulas
//===----------------------------------------------------------------------===//

/// exp(x) - 1 for x up to 0, without cancellation: with t = tanh(x / 2) it is 2 t / (1 - t).
static Value expMinusOne(Scalar &s, Value x) {
  Value t = s.tanh(s.mul(s.number(0.5), x));
  return s.div(s.mul(s.number(2), t), s.oneMinus(t));
}

/// ln(1 + x) for x in [0, 1]: the rounding of 1 + x is undone by the quotient (Kahan, in Goldberg, What every
/// computer scientist should know about floating-point arithmetic, 1991).
static Value logOnePlus(Scalar &s, Value x) {
  Value sum = s.add(s.number(1), x);
  Value corrected = s.div(s.mul(s.log(sum), x), s.sub(sum, s.number(1)));
  return s.select(s.compare(Order::OEQ, sum, s.number(1)), x, corrected);
}

/// ln(1 + exp(-|x|)).
static Value logOfTail(Scalar &s, Value x) { return logOnePlus(s, s.exp(s.negate(s.absolute(x)))); }

/// x above 0 ? value : other; NaN in x selects other.
static Value ifPositive(Scalar &s, Value x, Value value, Value other) {
  return s.select(s.compare(Order::OGT, x, s.number(0)), value, other);
}

static Value timesNumber(Scalar &s, double factor, Value x) { return s.mul(s.number(factor), x); }

/// With e = exp(x): tanh(ln(1 + e)) = (e^2 + 2 e) / (e^2 + 2 e + 2), 1 from far below the limit on.
static std::pair<Value, Value> mishParts(Scalar &s, Value x) {
  Value e = s.exp(s.smaller(x, s.number(30)));
  return {e, s.mul(e, s.add(e, s.number(2)))};
}

/// x^exponent for exponents that need no logarithm; null for others.
static Value simplePower(Scalar &s, Value x, double exponent) {
  if (exponent == 0)
    return s.number(1);
  if (exponent < 0) {
    Value inverse = simplePower(s, x, -exponent);
    return inverse ? s.div(s.number(1), inverse) : Value();
  }
  if (exponent == 0.5)
    return s.sqrt(x);
  constexpr double most = 8;
  if (exponent > most || exponent != std::floor(exponent))
    return {};
  Value power = x;
  for (int i = 1; i < int(exponent); ++i)
    power = s.mul(power, x);
  return power;
}

/// The number that an exponent is everywhere.
static std::optional<double> constantOf(Value value) {
  FloatAttr number;
  if (!matchPattern(value, m_Constant(&number)))
    return std::nullopt;
  return number.getValueAsDouble();
}

static Value power(Scalar &s, Value x, Value exponent) {
  Value simple;
  if (std::optional<double> number = constantOf(exponent))
    simple = simplePower(s, x, *number);
  return simple ? simple : s.pow(x, exponent);
}

//===----------------------------------------------------------------------===//
// Functions of one number
//===----------------------------------------------------------------------===//

#define HS_VALUE(name) static Value name##Value(Scalar &s, ValueRange x, Numbers n)
#define HS_GRADIENT_OF(name) static Value name##Gradient(Scalar &s, Value grad, ValueRange x, Numbers n)

HS_VALUE(exp) { return s.exp(x[0]); }
HS_GRADIENT_OF(exp) { return s.mul(grad, x[0]); }

HS_VALUE(log) { return s.log(x[0]); }
HS_GRADIENT_OF(log) { return s.div(grad, x[0]); }

HS_VALUE(sqrt) { return s.sqrt(x[0]); }
HS_GRADIENT_OF(sqrt) { return s.div(grad, timesNumber(s, 2, x[0])); }
HS_GRADIENT_OF(normRoot) { return ifPositive(s, x[0], sqrtGradient(s, grad, x, n), s.number(0)); }

HS_VALUE(reciprocal) { return s.div(s.number(1), x[0]); }
HS_GRADIENT_OF(reciprocal) { return s.negate(s.mul(grad, s.square(x[0]))); }

HS_VALUE(abs) { return s.absolute(x[0]); }
HS_GRADIENT_OF(abs) {
  Value below = s.select(s.compare(Order::OLT, x[0], s.number(0)), s.negate(grad), s.number(0));
  return ifPositive(s, x[0], grad, below);
}

HS_VALUE(erf) { return s.erf(x[0]); }
HS_GRADIENT_OF(erf) {
  Value density = timesNumber(s, 2 / std::sqrt(std::numbers::pi), s.exp(s.negate(s.square(x[0]))));
  return s.mul(grad, density);
}

HS_VALUE(sin) { return s.sin(x[0]); }
HS_GRADIENT_OF(sin) { return s.mul(grad, s.cos(x[0])); }

HS_VALUE(cos) { return s.cos(x[0]); }
HS_GRADIENT_OF(cos) { return s.negate(s.mul(grad, s.sin(x[0]))); }

HS_VALUE(clip) { return s.smaller(s.larger(x[0], s.number(n.alpha)), s.number(n.beta)); }
HS_GRADIENT_OF(clip) {
  Value inside =
      s.both(s.compare(Order::OGE, x[0], s.number(n.alpha)), s.compare(Order::OLE, x[0], s.number(n.beta)));
  return s.select(inside, grad, s.number(0));
}

HS_VALUE(leakyRelu) { return ifPositive(s, x[0], x[0], timesNumber(s, n.alpha, x[0])); }
HS_GRADIENT_OF(leakyRelu) { return ifPositive(s, x[0], grad, timesNumber(s, n.alpha, grad)); }

HS_VALUE(elu) { return ifPositive(s, x[0], x[0], timesNumber(s, n.alpha, expMinusOne(s, x[0]))); }
HS_GRADIENT_OF(elu) { return ifPositive(s, x[0], grad, s.mul(grad, timesNumber(s, n.alpha, s.exp(x[0])))); }

HS_VALUE(selu) { return timesNumber(s, n.beta, eluValue(s, x, n)); }
HS_GRADIENT_OF(selu) { return timesNumber(s, n.beta, eluGradient(s, grad, x, n)); }

HS_VALUE(celu) {
  Value scaled = timesNumber(s, 1 / n.alpha, x[0]);
  return ifPositive(s, x[0], x[0], timesNumber(s, n.alpha, expMinusOne(s, scaled)));
}
HS_GRADIENT_OF(celu) {
  return ifPositive(s, x[0], grad, s.mul(grad, s.exp(timesNumber(s, 1 / n.alpha, x[0]))));
}

HS_VALUE(softplus) { return s.add(s.larger(x[0], s.number(0)), logOfTail(s, x[0])); }
HS_GRADIENT_OF(softplus) { return s.mul(grad, s.sigmoid(x[0])); }

HS_VALUE(logSigmoid) { return s.sub(s.smaller(x[0], s.number(0)), logOfTail(s, x[0])); }
HS_GRADIENT_OF(logSigmoid) { return s.mul(grad, s.sigmoid(s.negate(x[0]))); }

HS_VALUE(softsign) { return s.div(x[0], s.add(s.number(1), s.absolute(x[0]))); }
HS_GRADIENT_OF(softsign) { return s.div(grad, s.square(s.add(s.number(1), s.absolute(x[0])))); }

HS_VALUE(mish) {
  auto [e, numerator] = mishParts(s, x[0]);
  return s.mul(x[0], s.div(numerator, s.add(numerator, s.number(2))));
}
HS_GRADIENT_OF(mish) {
  auto [e, numerator] = mishParts(s, x[0]);
  Value denominator = s.add(numerator, s.number(2));
  Value gate = s.div(numerator, denominator);
  Value slope = s.div(timesNumber(s, 4, s.mul(e, s.add(e, s.number(1)))), s.square(denominator));
  return s.mul(grad, s.add(gate, s.mul(x[0], slope)));
}

/// min(max(alpha x + beta, 0), 1).
static Value hardGate(Scalar &s, Value x, double alpha, double beta) {
  Value line = s.add(timesNumber(s, alpha, x), s.number(beta));
  return s.smaller(s.larger(line, s.number(0)), s.number(1));
}

HS_VALUE(hardsigmoid) { return hardGate(s, x[0], n.alpha, n.beta); }
HS_GRADIENT_OF(hardsigmoid) {
  Value gate = hardGate(s, x[0], n.alpha, n.beta);
  Value inside = s.both(s.compare(Order::OGT, gate, s.number(0)), s.compare(Order::OLT, gate, s.number(1)));
  return s.select(inside, timesNumber(s, n.alpha, grad), s.number(0));
}

HS_VALUE(hardswish) { return s.mul(x[0], hardGate(s, x[0], 1.0 / 6, 0.5)); }
HS_GRADIENT_OF(hardswish) {
  Value between = s.mul(grad, s.add(timesNumber(s, 1.0 / 3, x[0]), s.number(0.5)));
  Value notAbove = s.select(s.compare(Order::OLE, x[0], s.number(-3)), s.number(0), between);
  return s.select(s.compare(Order::OGE, x[0], s.number(3)), grad, notAbove);
}

HS_VALUE(thresholdedRelu) {
  return s.select(s.compare(Order::UGT, x[0], s.number(n.alpha)), x[0], s.number(0));
}
HS_GRADIENT_OF(thresholdedRelu) {
  return s.select(s.compare(Order::OGT, x[0], s.number(n.alpha)), grad, s.number(0));
}

HS_VALUE(sign) {
  Value below = s.select(s.compare(Order::OLT, x[0], s.number(0)), s.number(-1), s.number(0));
  return ifPositive(s, x[0], s.number(1), below);
}
HS_VALUE(floor) { return s.floor(x[0]); }
HS_VALUE(ceil) { return s.ceil(x[0]); }
HS_VALUE(round) { return s.roundEven(x[0]); }
HS_VALUE(detach) { return x[0]; }

//===----------------------------------------------------------------------===//
// Functions of two numbers
//===----------------------------------------------------------------------===//

#define HS_GRADIENT_LEFT(name) static Value name##Left(Scalar &s, Value grad, ValueRange x, Numbers n)
#define HS_GRADIENT_RIGHT(name) static Value name##Right(Scalar &s, Value grad, ValueRange x, Numbers n)

HS_VALUE(div) { return s.div(x[0], x[1]); }
HS_GRADIENT_LEFT(div) { return s.div(grad, x[1]); }
HS_GRADIENT_RIGHT(div) { return s.negate(s.mul(grad, s.div(s.div(x[0], x[1]), x[1]))); }

HS_VALUE(pow) { return power(s, x[0], x[1]); }
HS_GRADIENT_LEFT(pow) {
  std::optional<double> constant = constantOf(x[1]);
  Value lower = constant ? s.number(*constant - 1) : s.sub(x[1], s.number(1));
  Value slope = s.mul(grad, s.mul(x[1], power(s, x[0], lower)));
  return s.select(s.compare(Order::OEQ, x[1], s.number(0)), s.number(0), slope);
}
HS_GRADIENT_RIGHT(pow) {
  Value atZero = s.both(s.compare(Order::OEQ, x[0], s.number(0)), s.compare(Order::OGE, x[1], s.number(0)));
  return s.select(atZero, s.number(0), s.mul(grad, s.mul(power(s, x[0], x[1]), s.log(x[0]))));
}

/// The gradient of an operand that is chosen unless `other` is: half of it where both are equal.
static Value shared(Scalar &s, Value grad, Value operand, Value other, Order losesIf) {
  Value half = s.select(s.compare(Order::OEQ, operand, other), timesNumber(s, 0.5, grad), grad);
  return s.select(s.compare(losesIf, operand, other), s.number(0), half);
}

HS_VALUE(maximum) { return s.larger(x[0], x[1]); }
HS_GRADIENT_LEFT(maximum) { return shared(s, grad, x[0], x[1], Order::OLT); }
HS_GRADIENT_RIGHT(maximum) { return shared(s, grad, x[1], x[0], Order::OLT); }

HS_VALUE(minimum) { return s.smaller(x[0], x[1]); }
HS_GRADIENT_LEFT(minimum) { return shared(s, grad, x[0], x[1], Order::OGT); }
HS_GRADIENT_RIGHT(minimum) { return shared(s, grad, x[1], x[0], Order::OGT); }

HS_VALUE(prelu) { return ifPositive(s, x[0], x[0], s.mul(x[1], x[0])); }
HS_GRADIENT_LEFT(prelu) { return ifPositive(s, x[0], grad, s.mul(x[1], grad)); }
HS_GRADIENT_RIGHT(prelu) { return ifPositive(s, x[0], s.number(0), s.mul(x[0], grad)); }

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

static Function ofResult(Function::Formula value, Function::Gradient gradient) {
  return {value, {gradient, nullptr}, /*savesResult=*/true};
}
static Function ofInput(Function::Formula value, Function::Gradient gradient = nullptr) {
  return {value, {gradient, nullptr}};
}
static Function ofTwo(Function::Formula value, Function::Gradient left, Function::Gradient right) {
  return {value, {left, right}, /*savesResult=*/false, /*operands=*/2};
}

const Function *findFunction(StringRef name) {
  static const llvm::StringMap<Function> table = {
      {"exp", ofResult(expValue, expGradient)},
      {"log", ofInput(logValue, logGradient)},
      {"sqrt", ofResult(sqrtValue, sqrtGradient)},
      {"norm_root", ofResult(sqrtValue, normRootGradient)},
      {"reciprocal", ofResult(reciprocalValue, reciprocalGradient)},
      {"abs", ofInput(absValue, absGradient)},
      {"erf", ofInput(erfValue, erfGradient)},
      {"sin", ofInput(sinValue, sinGradient)},
      {"cos", ofInput(cosValue, cosGradient)},
      {"clip", ofInput(clipValue, clipGradient)},
      {"leaky_relu", ofInput(leakyReluValue, leakyReluGradient)},
      {"elu", ofInput(eluValue, eluGradient)},
      {"selu", ofInput(seluValue, seluGradient)},
      {"celu", ofInput(celuValue, celuGradient)},
      {"softplus", ofInput(softplusValue, softplusGradient)},
      {"log_sigmoid", ofInput(logSigmoidValue, logSigmoidGradient)},
      {"softsign", ofInput(softsignValue, softsignGradient)},
      {"mish", ofInput(mishValue, mishGradient)},
      {"hardswish", ofInput(hardswishValue, hardswishGradient)},
      {"hardsigmoid", ofInput(hardsigmoidValue, hardsigmoidGradient)},
      {"thresholded_relu", ofInput(thresholdedReluValue, thresholdedReluGradient)},
      {"sign", ofInput(signValue)},
      {"floor", ofInput(floorValue)},
      {"ceil", ofInput(ceilValue)},
      {"round", ofInput(roundValue)},
      {"detach", ofInput(detachValue)},
      {"div", ofTwo(divValue, divLeft, divRight)},
      {"pow", ofTwo(powValue, powLeft, powRight)},
      {"maximum", ofTwo(maximumValue, maximumLeft, maximumRight)},
      {"minimum", ofTwo(minimumValue, minimumLeft, minimumRight)},
      {"prelu", ofTwo(preluValue, preluLeft, preluRight)},
  };
  auto found = table.find(name);
  return found == table.end() ? nullptr : &found->second;
}

} // namespace halfstep::nn
