// Constraints of train's ops.
// RUN: halfstep-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{has the dynamic type 'tensor<?xf32>', expected a static shape}}
train.param @w : tensor<?xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}

// -----

// expected-error @+1 {{has the initialiser 'zeros', expected constant, uniform, normal or data}}
train.param @w : tensor<4xf32> {init = #train.init<kind = "zeros", a = 0.0 : f64, b = 0.0 : f64>}

// -----

// expected-error @+1 {{must have 'data' exactly when its initialiser is 'data'}}
train.param @w : tensor<4xf32> {init = #train.init<kind = "data", a = 0.0 : f64, b = 0.0 : f64>}

// -----

// expected-error @+1 {{has data of type 'tensor<2xf32>', expected 'tensor<4xf32>'}}
train.param @w : tensor<4xf32> {init = #train.init<kind = "data", a = 0.0 : f64, b = 0.0 : f64,
    data = dense<1.0> : tensor<2xf32>>}

// -----

func.func @read_of_nothing() {
  // expected-error @+1 {{names @w, which no 'train.param' of the module declares}}
  %0 = train.read @w : tensor<4xf32>
  return
}

// -----

train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
func.func @read_of_a_copy_that_is_not_there() {
  // expected-error @+1 {{reads the working copy of @w, which has none}}
  %0 = train.read @w {copy} : tensor<4xbf16>
  return
}

// -----

// P1
// expected-error @+1 {{is split, expected a parameter in f32, not a buffer, with 'copy_type = bf16'}}
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>,
    copy_type = f16, split}

// -----

// P1
// expected-error @+1 {{is split, expected a parameter in f32, not a buffer, with 'copy_type = bf16'}}
train.param @w : tensor<4xf64> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>,
    copy_type = bf16, split}

// -----

train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>,
    copy_type = bf16, split}
func.func @read_of_split_values() {
  // expected-error @+1 {{reads the values of @w, which are split; expected 'copy'}}
  %0 = train.read @w : tensor<4xf32>
  return
}

// -----

train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
func.func @read_in_another_type() {
  // expected-error @+1 {{has element type 'bf16', expected 'f32'}}
  %0 = train.read @w : tensor<4xbf16>
  return
}

// -----

// expected-note @+1 {{the parameter is declared here}}
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
func.func @read_in_another_shape() {
  // expected-error @+1 {{has type 'tensor<5xf32>', expected the shape of 'tensor<4xf32>'}}
  %0 = train.read @w : tensor<5xf32>
  return
}

// -----

func.func @scalar_that_the_step_has_not() {
  // expected-error @+1 {{names the field 'epoch', which the step has not}}
  %0 = train.scalar "epoch" : tensor<f32>
  return
}

// -----

func.func @scalar_in_another_type() {
  // expected-error @+1 {{has type 'tensor<f64>', expected 'tensor<f32>'}}
  %0 = train.scalar "lr" : tensor<f64>
  return
}

// -----

// expected-note @+1 {{the parameter is declared here}}
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
func.func @gradient_in_another_shape(%g: tensor<2xf32>) {
  // expected-error @+1 {{has type 'tensor<2xf32>', expected the shape of 'tensor<4xf32>'}}
  train.gradient @w, %g : tensor<2xf32>
  return
}

// -----

train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
func.func @assignment_to_a_parameter(%m: tensor<4xf32>) {
  // expected-error @+1 {{writes the parameter @w, expected a buffer}}
  train.assign @w, %m : tensor<4xf32>
  return
}

// -----

train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
func.func @update_without_a_gradient(%found: tensor<i32>, %norm: tensor<f64>) {
  // expected-error @+1 {{has 1 parameters and 0 gradients, expected one gradient a parameter and at least one}}
  "train.update"(%found, %norm) {params = [@w], optimizer = #train.optimizer<kind = "sgd", constants = {}>,
      operandSegmentSizes = array<i32: 0, 1, 1, 0>} : (tensor<i32>, tensor<f64>) -> ()
  return
}

// -----

func.func @update_of_nothing(%g: tensor<4xf32>, %found: tensor<i32>, %norm: tensor<f64>) {
  // expected-error @+1 {{names @w, which no 'train.param' of the module declares}}
  train.update [@w] gradients(%g : tensor<4xf32>) guard(%found : tensor<i32>) norm(%norm : tensor<f64>)
    {optimizer = #train.optimizer<kind = "adamw", constants = {}>}
  return
}

// -----

// expected-error @+1 {{optimizer 'lion', expected one of sgd, adam, adamw, adagrad, rmsprop}}
module attributes {train.optimizer = #train.optimizer<kind = "lion", constants = {}>} {
}

// -----

// expected-error @+1 {{optimizer 'sgd' has no constant 'beta1'}}
module attributes {train.optimizer = #train.optimizer<kind = "sgd", constants = {beta1 = 0.9 : f64}>} {
}

// -----

// expected-error @+1 {{'momentum' is 1.000000e+00 : f64, which is outside its range}}
module attributes {train.optimizer = #train.optimizer<kind = "sgd", constants = {momentum = 1.0 : f64}>} {
}

// -----

// expected-error @+1 {{'nesterov' is 1.000000e+00 : f64, which is outside its range}}
module attributes {train.optimizer = #train.optimizer<kind = "sgd", constants = {nesterov = 1.0 : f64}>} {
}

// -----

func.func @weighed_twice(%n: tensor<f32>) {
  // expected-error @+1 {{has both an operand and 'samples', expected at most one of the two}}
  %w, %s = train.weigh(%n : tensor<f32>) {samples = 1.0 : f64} : tensor<f64>, tensor<f64>
  return
}

// -----

func.func @kernel_arguments_differ_from_its_inputs(%x: tensor<4xf32>) {
  // expected-error @+1 {{has a region whose arguments differ from its inputs}}
  %y = train.kernel "map" (%x) : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xbf16>):
    %r = amp.cast %a : tensor<4xbf16> to tensor<4xf32>
    train.yield %r : tensor<4xf32>
  }
  return
}

// -----

func.func @kernel_yields_another_type(%x: tensor<4xf32>) {
  // expected-error @+1 {{must end in a 'train.yield' of its result types}}
  %y = train.kernel "map" (%x) : (tensor<4xf32>) -> tensor<4xbf16> {
  ^bb0(%a: tensor<4xf32>):
    train.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @kernel_has_an_offset_too_many(%x: tensor<4xf32>) {
  // expected-error @+1 {{has 2 offsets for 1 results}}
  %y = train.kernel "map" (%x) : (tensor<4xf32>) -> tensor<4xf32> attributes {offsets = array<i64: 0, 64>} {
  ^bb0(%a: tensor<4xf32>):
    %r = nn.relu %a : (tensor<4xf32>) -> tensor<4xf32>
    train.yield %r : tensor<4xf32>
  }
  return
}
