// Attention with masks and shared keys, rotary positions and root-mean-square normalisation keep their form.
// RUN: halfstep-opt %s | halfstep-opt | FileCheck %s

// CHECK-LABEL: func.func @attention_that_shares_keys(
// CHECK: nn.attention %{{[0-9a-z]+}} {heads = 4 : i64, kv_heads = 2 : i64, scale = 5.000000e-01 : f64} : (tensor<1x3x16xf32>)
// CHECK-SAME: -> (tensor<1x3x8xf32>, tensor<1x4x3xf32>)
func.func @attention_that_shares_keys(%qkv: tensor<1x3x16xf32>) -> tensor<1x3x8xf32> {
  %y, %lse = nn.attention %qkv {heads = 4 : i64, kv_heads = 2 : i64, scale = 5.0e-01 : f64}
      : (tensor<1x3x16xf32>) -> (tensor<1x3x8xf32>, tensor<1x4x3xf32>)
  return %y : tensor<1x3x8xf32>
}

// Keys that integers hide, and a mask whose first extents are shared.
// CHECK-LABEL: func.func @attention_with_masks(
// CHECK: nn.attention %{{.*}} {heads = 2 : i64, kv_heads = 1 : i64, masked, scale = 5.000000e-01 : f64}
// CHECK-SAME: tensor<2x5xi64>) -> (tensor<2x3x8xf32>, tensor<2x2x3xf32>)
// CHECK: nn.attention %{{.*}} {causal, heads = 2 : i64, masked, scale = 5.000000e-01 : f64}
// CHECK-SAME: (tensor<1x3x24xbf16>, tensor<1x1x3x3xbf16>) -> (tensor<1x3x8xbf16>, tensor<1x2x3xf32>)
func.func @attention_with_masks(%q: tensor<2x3x8xf32>, %k: tensor<2x5x4xf32>, %m: tensor<2x5xi64>,
                                %qkv: tensor<1x3x24xbf16>, %a: tensor<1x1x3x3xbf16>)
    -> (tensor<2x3x8xf32>, tensor<1x3x8xbf16>) {
  %y, %lse = nn.attention %q, %k, %k, %m {heads = 2 : i64, kv_heads = 1 : i64, masked, scale = 5.0e-01 : f64}
      : (tensor<2x3x8xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2x5xi64>)
      -> (tensor<2x3x8xf32>, tensor<2x2x3xf32>)
  %z, %lse2 = nn.attention %qkv, %a {heads = 2 : i64, causal, masked, scale = 5.0e-01 : f64}
      : (tensor<1x3x24xbf16>, tensor<1x1x3x3xbf16>) -> (tensor<1x3x8xbf16>, tensor<1x2x3xf32>)
  return %y, %z : tensor<2x3x8xf32>, tensor<1x3x8xbf16>
}

// CHECK-LABEL: func.func @attention_backward_with_a_mask(
// CHECK: nn.attention_backward %{{.*}} {heads = 2 : i64, kv_heads = 1 : i64, masked, scale = 1.000000e+00 : f64}
// CHECK-SAME: -> (tensor<1x3x8xf32>, tensor<1x5x4xf32>, tensor<1x5x4xf32>)
func.func @attention_backward_with_a_mask(%g: tensor<1x3x8xf32>, %l: tensor<1x2x3xf32>, %k: tensor<1x5x4xf32>,
                                          %m: tensor<1x5xi64>) -> tensor<1x5x4xf32> {
  %d:3 = nn.attention_backward %g, %g, %l, %g, %k, %k, %m {heads = 2 : i64, kv_heads = 1 : i64, masked, scale = 1.0 : f64}
      : (tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x2x3xf32>, tensor<1x3x8xf32>, tensor<1x5x4xf32>,
         tensor<1x5x4xf32>, tensor<1x5xi64>) -> (tensor<1x3x8xf32>, tensor<1x5x4xf32>, tensor<1x5x4xf32>)
  return %d#1 : tensor<1x5x4xf32>
}

// CHECK-LABEL: func.func @rotary(
// CHECK: nn.rotary %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x3x8xbf16>, tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<2x3x8xbf16>
// CHECK: nn.rotary %{{.*}}, %{{.*}}, %{{.*}} {interleaved, transposed} :
func.func @rotary(%x: tensor<2x3x8xbf16>, %c: tensor<3x4xf32>) -> tensor<2x3x8xbf16> {
  %y = nn.rotary %x, %c, %c : (tensor<2x3x8xbf16>, tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<2x3x8xbf16>
  %z = nn.rotary %y, %c, %c {interleaved, transposed}
      : (tensor<2x3x8xbf16>, tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<2x3x8xbf16>
  return %z : tensor<2x3x8xbf16>
}

// The statistics of bf16 are f32.
// CHECK-LABEL: func.func @rms_norm(
// CHECK: nn.rms_norm %{{.*}}, %{{.*}} {axis = 1 : i64, eps = 1.000000e-05 : f64}
// CHECK-SAME: (tensor<2x4xbf16>, tensor<4xf32>) -> (tensor<2x4xbf16>, tensor<2xf32>)
// CHECK: nn.rms_norm_backward_input %{{.*}} {axis = 1 : i64}
// CHECK-SAME: -> tensor<2x4xbf16>
// CHECK: nn.rms_norm_backward_scale %{{.*}} {axis = 1 : i64}
// CHECK-SAME: -> tensor<4xf32>
func.func @rms_norm(%x: tensor<2x4xbf16>, %s: tensor<4xf32>) -> (tensor<2x4xbf16>, tensor<4xf32>) {
  %y, %r = nn.rms_norm %x, %s {axis = 1 : i64, eps = 1.0e-05 : f64}
      : (tensor<2x4xbf16>, tensor<4xf32>) -> (tensor<2x4xbf16>, tensor<2xf32>)
  %d = nn.rms_norm_backward_input %y, %x, %s, %r {axis = 1 : i64}
      : (tensor<2x4xbf16>, tensor<2x4xbf16>, tensor<4xf32>, tensor<2xf32>) -> tensor<2x4xbf16>
  %ds = nn.rms_norm_backward_scale %y, %x, %r {axis = 1 : i64}
      : (tensor<2x4xbf16>, tensor<2x4xbf16>, tensor<2xf32>) -> tensor<4xf32>
  return %d, %ds : tensor<2x4xbf16>, tensor<4xf32>
}
