// Classes that a spec gives to ops and layers.
// RUN: halfstep-opt %s -split-input-file -place-casts | FileCheck %s
// RUN: halfstep-opt %s -split-input-file -place-casts -differentiate | FileCheck %s --check-prefix=BACK

module attributes {amp.policy = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true,
    lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64, ops = {softmax = "fp32"},
    layers = {"head.*" = "fp32", "head.low?" = "lower"}>} {
train.param @w : tensor<4x4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
train.param @h : tensor<4x4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}

// An op beats the lists, a layer beats the op, and of two globs the more literal one decides. In a region that is
// kept in f32 nothing is low, in the backward neither: the gradient that it gives is cast where its operand was.
// CHECK-LABEL: func.func @train_step(
// CHECK: %[[W:.*]] = train.read @w
// CHECK: %[[WL:.*]] = amp.cast %[[W]] : tensor<4x4xf32> to tensor<4x4xbf16>
// CHECK: %[[H:.*]] = train.read @h
// CHECK: %[[HL:.*]] = amp.cast %[[H]] : tensor<4x4xf32> to tensor<4x4xbf16>
// CHECK: %[[Y:.*]] = nn.matmul %{{.*}}, %[[WL]] {transpose_b} {{.*}} -> tensor<2x4xbf16>
// CHECK: %[[YF:.*]] = amp.cast %[[Y]] : tensor<2x4xbf16> to tensor<2x4xf32>
// CHECK: %[[S:.*]] = nn.softmax %[[YF]] : (tensor<2x4xf32>) -> tensor<2x4xf32>
// CHECK: %[[Z:.*]] = nn.matmul %[[S]], %[[H]] {transpose_b} {{.*}} -> tensor<2x4xf32>
// CHECK: nn.matmul %{{.*}}, %[[HL]] {transpose_b} {{.*}} -> tensor<2x4xbf16>
// CHECK: nn.softmax %{{.*}} : (tensor<2x4xbf16>) -> tensor<2x4xbf16>
//
// BACK-LABEL: func.func @train_step(
// BACK: nn.softmax_backward %{{.*}}, %{{.*}} : (tensor<2x4xbf16>, tensor<2x4xbf16>) -> tensor<2x4xbf16>
// BACK: nn.matmul %{{.*}} : (tensor<2x4xbf16>, tensor<4x4xbf16>) -> tensor<2x4xbf16>
// BACK: nn.matmul %{{.*}} : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
// BACK: %[[SG:.*]] = nn.softmax_backward %{{.*}}, %{{.*}} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
// BACK: %[[G:.*]] = amp.cast %[[SG]] : tensor<2x4xf32> to tensor<2x4xbf16>
// BACK: nn.matmul %[[G]], %{{.*}} {transpose_a} : (tensor<2x4xbf16>, tensor<2x4xbf16>) -> tensor<4x4xbf16>
func.func @train_step(%x: tensor<2x4xf32>) -> tensor<f32> {
  %w = train.read @w : tensor<4x4xf32>
  %h = train.read @h : tensor<4x4xf32>
  %y = nn.matmul %x, %w {transpose_b} : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32> loc("body.0")
  %s = nn.softmax %y : (tensor<2x4xf32>) -> tensor<2x4xf32> loc("body.1")
  %z = nn.matmul %s, %h {transpose_b} : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32> loc("head.0")
  %v = nn.matmul %z, %h {transpose_b} : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32> loc("head.low1")
  %u = nn.softmax %v : (tensor<2x4xf32>) -> tensor<2x4xf32> loc("head.low2")
  %l = nn.reduce_mean %u {axes = array<i64: 0, 1>} : (tensor<2x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
}

// -----

module attributes {amp.policy = #amp.policy<name = "16-mixed", params = f32, compute = f16, casts = true,
    lists = "cpu", rounding = "fused", scaler = true, scale = 65536.0 : f64,
    ops = {add = "promote", gelu = "fp32_out", matmul = "untouched", relu = "lower"}>} {
// Every class that a list can give.
// CHECK-LABEL: func.func @train_step(
// CHECK-SAME: %[[X:.*]]: tensor<2x2xf32>
// CHECK: nn.matmul %[[X]], %{{.*}} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
// CHECK: nn.relu %{{.*}} : (tensor<2x2xf16>) -> tensor<2x2xf16>
// CHECK: nn.gelu %{{.*}} : (tensor<2x2xf32>) -> tensor<2x2xf32>
// CHECK: nn.add %{{.*}}, %{{.*}} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
// CHECK: nn.add %{{.*}}, %{{.*}} : (tensor<2x2xf16>, tensor<2x2xf16>) -> tensor<2x2xf16>
//
// BACK-LABEL: func.func @train_step(
train.param @w : tensor<2x2xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
func.func @train_step(%x: tensor<2x2xf32>) -> tensor<f32> {
  %w = train.read @w : tensor<2x2xf32>
  %y = nn.matmul %x, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %r = nn.relu %y : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %g = nn.gelu %r : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %a = nn.add %r, %g : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %b = nn.add %r, %r : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %c = nn.sub %a, %b : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %l = nn.reduce_mean %c {axes = array<i64: 0, 1>} : (tensor<2x2xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
}

// -----

module attributes {amp.policy = #amp.policy<name = "O2", params = f32, compute = f16, casts = false, lists = "cpu",
    rounding = "fused", scaler = true, scale = 65536.0 : f64, convert = true, keep = "batch_norm",
    ops = {mse_loss = "lower"}, layers = {a = "fp32", b = "untouched", c = "promote", norm = "lower"}>} {
train.param @w : tensor<4x4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
train.param @s : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}

// In a converted model, an f32 layer reads the parameter itself, though another reads it low; classes that follow
// their operands find parameters in the model's type; a layer that is not named is cast down again.
// CHECK-LABEL: func.func @train_step(
// CHECK: %[[W:.*]] = train.read @w
// CHECK: %[[WL:.*]] = amp.cast %[[W]] : tensor<4x4xf32> to tensor<4x4xf16>
// CHECK: %[[A:.*]] = nn.matmul %{{.*}}, %[[W]] {transpose_b} {{.*}} -> tensor<2x4xf32>
// CHECK: %[[AL:.*]] = amp.cast %[[A]] : tensor<2x4xf32> to tensor<2x4xf16>
// CHECK: %[[R:.*]] = nn.relu %[[AL]]
// CHECK: %[[B:.*]] = nn.matmul %[[R]], %[[WL]] {transpose_b} {{.*}} -> tensor<2x4xf16>
// CHECK: nn.add %{{.*}}, %[[A]] : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
// CHECK: nn.batch_norm_inference {{.*}} : (tensor<2x4xf16>, tensor<4xf16>, tensor<4xf16>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4xf16>
// CHECK: nn.squared_error %{{.*}} : (tensor<2x4xf16>, tensor<2x4xf16>) -> tensor<2x4xf16>
// CHECK: nn.reduce_mean %{{.*}} : (tensor<2x4xf32>) -> tensor<f32>
//
// BACK-LABEL: func.func @train_step(
// BACK: nn.matmul %{{.*}} {transpose_a} : (tensor<2x4xf16>, tensor<2x4xf16>) -> tensor<4x4xf16>
// BACK: nn.matmul %{{.*}} {transpose_a} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<4x4xf32>
func.func @train_step(%x: tensor<2x4xf32>, %t: tensor<2x4xf32>) -> tensor<f32> {
  %w = train.read @w : tensor<4x4xf32>
  %s = train.read @s : tensor<4xf32>
  %a = nn.matmul %x, %w {transpose_b} : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32> loc("a")
  %r = nn.relu %a : (tensor<2x4xf32>) -> tensor<2x4xf32> loc("r")
  %b = nn.matmul %r, %w {transpose_b} : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32> loc("b")
  %c = nn.add %b, %a : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32> loc("c")
  %n = nn.batch_norm_inference %c, %s, %s, %s, %s {eps = 1.0e-05 : f64}
    : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4xf32> loc("norm")
  %o = amp.output %b : tensor<2x4xf32>
  %e = nn.squared_error %o, %t : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %l = nn.reduce_mean %e {axes = array<i64: 0, 1>} : (tensor<2x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
}

// -----

module attributes {amp.policy = #amp.policy<name = "bf16-true", params = bf16, compute = bf16, casts = false,
    lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64, output = bf16, convert = true, masters = "none",
    ops = {mse_loss = "fp32"}>} {
train.param @w : tensor<2x2xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// The mean of a loss that is kept in f32 is taken in f32.
// CHECK-LABEL: func.func @train_step(
// CHECK: nn.squared_error %{{.*}} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
// CHECK-NEXT: nn.reduce_mean %{{.*}} : (tensor<2x2xf32>) -> tensor<f32>
// CHECK-NEXT: return
//
// BACK-LABEL: func.func @train_step(
// BACK: amp.cast %{{.*}} : tensor<2x2xf32> to tensor<2x2xbf16>
// BACK: nn.matmul %{{.*}} {transpose_a} : (tensor<2x2xbf16>, tensor<2x2xbf16>) -> tensor<2x2xbf16>
func.func @train_step(%x: tensor<2x2xf32>, %t: tensor<2x2xf32>) -> tensor<f32> {
  %w = train.read @w : tensor<2x2xf32>
  %m = nn.matmul %x, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %o = amp.output %m : tensor<2x2xf32>
  %e = nn.squared_error %o, %t : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %l = nn.reduce_mean %e {axes = array<i64: 0, 1>} : (tensor<2x2xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
}
