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

#endif // HALFSTEP_DIALECT_NN_LOSS
