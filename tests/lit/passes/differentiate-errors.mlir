// RUN: halfstep-opt %s -split-input-file -differentiate -verify-diagnostics

#policy = #amp.policy<name = "32-true", params = f32, compute = f32, casts = false, lists = "cpu",
    rounding = "fused", scaler = false, scale = 1.0 : f64>
module @every_missing_rule_is_reported attributes {amp.policy = #policy} {
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
func.func @train_step(%x: tensor<4xf32>) -> tensor<f32> {
  %w = train.read @w : tensor<4xf32>
  // expected-error @+1 {{'nn.copy' op has no gradient rule, and the loss depends on a parameter through it}}
  %a = nn.copy %w : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error @+1 {{'nn.relu_backward' op has no gradient rule}}
  %b = nn.relu_backward %a, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  // expected-note @+1 {{the loss is computed here}}
  %l = nn.reduce_sum %b {axes = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
}

// -----

#policy = #amp.policy<name = "32-true", params = f32, compute = f32, casts = false, lists = "cpu",
    rounding = "fused", scaler = false, scale = 1.0 : f64>
module @parameter_without_a_path_to_the_loss attributes {amp.policy = #policy} {
train.param @w : tensor<f32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// expected-warning @+1 {{the loss does not depend on the parameter 'v', so it is not trained}}
train.param @v : tensor<f32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
func.func @train_step() -> tensor<f32> {
  %w = train.read @w : tensor<f32>
  return %w : tensor<f32>
}
}

// -----

#policy = #amp.policy<name = "32-true", params = f32, compute = f32, casts = false, lists = "cpu",
    rounding = "fused", scaler = false, scale = 1.0 : f64>
module @loss_without_parameters attributes {amp.policy = #policy} {
// expected-error @+1 {{the loss depends on no parameter, so there is nothing to train}}
func.func @train_step(%x: tensor<f32>) -> tensor<f32> {
  return %x : tensor<f32>
}
}

// -----

#policy = #amp.policy<name = "32-true", params = f32, compute = f32, casts = false, lists = "cpu",
    rounding = "fused", scaler = false, scale = 1.0 : f64>
module @loss_with_dimensions attributes {amp.policy = #policy} {
// expected-error @+1 {{the loss has type 'tensor<4xf32>', expected a floating tensor of rank 0}}
func.func @train_step(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
}

// -----

#policy = #amp.policy<name = "32-true", params = f32, compute = f32, casts = false, lists = "cpu",
    rounding = "fused", scaler = false, scale = 1.0 : f64>
module @two_losses attributes {amp.policy = #policy} {
// expected-error @+1 {{'@train_step' returns 2 values, expected the loss alone}}
func.func @train_step(%x: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  return %x, %x : tensor<f32>, tensor<f32>
}
}
