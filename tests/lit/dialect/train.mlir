// Ops and attributes of train are printed and read back unchanged.
// RUN: halfstep-opt %s | halfstep-opt | FileCheck %s
// RUN: halfstep-opt %s -mlir-print-op-generic | halfstep-opt | FileCheck %s

// CHECK: module attributes {train.optimizer = #train.optimizer<kind = "sgd",
// CHECK-SAME: constants = {momentum = 9.000000e-01 : f64, nesterov = true}>}
module attributes {train.optimizer = #train.optimizer<kind = "sgd",
    constants = {momentum = 9.0e-01 : f64, nesterov = true}>} {

// CHECK: train.param @w : tensor<4xf32> {copy_type = bf16, init = #train.init<kind = "uniform",
// CHECK-SAME: a = -1.250000e-01 : f64, b = 1.250000e-01 : f64>, offsets = array<i64: 256, 384, -1, -1>}
train.param @w : tensor<4xf32> {init = #train.init<kind = "uniform", a = -0.125 : f64, b = 0.125 : f64>,
    copy_type = bf16, offsets = array<i64: 256, 384, -1, -1>}
// CHECK: train.param @v : tensor<4xf32> {init = #train.init<kind = "data", a = 0.000000e+00 : f64,
// CHECK-SAME: b = 0.000000e+00 : f64, data = dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00]> :
// CHECK-SAME: tensor<4xf32>>}
train.param @v : tensor<4xf32> {init = #train.init<kind = "data", a = 0.0 : f64, b = 0.0 : f64,
    data = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>>}
// CHECK: train.param @s : tensor<4xf32> {copy_type = bf16, init = #train.init<{{[^>]*}}>, split}
train.param @s : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>,
    copy_type = bf16, split}
// CHECK: train.param @"bn1 mean" : tensor<4xf32> {buffer, init = #train.init<kind = "constant",
// CHECK-SAME: a = 0.000000e+00 : f64, b = 0.000000e+00 : f64>}
train.param @"bn1 mean" : tensor<4xf32> {buffer,
    init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}

// CHECK-LABEL: func.func @read(
// CHECK: train.read @w : tensor<4xf32>
// CHECK: train.read @w {copy} : tensor<4xbf16>
func.func @read() -> (tensor<4xf32>, tensor<4xbf16>) {
  %0 = train.read @w : tensor<4xf32>
  %1 = train.read @w {copy} : tensor<4xbf16>
  return %0, %1 : tensor<4xf32>, tensor<4xbf16>
}

// CHECK-LABEL: func.func @scalar(
// CHECK: train.scalar "lr" : tensor<f32>
// CHECK: train.scalar "update" : tensor<f64>
// CHECK: train.scalar "guard" : tensor<i32>
// CHECK: train.scalar "seed" : tensor<i64>
func.func @scalar() -> (tensor<f32>, tensor<f64>, tensor<i32>, tensor<i64>) {
  %0 = train.scalar "lr" : tensor<f32>
  %1 = train.scalar "update" : tensor<f64>
  %2 = train.scalar "guard" : tensor<i32>
  %3 = train.scalar "seed" : tensor<i64>
  return %0, %1, %2, %3 : tensor<f32>, tensor<f64>, tensor<i32>, tensor<i64>
}

// A gradient may be in a narrower type than its parameter.
// CHECK-LABEL: func.func @gradient(
// CHECK: train.gradient @w, %{{[0-9a-z]+}} : tensor<4xbf16>
func.func @gradient(%g: tensor<4xbf16>) {
  train.gradient @w, %g : tensor<4xbf16>
  return
}

// CHECK-LABEL: func.func @assign(
// CHECK: train.assign @"bn1 mean", %{{[0-9a-z]+}} : tensor<4xf32>
// CHECK: train.assign @"bn1 mean", %{{[0-9a-z]+}} guard %{{[0-9a-z]+}} : tensor<i32> : tensor<4xf32>
func.func @assign(%m: tensor<4xf32>, %found: tensor<i32>) {
  train.assign @"bn1 mean", %m : tensor<4xf32>
  train.assign @"bn1 mean", %m guard %found : tensor<i32> : tensor<4xf32>
  return
}

// CHECK-LABEL: func.func @sgd_update(
// CHECK: train.update [@w, @v] gradients(%{{[0-9a-z]+}}, %{{[0-9a-z]+}} : tensor<4xbf16>, tensor<4xf32>)
// CHECK-SAME: guard(%{{[0-9a-z]+}} : tensor<i32>) norm(%{{[0-9a-z]+}} : tensor<f64>)
// CHECK-SAME: {optimizer = #train.optimizer<kind = "sgd", constants = {momentum = 9.000000e-01 : f64,
// CHECK-SAME: nesterov = true, weight_decay = 1.000000e-02 : f64}>}
func.func @sgd_update(%g0: tensor<4xbf16>, %g1: tensor<4xf32>, %found: tensor<i32>, %norm: tensor<f64>) {
  train.update [@w, @v] gradients(%g0, %g1 : tensor<4xbf16>, tensor<4xf32>) guard(%found : tensor<i32>)
    norm(%norm : tensor<f64>) {optimizer = #train.optimizer<kind = "sgd",
      constants = {momentum = 9.0e-01 : f64, nesterov = true, weight_decay = 0.01 : f64}>}
  return
}

// CHECK-LABEL: func.func @stochastic_update(
// CHECK: train.update [@w]
// CHECK-SAME: stochastic = 96 : i64
func.func @stochastic_update(%g: tensor<4xf32>, %found: tensor<i32>, %norm: tensor<f64>) {
  train.update [@w] gradients(%g : tensor<4xf32>) guard(%found : tensor<i32>) norm(%norm : tensor<f64>)
    {optimizer = #train.optimizer<kind = "sgd", constants = {}>, stochastic = 96 : i64}
  return
}

// CHECK-LABEL: func.func @adamw_update(
// CHECK: train.update [@w] gradients(%{{[0-9a-z]+}} : tensor<4xf32>) guard(%{{[0-9a-z]+}} : tensor<i32>)
// CHECK-SAME: norm(%{{[0-9a-z]+}} : tensor<f64>) {optimizer = #train.optimizer<kind = "adamw",
// CHECK-SAME: constants = {beta2 = 5.000000e-01 : f64, weight_decay = 1.000000e-02 : f64}>}
func.func @adamw_update(%g: tensor<4xf32>, %found: tensor<i32>, %norm: tensor<f64>) {
  train.update [@w] gradients(%g : tensor<4xf32>) guard(%found : tensor<i32>) norm(%norm : tensor<f64>)
    {optimizer = #train.optimizer<kind = "adamw", constants = {beta2 = 0.5 : f64, weight_decay = 0.01 : f64}>}
  return
}

// CHECK: train.param @frozen : tensor<4xf32> {frozen, init
// CHECK: train.param @own : tensor<4xf32> {init = {{.*}}, optimizer = #train.optimizer<kind = "adagrad", constants = {}>}
train.param @frozen : tensor<4xf32> {frozen, init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
train.param @own : tensor<4xf32> {optimizer = #train.optimizer<kind = "adagrad", constants = {}>,
  init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}

// CHECK-LABEL: func.func @accumulated_update(
// CHECK: %[[W:.*]], %[[S:.*]] = train.weigh {samples = 3.200000e+01 : f64} : tensor<f64>, tensor<f64>
// CHECK: train.weigh(%{{[0-9a-z]+}} : tensor<f32>) : tensor<f64>, tensor<f64>
// CHECK: train.weigh : tensor<f64>, tensor<f64>
// CHECK: train.accumulate %{{[0-9a-z]+}} weight(%[[W]] : tensor<f64>) : (tensor<4xbf16>) -> tensor<4xf32>
// CHECK: train.update [@w] {{.*}} weights(%[[S]] : tensor<f64>) {optimizer = #train.optimizer<kind = "rmsprop"
func.func @accumulated_update(%g: tensor<4xbf16>, %n: tensor<f32>, %found: tensor<i32>, %norm: tensor<f64>) {
  %w, %s = train.weigh {samples = 32.0 : f64} : tensor<f64>, tensor<f64>
  %w1, %s1 = train.weigh(%n : tensor<f32>) : tensor<f64>, tensor<f64>
  %w2, %s2 = train.weigh : tensor<f64>, tensor<f64>
  %a = train.accumulate %g weight(%w : tensor<f64>) : (tensor<4xbf16>) -> tensor<4xf32>
  train.update [@w] gradients(%a : tensor<4xf32>) guard(%found : tensor<i32>) norm(%norm : tensor<f64>)
    weights(%s : tensor<f64>) {optimizer = #train.optimizer<kind = "rmsprop", constants = {centered = true}>}
  return
}

// CHECK-LABEL: func.func @kernel(
// CHECK: train.kernel "map"(%{{[0-9a-z]+}}) : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-SAME: attributes {offsets = array<i64: 1024>} {
// CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<4xf32>):
// CHECK-NEXT: %[[R:.*]] = nn.relu %[[A]] : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT: train.yield %[[R]] : tensor<4xf32>
func.func @kernel(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = train.kernel "map" (%x) : (tensor<4xf32>) -> tensor<4xf32> attributes {offsets = array<i64: 1024>} {
  ^bb0(%a: tensor<4xf32>):
    %r = nn.relu %a : (tensor<4xf32>) -> tensor<4xf32>
    train.yield %r : tensor<4xf32>
  }
  return %y : tensor<4xf32>
}

}
