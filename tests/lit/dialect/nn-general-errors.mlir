// Each constraint of functions, comparisons, choices, and parts and places has its message. MLIR adds one of its own.
// RUN: halfstep-opt %s -split-input-file -verify-diagnostics

func.func @functions_broadcast(%a: tensor<2x4xf32>, %b: tensor<3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{operands of types 'tensor<2x4xf32>' and 'tensor<3xf32>' do not broadcast}}
  %r = "nn.div"(%a, %b) : (tensor<2x4xf32>, tensor<3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @no_such_function(%g: tensor<4xf32>, %x: tensor<4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{function_backward of operand 0 of 'arctan', expected a function of nn and an operand by which it has a derivative}}
  %r = nn.function_backward %g, %x {function = "arctan", operand = 0 : i64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @no_derivative(%g: tensor<4xf32>, %x: tensor<4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{function_backward of operand 0 of 'sign', expected a function of nn}}
  %r = nn.function_backward %g, %x {function = "sign", operand = 0 : i64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @no_such_operand(%g: tensor<4xf32>, %x: tensor<4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{function_backward of operand 1 of 'exp'}}
  %r = nn.function_backward %g, %x {function = "exp", operand = 1 : i64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @too_few_saved(%g: tensor<4xf32>, %x: tensor<4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{function_backward of 'div' saves 1 values, expected 2}}
  %r = nn.function_backward %g, %x {function = "div", operand = 0 : i64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @predicate(%a: tensor<4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{predicate is 'near', expected equal, not_equal, less, less_equal, greater, greater_equal, and, or, xor}}
  %r = nn.compare %a, %a {predicate = "near"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @ids_and_numbers(%a: tensor<4xf32>, %b: tensor<4xi64>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{comparison of 'tensor<4xf32>' and 'tensor<4xi64>', expected ids or floating numbers on both sides}}
  %r = nn.compare %a, %b {predicate = "less"} : (tensor<4xf32>, tensor<4xi64>) -> tensor<4xf32>
  return
}

// -----

func.func @choice(%c: tensor<3xf32>, %a: tensor<4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{operands of types 'tensor<3xf32>' and 'tensor<4xf32>' do not broadcast}}
  %r = nn.where %c, %a, %a : (tensor<3xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @part_beyond(%a: tensor<2x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{3 elements from 0 on, 2 apart, do not lie in the extent 4 of dimension 1 of 'tensor<2x4xf32>'}}
  %r = nn.slice %a {starts = array<i64: 0, 0>, sizes = array<i64: 2, 3>, steps = array<i64: 1, 2>} : (tensor<2x4xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @part_before(%a: tensor<4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{2 elements from 0 on, -1 apart, do not lie in the extent 4 of dimension 0}}
  %r = nn.slice %a {starts = array<i64: 0>, sizes = array<i64: 2>, steps = array<i64: -1>} : (tensor<4xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @part_ranks(%a: tensor<2x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{starts, sizes and steps must have a value for each dimension of 'tensor<2x4xf32>'}}
  %r = nn.slice %a {starts = array<i64: 0>, sizes = array<i64: 2>, steps = array<i64: 1>} : (tensor<2x4xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @place_beyond(%a: tensor<3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{3 elements from 2 on, 1 apart, do not lie in the extent 4 of dimension 0 of 'tensor<4xf32>'}}
  %r = nn.place %a {shape = array<i64: 4>, starts = array<i64: 2>, steps = array<i64: 1>, value = 0.0 : f64} : (tensor<3xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @place_extent(%a: tensor<3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{shape has an extent below 1}}
  %r = nn.place %a {shape = array<i64: 0>, starts = array<i64: 0>, steps = array<i64: 1>, value = 0.0 : f64} : (tensor<3xf32>) -> tensor<0xf32>
  return
}

// -----

func.func @known_ids_of_a_table(%w: tensor<4x2xf32>) {
  %ids = nn.constant {value = dense<[0, 4]> : tensor<2xi64>} : () -> tensor<2xi64>
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{id 4 is outside a table of 4 rows}}
  %r = nn.embedding %w, %ids : (tensor<4x2xf32>, tensor<2xi64>) -> tensor<2x2xf32>
  return
}
