// nn: pooling.

#ifndef HALFSTEP_DIALECT_NN_POOL
#define HALFSTEP_DIALECT_NN_POOL

include "dialect/nn/NNBase.td"

class NN_PoolAttrs<dag operands> {
  dag arguments = !con(operands, (ins DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$stride, DenseI64ArrayAttr:$padding));
}
def NN_MaxPool2dOp : NN_Keyed<"max_pool2d", "max_pool2d", [NN_Differentiable]> {
  let summary = "maximum over windows";
  let description = [{
    `result` is the maximum of each window of [n, c, h, w], padding counting as minus infinity; NaN wins. `indices`
    is the row-major place of the (first) maximum in its plane. `padding` is (top, left, bottom, right); each window
    holds an element of the image. With a `dilation` (vertical, horizontal), a window's elements are so far apart.

    ```mlir
    %y, %i = nn.max_pool2d %x {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>}
        : (tensor<1x2x4x4xf32>) -> (tensor<1x2x2x2xf32>, tensor<1x2x2x2xi32>)
    ```
  }];
  let arguments = !con(NN_PoolAttrs<(ins NN_FloatTensor:$input)>.arguments,
    (ins OptionalAttr<DenseI64ArrayAttr>:$dilation));
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
    `exclude_pad` the number of its elements inside the image. Of the padding, the last `uncounted` rows and columns
    (bottom, right) never count: PyTorch's `ceil_mode` adds them. Global pooling is a window of the image's size.

    ```mlir
    %y = nn.avg_pool2d %x {kernel = array<i64: 4, 4>, stride = array<i64: 4, 4>, padding = array<i64: 0, 0, 0, 0>}
        : (tensor<1x2x4x4xf32>) -> tensor<1x2x1x1xf32>
    ```
  }];
  let arguments = !con(NN_PoolAttrs<(ins NN_FloatTensor:$input)>.arguments,
    (ins UnitAttr:$exclude_pad, OptionalAttr<DenseI64ArrayAttr>:$uncounted));
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
    (ins UnitAttr:$exclude_pad, OptionalAttr<DenseI64ArrayAttr>:$uncounted));
  let results = (outs NN_FloatTensor:$result);
}

#endif // HALFSTEP_DIALECT_NN_POOL
