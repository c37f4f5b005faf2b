// Constraints of amp's ops and attributes.
// RUN: halfstep-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{'amp.policy' must be an #amp.policy attribute, got "bf16-mixed"}}
module attributes {amp.policy = "bf16-mixed"} {
}

// -----

func.func @cast_changes_the_shape(%x: tensor<4xf32>) {
  // expected-error @+1 {{requires the same shape for all operands and results}}
  %r = amp.cast %x : tensor<4xf32> to tensor<5xbf16>
  return
}

// -----

func.func @cast_of_integers(%x: tensor<4xi64>) {
  // expected-error @+1 {{operand #0 must be ranked tensor of}}
  %r = amp.cast %x : tensor<4xi64> to tensor<4xf32>
  return
}

// -----

func.func @gradients_of_two_types(%g0: tensor<4xbf16>, %g1: tensor<4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{gradients of types 'tensor<4xbf16>' and 'tensor<4xf32>', expected one element type}}
  %f, %n = amp.finite_partials %g0, %g1 : (tensor<4xbf16>, tensor<4xf32>) -> (tensor<1xi32>, tensor<1xf64>)
  return
}
