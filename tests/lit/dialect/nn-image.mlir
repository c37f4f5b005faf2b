// Ops on images are printed and read back unchanged. The ops are the examples of their docs.
// RUN: halfstep-opt %s | halfstep-opt | FileCheck %s
// RUN: halfstep-opt %s -mlir-print-op-generic | halfstep-opt | FileCheck %s

// CHECK-LABEL: func.func @conv_transpose2d(
// CHECK: nn.conv_transpose2d %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {dilation = array<i64: 1, 1>,
// CHECK-SAME: groups = 1 : i64, output_padding = array<i64: 0, 0>, padding = array<i64: 0, 0, 0, 0>,
// CHECK-SAME: stride = array<i64: 2, 2>} : (tensor<2x4x8x8xf32>, tensor<4x3x2x2xf32>, tensor<3xf32>)
// CHECK-SAME: -> tensor<2x3x16x16xf32>
func.func @conv_transpose2d(%x: tensor<2x4x8x8xf32>, %w: tensor<4x3x2x2xf32>, %b: tensor<3xf32>)
    -> tensor<2x3x16x16xf32> {
  %y = nn.conv_transpose2d %x, %w, %b {stride = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>,
      dilation = array<i64: 1, 1>, output_padding = array<i64: 0, 0>, groups = 1 : i64}
      : (tensor<2x4x8x8xf32>, tensor<4x3x2x2xf32>, tensor<3xf32>) -> tensor<2x3x16x16xf32>
  return %y : tensor<2x3x16x16xf32>
}

// CHECK-LABEL: func.func @resize2d(
// CHECK: nn.resize2d %{{[0-9a-z]+}} {factor = array<f64: 5.000000e-01, 5.000000e-01>, linear,
// CHECK-SAME: offset = array<f64: -2.500000e-01, -2.500000e-01>, size = array<i64: 8, 8>}
func.func @resize2d(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x8x8xf32> {
  %y = nn.resize2d %x {size = array<i64: 8, 8>, factor = array<f64: 0.5, 0.5>, offset = array<f64: -0.25, -0.25>,
      linear} : (tensor<1x2x4x4xf32>) -> tensor<1x2x8x8xf32>
  return %y : tensor<1x2x8x8xf32>
}

// CHECK-LABEL: func.func @resize2d_backward(
// CHECK: nn.resize2d_backward %{{[0-9a-z]+}} {factor = array<f64: 5.000000e-01, 5.000000e-01>,
// CHECK-SAME: input_shape = array<i64: 1, 2, 4, 4>, linear, offset = array<f64: -2.500000e-01, -2.500000e-01>}
func.func @resize2d_backward(%g: tensor<1x2x8x8xf32>) -> tensor<1x2x4x4xf32> {
  %d = nn.resize2d_backward %g {input_shape = array<i64: 1, 2, 4, 4>, factor = array<f64: 0.5, 0.5>,
      offset = array<f64: -0.25, -0.25>, linear} : (tensor<1x2x8x8xf32>) -> tensor<1x2x4x4xf32>
  return %d : tensor<1x2x4x4xf32>
}

// Statistics in f32 beside bf16.
// CHECK-LABEL: func.func @group_norm(
// CHECK: nn.group_norm %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {eps = 1.000000e-05 : f64, groups = 2 : i64}
// CHECK-SAME: -> (tensor<2x4x3x3xbf16>, tensor<2x4xf32>, tensor<2x4xf32>)
func.func @group_norm(%x: tensor<2x4x3x3xbf16>, %s: tensor<4xf32>, %t: tensor<4xf32>) -> tensor<2x4x3x3xbf16> {
  %y, %m, %r = nn.group_norm %x, %s, %t {groups = 2 : i64, eps = 1.0e-05 : f64}
      : (tensor<2x4x3x3xbf16>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x4x3x3xbf16>, tensor<2x4xf32>, tensor<2x4xf32>)
  return %y : tensor<2x4x3x3xbf16>
}

// CHECK-LABEL: func.func @group_norm_parts(
// CHECK: nn.group_norm_stats %{{[0-9a-z]+}} {eps = 1.000000e-05 : f64, groups = 2 : i64}
// CHECK: nn.group_norm_apply
// CHECK: nn.group_norm_backward_sums {{.*}} {groups = 2 : i64}
// CHECK: nn.group_norm_backward_input
func.func @group_norm_parts(%x: tensor<2x4x3xf32>, %dy: tensor<2x4x3xf32>, %s: tensor<4xf32>, %t: tensor<4xf32>)
    -> (tensor<2x4x3xf32>, tensor<2x4x3xf32>) {
  %m, %r = nn.group_norm_stats %x {groups = 2 : i64, eps = 1.0e-05 : f64}
      : (tensor<2x4x3xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>)
  %y = nn.group_norm_apply %x, %m, %r, %s, %t
      : (tensor<2x4x3xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4x3xf32>
  %p, %g, %mp, %mg = nn.group_norm_backward_sums %dy, %x, %m, %r, %s {groups = 2 : i64}
      : (tensor<2x4x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<4xf32>)
      -> (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>)
  %d = nn.group_norm_backward_input %dy, %x, %m, %r, %s, %mp, %mg
      : (tensor<2x4x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<4xf32>, tensor<2x4xf32>,
         tensor<2x4xf32>) -> tensor<2x4x3xf32>
  return %y, %d : tensor<2x4x3xf32>, tensor<2x4x3xf32>
}

// CHECK-LABEL: func.func @pool_options(
// CHECK: nn.max_pool2d {{.*}}dilation = array<i64: 2, 2>
// CHECK: nn.avg_pool2d {{.*}}uncounted = array<i64: 1, 1>
func.func @pool_options(%x: tensor<1x2x5x5xf32>) -> (tensor<1x2x3x3xf32>, tensor<1x2x3x3xf32>) {
  %y, %i = nn.max_pool2d %x {kernel = array<i64: 2, 2>, stride = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>,
      dilation = array<i64: 2, 2>} : (tensor<1x2x5x5xf32>) -> (tensor<1x2x3x3xf32>, tensor<1x2x3x3xi32>)
  %z = nn.avg_pool2d %x {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, padding = array<i64: 0, 0, 1, 1>,
      uncounted = array<i64: 1, 1>} : (tensor<1x2x5x5xf32>) -> tensor<1x2x3x3xf32>
  return %y, %z : tensor<1x2x3x3xf32>, tensor<1x2x3x3xf32>
}
