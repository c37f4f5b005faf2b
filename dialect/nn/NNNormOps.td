// nn: normalisations.

#ifndef HALFSTEP_DIALECT_NN_NORM
#define HALFSTEP_DIALECT_NN_NORM

include "dialect/nn/NNBase.td"

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

def NN_RmsNormOp : NN_Keyed<"rms_norm", "rms_norm", [NN_Differentiable]> {
  let summary = "division by the root of the mean square over the trailing dimensions";
  let description = [{
    Over dimensions `axis` and after: `rstd = 1 / sqrt(mean(input^2) + eps)`, one a row, and
    `result = input * rstd * scale` with `scale` of the trailing shape (Zhang and Sennrich, Root Mean Square Layer
    Normalization, 2019).

    ```mlir
    %y, %r = nn.rms_norm %x, %s {axis = 1 : i64, eps = 1.0e-05 : f64}
        : (tensor<2x4xf32>, tensor<4xf32>) -> (tensor<2x4xf32>, tensor<2xf32>)
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$scale, I64Attr:$axis, F64Attr:$eps);
  let results = (outs NN_FloatTensor:$result, NN_FloatTensor:$rstd);
}
def NN_RmsNormBackwardInputOp : NN_Op<"rms_norm_backward_input"> {
  let summary = "gradient of rms_norm with respect to its input";
  let description = [{
    A row, with n elements, h = grad * scale and x' = input * rstd: `result = rstd * (h - x' * sum(h * x') / n)`.

    ```mlir
    %d = nn.rms_norm_backward_input %g, %x, %s, %r {axis = 1 : i64}
        : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<4xf32>, tensor<2xf32>) -> tensor<2x4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$input, NN_FloatTensor:$scale, NN_FloatTensor:$rstd,
    I64Attr:$axis);
  let results = (outs NN_FloatTensor:$result);
}
def NN_RmsNormBackwardScaleOp : NN_Op<"rms_norm_backward_scale"> {
  let summary = "gradient of rms_norm with respect to its scale";
  let description = [{
    Over rows: `result = sum grad * input * rstd`, in the type of `rstd`.

    ```mlir
    %d = nn.rms_norm_backward_scale %g, %x, %r {axis = 1 : i64}
        : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2xf32>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$input, NN_FloatTensor:$rstd, I64Attr:$axis);
  let results = (outs NN_FloatTensor:$result);
}

#endif // HALFSTEP_DIALECT_NN_NORM
