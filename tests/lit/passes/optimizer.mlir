// RUN: halfstep-opt %s -split-input-file -optimizer | FileCheck %s

// One check and one update for all gradients, whatever their types; the buffer is assigned after them.
module @sgd attributes {train.optimizer = #train.optimizer<kind = "sgd",
    constants = {momentum = 9.0e-01 : f64, nesterov = true, weight_decay = 0.5 : f64}>} {
train.param @v : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
train.param @w : tensor<2xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
train.param @m : tensor<4xf32> {buffer, init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK-LABEL: module @sgd
// CHECK: func.func @train_step(%[[L:.*]]: tensor<f32>, %[[G:.*]]: tensor<4xf32>, %[[H:.*]]: tensor<2xbf16>)
// CHECK-NEXT: %[[FOUND:.*]], %[[NORM:.*]] = amp.check_finite %[[G]], %[[H]] : tensor<4xf32>, tensor<2xbf16>
// CHECK-NEXT: train.update [@v, @w] gradients(%[[G]], %[[H]] : tensor<4xf32>, tensor<2xbf16>)
// CHECK-SAME: guard(%[[FOUND]] : tensor<i32>) norm(%[[NORM]] : tensor<f64>)
// CHECK-SAME: {optimizer = #train.optimizer<kind = "sgd", constants = {momentum = 9.000000e-01 : f64,
// CHECK-SAME: nesterov = true, weight_decay = 5.000000e-01 : f64}>}
// CHECK-NEXT: train.assign @m, %[[G]] guard %[[FOUND]] : tensor<i32> : tensor<4xf32>
// CHECK-NEXT: return %[[L]]
func.func @train_step(%l: tensor<f32>, %g: tensor<4xf32>, %h: tensor<2xbf16>) -> tensor<f32> {
  train.assign @m, %g : tensor<4xf32>
  train.gradient @v, %g : tensor<4xf32>
  train.gradient @w, %h : tensor<2xbf16>
  return %l : tensor<f32>
}
// CHECK: func.func @forward(
// CHECK-NEXT: return
func.func @forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
}

// -----

// Parameters with an optimizer of their own are updated apart; the check is one for all. Frozen ones have no gradient.
module @groups attributes {train.optimizer = #train.optimizer<kind = "adamw", constants = {weight_decay = 0.25 : f64}>} {
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
train.param @b : tensor<2xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>,
  optimizer = #train.optimizer<kind = "adamw", constants = {}>}
train.param @v : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK-LABEL: module @groups
// CHECK: %[[FOUND:.*]], %[[NORM:.*]] = amp.check_finite %[[G:.*]], %[[H:.*]], %[[G]] :
// CHECK-NEXT: train.update [@w, @v] gradients(%[[G]], %[[G]] : tensor<4xf32>, tensor<4xf32>) guard(%[[FOUND]]
// CHECK-SAME: constants = {weight_decay = 2.500000e-01 : f64}>}
// CHECK-NEXT: train.update [@b] gradients(%[[H]] : tensor<2xf32>) guard(%[[FOUND]]
// CHECK-SAME: constants = {}>}
func.func @train_step(%l: tensor<f32>, %g: tensor<4xf32>, %h: tensor<2xf32>) -> tensor<f32> {
  train.gradient @w, %g : tensor<4xf32>
  train.gradient @b, %h : tensor<2xf32>
  train.gradient @v, %g : tensor<4xf32>
  return %l : tensor<f32>
}
}

// -----

// A step that weighs its batch checks and applies sums over batches.
module @accumulated attributes {train.optimizer = #train.optimizer<kind = "sgd", constants = {}>} {
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK-LABEL: module @accumulated
// CHECK: %[[W:.*]], %[[S:.*]] = train.weigh
// CHECK: %[[SUM:.*]] = train.accumulate %{{.*}} weight(%[[W]] : tensor<f64>) : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT: amp.check_finite %[[SUM]] :
// CHECK-NEXT: train.update [@w] gradients(%[[SUM]] : tensor<4xf32>) {{.*}} weights(%[[S]] : tensor<f64>)
func.func @train_step(%l: tensor<f32>, %g: tensor<4xf32>) -> tensor<f32> {
  %w, %s = train.weigh {samples = 8.0 : f64} : tensor<f64>, tensor<f64>
  train.gradient @w, %g : tensor<4xf32>
  return %l : tensor<f32>
}
}
