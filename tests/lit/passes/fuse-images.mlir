// Group normalisation becomes its statistics, and what applies them with the element-wise ops around it.
// RUN: halfstep-opt %s --fuse | FileCheck %s

// CHECK-LABEL: func.func @group_norm_and_relu(
// CHECK: %[[S:.*]]:2 = train.kernel "group"(%arg0)
// CHECK: nn.group_norm_stats
// CHECK: train.kernel "map"(%arg0, %[[S]]#0, %[[S]]#1, %arg1)
// CHECK: nn.group_norm_apply
// CHECK: nn.relu
// CHECK-NOT: train.kernel
func.func @group_norm_and_relu(%x: tensor<2x4x3xf32>, %s: tensor<4xf32>) -> tensor<2x4x3xf32> {
  %y, %m, %r = nn.group_norm %x, %s, %s {groups = 2 : i64, eps = 1.0e-05 : f64}
      : (tensor<2x4x3xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x4x3xf32>, tensor<2x4xf32>, tensor<2x4xf32>)
  %z = nn.relu %y : (tensor<2x4x3xf32>) -> tensor<2x4x3xf32>
  return %z : tensor<2x4x3xf32>
}

// The gradient reads the bf16 image as it is: no copy of it in f32.
// CHECK-LABEL: func.func @sums_read_narrow_values(
// CHECK: train.kernel "group"(%arg0, %arg1, %arg2, %arg3)
// CHECK: amp.cast
// CHECK: nn.group_norm_backward_sums
func.func @sums_read_narrow_values(%g: tensor<2x4x3xbf16>, %x: tensor<2x4x3xf32>, %m: tensor<2x4xf32>, %s: tensor<4xf32>)
    -> tensor<2x4xf32> {
  %wide = amp.cast %g : tensor<2x4x3xbf16> to tensor<2x4x3xf32>
  %p, %d, %mp, %mg = nn.group_norm_backward_sums %wide, %x, %m, %m, %s {groups = 2 : i64}
      : (tensor<2x4x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<4xf32>)
      -> (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>)
  return %mp : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @kinds(
// CHECK: train.kernel "convolution"
// CHECK: train.kernel "resize"
// CHECK: train.kernel "resize"
func.func @kinds(%x: tensor<1x2x2x2xf32>, %w: tensor<2x1x2x2xf32>) -> tensor<1x1x4x4xf32> {
  %y = nn.conv_transpose2d %x, %w {stride = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>,
      dilation = array<i64: 1, 1>, output_padding = array<i64: 0, 0>, groups = 1 : i64}
      : (tensor<1x2x2x2xf32>, tensor<2x1x2x2xf32>) -> tensor<1x1x4x4xf32>
  %z = nn.resize2d %y {size = array<i64: 2, 2>, factor = array<f64: 2.0, 2.0>, offset = array<f64: 0.5, 0.5>, linear}
      : (tensor<1x1x4x4xf32>) -> tensor<1x1x2x2xf32>
  %d = nn.resize2d_backward %z {input_shape = array<i64: 1, 1, 4, 4>, factor = array<f64: 2.0, 2.0>,
      offset = array<f64: 0.5, 0.5>, linear} : (tensor<1x1x2x2xf32>) -> tensor<1x1x4x4xf32>
  return %d : tensor<1x1x4x4xf32>
}
