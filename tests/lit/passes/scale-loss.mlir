// RUN: halfstep-opt %s -split-input-file -scale-loss | FileCheck %s

module @dynamic_scale attributes {amp.policy = #amp.policy<name = "16-mixed", params = f32, compute = f16,
    casts = true, lists = "cuda", rounding = "fused", scaler = true, scale = 1.0 : f64>} {
// CHECK-LABEL: module @dynamic_scale
// CHECK: %[[S:.*]] = train.scalar "loss_scale" : tensor<f32>
// CHECK: amp.loss_seed(%[[S]] : tensor<f32>) : tensor<f32>
func.func @train_step() -> tensor<f32> {
  %s = amp.loss_seed : tensor<f32>
  return %s : tensor<f32>
}
}

// -----

module @static_scale attributes {amp.policy = #amp.policy<name = "16-mixed", params = f32, compute = f16,
    casts = true, lists = "cuda", rounding = "fused", scaler = false, scale = 128.0 : f64>} {
// CHECK-LABEL: module @static_scale
// CHECK: %[[S:.*]] = train.scalar "loss_scale" : tensor<f32>
// CHECK: amp.loss_seed(%[[S]] : tensor<f32>) : tensor<f16>
func.func @train_step() -> tensor<f16> {
  %s = amp.loss_seed : tensor<f16>
  return %s : tensor<f16>
}
}

// -----

module @no_scale attributes {amp.policy = #amp.policy<name = "64-true", params = f64, compute = f64,
    casts = false, lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64>} {
// CHECK-LABEL: module @no_scale
// CHECK: %[[S:.*]] = nn.constant {value = dense<1.000000e+00> : tensor<f64>}
// CHECK: return %[[S]] : tensor<f64>
func.func @train_step() -> tensor<f64> {
  %s = amp.loss_seed : tensor<f64>
  return %s : tensor<f64>
}
}
