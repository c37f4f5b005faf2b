// What the losses refuse.
// RUN: halfstep-opt %s -split-input-file -verify-diagnostics

func.func @target_of_another_shape(%x: tensor<4xf32>, %t: tensor<5xf32>) {
  // expected-error @+2 {{the target has type 'tensor<5xf32>', expected the shape 'tensor<4xf32>'}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = nn.huber_error %x, %t {delta = 1.0 : f64} : (tensor<4xf32>, tensor<5xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @weights_of_other_classes(%z: tensor<2x10xf32>, %t: tensor<2xi64>, %w: tensor<9xf32>) {
  // expected-error @+2 {{the weight has type 'tensor<9xf32>', expected the shape 'tensor<10xf32>'}}
  // expected-error @+1 {{failed to infer returned types}}
  %l = nn.nll %z, %t, %w : (tensor<2x10xf32>, tensor<2xi64>, tensor<9xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @pos_weight_that_does_not_broadcast(%x: tensor<2x3xf32>, %w: tensor<2xf32>) {
  // expected-error @+2 {{pos_weight of type 'tensor<2xf32>' does not broadcast to the input's type 'tensor<2x3xf32>'}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = nn.bce_with_logits %x, %x, %w : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @probabilities_of_other_classes(%z: tensor<2x10xf32>, %t: tensor<2x9xf32>) {
  // expected-error @+2 {{the target has type 'tensor<2x9xf32>', expected the shape 'tensor<2x10xf32>'}}
  // expected-error @+1 {{failed to infer returned types}}
  %l, %lse = nn.soft_cross_entropy %z, %t {label_smoothing = 0.0 : f64}
      : (tensor<2x10xf32>, tensor<2x9xf32>) -> (tensor<2xf32>, tensor<2xf32>)
  return
}

// -----

func.func @mean_of_other_rows(%l: tensor<3xf32>, %t: tensor<2xi64>) {
  // expected-error @+2 {{the target has type 'tensor<2xi64>', expected the shape 'tensor<3xi64>'}}
  // expected-error @+1 {{failed to infer returned types}}
  %m, %c, %i = nn.class_mean %l, %t : (tensor<3xf32>, tensor<2xi64>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return
}
