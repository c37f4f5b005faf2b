// Losses are printed and read back unchanged. The ops are the examples of their docs.
// RUN: halfstep-opt %s | halfstep-opt | FileCheck %s
// RUN: halfstep-opt %s -mlir-print-op-generic | halfstep-opt | FileCheck %s

// CHECK-LABEL: func.func @soft_cross_entropy(
// CHECK: nn.soft_cross_entropy %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {label_smoothing = 0.000000e+00 : f64}
// CHECK-SAME: : (tensor<2x10xf32>, tensor<2x10xf32>) -> (tensor<2xf32>, tensor<2xf32>)
func.func @soft_cross_entropy(%z: tensor<2x10xf32>, %t: tensor<2x10xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %l, %lse = nn.soft_cross_entropy %z, %t {label_smoothing = 0.0 : f64}
      : (tensor<2x10xf32>, tensor<2x10xf32>) -> (tensor<2xf32>, tensor<2xf32>)
  return %l, %lse : tensor<2xf32>, tensor<2xf32>
}

// CHECK-LABEL: func.func @soft_cross_entropy_backward(
// CHECK: nn.soft_cross_entropy_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {label_smoothing = 0.000000e+00 : f64}
// CHECK-SAME: : (tensor<2xf32>, tensor<2x10xf32>, tensor<2x10xf32>, tensor<2xf32>) -> tensor<2x10xf32>
func.func @soft_cross_entropy_backward(%g: tensor<2xf32>, %z: tensor<2x10xf32>, %t: tensor<2x10xf32>, %lse: tensor<2xf32>) -> tensor<2x10xf32> {
  %d = nn.soft_cross_entropy_backward %g, %z, %t, %lse {label_smoothing = 0.0 : f64}
      : (tensor<2xf32>, tensor<2x10xf32>, tensor<2x10xf32>, tensor<2xf32>) -> tensor<2x10xf32>
  return %d : tensor<2x10xf32>
}

// CHECK-LABEL: func.func @nll(
// CHECK: nn.nll %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: : (tensor<2x10xf32>, tensor<2xi64>) -> tensor<2xf32>
func.func @nll(%p: tensor<2x10xf32>, %t: tensor<2xi64>) -> tensor<2xf32> {
  %l = nn.nll %p, %t
      : (tensor<2x10xf32>, tensor<2xi64>) -> tensor<2xf32>
  return %l : tensor<2xf32>
}

// CHECK-LABEL: func.func @nll_backward(
// CHECK: nn.nll_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: : (tensor<2xf32>, tensor<2x10xf32>, tensor<2xi64>) -> tensor<2x10xf32>
func.func @nll_backward(%g: tensor<2xf32>, %p: tensor<2x10xf32>, %t: tensor<2xi64>) -> tensor<2x10xf32> {
  %d = nn.nll_backward %g, %p, %t
      : (tensor<2xf32>, tensor<2x10xf32>, tensor<2xi64>) -> tensor<2x10xf32>
  return %d : tensor<2x10xf32>
}

// CHECK-LABEL: func.func @class_mean(
// CHECK: nn.class_mean %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {ignore_index = -100 : i64}
// CHECK-SAME: : (tensor<2xf32>, tensor<2xi64>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
func.func @class_mean(%l: tensor<2xf32>, %t: tensor<2xi64>) -> (tensor<f32>, tensor<f32>, tensor<f32>) {
  %m, %count, %inverse = nn.class_mean %l, %t {ignore_index = -100 : i64}
      : (tensor<2xf32>, tensor<2xi64>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %m, %count, %inverse : tensor<f32>, tensor<f32>, tensor<f32>
}

// CHECK-LABEL: func.func @absolute_error(
// CHECK: nn.absolute_error %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
func.func @absolute_error(%x: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.absolute_error %x, %t
      : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @absolute_error_backward(
// CHECK: nn.absolute_error_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
func.func @absolute_error_backward(%g: tensor<4xf32>, %x: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %d = nn.absolute_error_backward %g, %x, %t
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %d : tensor<4xf32>
}

// CHECK-LABEL: func.func @huber_error(
// CHECK: nn.huber_error %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {delta = 1.000000e+00 : f64}
// CHECK-SAME: : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
func.func @huber_error(%x: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.huber_error %x, %t {delta = 1.0 : f64}
      : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @huber_error_backward(
// CHECK: nn.huber_error_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {delta = 1.000000e+00 : f64}
// CHECK-SAME: : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
func.func @huber_error_backward(%g: tensor<4xf32>, %x: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %d = nn.huber_error_backward %g, %x, %t {delta = 1.0 : f64}
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %d : tensor<4xf32>
}

// CHECK-LABEL: func.func @smooth_l1_error(
// CHECK: nn.smooth_l1_error %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {beta = 1.000000e+00 : f64}
// CHECK-SAME: : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
func.func @smooth_l1_error(%x: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.smooth_l1_error %x, %t {beta = 1.0 : f64}
      : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @smooth_l1_error_backward(
// CHECK: nn.smooth_l1_error_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {beta = 1.000000e+00 : f64}
// CHECK-SAME: : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
func.func @smooth_l1_error_backward(%g: tensor<4xf32>, %x: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %d = nn.smooth_l1_error_backward %g, %x, %t {beta = 1.0 : f64}
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %d : tensor<4xf32>
}

// CHECK-LABEL: func.func @bce(
// CHECK: nn.bce %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
func.func @bce(%p: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.bce %p, %t
      : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @bce_backward(
// CHECK: nn.bce_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
func.func @bce_backward(%g: tensor<4xf32>, %p: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %d = nn.bce_backward %g, %p, %t
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %d : tensor<4xf32>
}

// CHECK-LABEL: func.func @bce_with_logits(
// CHECK: nn.bce_with_logits %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
func.func @bce_with_logits(%x: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.bce_with_logits %x, %t
      : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @bce_with_logits_backward(
// CHECK: nn.bce_with_logits_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
func.func @bce_with_logits_backward(%g: tensor<4xf32>, %x: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<4xf32> {
  %d = nn.bce_with_logits_backward %g, %x, %t
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %d : tensor<4xf32>
}

// With weights and an id that does not count.
// CHECK-LABEL: func.func @weighted(
// CHECK: nn.cross_entropy %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: {ignore_index = -100 : i64, label_smoothing = 1.250000e-01 : f64}
func.func @weighted(%z: tensor<2x10xf32>, %t: tensor<2xi64>, %w: tensor<10xf32>) -> tensor<2xf32> {
  %l, %lse = nn.cross_entropy %z, %t, %w {label_smoothing = 0.125 : f64, ignore_index = -100 : i64}
      : (tensor<2x10xf32>, tensor<2xi64>, tensor<10xf32>) -> (tensor<2xf32>, tensor<2xf32>)
  return %l : tensor<2xf32>
}
