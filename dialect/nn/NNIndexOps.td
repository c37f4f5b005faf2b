// nn: parts of a tensor and their places in a larger one.

#ifndef HALFSTEP_DIALECT_NN_INDEX
#define HALFSTEP_DIALECT_NN_INDEX

include "dialect/nn/NNLogicOps.td"

def NN_SliceOp : NN_Op<"slice", [NN_Differentiable]> {
  let summary = "elements at regular distances";
  let description = [{
    `result[i, ...] = input[starts[0] + i * steps[0], ...]` for an i below `sizes[0]`, and so on for each dimension. Steps
    below 0 go backwards.

    ```mlir
    %r = nn.slice %x {starts = array<i64: 0, 3>, sizes = array<i64: 2, 2>, steps = array<i64: 1, -2>}
        : (tensor<2x4xf32>) -> tensor<2x2xf32>
    ```
  }];
  let arguments = (ins NN_AnyTensor:$input, DenseI64ArrayAttr:$starts, DenseI64ArrayAttr:$sizes,
    DenseI64ArrayAttr:$steps);
  let results = (outs NN_AnyTensor:$result);
}
def NN_PlaceOp : NN_Op<"place", [NN_Differentiable]> {
  let summary = "put elements at regular distances into a filled tensor";
  let description = [{
    `result` has the given shape and is `value` everywhere but where `nn.slice` with the same starts and steps would read
    `input` from it: `result[starts[0] + i * steps[0], ...] = input[i, ...]`. With steps of 1 it pads.

    ```mlir
    %r = nn.place %x {shape = array<i64: 2, 4>, starts = array<i64: 0, 3>, steps = array<i64: 1, -2>, value = 0.0 : f64}
        : (tensor<2x2xf32>) -> tensor<2x4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, DenseI64ArrayAttr:$shape, DenseI64ArrayAttr:$starts,
    DenseI64ArrayAttr:$steps, F64Attr:$value);
  let results = (outs NN_FloatTensor:$result);
}

#endif // HALFSTEP_DIALECT_NN_INDEX
