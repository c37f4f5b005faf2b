// nn: matrix products and convolutions.

#ifndef HALFSTEP_DIALECT_NN_CONTRACTION
#define HALFSTEP_DIALECT_NN_CONTRACTION

include "dialect/nn/NNBase.td"

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

#endif // HALFSTEP_DIALECT_NN_CONTRACTION
