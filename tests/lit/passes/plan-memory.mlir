// RUN: halfstep-opt %s -split-input-file -plan-memory | FileCheck %s

// Scalars take 256 bytes. Each part of the group - masters, copies, momenta, gradients - lies in one piece, 32
// elements a tensor; the buffer follows the group.
// CHECK: module @update_group attributes {train.arena_bytes = 1216 : i64, train.state_bytes = 960 : i64}
module @update_group {
// CHECK: train.param @w : tensor<4xf32> {{.*}}offsets = array<i64: 256, 512, 640, -1, -1>
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>,
    copy_type = bf16}
// CHECK: train.param @v : tensor<32xf32> {{.*}}offsets = array<i64: 384, 576, 768, -1, -1>
train.param @v : tensor<32xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>,
    copy_type = bf16}
// CHECK: train.param @m : tensor<4xf32> {{.*}}offsets = array<i64: 896, -1, -1, -1, -1>
train.param @m : tensor<4xf32> {buffer, init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}

// The verdict is written where the runtime reads it.
// CHECK: train.kernel "map"{{.*}} attributes {offsets = array<i64: 960, 1024>}
// CHECK: train.kernel "finite"{{.*}} -> (tensor<1xi32>, tensor<1xf64>) attributes {offsets = array<i64: 1088, 1152>}
// CHECK: train.kernel "finite"{{.*}} -> (tensor<i32>, tensor<f64>) attributes {offsets = array<i64: 12, 16>}
// CHECK: train.kernel "update"{{.*}} -> () attributes {offsets = array<i64>}
func.func @train_step(%x: tensor<4xbf16>, %y: tensor<32xbf16>) {
  %g:2 = train.kernel "map" (%x, %y) : (tensor<4xbf16>, tensor<32xbf16>) -> (tensor<4xbf16>, tensor<32xbf16>) {
  ^bb0(%a: tensor<4xbf16>, %b: tensor<32xbf16>):
    train.yield %a, %b : tensor<4xbf16>, tensor<32xbf16>
  }
  %p:2 = train.kernel "finite" (%g#0, %g#1) : (tensor<4xbf16>, tensor<32xbf16>) -> (tensor<1xi32>, tensor<1xf64>) {
  ^bb0(%a: tensor<4xbf16>, %b: tensor<32xbf16>):
    %f, %n = amp.finite_partials %a, %b : (tensor<4xbf16>, tensor<32xbf16>) -> (tensor<1xi32>, tensor<1xf64>)
    train.yield %f, %n : tensor<1xi32>, tensor<1xf64>
  }
  %v:2 = train.kernel "finite" (%p#0, %p#1) : (tensor<1xi32>, tensor<1xf64>) -> (tensor<i32>, tensor<f64>) {
  ^bb0(%a: tensor<1xi32>, %b: tensor<1xf64>):
    %f, %n = amp.finite_combine found(%a : tensor<1xi32>) sqnorm(%b : tensor<1xf64>)
    train.yield %f, %n : tensor<i32>, tensor<f64>
  }
  train.kernel "update" (%g#0, %g#1, %v#0, %v#1) : (tensor<4xbf16>, tensor<32xbf16>, tensor<i32>, tensor<f64>) -> () {
  ^bb0(%a: tensor<4xbf16>, %b: tensor<32xbf16>, %f: tensor<i32>, %n: tensor<f64>):
    train.update [@w, @v] gradients(%a, %b : tensor<4xbf16>, tensor<32xbf16>) guard(%f : tensor<i32>)
      norm(%n : tensor<f64>) {optimizer = #train.optimizer<kind = "sgd", constants = {momentum = 5.000000e-01 : f64}>}
    train.yield
  }
  return
}
}

// -----

// Split masters: the low halves at the first offset, the copies at the second, two bytes an element each. The other
// group's values are in bf16, and its momenta too; @f, which nothing updates, lies alone.
// CHECK: module @storage_forms attributes {train.arena_bytes = 1216 : i64, train.state_bytes = 1024 : i64}
module @storage_forms {
// CHECK: train.param @s : tensor<4xf32> {{.*}}offsets = array<i64: 256, 384, 512, -1, -1>, split}
train.param @s : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>,
    copy_type = bf16, split}
// CHECK: train.param @t : tensor<32xf32> {{.*}}offsets = array<i64: 320, 448, 640, -1, -1>, split}
train.param @t : tensor<32xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>,
    copy_type = bf16, split}
// CHECK: train.param @w : tensor<4xbf16> {{.*}}offsets = array<i64: 768, -1, 832, -1, -1>
train.param @w : tensor<4xbf16> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK: train.param @f : tensor<5xf32> {{.*}}offsets = array<i64: 896, 960, -1, -1, -1>, split}
train.param @f : tensor<5xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>,
    copy_type = bf16, split}
func.func @train_step(%x: tensor<4xbf16>, %y: tensor<32xbf16>, %found: tensor<i32>, %norm: tensor<f64>) {
  %g:3 = train.kernel "map" (%x, %y) : (tensor<4xbf16>, tensor<32xbf16>)
      -> (tensor<4xbf16>, tensor<32xbf16>, tensor<4xbf16>) {
  ^bb0(%a: tensor<4xbf16>, %b: tensor<32xbf16>):
    %r = nn.relu %a : (tensor<4xbf16>) -> tensor<4xbf16>
    train.yield %a, %b, %r : tensor<4xbf16>, tensor<32xbf16>, tensor<4xbf16>
  }
  train.kernel "update" (%g#0, %g#1, %found, %norm) : (tensor<4xbf16>, tensor<32xbf16>, tensor<i32>, tensor<f64>) -> () {
  ^bb0(%a: tensor<4xbf16>, %b: tensor<32xbf16>, %f: tensor<i32>, %n: tensor<f64>):
    train.update [@s, @t] gradients(%a, %b : tensor<4xbf16>, tensor<32xbf16>) guard(%f : tensor<i32>)
      norm(%n : tensor<f64>) {optimizer = #train.optimizer<kind = "sgd", constants = {momentum = 5.000000e-01 : f64}>}
    train.yield
  }
  train.kernel "update" (%g#2, %found, %norm) : (tensor<4xbf16>, tensor<i32>, tensor<f64>) -> () {
  ^bb0(%a: tensor<4xbf16>, %f: tensor<i32>, %n: tensor<f64>):
    train.update [@w] gradients(%a : tensor<4xbf16>) guard(%f : tensor<i32>)
      norm(%n : tensor<f64>) {optimizer = #train.optimizer<kind = "sgd", constants = {momentum = 5.000000e-01 : f64}>}
    train.yield
  }
  return
}
}

// -----

// %0 is read last by %1, so %2 may lie where it lay. Both functions use the same memory.
// CHECK: module @work attributes {train.arena_bytes = 384 : i64, train.state_bytes = 256 : i64}
module @work {
// CHECK: func.func @train_step
// CHECK: train.kernel "map"{{.*}} attributes {offsets = array<i64: 256>}
// CHECK: train.kernel "map"{{.*}} attributes {offsets = array<i64: 320>}
// CHECK: train.kernel "map"{{.*}} attributes {offsets = array<i64: 256>}
func.func @train_step(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = train.kernel "map" (%x) : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    %r = nn.relu %a : (tensor<4xf32>) -> tensor<4xf32>
    train.yield %r : tensor<4xf32>
  }
  %1 = train.kernel "map" (%0) : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    %r = nn.relu %a : (tensor<4xf32>) -> tensor<4xf32>
    train.yield %r : tensor<4xf32>
  }
  %2 = train.kernel "map" (%1) : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    %r = nn.relu %a : (tensor<4xf32>) -> tensor<4xf32>
    train.yield %r : tensor<4xf32>
  }
  return %2 : tensor<4xf32>
}

// A reshape keeps the memory that it shares alive.
// CHECK: func.func @forward
// CHECK: train.kernel "map"{{.*}} attributes {offsets = array<i64: 256>}
// CHECK: train.kernel "map"{{.*}} attributes {offsets = array<i64: 320>}
func.func @forward(%x: tensor<4xf32>) -> (tensor<2x2xf32>, tensor<4xf32>) {
  %0 = train.kernel "map" (%x) : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    %r = nn.relu %a : (tensor<4xf32>) -> tensor<4xf32>
    train.yield %r : tensor<4xf32>
  }
  %s = nn.reshape %0 {shape = array<i64: 2, 2>} : (tensor<4xf32>) -> tensor<2x2xf32>
  %1 = train.kernel "map" (%x) : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    %r = nn.tanh %a : (tensor<4xf32>) -> tensor<4xf32>
    train.yield %r : tensor<4xf32>
  }
  return %s, %1 : tensor<2x2xf32>, tensor<4xf32>
}
}
