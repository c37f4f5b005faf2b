// nn: element-wise ops and their gradients.

#ifndef HALFSTEP_DIALECT_NN_ELEMENTWISE
#define HALFSTEP_DIALECT_NN_ELEMENTWISE

include "dialect/nn/NNBase.td"

class NN_Unary<string mnemonic, string key> : NN_Keyed<mnemonic, key, [NN_Elementwise, NN_Differentiable]> {
  let arguments = (ins NN_FloatTensor:$input);
  let results = (outs NN_FloatTensor:$result);
}
class NN_UnaryBackward<string mnemonic> : NN_Op<mnemonic, [NN_Elementwise]> {
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$saved);
  let results = (outs NN_FloatTensor:$result);
}
class NN_Binary<string mnemonic, string key, list<Trait> traits = []> :
    NN_Keyed<mnemonic, key, !listconcat([NN_Elementwise, NN_Differentiable], traits)> {
  let arguments = (ins NN_FloatTensor:$lhs, NN_FloatTensor:$rhs);
  let results = (outs NN_FloatTensor:$result);
}

def NN_ReluOp : NN_Unary<"relu", "relu"> {
  let summary = "rectified linear unit";
  let description = [{
    `result = input > 0 ? input : 0`, and NaN for NaN.

    ```mlir
    %r = nn.relu %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_ReluBackwardOp : NN_UnaryBackward<"relu_backward"> {
  let summary = "gradient of relu";
  let description = [{
    `result = saved > 0 ? grad : 0` with `saved` the result of relu; the gradient at 0 is 0.

    ```mlir
    %d = nn.relu_backward %g, %r : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_TanhOp : NN_Unary<"tanh", "tanh"> {
  let summary = "hyperbolic tangent";
  let description = [{
    `result = tanh(input)`.

    ```mlir
    %r = nn.tanh %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_TanhBackwardOp : NN_UnaryBackward<"tanh_backward"> {
  let summary = "gradient of tanh";
  let description = [{
    `result = grad * (1 - saved^2)` with `saved` the result of tanh.

    ```mlir
    %d = nn.tanh_backward %g, %r : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_SigmoidOp : NN_Unary<"sigmoid", "sigmoid"> {
  let summary = "logistic function";
  let description = [{
    `result = 1 / (1 + exp(-input))`.

    ```mlir
    %r = nn.sigmoid %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_SigmoidBackwardOp : NN_UnaryBackward<"sigmoid_backward"> {
  let summary = "gradient of sigmoid";
  let description = [{
    `result = grad * saved * (1 - saved)` with `saved` the result of sigmoid.

    ```mlir
    %d = nn.sigmoid_backward %g, %r : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_SiluOp : NN_Unary<"silu", "silu"> {
  let summary = "sigmoid linear unit";
  let description = [{
    `result = input * sigmoid(input)`.

    ```mlir
    %r = nn.silu %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_SiluBackwardOp : NN_UnaryBackward<"silu_backward"> {
  let summary = "gradient of silu";
  let description = [{
    `result = grad * s * (1 + saved * (1 - s))` with `s = sigmoid(saved)` and `saved` the operand of silu.

    ```mlir
    %d = nn.silu_backward %g, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_GeluOp : NN_Unary<"gelu", "gelu"> {
  let summary = "Gaussian error linear unit";
  let description = [{
    `result = input / 2 * (1 + erf(input / sqrt(2)))`; with `tanh`, the approximation
    `input / 2 * (1 + tanh(sqrt(2 / pi) * (input + 0.044715 * input^3)))` (Hendrycks and Gimpel, 2016).

    ```mlir
    %r = nn.gelu %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, UnitAttr:$tanh);
}
def NN_GeluBackwardOp : NN_UnaryBackward<"gelu_backward"> {
  let summary = "gradient of gelu";
  let description = [{
    `result = grad * gelu'(saved)` with `saved` the operand of gelu, in the variant that `tanh` says.

    ```mlir
    %d = nn.gelu_backward %g, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$saved, UnitAttr:$tanh);
}
def NN_AddOp : NN_Binary<"add", "add", [Commutative]> {
  let summary = "sum with broadcasting";
  let description = [{
    `result = lhs + rhs` under numpy's broadcasting; the element type is the wider of the two.

    ```mlir
    %r = nn.add %a, %b : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
    ```
  }];
}
def NN_SubOp : NN_Binary<"sub", "sub"> {
  let summary = "difference with broadcasting";
  let description = [{
    `result = lhs - rhs` under numpy's broadcasting.

    ```mlir
    %r = nn.sub %a, %b : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
    ```
  }];
}
def NN_MulOp : NN_Binary<"mul", "mul", [Commutative]> {
  let summary = "product with broadcasting";
  let description = [{
    `result = lhs * rhs` under numpy's broadcasting. An operand of rank 0 does not widen the element type of one with
    dimensions (torch's promotion).

    ```mlir
    %r = nn.mul %a, %b : (tensor<2x4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
    ```
  }];
}
def NN_SquaredErrorOp : NN_Binary<"squared_error", "mse_loss"> {
  let summary = "squared difference, the element of the MSE loss";
  let description = [{
    `result = (lhs - rhs)^2` for operands of one shape.

    ```mlir
    %r = nn.squared_error %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_BroadcastOp : NN_Op<"broadcast", [NN_Elementwise, NN_Differentiable]> {
  let summary = "repeat along extents of 1 and new leading dimensions";
  let description = [{
    `result` has the given shape; numpy's broadcasting of `input` to it.

    ```mlir
    %r = nn.broadcast %x {shape = array<i64: 2, 4>} : (tensor<4xf32>) -> tensor<2x4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, DenseI64ArrayAttr:$shape);
  let results = (outs NN_FloatTensor:$result);
}
def NN_DropoutOp : NN_Keyed<"dropout", "dropout", [NN_Elementwise, NN_Differentiable]> {
  let summary = "zero elements at random and scale the rest";
  let description = [{
    `result = keep ? input / (1 - p) : 0`. `keep` is a function of seed, step, `id` and the element's row-major index
    alone: Philox 4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011), key = seed, counter =
    (index, step, id), first word. The backward pass applies the same op to the gradient.

    ```mlir
    %r = nn.dropout %x, %seed, %step {p = 0.5 : f64, id = 0 : i64}
        : (tensor<4xf32>, tensor<i64>, tensor<i64>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, TensorOf<[I64]>:$seed, TensorOf<[I64]>:$step, F64Attr:$p, I64Attr:$id);
  let results = (outs NN_FloatTensor:$result);
}
def NN_ConstantOp : NN_Op<"constant", [ConstantLike]> {
  let summary = "a constant tensor";
  let description = [{
    A scalar or splat is written into the kernels that use it; other elements lie in the kernels' read-only data.

    ```mlir
    %c = nn.constant {value = dense<5.0e-01> : tensor<f32>} : () -> tensor<f32>
    ```
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs RankedTensorOf<[F16, BF16, F32, F64, I64]>:$result);
  let hasFolder = 1;
}

#endif // HALFSTEP_DIALECT_NN_ELEMENTWISE
