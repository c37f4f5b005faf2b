// nn: functions of one number and of two, element by element. Formulas and gradients are in FunctionTable.cpp.

#ifndef HALFSTEP_DIALECT_NN_FUNCTION
#define HALFSTEP_DIALECT_NN_FUNCTION

include "dialect/nn/NNBase.td"

/// What the table of functions implements for every op in it.
class NN_Tabulated<string mnemonic, string key> : NN_Keyed<mnemonic, key, [NN_Elementwise, NN_Differentiable]> {
  let results = (outs NN_FloatTensor:$result);
  let extraClassDefinition = [{
    ::mlir::Value $cppClass::emitScalar(::mlir::OpBuilder &builder, ::mlir::Location loc, ::mlir::ValueRange operands,
                                        ::mlir::Type type, ::llvm::function_ref<::mlir::Value()>) {
      return emitFunction(*this, builder, loc, operands, type);
    }
    void $cppClass::buildGradient(::mlir::OpBuilder &builder, ::mlir::ArrayRef<::mlir::Value> resultGrads,
                                  ::llvm::SmallVectorImpl<::mlir::Value> &operandGrads) {
      buildFunctionGradient(*this, builder, resultGrads[0], operandGrads);
    }
    ::llvm::LogicalResult $cppClass::inferReturnTypes(::mlir::MLIRContext *, std::optional<::mlir::Location> loc,
                                                      Adaptor adaptor,
                                                      ::llvm::SmallVectorImpl<::mlir::Type> &types) {
      return inferFunction(loc, adaptor.getOperands(), types);
    }
  }];
}
class NN_Function<string mnemonic, string key> : NN_Tabulated<mnemonic, key> {
  let arguments = (ins NN_FloatTensor:$input);
}
class NN_FunctionOfAlpha<string mnemonic, string key> : NN_Tabulated<mnemonic, key> {
  let arguments = (ins NN_FloatTensor:$input, F64Attr:$alpha);
}
class NN_FunctionOfAlphaBeta<string mnemonic, string key> : NN_Tabulated<mnemonic, key> {
  let arguments = (ins NN_FloatTensor:$input, F64Attr:$alpha, F64Attr:$beta);
}
class NN_FunctionOfTwo<string mnemonic, string key> : NN_Tabulated<mnemonic, key> {
  let arguments = (ins NN_FloatTensor:$lhs, NN_FloatTensor:$rhs);
}

def NN_ExpOp : NN_Function<"exp", "exp"> {
  let summary = "exponential";
  let description = [{
    `result = e^input`.

    ```mlir
    %r = nn.exp %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_LogOp : NN_Function<"log", "log"> {
  let summary = "natural logarithm";
  let description = [{
    `result = ln(input)`; -infinity for 0, NaN below.

    ```mlir
    %r = nn.log %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_SqrtOp : NN_Function<"sqrt", "sqrt"> {
  let summary = "square root";
  let description = [{
    `result = sqrt(input)`; the gradient at 0 is infinite.

    ```mlir
    %r = nn.sqrt %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_NormOp : NN_Function<"norm_root", "sqrt"> {
  let summary = "square root of a sum of squares";
  let description = [{
    `result = sqrt(input)`; the gradient at 0 is 0, PyTorch's choice for the length of a vector.

    ```mlir
    %r = nn.norm_root %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_ReciprocalOp : NN_Function<"reciprocal", "reciprocal"> {
  let summary = "1 over a number";
  let description = [{
    `result = 1 / input`.

    ```mlir
    %r = nn.reciprocal %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_AbsOp : NN_Function<"abs", "abs"> {
  let summary = "absolute value";
  let description = [{
    `result = |input|`; the gradient at 0 is 0.

    ```mlir
    %r = nn.abs %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_ErfOp : NN_Function<"erf", "erf"> {
  let summary = "error function";
  let description = [{
    `result = 2 / sqrt(pi) * integral of exp(-t^2) from 0 to input`.

    ```mlir
    %r = nn.erf %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_SinOp : NN_Function<"sin", "sin"> {
  let summary = "sine";
  let description = [{
    `result = sin(input)`, of an angle in radians.

    ```mlir
    %r = nn.sin %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_CosOp : NN_Function<"cos", "cos"> {
  let summary = "cosine";
  let description = [{
    `result = cos(input)`, of an angle in radians.

    ```mlir
    %r = nn.cos %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_ClipOp : NN_FunctionOfAlphaBeta<"clip", "clamp"> {
  let summary = "limit to an interval";
  let description = [{
    `result = min(max(input, alpha), beta)`; NaN for NaN. The gradient is passed where `alpha <= input <= beta`.

    ```mlir
    %r = nn.clip %x {alpha = 0.0 : f64, beta = 6.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_LeakyReluOp : NN_FunctionOfAlpha<"leaky_relu", "leaky_relu"> {
  let summary = "linear unit with a slope below 0";
  let description = [{
    `result = input > 0 ? input : alpha * input`; the gradient at 0 is `alpha`.

    ```mlir
    %r = nn.leaky_relu %x {alpha = 0.01 : f64} : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_EluOp : NN_FunctionOfAlpha<"elu", "elu"> {
  let summary = "exponential linear unit";
  let description = [{
    `result = input > 0 ? input : alpha * (exp(input) - 1)` (Clevert et al., 2015).

    ```mlir
    %r = nn.elu %x {alpha = 1.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_SeluOp : NN_FunctionOfAlphaBeta<"selu", "selu"> {
  let summary = "scaled exponential linear unit";
  let description = [{
    `result = beta * (input > 0 ? input : alpha * (exp(input) - 1))` (Klambauer et al., 2017).

    ```mlir
    %r = nn.selu %x {alpha = 1.6732632423543772 : f64, beta = 1.0507009873554805 : f64}
        : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_CeluOp : NN_FunctionOfAlpha<"celu", "celu"> {
  let summary = "continuously differentiable exponential linear unit";
  let description = [{
    `result = max(input, 0) + min(0, alpha * (exp(input / alpha) - 1))` (Barron, 2017); `alpha` is not 0.

    ```mlir
    %r = nn.celu %x {alpha = 1.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_SoftplusOp : NN_Function<"softplus", "softplus"> {
  let summary = "smooth rectifier";
  let description = [{
    `result = ln(1 + exp(input))`, computed as `max(input, 0) + ln(1 + exp(-|input|))`.

    ```mlir
    %r = nn.softplus %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_LogSigmoidOp : NN_Function<"log_sigmoid", "log_sigmoid"> {
  let summary = "logarithm of the logistic function";
  let description = [{
    `result = -ln(1 + exp(-input))`, computed as `min(input, 0) - ln(1 + exp(-|input|))`.

    ```mlir
    %r = nn.log_sigmoid %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_SoftsignOp : NN_Function<"softsign", "softsign"> {
  let summary = "smooth sign";
  let description = [{
    `result = input / (1 + |input|)`.

    ```mlir
    %r = nn.softsign %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_MishOp : NN_Function<"mish", "mish"> {
  let summary = "self-regularised activation";
  let description = [{
    `result = input * tanh(ln(1 + exp(input)))` (Misra, 2019).

    ```mlir
    %r = nn.mish %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_HardswishOp : NN_Function<"hardswish", "hardswish"> {
  let summary = "piecewise approximation of SiLU";
  let description = [{
    `result = input * min(max(input / 6 + 1 / 2, 0), 1)` (Howard et al., 2019).

    ```mlir
    %r = nn.hardswish %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_HardsigmoidOp : NN_FunctionOfAlphaBeta<"hardsigmoid", "hardsigmoid"> {
  let summary = "piecewise linear sigmoid";
  let description = [{
    `result = min(max(alpha * input + beta, 0), 1)`; the gradient where a limit begins is 0.

    ```mlir
    %r = nn.hardsigmoid %x {alpha = 0.2 : f64, beta = 0.5 : f64} : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_ThresholdedReluOp : NN_FunctionOfAlpha<"thresholded_relu", "threshold"> {
  let summary = "zero up to a threshold";
  let description = [{
    `result = input > alpha ? input : 0`, and NaN for NaN.

    ```mlir
    %r = nn.thresholded_relu %x {alpha = 1.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_SignOp : NN_Function<"sign", "sign"> {
  let summary = "sign";
  let description = [{
    `result` is 1 for numbers above 0, -1 for those below, else 0. It has no gradient.

    ```mlir
    %r = nn.sign %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_FloorOp : NN_Function<"floor", "floor"> {
  let summary = "largest integer not above";
  let description = [{
    `result = floor(input)`. It has no gradient.

    ```mlir
    %r = nn.floor %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_CeilOp : NN_Function<"ceil", "ceil"> {
  let summary = "smallest integer not below";
  let description = [{
    `result = ceil(input)`. It has no gradient.

    ```mlir
    %r = nn.ceil %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_RoundOp : NN_Function<"round", "round"> {
  let summary = "nearest integer";
  let description = [{
    `result` is the nearest integer, the even one of two. It has no gradient.

    ```mlir
    %r = nn.round %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_DetachOp : NN_Function<"detach", "detach"> {
  let summary = "the same values, without gradient";
  let description = [{
    `result = input`; what `input` depends on gets no gradient through it.

    ```mlir
    %r = nn.detach %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_DivOp : NN_FunctionOfTwo<"div", "div"> {
  let summary = "quotient with broadcasting";
  let description = [{
    `result = lhs / rhs` under numpy's broadcasting.

    ```mlir
    %r = nn.div %a, %b : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
    ```
  }];
}
def NN_PowOp : NN_FunctionOfTwo<"pow", "pow"> {
  let summary = "power with broadcasting";
  let description = [{
    `result = lhs^rhs` under numpy's broadcasting; constant exponents that are small integers or
    1 / 2 need no logarithm. The gradient of the exponent is 0 where `lhs` is 0 and `rhs` is not below 0.

    ```mlir
    %r = nn.pow %a, %b : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
    ```
  }];
}
def NN_MaximumOp : NN_FunctionOfTwo<"maximum", "maximum"> {
  let summary = "the larger of two, with broadcasting";
  let description = [{
    `result = max(lhs, rhs)` under numpy's broadcasting; NaN if one is. Equal operands share the gradient.

    ```mlir
    %r = nn.maximum %a, %b : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
    ```
  }];
}
def NN_MinimumOp : NN_FunctionOfTwo<"minimum", "minimum"> {
  let summary = "the smaller of two, with broadcasting";
  let description = [{
    `result = min(lhs, rhs)` under numpy's broadcasting; NaN if one is. Equal operands share the gradient.

    ```mlir
    %r = nn.minimum %a, %b : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
    ```
  }];
}
def NN_PreluOp : NN_FunctionOfTwo<"prelu", "prelu"> {
  let summary = "linear unit with a trained slope below 0";
  let description = [{
    `result = lhs > 0 ? lhs : rhs * lhs`, `rhs` broadcast to the shape of `lhs`.

    ```mlir
    %r = nn.prelu %a, %b : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
    ```
  }];
}
def NN_FunctionBackwardOp : NN_Op<"function_backward", [NN_Elementwise]> {
  let summary = "gradient of a function from the table";
  let description = [{
    `result = grad * f'`, the derivative of `nn.FUNCTION` by its operand number `operand`, without the sum over what was
    broadcast. `saved` holds the function's operands, or its result where the derivative follows from that (exp, sqrt,
    norm_root, reciprocal). Where the derivative is 0, `result` is 0, whatever `grad` is.

    ```mlir
    %d = nn.function_backward %g, %x {function = "elu", operand = 0 : i64, alpha = 1.0 : f64}
        : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, Variadic<NN_FloatTensor>:$saved, StrAttr:$function, I64Attr:$operand,
    OptionalAttr<F64Attr>:$alpha, OptionalAttr<F64Attr>:$beta);
  let results = (outs NN_FloatTensor:$result);
}

#endif // HALFSTEP_DIALECT_NN_FUNCTION
