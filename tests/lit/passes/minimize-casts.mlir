// RUN: halfstep-opt %s -split-input-file -minimize-casts | FileCheck %s

module @fused attributes {amp.policy = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16,
    casts = true, lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64>} {
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}

// CHECK-LABEL: func.func @one_cast_a_value_and_type(
// CHECK: %[[C:.*]] = amp.cast
// CHECK-NOT: amp.cast
// CHECK: nn.mul %[[C]], %[[C]]
func.func @one_cast_a_value_and_type(%x: tensor<4xf32>) -> tensor<4xbf16> {
  %0 = amp.cast %x : tensor<4xf32> to tensor<4xbf16>
  %1 = amp.cast %x : tensor<4xf32> to tensor<4xbf16>
  %2 = nn.mul %0, %1 : (tensor<4xbf16>, tensor<4xbf16>) -> tensor<4xbf16>
  return %2 : tensor<4xbf16>
}

// The check and the update read gradients in the type in which they were computed.
// CHECK-LABEL: func.func @gradients_stay_narrow(
// CHECK-SAME: %[[G:.*]]: tensor<4xbf16>)
// CHECK-NOT: amp.cast
// CHECK: amp.check_finite %[[G]] : tensor<4xbf16>
// CHECK: train.update [@w] gradients(%[[G]] : tensor<4xbf16>)
func.func @gradients_stay_narrow(%g: tensor<4xbf16>) {
  %0 = amp.cast %g : tensor<4xbf16> to tensor<4xf32>
  %found, %norm = amp.check_finite %0 : tensor<4xf32> -> tensor<i32>, tensor<f64>
  train.update [@w] gradients(%0 : tensor<4xf32>) guard(%found : tensor<i32>) norm(%norm : tensor<f64>)
    {optimizer = #train.optimizer<kind = "sgd", constants = {}>}
  return
}

// A gradient that was summed in f32 and rounded to its op's type stays rounded: the check must see that.
// CHECK-LABEL: func.func @rounding_of_a_gradient_stays(
// CHECK: %[[N:.*]] = amp.cast %{{.*}} : tensor<4xf32> to tensor<4xbf16>
// CHECK: amp.check_finite %[[N]] : tensor<4xbf16>
func.func @rounding_of_a_gradient_stays(%sum: tensor<4xf32>) -> tensor<i32> {
  %0 = amp.cast %sum : tensor<4xf32> to tensor<4xbf16>
  %1 = amp.cast %0 : tensor<4xbf16> to tensor<4xf32>
  %found, %norm = amp.check_finite %1 : tensor<4xf32> -> tensor<i32>, tensor<f64>
  return %found : tensor<i32>
}

// CHECK-LABEL: func.func @widened_and_narrowed_back(
// CHECK-SAME: %[[X:.*]]: tensor<4xbf16>)
// CHECK-NEXT: return %[[X]]
func.func @widened_and_narrowed_back(%x: tensor<4xbf16>) -> tensor<4xbf16> {
  %0 = amp.cast %x : tensor<4xbf16> to tensor<4xf32>
  %1 = amp.cast %0 : tensor<4xf32> to tensor<4xbf16>
  return %1 : tensor<4xbf16>
}

// The product stays in bf16, as the policy says; only the reader of f32 gets what was there before.
// CHECK-LABEL: func.func @narrowed_and_widened_back_when_fused(
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>)
// CHECK: %[[C:.*]] = amp.cast %[[X]] : tensor<4xf32> to tensor<4xbf16>
// CHECK: nn.mul %[[C]], %[[C]] : (tensor<4xbf16>, tensor<4xbf16>) -> tensor<4xbf16>
// CHECK: nn.relu %[[X]] : (tensor<4xf32>) -> tensor<4xf32>
func.func @narrowed_and_widened_back_when_fused(%x: tensor<4xf32>) -> (tensor<4xbf16>, tensor<4xf32>) {
  %0 = amp.cast %x : tensor<4xf32> to tensor<4xbf16>
  %1 = nn.mul %0, %0 : (tensor<4xbf16>, tensor<4xbf16>) -> tensor<4xbf16>
  %2 = amp.cast %0 : tensor<4xbf16> to tensor<4xf32>
  %3 = nn.relu %2 : (tensor<4xf32>) -> tensor<4xf32>
  return %1, %3 : tensor<4xbf16>, tensor<4xf32>
}

// CHECK-LABEL: func.func @narrowed_and_widened_to_another_type(
// CHECK-COUNT-2: amp.cast
func.func @narrowed_and_widened_to_another_type(%x: tensor<4xf64>) -> tensor<4xf32> {
  %0 = amp.cast %x : tensor<4xf64> to tensor<4xbf16>
  %1 = amp.cast %0 : tensor<4xbf16> to tensor<4xf32>
  return %1 : tensor<4xf32>
}

// CHECK-LABEL: func.func @seed_is_a_cast_of_the_scale(
// CHECK-SAME: %[[S:.*]]: tensor<f32>)
// CHECK-NEXT: %[[H:.*]] = amp.cast %[[S]] : tensor<f32> to tensor<f16>
// CHECK-NEXT: return %[[S]], %[[H]]
func.func @seed_is_a_cast_of_the_scale(%s: tensor<f32>) -> (tensor<f32>, tensor<f16>) {
  %0 = amp.loss_seed(%s : tensor<f32>) : tensor<f32>
  %1 = amp.loss_seed(%s : tensor<f32>) : tensor<f16>
  return %0, %1 : tensor<f32>, tensor<f16>
}
}

// -----

module @eager attributes {amp.policy = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16,
    casts = true, lists = "cpu", rounding = "eager", scaler = false, scale = 1.0 : f64>} {
// CHECK-LABEL: func.func @narrowed_and_widened_back_when_eager(
// CHECK: %[[C:.*]] = amp.cast %{{.*}} : tensor<4xf32> to tensor<4xbf16>
// CHECK: %[[D:.*]] = amp.cast %[[C]] : tensor<4xbf16> to tensor<4xf32>
// CHECK: nn.relu %[[D]]
func.func @narrowed_and_widened_back_when_eager(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = amp.cast %x : tensor<4xf32> to tensor<4xbf16>
  %1 = amp.cast %0 : tensor<4xbf16> to tensor<4xf32>
  %2 = nn.relu %1 : (tensor<4xf32>) -> tensor<4xf32>
  return %2 : tensor<4xf32>
}
}

// -----

module @half attributes {amp.policy = #amp.policy<name = "16-mixed", params = f32, compute = f16,
    casts = true, lists = "cpu", rounding = "fused", scaler = true, scale = 65536.0 : f64>} {
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}

// What overflows f16 must be seen by the check, so that gradients reach it in f16.
// CHECK-LABEL: func.func @gradients_stay_in_f16(
// CHECK-SAME: %[[G:.*]]: tensor<4xf16>)
// CHECK-NOT: amp.cast
// CHECK: amp.check_finite %[[G]] : tensor<4xf16>
// CHECK: train.update [@w] gradients(%[[G]] : tensor<4xf16>)
func.func @gradients_stay_in_f16(%g: tensor<4xf16>) {
  %0 = amp.cast %g : tensor<4xf16> to tensor<4xf32>
  %found, %norm = amp.check_finite %0 : tensor<4xf32> -> tensor<i32>, tensor<f64>
  train.update [@w] gradients(%0 : tensor<4xf32>) guard(%found : tensor<i32>) norm(%norm : tensor<f64>)
    {optimizer = #train.optimizer<kind = "sgd", constants = {}>}
  return
}
}
