// nn: what a model computes, and what its gradients compute.

#ifndef HALFSTEP_DIALECT_NN
#define HALFSTEP_DIALECT_NN

include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "dialect/interfaces/OpInterfaces.td"

def NN_Dialect : Dialect {
  let name = "nn";
  let cppNamespace = "::halfstep::nn";
  let summary = "Neural network ops on static tensors.";
  let description = [{
    Images are NCHW, weights as PyTorch keeps them. Shapes are static. Unless an op says otherwise, arithmetic is
    in f32 (f64 when an operand is f64), a result is rounded once, to nearest-even, when it is stored, and NaN and
    infinity propagate as IEEE 754 says. Result types are inferred from operands and attributes.
  }];
}

def NN_FloatTensor : RankedTensorOf<[F16, BF16, F32, F64]>;

class NN_Op<string mnemonic, list<Trait> traits = []> :
    Op<NN_Dialect, mnemonic, !listconcat([Pure, InferTypeOpAdaptor], traits)> {
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}
def NN_Differentiable : DeclareOpInterfaceMethods<DifferentiableOpInterface>;
def NN_Elementwise : DeclareOpInterfaceMethods<ElementwiseOpInterface, ["emitScalar"]>;
def NN_MappedElementwise : DeclareOpInterfaceMethods<ElementwiseOpInterface, ["emitScalar", "getOperandMap"]>;

/// An op that precision lists know as `key`.
class NN_Keyed<string mnemonic, string key, list<Trait> traits = []> :
    NN_Op<mnemonic, !listconcat([PrecisionClassOpInterface], traits)> {
  code keyMethod = "::llvm::StringRef getPrecisionKey() { return \"" # key # "\"; }\n";
  let extraClassDeclaration = keyMethod;
}

//===----------------------------------------------------------------------===//
// Element-wise
//===----------------------------------------------------------------------===//

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
    A scalar or splat is written into the kernels that use it.

    ```mlir
    %c = nn.constant {value = dense<5.0e-01> : tensor<f32>} : () -> tensor<f32>
    ```
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs NN_FloatTensor:$result);
  let hasFolder = 1;
}

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

def NN_MatmulOp : NN_Keyed<"matmul", "matmul", [NN_Differentiable]> {
  let summary = "matrix product, batched, with optional bias";
  let description = [{
    `result[..., m, n] = sum_k A[..., m, k] * B[..., k, n] (+ bias[n])`, A and B the operands or their transposes in
    the last two dimensions. If `rhs` has rank 2, all leading extents of `lhs` are rows (then `transpose_a` needs
    rank 2); otherwise the leading extents are equal. A linear layer is `transpose_b` with the weight [out, in].
    Products are summed in f32 (f64 for f64) and rounded once.

    ```mlir
    %y = nn.matmul %x, %w, %b {transpose_b} : (tensor<8x64xf32>, tensor<32x64xf32>, tensor<32xf32>) -> tensor<8x32xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$lhs, NN_FloatTensor:$rhs, Optional<NN_FloatTensor>:$bias, UnitAttr:$transpose_a,
    UnitAttr:$transpose_b);
  let results = (outs NN_FloatTensor:$result);
}

class NN_ConvAttrs<dag operands> {
  dag arguments = !con(operands, (ins DenseI64ArrayAttr:$stride, DenseI64ArrayAttr:$padding,
    DenseI64ArrayAttr:$dilation, I64Attr:$groups));
}
def NN_Conv2dOp : NN_Keyed<"conv2d", "conv2d", [NN_Differentiable]> {
  let summary = "two-dimensional convolution";
  let description = [{
    Cross-correlation of `input` [n, c, h, w] with `weight` [o, c / groups, kh, kw], plus `bias` [o]. `stride` and
    `dilation` are (vertical, horizontal), `padding` is (top, left, bottom, right) zeros.
    Products are summed in f32 (f64 for f64) and rounded once.

    ```mlir
    %y = nn.conv2d %x, %w, %b {stride = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>,
        groups = 1 : i64} : (tensor<2x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<4xf32>) -> tensor<2x4x8x8xf32>
    ```
  }];
  let arguments = NN_ConvAttrs<(ins NN_FloatTensor:$input, NN_FloatTensor:$weight, Optional<NN_FloatTensor>:$bias)>.arguments;
  let results = (outs NN_FloatTensor:$result);
}
def NN_Conv2dBackwardDataOp : NN_Op<"conv2d_backward_data"> {
  let summary = "gradient of conv2d with respect to its input";
  let description = [{
    `result` has the shape `input_shape`; `grad` is that of the convolution's result.

    ```mlir
    %d = nn.conv2d_backward_data %g, %w {input_shape = array<i64: 2, 3, 8, 8>, stride = array<i64: 1, 1>,
        padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>, groups = 1 : i64}
        : (tensor<2x4x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<2x3x8x8xf32>
    ```
  }];
  let arguments = NN_ConvAttrs<(ins NN_FloatTensor:$grad, NN_FloatTensor:$weight, DenseI64ArrayAttr:$input_shape)>.arguments;
  let results = (outs NN_FloatTensor:$result);
}
def NN_Conv2dBackwardWeightOp : NN_Op<"conv2d_backward_weight"> {
  let summary = "gradient of conv2d with respect to its weight";
  let description = [{
    `result` has the shape `weight_shape`. Summed over images in f32 and rounded once.

    ```mlir
    %d = nn.conv2d_backward_weight %x, %g {weight_shape = array<i64: 4, 3, 3, 3>, stride = array<i64: 1, 1>,
        padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>, groups = 1 : i64}
        : (tensor<2x3x8x8xf32>, tensor<2x4x8x8xf32>) -> tensor<4x3x3x3xf32>
    ```
  }];
  let arguments = NN_ConvAttrs<(ins NN_FloatTensor:$input, NN_FloatTensor:$grad, DenseI64ArrayAttr:$weight_shape)>.arguments;
  let results = (outs NN_FloatTensor:$result);
}

//===----------------------------------------------------------------------===//
// Normalisation
//===----------------------------------------------------------------------===//

def NN_BatchNormOp : NN_Keyed<"batch_norm", "batch_norm", [NN_Differentiable]> {
  let summary = "batch normalisation with batch statistics";
  let description = [{
    Over all dimensions but 1: `mean`, `rstd = 1 / sqrt(var + eps)` with the biased variance, and
    `result = (input - mean) * rstd * scale + shift`. `new_mean = (1 - momentum) * running_mean + momentum * mean`;
    `new_var` likewise with the unbiased variance (PyTorch). Statistics are f32 (f64 for f64).

    ```mlir
    %y, %m, %r, %nm, %nv = nn.batch_norm %x, %s, %t, %rm, %rv {eps = 1.0e-05 : f64, momentum = 0.1 : f64}
        : (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
        -> (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$scale, NN_FloatTensor:$shift,
    NN_FloatTensor:$running_mean, NN_FloatTensor:$running_var, F64Attr:$eps, F64Attr:$momentum);
  let results = (outs NN_FloatTensor:$result, NN_FloatTensor:$mean, NN_FloatTensor:$rstd, NN_FloatTensor:$new_mean,
    NN_FloatTensor:$new_var);
}
def NN_BatchNormStatsOp : NN_Op<"batch_norm_stats"> {
  let summary = "statistics of batch normalisation";
  let description = [{
    The last four results of `nn.batch_norm`; `fuse` splits that op into this one and `nn.batch_norm_apply`. The
    variance is taken about the mean in a second pass over the data. A channel of a single element has variance 0, the
    unbiased one too (PyTorch refuses to train it).

    ```mlir
    %m, %r, %nm, %nv = nn.batch_norm_stats %x, %rm, %rv {eps = 1.0e-05 : f64, momentum = 0.1 : f64}
        : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$running_mean, NN_FloatTensor:$running_var, F64Attr:$eps,
    F64Attr:$momentum);
  let results = (outs NN_FloatTensor:$mean, NN_FloatTensor:$rstd, NN_FloatTensor:$new_mean, NN_FloatTensor:$new_var);
}
def NN_BatchNormApplyOp : NN_Op<"batch_norm_apply", [NN_MappedElementwise]> {
  let summary = "normalise with given statistics";
  let description = [{
    `result = (input - mean) * rstd * scale + shift`, the vectors along dimension 1.

    ```mlir
    %y = nn.batch_norm_apply %x, %m, %r, %s, %t
        : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$mean, NN_FloatTensor:$rstd, NN_FloatTensor:$scale,
    NN_FloatTensor:$shift);
  let results = (outs NN_FloatTensor:$result);
}
def NN_BatchNormInferenceOp : NN_Keyed<"batch_norm_inference", "batch_norm", [NN_MappedElementwise]> {
  let summary = "batch normalisation with running statistics";
  let description = [{
    `result = (input - mean) / sqrt(var + eps) * scale + shift`, the vectors along dimension 1.

    ```mlir
    %y = nn.batch_norm_inference %x, %s, %t, %rm, %rv {eps = 1.0e-05 : f64}
        : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$scale, NN_FloatTensor:$shift, NN_FloatTensor:$mean,
    NN_FloatTensor:$var, F64Attr:$eps);
  let results = (outs NN_FloatTensor:$result);
}
def NN_BatchNormBackwardParamsOp : NN_Op<"batch_norm_backward_params"> {
  let summary = "gradients of batch_norm with respect to scale and shift";
  let description = [{
    Over all dimensions but 1: `scale_grad = sum grad * (input - mean) * rstd`, `shift_grad = sum grad`.

    ```mlir
    %ds, %dt = nn.batch_norm_backward_params %g, %x, %m, %r
        : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>)
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$input, NN_FloatTensor:$mean, NN_FloatTensor:$rstd);
  let results = (outs NN_FloatTensor:$scale_grad, NN_FloatTensor:$shift_grad);
}
def NN_BatchNormBackwardInputOp : NN_Op<"batch_norm_backward_input", [NN_MappedElementwise]> {
  let summary = "gradient of batch_norm with respect to its input";
  let description = [{
    With n elements a channel and x' = (input - mean) * rstd:
    `result = scale * rstd * (grad - shift_grad / n - x' * scale_grad / n)` (Ioffe and Szegedy, 2015).

    ```mlir
    %d = nn.batch_norm_backward_input %g, %x, %m, %r, %s, %ds, %dt
        : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
        -> tensor<2x3xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$input, NN_FloatTensor:$mean, NN_FloatTensor:$rstd,
    NN_FloatTensor:$scale, NN_FloatTensor:$scale_grad, NN_FloatTensor:$shift_grad);
  let results = (outs NN_FloatTensor:$result);
}
def NN_LayerNormOp : NN_Keyed<"layer_norm", "layer_norm", [NN_Differentiable]> {
  let summary = "layer normalisation over the trailing dimensions";
  let description = [{
    Over dimensions `axis` and after: `mean`, `rstd = 1 / sqrt(var + eps)` (biased, about the mean), one of each a row,
    and `result = (input - mean) * rstd * scale + shift` with `scale` and `shift` of the trailing shape.

    ```mlir
    %y, %m, %r = nn.layer_norm %x, %s, %t {axis = 1 : i64, eps = 1.0e-05 : f64}
        : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>)
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$scale, NN_FloatTensor:$shift, I64Attr:$axis, F64Attr:$eps);
  let results = (outs NN_FloatTensor:$result, NN_FloatTensor:$mean, NN_FloatTensor:$rstd);
}
def NN_LayerNormBackwardInputOp : NN_Op<"layer_norm_backward_input"> {
  let summary = "gradient of layer_norm with respect to its input";
  let description = [{
    A row, with n elements, h = grad * scale and x' = (input - mean) * rstd:
    `result = rstd * (h - sum(h) / n - x' * sum(h * x') / n)` (Ba, Kiros and Hinton, 2016).

    ```mlir
    %d = nn.layer_norm_backward_input %g, %x, %s, %m, %r {axis = 1 : i64}
        : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<4xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2x4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$input, NN_FloatTensor:$scale, NN_FloatTensor:$mean,
    NN_FloatTensor:$rstd, I64Attr:$axis);
  let results = (outs NN_FloatTensor:$result);
}
def NN_LayerNormBackwardParamsOp : NN_Op<"layer_norm_backward_params"> {
  let summary = "gradients of layer_norm with respect to scale and shift";
  let description = [{
    Over rows: `scale_grad = sum grad * (input - mean) * rstd`, `shift_grad = sum grad`; in the statistics' type.

    ```mlir
    %ds, %dt = nn.layer_norm_backward_params %g, %x, %m, %r {axis = 1 : i64}
        : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>) -> (tensor<4xf32>, tensor<4xf32>)
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$input, NN_FloatTensor:$mean, NN_FloatTensor:$rstd,
    I64Attr:$axis);
  let results = (outs NN_FloatTensor:$scale_grad, NN_FloatTensor:$shift_grad);
}

//===----------------------------------------------------------------------===//
// Pooling
//===----------------------------------------------------------------------===//

class NN_PoolAttrs<dag operands> {
  dag arguments = !con(operands, (ins DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$stride, DenseI64ArrayAttr:$padding));
}
def NN_MaxPool2dOp : NN_Keyed<"max_pool2d", "max_pool2d", [NN_Differentiable]> {
  let summary = "maximum over windows";
  let description = [{
    `result` is the maximum of each window of [n, c, h, w], padding counting as minus infinity; NaN wins. `indices`
    is the row-major place of the (first) maximum in its plane. `padding` is (top, left, bottom, right).

    ```mlir
    %y, %i = nn.max_pool2d %x {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>}
        : (tensor<1x2x4x4xf32>) -> (tensor<1x2x2x2xf32>, tensor<1x2x2x2xi32>)
    ```
  }];
  let arguments = NN_PoolAttrs<(ins NN_FloatTensor:$input)>.arguments;
  let results = (outs NN_FloatTensor:$result, TensorOf<[I32]>:$indices);
}
def NN_MaxPool2dBackwardOp : NN_Op<"max_pool2d_backward"> {
  let summary = "gradient of max_pool2d";
  let description = [{
    Adds each element of `grad` to the place that `indices` names in a plane of zeros of `input_shape`.

    ```mlir
    %d = nn.max_pool2d_backward %g, %i {input_shape = array<i64: 1, 2, 4, 4>}
        : (tensor<1x2x2x2xf32>, tensor<1x2x2x2xi32>) -> tensor<1x2x4x4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, TensorOf<[I32]>:$indices, DenseI64ArrayAttr:$input_shape);
  let results = (outs NN_FloatTensor:$result);
}
def NN_AvgPool2dOp : NN_Keyed<"avg_pool2d", "avg_pool2d", [NN_Differentiable]> {
  let summary = "mean over windows";
  let description = [{
    The mean of each window of [n, c, h, w], padding being zeros; the divisor is the window's size, or with
    `exclude_pad` the number of its elements inside the image. Global pooling is a window of the image's size.

    ```mlir
    %y = nn.avg_pool2d %x {kernel = array<i64: 4, 4>, stride = array<i64: 4, 4>, padding = array<i64: 0, 0, 0, 0>}
        : (tensor<1x2x4x4xf32>) -> tensor<1x2x1x1xf32>
    ```
  }];
  let arguments = !con(NN_PoolAttrs<(ins NN_FloatTensor:$input)>.arguments, (ins UnitAttr:$exclude_pad));
  let results = (outs NN_FloatTensor:$result);
}
def NN_AvgPool2dBackwardOp : NN_Op<"avg_pool2d_backward"> {
  let summary = "gradient of avg_pool2d";
  let description = [{
    Spreads each element of `grad` over its window in a plane of zeros of `input_shape`.

    ```mlir
    %d = nn.avg_pool2d_backward %g {input_shape = array<i64: 1, 2, 4, 4>, kernel = array<i64: 4, 4>,
        stride = array<i64: 4, 4>, padding = array<i64: 0, 0, 0, 0>} : (tensor<1x2x1x1xf32>) -> tensor<1x2x4x4xf32>
    ```
  }];
  let arguments = !con(NN_PoolAttrs<(ins NN_FloatTensor:$grad, DenseI64ArrayAttr:$input_shape)>.arguments,
    (ins UnitAttr:$exclude_pad));
  let results = (outs NN_FloatTensor:$result);
}

//===----------------------------------------------------------------------===//
// Rows: softmax and cross-entropy
//===----------------------------------------------------------------------===//

def NN_SoftmaxOp : NN_Keyed<"softmax", "softmax", [NN_Differentiable]> {
  let summary = "softmax over the last dimension";
  let description = [{
    `result = exp(input - max) / sum exp(input - max)` a row.

    ```mlir
    %y = nn.softmax %x : (tensor<2x4xf32>) -> tensor<2x4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input);
  let results = (outs NN_FloatTensor:$result);
}
def NN_SoftmaxBackwardOp : NN_Op<"softmax_backward"> {
  let summary = "gradient of softmax";
  let description = [{
    `result = saved * (grad - sum(grad * saved))` a row, with `saved` the result of softmax.

    ```mlir
    %d = nn.softmax_backward %g, %y : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$saved);
  let results = (outs NN_FloatTensor:$result);
}
def NN_CrossEntropyOp : NN_Keyed<"cross_entropy", "cross_entropy", [NN_Differentiable]> {
  let summary = "cross-entropy of class ids, one loss a row";
  let description = [{
    With z the logits of a row, C classes, e = `label_smoothing` and `lse = log sum exp z`:
    `result = (1 - e) * (lse - z[target]) + e / C * sum_c (lse - z[c])` (torch.nn.functional.cross_entropy). The runtime
    has checked that 0 <= target < C. `result` and `lse` are f32 (f64 for f64). The mean over rows is `nn.reduce_mean`.

    ```mlir
    %l, %lse = nn.cross_entropy %z, %t {label_smoothing = 0.0 : f64}
        : (tensor<2x10xf32>, tensor<2xi64>) -> (tensor<2xf32>, tensor<2xf32>)
    ```
  }];
  let arguments = (ins NN_FloatTensor:$logits, TensorOf<[I64]>:$target, F64Attr:$label_smoothing);
  let results = (outs NN_FloatTensor:$result, NN_FloatTensor:$lse);
}
def NN_CrossEntropyBackwardOp : NN_Op<"cross_entropy_backward"> {
  let summary = "gradient of cross_entropy with respect to the logits";
  let description = [{
    `result[r, c] = grad[r] * (exp(z[r, c] - lse[r]) - (1 - e) * (c == target[r]) - e / C)`.

    ```mlir
    %d = nn.cross_entropy_backward %g, %z, %t, %lse {label_smoothing = 0.0 : f64}
        : (tensor<2xf32>, tensor<2x10xf32>, tensor<2xi64>, tensor<2xf32>) -> tensor<2x10xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$logits, TensorOf<[I64]>:$target, NN_FloatTensor:$lse,
    F64Attr:$label_smoothing);
  let results = (outs NN_FloatTensor:$result);
}

//===----------------------------------------------------------------------===//
// Sequences: embedding and attention
//===----------------------------------------------------------------------===//

def NN_EmbeddingOp : NN_Keyed<"embedding", "embedding", [NN_Differentiable]> {
  let summary = "rows of a table by their numbers";
  let description = [{
    `result[..., :] = table[ids[...], :]`, not rounded. The runtime has checked that 0 <= id < rows.

    ```mlir
    %y = nn.embedding %w, %x : (tensor<10x4xf32>, tensor<2x3xi64>) -> tensor<2x3x4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$table, TensorOf<[I64]>:$ids);
  let results = (outs NN_FloatTensor:$result);
}
def NN_EmbeddingBackwardOp : NN_Op<"embedding_backward"> {
  let summary = "gradient of embedding with respect to its table";
  let description = [{
    `result[r, :]` is the sum of `grad[..., :]` over the places where `ids` is r, of `rows` rows. Summed in f32 (f64 for
    f64) in the order of the places, whatever the number of threads, and rounded once.

    ```mlir
    %d = nn.embedding_backward %g, %x {rows = 10 : i64} : (tensor<2x3x4xf32>, tensor<2x3xi64>) -> tensor<10x4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, TensorOf<[I64]>:$ids, I64Attr:$rows);
  let results = (outs NN_FloatTensor:$result);
}
def NN_AttentionOp : NN_Keyed<"attention", "scaled_dot_product_attention", [NN_Differentiable]> {
  let summary = "scaled dot-product attention of several heads";
  let description = [{
    `operands` are query [b, q, h * d], key and value [b, k, h * d] with h = `heads`, or one tensor [b, t, 3 * h * d]
    that holds the three side by side. A head's queries, keys and values Q, K and V are d columns each:
    `result = softmax(scale * Q K') V` with a softmax a row (Vaswani et al., Attention is all you need, 2017), heads side
    by side; `causal` leaves out the keys behind a query's own place. `lse` [b, h, q] is the logarithm of the sum of a
    row's exponentials, in f32 (f64 for f64).

    Products are summed in f32 (f64 for f64). No tensor of q x k elements is made: a kernel holds some rows of it
    (Dao et al., FlashAttention, 2022). Where bf16 products exist, the exponentials are rounded to bf16 before they are
    multiplied by V.

    ```mlir
    %y, %lse = nn.attention %qkv {heads = 2 : i64, causal, scale = 5.0e-01 : f64}
        : (tensor<1x3x24xf32>) -> (tensor<1x3x8xf32>, tensor<1x2x3xf32>)
    ```
  }];
  let arguments = (ins Variadic<NN_FloatTensor>:$projections, I64Attr:$heads, UnitAttr:$causal, F64Attr:$scale);
  let results = (outs NN_FloatTensor:$result, NN_FloatTensor:$lse);
}
def NN_AttentionBackwardOp : NN_Op<"attention_backward"> {
  let summary = "gradients of attention with respect to its operands";
  let description = [{
    With P = exp(scale * Q K' - lse), computed again, and G the gradient of `result`, a head:
    `dV = P' G`, `dS = scale * P * (G V' - rowsum(G * result))`, `dQ = dS K`, `dK = dS' Q`. `grads` has the operands'
    form: three tensors, or one that holds them side by side.

    ```mlir
    %d = nn.attention_backward %g, %y, %lse, %qkv {heads = 2 : i64, causal, scale = 5.0e-01 : f64}
        : (tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x2x3xf32>, tensor<1x3x24xf32>) -> tensor<1x3x24xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$result, NN_FloatTensor:$lse,
    Variadic<NN_FloatTensor>:$projections, I64Attr:$heads, UnitAttr:$causal, F64Attr:$scale);
  let results = (outs Variadic<NN_FloatTensor>:$grads);
}

//===----------------------------------------------------------------------===//
// Reductions and data movement
//===----------------------------------------------------------------------===//

class NN_Reduce<string mnemonic, string key> : NN_Keyed<mnemonic, key, [NN_Differentiable]> {
  let arguments = (ins NN_FloatTensor:$input, DenseI64ArrayAttr:$axes, UnitAttr:$keep_dims);
  let results = (outs NN_FloatTensor:$result);
}
def NN_ReduceSumOp : NN_Reduce<"reduce_sum", "sum"> {
  let summary = "sum over dimensions";
  let description = [{
    Sum over `axes` (sorted, none twice), summed in f32 (f64 for f64) and rounded once; `keep_dims` leaves extents of 1.

    ```mlir
    %s = nn.reduce_sum %x {axes = array<i64: 0>} : (tensor<2x4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_ReduceMeanOp : NN_Reduce<"reduce_mean", "mean"> {
  let summary = "mean over dimensions";
  let description = [{
    As `nn.reduce_sum`, divided by the number of elements summed.

    ```mlir
    %s = nn.reduce_mean %x {axes = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
    ```
  }];
}
def NN_ReshapeOp : NN_Op<"reshape", [NN_Differentiable]> {
  let summary = "the same elements in another shape";
  let description = [{
    Row-major order is kept; no element moves.

    ```mlir
    %r = nn.reshape %x {shape = array<i64: 8>} : (tensor<2x4xf32>) -> tensor<8xf32>
    ```
  }];
  let arguments = (ins RankedTensorOf<[F16, BF16, F32, F64, I64]>:$input, DenseI64ArrayAttr:$shape);
  let results = (outs RankedTensorOf<[F16, BF16, F32, F64, I64]>:$result);
  let hasFolder = 1;
}
def NN_TransposeOp : NN_Op<"transpose", [NN_Differentiable]> {
  let summary = "permute dimensions";
  let description = [{
    Dimension i of `result` is dimension `perm[i]` of `input`.

    ```mlir
    %r = nn.transpose %x {perm = array<i64: 1, 0>} : (tensor<2x4xf32>) -> tensor<4x2xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, DenseI64ArrayAttr:$perm);
  let results = (outs NN_FloatTensor:$result);
}
def NN_SplitOp : NN_Op<"split", [NN_Differentiable]> {
  let summary = "cut along a dimension";
  let description = [{
    Consecutive pieces of extents `sizes`, which sum to the extent of `axis`.

    ```mlir
    %a, %b = nn.split %x {axis = 1 : i64, sizes = array<i64: 1, 3>} : (tensor<2x4xf32>) -> (tensor<2x1xf32>, tensor<2x3xf32>)
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, I64Attr:$axis, DenseI64ArrayAttr:$sizes);
  let results = (outs Variadic<NN_FloatTensor>:$pieces);
}
def NN_ConcatOp : NN_Keyed<"concat", "cat", [NN_Differentiable]> {
  let summary = "join along a dimension";
  let description = [{
    The operands one after the other along `axis`; their other extents are equal.

    ```mlir
    %r = nn.concat %a, %b {axis = 1 : i64} : (tensor<2x1xf32>, tensor<2x3xf32>) -> tensor<2x4xf32>
    ```
  }];
  let arguments = (ins Variadic<NN_FloatTensor>:$pieces, I64Attr:$axis);
  let results = (outs NN_FloatTensor:$result);
}
def NN_CopyOp : NN_Op<"copy", [NN_Elementwise]> {
  let summary = "the same values in memory of their own";
  let description = [{
    `result = input`. `optimizer` puts one where two gradients would share memory.

    ```mlir
    %r = nn.copy %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input);
  let results = (outs NN_FloatTensor:$result);
}

#endif // HALFSTEP_DIALECT_NN
