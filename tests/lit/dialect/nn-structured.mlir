// Ops that are not element-wise are printed and read back unchanged. The ops are the examples of their docs.
// RUN: halfstep-opt %s | halfstep-opt | FileCheck %s
// RUN: halfstep-opt %s -mlir-print-op-generic | halfstep-opt | FileCheck %s

// CHECK-LABEL: func.func @matmul(
// CHECK: nn.matmul %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {transpose_b} : (tensor<8x64xf32>,
// CHECK-SAME: tensor<32x64xf32>, tensor<32xf32>) -> tensor<8x32xf32>
func.func @matmul(%x: tensor<8x64xf32>, %w: tensor<32x64xf32>, %b: tensor<32xf32>) -> tensor<8x32xf32> {
  %y = nn.matmul %x, %w, %b {transpose_b} : (tensor<8x64xf32>, tensor<32x64xf32>, tensor<32xf32>)
      -> tensor<8x32xf32>
  return %y : tensor<8x32xf32>
}

// CHECK-LABEL: func.func @conv2d(
// CHECK: nn.conv2d %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {dilation = array<i64: 1, 1>,
// CHECK-SAME: groups = 1 : i64, padding = array<i64: 1, 1, 1, 1>, stride = array<i64: 1, 1>}
// CHECK-SAME: : (tensor<2x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<4xf32>) -> tensor<2x4x8x8xf32>
func.func @conv2d(%x: tensor<2x3x8x8xf32>, %w: tensor<4x3x3x3xf32>, %b: tensor<4xf32>)
    -> tensor<2x4x8x8xf32> {
  %y = nn.conv2d %x, %w, %b {stride = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>,
      dilation = array<i64: 1, 1>, groups = 1 : i64} : (tensor<2x3x8x8xf32>, tensor<4x3x3x3xf32>,
      tensor<4xf32>) -> tensor<2x4x8x8xf32>
  return %y : tensor<2x4x8x8xf32>
}

// CHECK-LABEL: func.func @conv2d_backward_data(
// CHECK: nn.conv2d_backward_data %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {dilation = array<i64: 1, 1>,
// CHECK-SAME: groups = 1 : i64, input_shape = array<i64: 2, 3, 8, 8>, padding = array<i64: 1, 1, 1, 1>,
// CHECK-SAME: stride = array<i64: 1, 1>} : (tensor<2x4x8x8xf32>, tensor<4x3x3x3xf32>)
// CHECK-SAME: -> tensor<2x3x8x8xf32>
func.func @conv2d_backward_data(%g: tensor<2x4x8x8xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<2x3x8x8xf32> {
  %d = nn.conv2d_backward_data %g, %w {input_shape = array<i64: 2, 3, 8, 8>, stride = array<i64: 1, 1>,
      padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>, groups = 1 : i64}
      : (tensor<2x4x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<2x3x8x8xf32>
  return %d : tensor<2x3x8x8xf32>
}

// CHECK-LABEL: func.func @conv2d_backward_weight(
// CHECK: nn.conv2d_backward_weight %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {dilation = array<i64: 1, 1>,
// CHECK-SAME: groups = 1 : i64, padding = array<i64: 1, 1, 1, 1>, stride = array<i64: 1, 1>,
// CHECK-SAME: weight_shape = array<i64: 4, 3, 3, 3>} : (tensor<2x3x8x8xf32>, tensor<2x4x8x8xf32>)
// CHECK-SAME: -> tensor<4x3x3x3xf32>
func.func @conv2d_backward_weight(%x: tensor<2x3x8x8xf32>, %g: tensor<2x4x8x8xf32>) -> tensor<4x3x3x3xf32> {
  %d = nn.conv2d_backward_weight %x, %g {weight_shape = array<i64: 4, 3, 3, 3>, stride = array<i64: 1, 1>,
      padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>, groups = 1 : i64}
      : (tensor<2x3x8x8xf32>, tensor<2x4x8x8xf32>) -> tensor<4x3x3x3xf32>
  return %d : tensor<4x3x3x3xf32>
}

// CHECK-LABEL: func.func @batch_norm(
// CHECK: nn.batch_norm %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: {eps = 1.000000e-05 : f64, momentum = 1.000000e-01 : f64} : (tensor<2x3x4x4xf32>,
// CHECK-SAME: tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> (tensor<2x3x4x4xf32>,
// CHECK-SAME: tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
func.func @batch_norm(%x: tensor<2x3x4x4xf32>, %s: tensor<3xf32>, %t: tensor<3xf32>, %rm: tensor<3xf32>,
    %rv: tensor<3xf32>) -> (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
    {
  %y, %m, %r, %nm, %nv = nn.batch_norm %x, %s, %t, %rm, %rv {eps = 1.0e-05 : f64, momentum = 0.1 : f64}
      : (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
      -> (tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
  return %y, %m, %r, %nm, %nv : tensor<2x3x4x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>
}

// CHECK-LABEL: func.func @batch_norm_stats(
// CHECK: nn.batch_norm_stats %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: {eps = 1.000000e-05 : f64, momentum = 1.000000e-01 : f64} : (tensor<2x3xf32>, tensor<3xf32>,
// CHECK-SAME: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
func.func @batch_norm_stats(%x: tensor<2x3xf32>, %rm: tensor<3xf32>, %rv: tensor<3xf32>) -> (tensor<3xf32>,
    tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) {
  %m, %r, %nm, %nv = nn.batch_norm_stats %x, %rm, %rv {eps = 1.0e-05 : f64, momentum = 0.1 : f64}
      : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>,
      tensor<3xf32>)
  return %m, %r, %nm, %nv : tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>
}

// CHECK-LABEL: func.func @batch_norm_apply(
// CHECK: nn.batch_norm_apply %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}},
// CHECK-SAME: %{{[0-9a-z]+}} : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>,
// CHECK-SAME: tensor<3xf32>) -> tensor<2x3xf32>
func.func @batch_norm_apply(%x: tensor<2x3xf32>, %m: tensor<3xf32>, %r: tensor<3xf32>, %s: tensor<3xf32>,
    %t: tensor<3xf32>) -> tensor<2x3xf32> {
  %y = nn.batch_norm_apply %x, %m, %r, %s, %t : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>,
      tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @batch_norm_inference(
// CHECK: nn.batch_norm_inference %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}},
// CHECK-SAME: %{{[0-9a-z]+}} {eps = 1.000000e-05 : f64} : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>,
// CHECK-SAME: tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
func.func @batch_norm_inference(%x: tensor<2x3xf32>, %s: tensor<3xf32>, %t: tensor<3xf32>,
    %rm: tensor<3xf32>, %rv: tensor<3xf32>) -> tensor<2x3xf32> {
  %y = nn.batch_norm_inference %x, %s, %t, %rm, %rv {eps = 1.0e-05 : f64} : (tensor<2x3xf32>, tensor<3xf32>,
      tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @batch_norm_backward_params(
// CHECK: nn.batch_norm_backward_params %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>) -> (tensor<3xf32>,
// CHECK-SAME: tensor<3xf32>)
func.func @batch_norm_backward_params(%g: tensor<2x3xf32>, %x: tensor<2x3xf32>, %m: tensor<3xf32>,
    %r: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
  %ds, %dt = nn.batch_norm_backward_params %g, %x, %m, %r : (tensor<2x3xf32>, tensor<2x3xf32>,
      tensor<3xf32>, tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>)
  return %ds, %dt : tensor<3xf32>, tensor<3xf32>
}

// CHECK-LABEL: func.func @batch_norm_backward_input(
// CHECK: nn.batch_norm_backward_input %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}},
// CHECK-SAME: %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}} : (tensor<2x3xf32>, tensor<2x3xf32>,
// CHECK-SAME: tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
// CHECK-SAME: -> tensor<2x3xf32>
func.func @batch_norm_backward_input(%g: tensor<2x3xf32>, %x: tensor<2x3xf32>, %m: tensor<3xf32>,
    %r: tensor<3xf32>, %s: tensor<3xf32>, %ds: tensor<3xf32>, %dt: tensor<3xf32>) -> tensor<2x3xf32> {
  %d = nn.batch_norm_backward_input %g, %x, %m, %r, %s, %ds, %dt : (tensor<2x3xf32>, tensor<2x3xf32>,
      tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return %d : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @layer_norm(
// CHECK: nn.layer_norm %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {axis = 1 : i64,
// CHECK-SAME: eps = 1.000000e-05 : f64} : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>)
// CHECK-SAME: -> (tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>)
func.func @layer_norm(%x: tensor<2x4xf32>, %s: tensor<4xf32>, %t: tensor<4xf32>) -> (tensor<2x4xf32>,
    tensor<2xf32>, tensor<2xf32>) {
  %y, %m, %r = nn.layer_norm %x, %s, %t {axis = 1 : i64, eps = 1.0e-05 : f64} : (tensor<2x4xf32>,
      tensor<4xf32>, tensor<4xf32>) -> (tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>)
  return %y, %m, %r : tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>
}

// CHECK-LABEL: func.func @layer_norm_backward_input(
// CHECK: nn.layer_norm_backward_input %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}},
// CHECK-SAME: %{{[0-9a-z]+}} {axis = 1 : i64} : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<4xf32>,
// CHECK-SAME: tensor<2xf32>, tensor<2xf32>) -> tensor<2x4xf32>
func.func @layer_norm_backward_input(%g: tensor<2x4xf32>, %x: tensor<2x4xf32>, %s: tensor<4xf32>,
    %m: tensor<2xf32>, %r: tensor<2xf32>) -> tensor<2x4xf32> {
  %d = nn.layer_norm_backward_input %g, %x, %s, %m, %r {axis = 1 : i64} : (tensor<2x4xf32>, tensor<2x4xf32>,
      tensor<4xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2x4xf32>
  return %d : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @layer_norm_backward_params(
// CHECK: nn.layer_norm_backward_params %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: {axis = 1 : i64} : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>)
// CHECK-SAME: -> (tensor<4xf32>, tensor<4xf32>)
func.func @layer_norm_backward_params(%g: tensor<2x4xf32>, %x: tensor<2x4xf32>, %m: tensor<2xf32>,
    %r: tensor<2xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %ds, %dt = nn.layer_norm_backward_params %g, %x, %m, %r {axis = 1 : i64} : (tensor<2x4xf32>,
      tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %ds, %dt : tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @max_pool2d(
// CHECK: nn.max_pool2d %{{[0-9a-z]+}} {kernel = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>,
// CHECK-SAME: stride = array<i64: 2, 2>} : (tensor<1x2x4x4xf32>) -> (tensor<1x2x2x2xf32>,
// CHECK-SAME: tensor<1x2x2x2xi32>)
func.func @max_pool2d(%x: tensor<1x2x4x4xf32>) -> (tensor<1x2x2x2xf32>, tensor<1x2x2x2xi32>) {
  %y, %i = nn.max_pool2d %x {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>,
      padding = array<i64: 0, 0, 0, 0>} : (tensor<1x2x4x4xf32>) -> (tensor<1x2x2x2xf32>,
      tensor<1x2x2x2xi32>)
  return %y, %i : tensor<1x2x2x2xf32>, tensor<1x2x2x2xi32>
}

// CHECK-LABEL: func.func @max_pool2d_backward(
// CHECK: nn.max_pool2d_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {input_shape = array<i64: 1, 2, 4, 4>}
// CHECK-SAME: : (tensor<1x2x2x2xf32>, tensor<1x2x2x2xi32>) -> tensor<1x2x4x4xf32>
func.func @max_pool2d_backward(%g: tensor<1x2x2x2xf32>, %i: tensor<1x2x2x2xi32>) -> tensor<1x2x4x4xf32> {
  %d = nn.max_pool2d_backward %g, %i {input_shape = array<i64: 1, 2, 4, 4>} : (tensor<1x2x2x2xf32>,
      tensor<1x2x2x2xi32>) -> tensor<1x2x4x4xf32>
  return %d : tensor<1x2x4x4xf32>
}

// CHECK-LABEL: func.func @avg_pool2d(
// CHECK: nn.avg_pool2d %{{[0-9a-z]+}} {kernel = array<i64: 4, 4>, padding = array<i64: 0, 0, 0, 0>,
// CHECK-SAME: stride = array<i64: 4, 4>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x1x1xf32>
func.func @avg_pool2d(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x1x1xf32> {
  %y = nn.avg_pool2d %x {kernel = array<i64: 4, 4>, stride = array<i64: 4, 4>,
      padding = array<i64: 0, 0, 0, 0>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x1x1xf32>
  return %y : tensor<1x2x1x1xf32>
}

// CHECK-LABEL: func.func @avg_pool2d_backward(
// CHECK: nn.avg_pool2d_backward %{{[0-9a-z]+}} {input_shape = array<i64: 1, 2, 4, 4>,
// CHECK-SAME: kernel = array<i64: 4, 4>, padding = array<i64: 0, 0, 0, 0>, stride = array<i64: 4, 4>}
// CHECK-SAME: : (tensor<1x2x1x1xf32>) -> tensor<1x2x4x4xf32>
func.func @avg_pool2d_backward(%g: tensor<1x2x1x1xf32>) -> tensor<1x2x4x4xf32> {
  %d = nn.avg_pool2d_backward %g {input_shape = array<i64: 1, 2, 4, 4>, kernel = array<i64: 4, 4>,
      stride = array<i64: 4, 4>, padding = array<i64: 0, 0, 0, 0>} : (tensor<1x2x1x1xf32>)
      -> tensor<1x2x4x4xf32>
  return %d : tensor<1x2x4x4xf32>
}

// CHECK-LABEL: func.func @softmax(
// CHECK: nn.softmax %{{[0-9a-z]+}} : (tensor<2x4xf32>) -> tensor<2x4xf32>
func.func @softmax(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %y = nn.softmax %x : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @softmax_backward(
// CHECK: nn.softmax_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}} : (tensor<2x4xf32>, tensor<2x4xf32>)
// CHECK-SAME: -> tensor<2x4xf32>
func.func @softmax_backward(%g: tensor<2x4xf32>, %y: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %d = nn.softmax_backward %g, %y : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return %d : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @cross_entropy(
// CHECK: nn.cross_entropy %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {label_smoothing = 0.000000e+00 : f64}
// CHECK-SAME: : (tensor<2x10xf32>, tensor<2xi64>) -> (tensor<2xf32>, tensor<2xf32>)
func.func @cross_entropy(%z: tensor<2x10xf32>, %t: tensor<2xi64>) -> (tensor<2xf32>, tensor<2xf32>) {
  %l, %lse = nn.cross_entropy %z, %t {label_smoothing = 0.0 : f64} : (tensor<2x10xf32>, tensor<2xi64>)
      -> (tensor<2xf32>, tensor<2xf32>)
  return %l, %lse : tensor<2xf32>, tensor<2xf32>
}

// CHECK-LABEL: func.func @cross_entropy_backward(
// CHECK: nn.cross_entropy_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: {label_smoothing = 0.000000e+00 : f64} : (tensor<2xf32>, tensor<2x10xf32>, tensor<2xi64>,
// CHECK-SAME: tensor<2xf32>) -> tensor<2x10xf32>
func.func @cross_entropy_backward(%g: tensor<2xf32>, %z: tensor<2x10xf32>, %t: tensor<2xi64>,
    %lse: tensor<2xf32>) -> tensor<2x10xf32> {
  %d = nn.cross_entropy_backward %g, %z, %t, %lse {label_smoothing = 0.0 : f64} : (tensor<2xf32>,
      tensor<2x10xf32>, tensor<2xi64>, tensor<2xf32>) -> tensor<2x10xf32>
  return %d : tensor<2x10xf32>
}

// CHECK-LABEL: func.func @reduce_sum(
// CHECK: nn.reduce_sum %{{[0-9a-z]+}} {axes = array<i64: 0>} : (tensor<2x4xf32>) -> tensor<4xf32>
func.func @reduce_sum(%x: tensor<2x4xf32>) -> tensor<4xf32> {
  %s = nn.reduce_sum %x {axes = array<i64: 0>} : (tensor<2x4xf32>) -> tensor<4xf32>
  return %s : tensor<4xf32>
}

// CHECK-LABEL: func.func @reduce_mean(
// CHECK: nn.reduce_mean %{{[0-9a-z]+}} {axes = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
func.func @reduce_mean(%x: tensor<4xf32>) -> tensor<f32> {
  %s = nn.reduce_mean %x {axes = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
  return %s : tensor<f32>
}

// CHECK-LABEL: func.func @reshape(
// CHECK: nn.reshape %{{[0-9a-z]+}} {shape = array<i64: 8>} : (tensor<2x4xf32>) -> tensor<8xf32>
func.func @reshape(%x: tensor<2x4xf32>) -> tensor<8xf32> {
  %r = nn.reshape %x {shape = array<i64: 8>} : (tensor<2x4xf32>) -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// CHECK-LABEL: func.func @transpose(
// CHECK: nn.transpose %{{[0-9a-z]+}} {perm = array<i64: 1, 0>} : (tensor<2x4xf32>) -> tensor<4x2xf32>
func.func @transpose(%x: tensor<2x4xf32>) -> tensor<4x2xf32> {
  %r = nn.transpose %x {perm = array<i64: 1, 0>} : (tensor<2x4xf32>) -> tensor<4x2xf32>
  return %r : tensor<4x2xf32>
}

// CHECK-LABEL: func.func @split(
// CHECK: nn.split %{{[0-9a-z]+}} {axis = 1 : i64, sizes = array<i64: 1, 3>} : (tensor<2x4xf32>)
// CHECK-SAME: -> (tensor<2x1xf32>, tensor<2x3xf32>)
func.func @split(%x: tensor<2x4xf32>) -> (tensor<2x1xf32>, tensor<2x3xf32>) {
  %a, %b = nn.split %x {axis = 1 : i64, sizes = array<i64: 1, 3>} : (tensor<2x4xf32>) -> (tensor<2x1xf32>,
      tensor<2x3xf32>)
  return %a, %b : tensor<2x1xf32>, tensor<2x3xf32>
}

// CHECK-LABEL: func.func @concat(
// CHECK: nn.concat %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {axis = 1 : i64} : (tensor<2x1xf32>,
// CHECK-SAME: tensor<2x3xf32>) -> tensor<2x4xf32>
func.func @concat(%a: tensor<2x1xf32>, %b: tensor<2x3xf32>) -> tensor<2x4xf32> {
  %r = nn.concat %a, %b {axis = 1 : i64} : (tensor<2x1xf32>, tensor<2x3xf32>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @copy(
// CHECK: nn.copy %{{[0-9a-z]+}} : (tensor<4xf32>) -> tensor<4xf32>
func.func @copy(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.copy %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @embedding(
// CHECK: nn.embedding %{{[0-9a-z]+}}, %{{[0-9a-z]+}} : (tensor<10x4xf32>, tensor<2x3xi64>) -> tensor<2x3x4xf32>
func.func @embedding(%w: tensor<10x4xf32>, %x: tensor<2x3xi64>) -> tensor<2x3x4xf32> {
  %y = nn.embedding %w, %x : (tensor<10x4xf32>, tensor<2x3xi64>) -> tensor<2x3x4xf32>
  return %y : tensor<2x3x4xf32>
}

// CHECK-LABEL: func.func @embedding_backward(
// CHECK: nn.embedding_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {rows = 10 : i64} : (tensor<2x3x4xf32>, tensor<2x3xi64>)
// CHECK-SAME: -> tensor<10x4xf32>
func.func @embedding_backward(%g: tensor<2x3x4xf32>, %x: tensor<2x3xi64>) -> tensor<10x4xf32> {
  %d = nn.embedding_backward %g, %x {rows = 10 : i64} : (tensor<2x3x4xf32>, tensor<2x3xi64>) -> tensor<10x4xf32>
  return %d : tensor<10x4xf32>
}

// CHECK-LABEL: func.func @attention(
// CHECK: nn.attention %{{[0-9a-z]+}} {causal, heads = 2 : i64, scale = 5.000000e-01 : f64} : (tensor<1x3x24xf32>)
// CHECK-SAME: -> (tensor<1x3x8xf32>, tensor<1x2x3xf32>)
func.func @attention(%qkv: tensor<1x3x24xf32>) -> (tensor<1x3x8xf32>, tensor<1x2x3xf32>) {
  %y, %lse = nn.attention %qkv {heads = 2 : i64, causal, scale = 5.0e-01 : f64}
      : (tensor<1x3x24xf32>) -> (tensor<1x3x8xf32>, tensor<1x2x3xf32>)
  return %y, %lse : tensor<1x3x8xf32>, tensor<1x2x3xf32>
}

// Keys of another number, and statistics in f32 beside bf16.
// CHECK-LABEL: func.func @attention_of_three(
// CHECK: nn.attention %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {heads = 2 : i64, scale = 5.000000e-01 : f64}
// CHECK-SAME: -> (tensor<1x3x8xbf16>, tensor<1x2x3xf32>)
func.func @attention_of_three(%q: tensor<1x3x8xbf16>, %k: tensor<1x5x8xbf16>) -> tensor<1x3x8xbf16> {
  %y, %lse = nn.attention %q, %k, %k {heads = 2 : i64, scale = 5.0e-01 : f64}
      : (tensor<1x3x8xbf16>, tensor<1x5x8xbf16>, tensor<1x5x8xbf16>) -> (tensor<1x3x8xbf16>, tensor<1x2x3xf32>)
  return %y : tensor<1x3x8xbf16>
}

// CHECK-LABEL: func.func @attention_backward(
// CHECK: nn.attention_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {causal, heads = 2 : i64,
// CHECK-SAME: -> tensor<1x3x24xf32>
func.func @attention_backward(%g: tensor<1x3x8xf32>, %y: tensor<1x3x8xf32>, %lse: tensor<1x2x3xf32>,
                              %qkv: tensor<1x3x24xf32>) -> tensor<1x3x24xf32> {
  %d = nn.attention_backward %g, %y, %lse, %qkv {heads = 2 : i64, causal, scale = 5.0e-01 : f64}
      : (tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x2x3xf32>, tensor<1x3x24xf32>) -> tensor<1x3x24xf32>
  return %d : tensor<1x3x24xf32>
}
