// nn: softmax and losses.

#ifndef HALFSTEP_DIALECT_NN_LOSS
#define HALFSTEP_DIALECT_NN_LOSS

include "dialect/nn/NNBase.td"

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
//===----------------------------------------------------------------------===//
// Classes
//===----------------------------------------------------------------------===//

def NN_CrossEntropyOp : NN_Keyed<"cross_entropy", "cross_entropy", [NN_Differentiable]> {
  let summary = "cross-entropy of class ids, one loss a row";
  let description = [{
    With z the logits of a row, C classes, e = `label_smoothing`, w the weights of the classes (1 without them) and
    `lse = log sum exp z`:
    `result = (1 - e) * w[target] * (lse - z[target]) + e / C * sum_c w[c] * (lse - z[c])`, and 0 for a row whose target is
    `ignore_index` (torch.nn.functional.cross_entropy). The runtime has checked that all other targets are in [0, C).
    `result` and `lse` are f32 (f64 for f64). The mean over rows is `nn.reduce_mean`, or `nn.class_mean`.

    ```mlir
    %l, %lse = nn.cross_entropy %z, %t {label_smoothing = 0.0 : f64}
        : (tensor<2x10xf32>, tensor<2xi64>) -> (tensor<2xf32>, tensor<2xf32>)
    ```
  }];
  let arguments = (ins NN_FloatTensor:$logits, TensorOf<[I64]>:$target, Optional<NN_FloatTensor>:$weight,
    F64Attr:$label_smoothing, OptionalAttr<I64Attr>:$ignore_index);
  let results = (outs NN_FloatTensor:$result, NN_FloatTensor:$lse);
}
def NN_CrossEntropyBackwardOp : NN_Op<"cross_entropy_backward"> {
  let summary = "gradient of cross_entropy with respect to the logits";
  let description = [{
    Without weights `result[r, c] = grad[r] * (exp(z[r, c] - lse[r]) - (1 - e) * (c == target[r]) - e / C)`; with them, the
    first term is multiplied by the sum of the others' factors. 0 in rows whose target is `ignore_index`.

    ```mlir
    %d = nn.cross_entropy_backward %g, %z, %t, %lse {label_smoothing = 0.0 : f64}
        : (tensor<2xf32>, tensor<2x10xf32>, tensor<2xi64>, tensor<2xf32>) -> tensor<2x10xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$logits, TensorOf<[I64]>:$target, NN_FloatTensor:$lse,
    Optional<NN_FloatTensor>:$weight, F64Attr:$label_smoothing, OptionalAttr<I64Attr>:$ignore_index);
  let results = (outs NN_FloatTensor:$result);
}
def NN_SoftCrossEntropyOp : NN_Keyed<"soft_cross_entropy", "cross_entropy", [NN_Differentiable]> {
  let summary = "cross-entropy of class probabilities, one loss a row";
  let description = [{
    As `nn.cross_entropy`, for targets t with one number a class: `result = sum_c q[c] * (lse - z[c])` with
    `q[c] = w[c] * ((1 - e) * t[c] + e / C)`. The targets have no gradient: they must not depend on a parameter.

    ```mlir
    %l, %lse = nn.soft_cross_entropy %z, %t {label_smoothing = 0.0 : f64}
        : (tensor<2x10xf32>, tensor<2x10xf32>) -> (tensor<2xf32>, tensor<2xf32>)
    ```
  }];
  let arguments = (ins NN_FloatTensor:$logits, NN_FloatTensor:$target, Optional<NN_FloatTensor>:$weight,
    F64Attr:$label_smoothing);
  let results = (outs NN_FloatTensor:$result, NN_FloatTensor:$lse);
}
def NN_SoftCrossEntropyBackwardOp : NN_Op<"soft_cross_entropy_backward"> {
  let summary = "gradient of soft_cross_entropy with respect to the logits";
  let description = [{
    `result[r, c] = grad[r] * (exp(z[r, c] - lse[r]) * sum q[r] - q[r, c])`.

    ```mlir
    %d = nn.soft_cross_entropy_backward %g, %z, %t, %lse {label_smoothing = 0.0 : f64}
        : (tensor<2xf32>, tensor<2x10xf32>, tensor<2x10xf32>, tensor<2xf32>) -> tensor<2x10xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$logits, NN_FloatTensor:$target, NN_FloatTensor:$lse,
    Optional<NN_FloatTensor>:$weight, F64Attr:$label_smoothing);
  let results = (outs NN_FloatTensor:$result);
}
def NN_NllOp : NN_Keyed<"nll", "nll_loss", [NN_Differentiable]> {
  let summary = "negative log-likelihood of class ids, one loss a row";
  let description = [{
    `result = -w[target] * log_probabilities[target]`, and 0 for a row whose target is `ignore_index`
    (torch.nn.functional.nll_loss). f32 (f64 for f64).

    ```mlir
    %l = nn.nll %p, %t : (tensor<2x10xf32>, tensor<2xi64>) -> tensor<2xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$log_probabilities, TensorOf<[I64]>:$target, Optional<NN_FloatTensor>:$weight,
    OptionalAttr<I64Attr>:$ignore_index);
  let results = (outs NN_FloatTensor:$result);
}
def NN_NllBackwardOp : NN_Op<"nll_backward"> {
  let summary = "gradient of nll with respect to the log-probabilities";
  let description = [{
    `result[r, c] = c == target[r] ? -w[c] * grad[r] : 0` for the type and shape of `log_probabilities`, whose values do
    not matter; 0 in rows whose target is `ignore_index`.

    ```mlir
    %d = nn.nll_backward %g, %p, %t : (tensor<2xf32>, tensor<2x10xf32>, tensor<2xi64>) -> tensor<2x10xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$log_probabilities, TensorOf<[I64]>:$target,
    Optional<NN_FloatTensor>:$weight, OptionalAttr<I64Attr>:$ignore_index);
  let results = (outs NN_FloatTensor:$result);
}
def NN_ClassMeanOp : NN_Op<"class_mean", [NN_Differentiable]> {
  let summary = "mean of losses by the weights of their classes";
  let description = [{
    `count = sum_r w[target[r]]` over the rows whose target is not `ignore_index`, with w 1 where no weights are given;
    `result = sum values / count`, `inverse = 1 / count`. Each row's own weight is part of its value already. Summed in the
    order of the rows, in f64. With nothing to count, the mean is NaN, as torch's is.

    ```mlir
    %m, %count, %inverse = nn.class_mean %l, %t {ignore_index = -100 : i64}
        : (tensor<2xf32>, tensor<2xi64>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
    ```
  }];
  let arguments = (ins NN_FloatTensor:$values, TensorOf<[I64]>:$target, Optional<NN_FloatTensor>:$weight,
    OptionalAttr<I64Attr>:$ignore_index);
  let results = (outs NN_FloatTensor:$result, NN_FloatTensor:$count, NN_FloatTensor:$inverse);
}

//===----------------------------------------------------------------------===//
// Numbers: one loss an element
//===----------------------------------------------------------------------===//

class NN_Error<string mnemonic, string key, dag attributes> :
    NN_Keyed<mnemonic, key, [NN_Elementwise, NN_Differentiable]> {
  let arguments = !con((ins NN_FloatTensor:$input, NN_FloatTensor:$target), attributes);
  let results = (outs NN_FloatTensor:$result);
}
class NN_ErrorBackward<string mnemonic, dag attributes> : NN_Op<mnemonic, [NN_Elementwise]> {
  let arguments = !con((ins NN_FloatTensor:$grad, NN_FloatTensor:$input, NN_FloatTensor:$target), attributes);
  let results = (outs NN_FloatTensor:$result);
}

def NN_AbsoluteErrorOp : NN_Error<"absolute_error", "l1_loss", (ins)> {
  let summary = "absolute difference, the element of the L1 loss";
  let description = [{
    `result = |input - target|`.

    ```mlir
    %r = nn.absolute_error %x, %t : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_AbsoluteErrorBackwardOp : NN_ErrorBackward<"absolute_error_backward", (ins)> {
  let summary = "gradient of absolute_error";
  let description = [{
    `result = grad * sign(input - target)`, 0 where they are equal.

    ```mlir
    %d = nn.absolute_error_backward %g, %x, %t : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_HuberErrorOp : NN_Error<"huber_error", "huber_loss", (ins F64Attr:$delta)> {
  let summary = "the element of the Huber loss";
  let description = [{
    With d the difference: `result = |d| < delta ? d^2 / 2 : delta * (|d| - delta / 2)` (torch.nn.functional.huber_loss).

    ```mlir
    %r = nn.huber_error %x, %t {delta = 1.0 : f64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_HuberErrorBackwardOp : NN_ErrorBackward<"huber_error_backward", (ins F64Attr:$delta)> {
  let summary = "gradient of huber_error";
  let description = [{
    `result = grad * min(max(input - target, -delta), delta)`.

    ```mlir
    %d = nn.huber_error_backward %g, %x, %t {delta = 1.0 : f64}
        : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_SmoothL1ErrorOp : NN_Error<"smooth_l1_error", "smooth_l1_loss", (ins F64Attr:$beta)> {
  let summary = "the element of the smooth L1 loss";
  let description = [{
    With d the difference: `result = |d| < beta ? d^2 / (2 * beta) : |d| - beta / 2`; beta > 0
    (torch.nn.functional.smooth_l1_loss).

    ```mlir
    %r = nn.smooth_l1_error %x, %t {beta = 1.0 : f64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_SmoothL1ErrorBackwardOp : NN_ErrorBackward<"smooth_l1_error_backward", (ins F64Attr:$beta)> {
  let summary = "gradient of smooth_l1_error";
  let description = [{
    `result = grad * min(max((input - target) / beta, -1), 1)`.

    ```mlir
    %d = nn.smooth_l1_error_backward %g, %x, %t {beta = 1.0 : f64}
        : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_BceOp : NN_Error<"bce", "binary_cross_entropy", (ins)> {
  let summary = "binary cross-entropy of a probability";
  let description = [{
    `result = -(target * max(log input, -100) + (1 - target) * max(log(1 - input), -100))`
    (torch.nn.functional.binary_cross_entropy). The targets have no gradient: they must not depend on a parameter.

    ```mlir
    %r = nn.bce %p, %t : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_BceBackwardOp : NN_ErrorBackward<"bce_backward", (ins)> {
  let summary = "gradient of bce";
  let description = [{
    `result = grad * (input - target) / max(input * (1 - input), 1e-12)`.

    ```mlir
    %d = nn.bce_backward %g, %p, %t : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_BceWithLogitsOp : NN_Error<"bce_with_logits", "binary_cross_entropy_with_logits",
    (ins Optional<NN_FloatTensor>:$pos_weight)> {
  let summary = "binary cross-entropy of a logit";
  let description = [{
    With p = `pos_weight`, 1 where there is none, broadcast to the input:
    `result = (1 - target) * input + (1 + (p - 1) * target) * (log(1 + exp(-|input|)) + max(-input, 0))`
    (torch.nn.functional.binary_cross_entropy_with_logits). The targets have no gradient: they must not depend on a
    parameter.

    ```mlir
    %r = nn.bce_with_logits %x, %t : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_BceWithLogitsBackwardOp : NN_ErrorBackward<"bce_with_logits_backward",
    (ins Optional<NN_FloatTensor>:$pos_weight)> {
  let summary = "gradient of bce_with_logits";
  let description = [{
    `result = grad * ((1 + (p - 1) * target) * sigmoid(input) - p * target)`.

    ```mlir
    %d = nn.bce_with_logits_backward %g, %x, %t : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}

#endif // HALFSTEP_DIALECT_NN_LOSS
