// What the ops on images do not take.
// RUN: halfstep-opt %s -split-input-file -verify-diagnostics

func.func @transposed_output_padding_of_a_stride(%x: tensor<2x4x8x8xf32>, %w: tensor<4x3x2x2xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{output_padding is 2, expected less than the stride 2}}
  %y = nn.conv_transpose2d %x, %w {stride = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>,
      dilation = array<i64: 1, 1>, output_padding = array<i64: 2, 0>, groups = 1 : i64}
      : (tensor<2x4x8x8xf32>, tensor<4x3x2x2xf32>) -> tensor<2x3x16x16xf32>
  return
}

// -----

func.func @transposed_in_no_group(%x: tensor<2x4x8x8xf32>, %w: tensor<4x3x2x2xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{groups is 0, expected at least 1}}
  %y = nn.conv_transpose2d %x, %w {stride = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>,
      dilation = array<i64: 1, 1>, output_padding = array<i64: 0, 0>, groups = 0 : i64}
      : (tensor<2x4x8x8xf32>, tensor<4x3x2x2xf32>) -> tensor<2x3x16x16xf32>
  return
}

// -----

func.func @transposed_weight_of_other_channels(%x: tensor<2x4x8x8xf32>, %w: tensor<3x3x2x2xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{expected [in, out / groups, kh, kw] with in a multiple of groups}}
  %y = nn.conv_transpose2d %x, %w {stride = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>,
      dilation = array<i64: 1, 1>, output_padding = array<i64: 0, 0>, groups = 1 : i64}
      : (tensor<2x4x8x8xf32>, tensor<3x3x2x2xf32>) -> tensor<2x3x16x16xf32>
  return
}

// -----

func.func @transposed_weight_of_another_type(%x: tensor<2x4x8x8xf32>, %w: tensor<4x3x2x2xbf16>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{expected one element type}}
  %y = nn.conv_transpose2d %x, %w {stride = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>,
      dilation = array<i64: 1, 1>, output_padding = array<i64: 0, 0>, groups = 1 : i64}
      : (tensor<2x4x8x8xf32>, tensor<4x3x2x2xbf16>) -> tensor<2x3x16x16xf32>
  return
}

// -----

func.func @transposed_padding_of_everything(%x: tensor<2x4x8x8xf32>, %w: tensor<4x3x2x2xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{cuts off the whole result}}
  %y = nn.conv_transpose2d %x, %w {stride = array<i64: 2, 2>, padding = array<i64: 8, 0, 8, 0>,
      dilation = array<i64: 1, 1>, output_padding = array<i64: 0, 0>, groups = 1 : i64}
      : (tensor<2x4x8x8xf32>, tensor<4x3x2x2xf32>) -> tensor<2x3x16x16xf32>
  return
}

// -----

func.func @transposed_bias_of_another_extent(%x: tensor<2x4x8x8xf32>, %w: tensor<4x3x2x2xf32>, %b: tensor<4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{bias has type 'tensor<4xf32>', expected the shape 'tensor<3xf32>'}}
  %y = nn.conv_transpose2d %x, %w, %b {stride = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>,
      dilation = array<i64: 1, 1>, output_padding = array<i64: 0, 0>, groups = 1 : i64}
      : (tensor<2x4x8x8xf32>, tensor<4x3x2x2xf32>, tensor<4xf32>) -> tensor<2x3x16x16xf32>
  return
}

// -----

func.func @resize_to_nothing(%x: tensor<1x2x4x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{size has the value 0, expected at least 1}}
  %y = nn.resize2d %x {size = array<i64: 0, 8>, factor = array<f64: 0.5, 0.5>, offset = array<f64: 0.0, 0.0>}
      : (tensor<1x2x4x4xf32>) -> tensor<1x2x8x8xf32>
  return
}

// -----

func.func @resize_by_one_factor(%x: tensor<1x2x4x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{factor has 1 values, expected 2}}
  %y = nn.resize2d %x {size = array<i64: 8, 8>, factor = array<f64: 0.5>, offset = array<f64: 0.0, 0.0>}
      : (tensor<1x2x4x4xf32>) -> tensor<1x2x8x8xf32>
  return
}

// -----

func.func @resize_to_places_beyond_count(%x: tensor<1x2x4x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{expected a number of at most 2^30}}
  %y = nn.resize2d %x {size = array<i64: 8, 8>, factor = array<f64: 0.5, 0.5>, offset = array<f64: 1.0e30, 0.0>}
      : (tensor<1x2x4x4xf32>) -> tensor<1x2x8x8xf32>
  return
}

// -----

func.func @resize_linear_and_ceil(%x: tensor<1x2x4x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{both linear and ceil, expected one of them}}
  %y = nn.resize2d %x {size = array<i64: 8, 8>, factor = array<f64: 0.5, 0.5>, offset = array<f64: 0.0, 0.0>, linear, ceil}
      : (tensor<1x2x4x4xf32>) -> tensor<1x2x8x8xf32>
  return
}

// -----

func.func @resize_of_a_line(%x: tensor<1x2x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{input has type 'tensor<1x2x4xf32>', expected rank 4}}
  %y = nn.resize2d %x {size = array<i64: 8, 8>, factor = array<f64: 0.5, 0.5>, offset = array<f64: 0.0, 0.0>}
      : (tensor<1x2x4xf32>) -> tensor<1x2x8x8xf32>
  return
}

// -----

func.func @group_norm_in_groups_that_do_not_divide(%x: tensor<2x4x3xf32>, %s: tensor<4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{groups is 3, expected a divisor of the 4 channels}}
  %y, %m, %r = nn.group_norm %x, %s, %s {groups = 3 : i64, eps = 1.0e-05 : f64}
      : (tensor<2x4x3xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x4x3xf32>, tensor<2x4xf32>, tensor<2x4xf32>)
  return
}

// -----

func.func @group_norm_of_a_vector(%x: tensor<4xf32>, %s: tensor<4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{expected rank 2 or more with channels second}}
  %y, %m, %r = nn.group_norm %x, %s, %s {groups = 2 : i64, eps = 1.0e-05 : f64}
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<2x4xf32>, tensor<2x4xf32>)
  return
}

// -----

func.func @group_norm_with_a_scale_a_group(%x: tensor<2x4x3xf32>, %s: tensor<2xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{a vector over channels has type 'tensor<2xf32>', expected the shape 'tensor<4xf32>'}}
  %y, %m, %r = nn.group_norm %x, %s, %s {groups = 2 : i64, eps = 1.0e-05 : f64}
      : (tensor<2x4x3xf32>, tensor<2xf32>, tensor<2xf32>) -> (tensor<2x4x3xf32>, tensor<2x4xf32>, tensor<2x4xf32>)
  return
}

// -----

func.func @group_norm_statistics_of_groups(%x: tensor<2x4x3xf32>, %m: tensor<2x2xf32>, %s: tensor<4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{a statistic of channels has type 'tensor<2x2xf32>', expected the shape 'tensor<2x4xf32>'}}
  %y = nn.group_norm_apply %x, %m, %m, %s, %s
      : (tensor<2x4x3xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4x3xf32>
  return
}

// -----

func.func @pool_window_in_the_padding_alone(%x: tensor<1x2x4x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{padding is 3 after the image, expected no window that lies in the padding alone}}
  %y, %i = nn.max_pool2d %x {kernel = array<i64: 2, 2>, stride = array<i64: 1, 1>, padding = array<i64: 0, 0, 3, 0>}
      : (tensor<1x2x4x4xf32>) -> (tensor<1x2x6x3xf32>, tensor<1x2x6x3xi32>)
  return
}

// -----

func.func @pool_dilation_of_nothing(%x: tensor<1x2x4x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{dilation has the value 0, expected at least 1}}
  %y, %i = nn.max_pool2d %x {kernel = array<i64: 2, 2>, stride = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>,
      dilation = array<i64: 0, 1>} : (tensor<1x2x4x4xf32>) -> (tensor<1x2x3x3xf32>, tensor<1x2x3x3xi32>)
  return
}

// -----

func.func @pool_more_uncounted_than_padding(%x: tensor<1x2x4x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{uncounted is 1, expected at most the padding 0}}
  %y = nn.avg_pool2d %x {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>,
      uncounted = array<i64: 1, 0>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x2x2xf32>
  return
}
