// nn: ops on images beside convolution and pooling: transposed convolution, resizing, normalisation in groups of
// channels.

#ifndef HALFSTEP_DIALECT_NN_IMAGE
#define HALFSTEP_DIALECT_NN_IMAGE

include "dialect/nn/NNBase.td"

def NN_ConvTranspose2dOp : NN_Keyed<"conv_transpose2d", "conv_transpose2d", [NN_Differentiable]> {
  let summary = "two-dimensional transposed convolution";
  let description = [{
    What `nn.conv2d_backward_data` computes, of `input` [n, c, h, w] and `weight` [c, o / groups, kh, kw], plus `bias`
    [o]: each element of `input` adds its multiple of a filter to the result, `stride` apart. An extent of the result is
    `(extent - 1) * stride + dilation * (k - 1) + 1 + output_padding` less what `padding` (top, left, bottom, right)
    cuts off; `output_padding` is below `stride`. Products are summed in f32 (f64 for f64) and rounded once.

    ```mlir
    %y = nn.conv_transpose2d %x, %w, %b {stride = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>,
        dilation = array<i64: 1, 1>, output_padding = array<i64: 0, 0>, groups = 1 : i64}
        : (tensor<2x4x8x8xf32>, tensor<4x3x2x2xf32>, tensor<3xf32>) -> tensor<2x3x16x16xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$weight, Optional<NN_FloatTensor>:$bias,
    DenseI64ArrayAttr:$stride, DenseI64ArrayAttr:$padding, DenseI64ArrayAttr:$dilation,
    DenseI64ArrayAttr:$output_padding, I64Attr:$groups);
  let results = (outs NN_FloatTensor:$result);
}

def NN_Resize2dOp : NN_Keyed<"resize2d", "interpolate", [NN_Differentiable]> {
  let summary = "sample an image at other places";
  let description = [{
    Place i of a dimension of the result is place `p = factor * i + offset` of `input` [n, c, h, w], both (vertical,
    horizontal). Without `linear`, the element at floor(p), or with `ceil` at the smallest integer not below p; with it,
    the mean of the elements at floor(p) and floor(p) + 1, weighted by their distance. Places outside the image are its
    nearest element, and a p within 1e-6 of an integer is that integer. All coordinate modes of ONNX and PyTorch are
    such maps: for a scale s, `half_pixel` is `factor = 1 / s, offset = 0.5 / s - 0.5`, `asymmetric` has offset 0.

    ```mlir
    %y = nn.resize2d %x {size = array<i64: 8, 8>, factor = array<f64: 0.5, 0.5>, offset = array<f64: -0.25, -0.25>,
        linear} : (tensor<1x2x4x4xf32>) -> tensor<1x2x8x8xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, DenseI64ArrayAttr:$size, DenseF64ArrayAttr:$factor,
    DenseF64ArrayAttr:$offset, UnitAttr:$linear, UnitAttr:$ceil);
  let results = (outs NN_FloatTensor:$result);
}
def NN_Resize2dBackwardOp : NN_Op<"resize2d_backward"> {
  let summary = "gradient of resize2d";
  let description = [{
    Adds each element of `grad` to the places that its value came from, by their weights, in a plane of zeros of
    `input_shape`. Summed in f32 (f64 for f64) and rounded once.

    ```mlir
    %d = nn.resize2d_backward %g {input_shape = array<i64: 1, 2, 4, 4>, factor = array<f64: 0.5, 0.5>,
        offset = array<f64: -0.25, -0.25>, linear} : (tensor<1x2x8x8xf32>) -> tensor<1x2x4x4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, DenseI64ArrayAttr:$input_shape, DenseF64ArrayAttr:$factor,
    DenseF64ArrayAttr:$offset, UnitAttr:$linear, UnitAttr:$ceil);
  let results = (outs NN_FloatTensor:$result);
}

def NN_GroupNormOp : NN_Keyed<"group_norm", "group_norm", [NN_Differentiable]> {
  let summary = "normalisation over groups of channels of one image";
  let description = [{
    Of `input` [n, c, ...], the c channels of an image make `groups` groups of neighbours. Over all elements of a group:
    `mean`, `rstd = 1 / sqrt(var + eps)` (biased, about the mean), which `mean` and `rstd` [n, c] hold for each of its
    channels, and `result = (input - mean) * rstd * scale + shift` with `scale` and `shift` [c]. As many groups as
    channels are instance normalisation.

    ```mlir
    %y, %m, %r = nn.group_norm %x, %s, %t {groups = 2 : i64, eps = 1.0e-05 : f64}
        : (tensor<2x4x3x3xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x4x3x3xf32>, tensor<2x4xf32>, tensor<2x4xf32>)
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$scale, NN_FloatTensor:$shift, I64Attr:$groups,
    F64Attr:$eps);
  let results = (outs NN_FloatTensor:$result, NN_FloatTensor:$mean, NN_FloatTensor:$rstd);
}
def NN_GroupNormStatsOp : NN_Op<"group_norm_stats"> {
  let summary = "statistics of group normalisation";
  let description = [{
    The last two results of `nn.group_norm`; `fuse` splits that op into this one and `nn.group_norm_apply`. The variance
    is taken about the mean in a second pass over the group.

    ```mlir
    %m, %r = nn.group_norm_stats %x {groups = 2 : i64, eps = 1.0e-05 : f64}
        : (tensor<2x4x3x3xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>)
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, I64Attr:$groups, F64Attr:$eps);
  let results = (outs NN_FloatTensor:$mean, NN_FloatTensor:$rstd);
}
def NN_GroupNormApplyOp : NN_Op<"group_norm_apply", [NN_MappedElementwise]> {
  let summary = "normalise with the statistics of each image";
  let description = [{
    `result = (input - mean) * rstd * scale + shift`, `mean` and `rstd` along dimensions 0 and 1, `scale` and `shift`
    along dimension 1.

    ```mlir
    %y = nn.group_norm_apply %x, %m, %r, %s, %t
        : (tensor<2x4x3xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4x3xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$mean, NN_FloatTensor:$rstd, NN_FloatTensor:$scale,
    NN_FloatTensor:$shift);
  let results = (outs NN_FloatTensor:$result);
}
def NN_GroupNormBackwardSumsOp : NN_Op<"group_norm_backward_sums"> {
  let summary = "sums that the gradients of group_norm are made of";
  let description = [{
    With x' = (input - mean) * rstd, over the elements of each channel of each image: `products = sum grad * x'` and
    `grads = sum grad`, [n, c]. Over a group, for each of its channels: `mean_product`, the mean of grad * scale * x',
    and `mean_grad`, that of grad * scale. All in the statistics' type.

    ```mlir
    %p, %g, %mp, %mg = nn.group_norm_backward_sums %dy, %x, %m, %r, %s {groups = 2 : i64}
        : (tensor<2x4x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<4xf32>)
        -> (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>)
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$input, NN_FloatTensor:$mean, NN_FloatTensor:$rstd,
    NN_FloatTensor:$scale, I64Attr:$groups);
  let results = (outs NN_FloatTensor:$products, NN_FloatTensor:$grads, NN_FloatTensor:$mean_product,
    NN_FloatTensor:$mean_grad);
}
def NN_GroupNormBackwardInputOp : NN_Op<"group_norm_backward_input", [NN_MappedElementwise]> {
  let summary = "gradient of group_norm with respect to its input";
  let description = [{
    With x' = (input - mean) * rstd: `result = rstd * (grad * scale - mean_grad - x' * mean_product)` (Wu and He, 2018).

    ```mlir
    %d = nn.group_norm_backward_input %dy, %x, %m, %r, %s, %mp, %mg
        : (tensor<2x4x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<4xf32>, tensor<2x4xf32>,
           tensor<2x4xf32>) -> tensor<2x4x3xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$input, NN_FloatTensor:$mean, NN_FloatTensor:$rstd,
    NN_FloatTensor:$scale, NN_FloatTensor:$mean_product, NN_FloatTensor:$mean_grad);
  let results = (outs NN_FloatTensor:$result);
}

#endif // HALFSTEP_DIALECT_NN_IMAGE
