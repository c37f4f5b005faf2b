// nn: reductions beside sum and mean, and the logarithm of softmax.

#ifndef HALFSTEP_DIALECT_NN_REDUCE
#define HALFSTEP_DIALECT_NN_REDUCE

include "dialect/nn/NNMoveOps.td"

def NN_ReduceMaxOp : NN_Reduce<"reduce_max", "amax"> {
  let summary = "largest element over dimensions";
  let description = [{
    The largest element over `axes` (sorted, none twice); NaN if there is one. `keep_dims` leaves extents of 1. Equal
    elements share the gradient.

    ```mlir
    %s = nn.reduce_max %x {axes = array<i64: 0>} : (tensor<2x4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_ReduceMinOp : NN_Reduce<"reduce_min", "amin"> {
  let summary = "smallest element over dimensions";
  let description = [{
    As `nn.reduce_max`, of the smallest.

    ```mlir
    %s = nn.reduce_min %x {axes = array<i64: 0>} : (tensor<2x4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_ReduceProdOp : NN_Reduce<"reduce_prod", "prod"> {
  let summary = "product over dimensions";
  let description = [{
    Product over `axes` (sorted, none twice), in f32 (f64 for f64) and rounded once; `keep_dims` leaves extents of 1.

    ```mlir
    %s = nn.reduce_prod %x {axes = array<i64: 0>} : (tensor<2x4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_LogSoftmaxOp : NN_Keyed<"log_softmax", "log_softmax", [NN_Differentiable]> {
  let summary = "logarithm of softmax over the last dimension";
  let description = [{
    `result = (input - max) - ln(sum(exp(input - max)))`, a row at a time.

    ```mlir
    %r = nn.log_softmax %x : (tensor<2x4xf32>) -> tensor<2x4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input);
  let results = (outs NN_FloatTensor:$result);
}
def NN_LogSoftmaxBackwardOp : NN_Op<"log_softmax_backward"> {
  let summary = "gradient of log_softmax";
  let description = [{
    `result = grad - exp(saved) * sum(grad)`, a row at a time, with `saved` the result of log_softmax.

    ```mlir
    %d = nn.log_softmax_backward %g, %r : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$saved);
  let results = (outs NN_FloatTensor:$result);
}

#endif // HALFSTEP_DIALECT_NN_REDUCE
