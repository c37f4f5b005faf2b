// Models that are converted as a whole.
// RUN: halfstep-opt %s -split-input-file -place-casts | FileCheck %s

module attributes {amp.policy = #amp.policy<name = "O2", params = f32, compute = f16, casts = false, lists = "cpu",
    rounding = "fused", scaler = true, scale = 65536.0 : f64, convert = true, keep = "batch_norm">} {
train.param @w : tensor<3x4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
train.param @s : tensor<3xf32> {init = #train.init<kind = "constant", a = 1.0 : f64, b = 0.0 : f64>}
train.param @m : tensor<3xf32> {buffer, init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}

// Inputs are cast where the function begins, each once, and parameters where they are read. The loss is f32, as is
// the declared type of what @train_step returns.
// CHECK-LABEL: func.func @inputs_parameters_and_loss(
// CHECK-SAME: %[[X:[0-9a-z]+]]: tensor<2x4xf32>, %[[T:[0-9a-z]+]]: tensor<2x3xf32>) -> tensor<2x3xf32>
// CHECK-NEXT: %[[XL:.*]] = amp.cast %[[X]] : tensor<2x4xf32> to tensor<2x4xf16>
// CHECK-NEXT: %[[W:.*]] = train.read @w : tensor<3x4xf32>
// CHECK-NEXT: %[[WL:.*]] = amp.cast %[[W]] : tensor<3x4xf32> to tensor<3x4xf16>
// CHECK-NEXT: %[[Y:.*]] = nn.matmul %[[XL]], %[[WL]] {transpose_b} {{.*}} -> tensor<2x3xf16>
// CHECK-NEXT: %[[Z:.*]] = nn.matmul %[[XL]], %[[WL]] {transpose_b} {{.*}} -> tensor<2x3xf16>
// CHECK-NEXT: %[[A:.*]] = nn.add %[[Y]], %[[Z]] : (tensor<2x3xf16>, tensor<2x3xf16>) -> tensor<2x3xf16>
// CHECK-NEXT: %[[O:.*]] = amp.cast %[[A]] : tensor<2x3xf16> to tensor<2x3xf32>
// CHECK-NEXT: %[[L:.*]] = nn.squared_error %[[O]], %[[T]] : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
// CHECK-NEXT: return %[[L]] : tensor<2x3xf32>
func.func @inputs_parameters_and_loss(%x: tensor<2x4xf32>, %t: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %w = train.read @w : tensor<3x4xf32>
  %y = nn.matmul %x, %w {transpose_b} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  %z = nn.matmul %x, %w {transpose_b} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  %a = nn.add %y, %z : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %o = amp.output %a : tensor<2x3xf32>
  %l = nn.squared_error %o, %t : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %l : tensor<2x3xf32>
}

// A kept normalisation reads and gives the model's type; its parameters stay f32.
// CHECK-LABEL: func.func @batch_norm_is_kept(
// CHECK: %[[S:.*]] = train.read @s : tensor<3xf32>
// CHECK-NOT: amp.cast %[[S]]
// CHECK: nn.batch_norm %{{[0-9]+}}, %[[S]], %[[S]], %{{[0-9]+}}, %{{[0-9]+}} {
// CHECK-SAME: } : (tensor<2x3xf16>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
// CHECK-SAME: -> (tensor<2x3xf16>,
// CHECK: train.assign @m, %{{.*}} : tensor<3xf32>
func.func @batch_norm_is_kept(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %s = train.read @s : tensor<3xf32>
  %m = train.read @m : tensor<3xf32>
  %n:5 = nn.batch_norm %x, %s, %s, %m, %m {eps = 1.0e-05 : f64, momentum = 0.1 : f64}
    : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
    -> (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
  train.assign @m, %n#3 : tensor<3xf32>
  return %n#0 : tensor<2x3xf32>
}

// Apex keeps batch norm only.
// CHECK-LABEL: func.func @layer_norm_is_converted(
// CHECK: nn.layer_norm {{.*}} : (tensor<2x3xf16>, tensor<3xf16>, tensor<3xf16>) -> (tensor<2x3xf16>, tensor<2xf32>, tensor<2xf32>)
func.func @layer_norm_is_converted(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %s = train.read @s : tensor<3xf32>
  %n:3 = nn.layer_norm %x, %s, %s {axis = 1 : i64, eps = 1.0e-05 : f64}
    : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>) -> (tensor<2x3xf32>, tensor<2xf32>, tensor<2xf32>)
  return %n#0 : tensor<2x3xf32>
}

// A number takes no part, and neither do integers.
// CHECK-LABEL: func.func @numbers_and_integers(
// CHECK: nn.mul %{{.*}}, %{{.*}} : (tensor<2x3xf16>, tensor<f32>) -> tensor<2x3xf16>
// CHECK: nn.cross_entropy %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<2xi64>) -> (tensor<2xf32>, tensor<2xf32>)
func.func @numbers_and_integers(%x: tensor<2x3xf32>, %t: tensor<2xi64>) -> tensor<2xf32> {
  %c = nn.constant {value = dense<2.0> : tensor<f32>} : () -> tensor<f32>
  %m = nn.mul %x, %c : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %o = amp.output %m : tensor<2x3xf32>
  %l, %e = nn.cross_entropy %o, %t {label_smoothing = 0.0 : f64}
    : (tensor<2x3xf32>, tensor<2xi64>) -> (tensor<2xf32>, tensor<2xf32>)
  return %l : tensor<2xf32>
}
}

// -----

module attributes {amp.policy = #amp.policy<name = "O3", params = f16, compute = f16, casts = false, lists = "cpu",
    rounding = "fused", scaler = false, scale = 1.0 : f64, convert = true, keep = "norms", masters = "none">} {
train.param @s : tensor<3xf32> {init = #train.init<kind = "constant", a = 1.0 : f64, b = 0.0 : f64>}
// CHECK-LABEL: func.func @all_norms_are_kept(
// CHECK: nn.layer_norm {{.*}} : (tensor<2x3xf16>, tensor<3xf32>, tensor<3xf32>) -> (tensor<2x3xf16>, tensor<2xf32>, tensor<2xf32>)
// CHECK: nn.batch_norm_inference {{.*}} : (tensor<2x3xf16>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf16>
func.func @all_norms_are_kept(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %s = train.read @s : tensor<3xf32>
  %n:3 = nn.layer_norm %x, %s, %s {axis = 1 : i64, eps = 1.0e-05 : f64}
    : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>) -> (tensor<2x3xf32>, tensor<2xf32>, tensor<2xf32>)
  %b = nn.batch_norm_inference %n#0, %s, %s, %s, %s {eps = 1.0e-05 : f64}
    : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return %b : tensor<2x3xf32>
}
}

// -----

module attributes {amp.policy = #amp.policy<name = "bf16-true", params = bf16, compute = bf16, casts = false,
    lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64, output = bf16, convert = true, masters = "none">} {
train.param @s : tensor<3xf32> {init = #train.init<kind = "constant", a = 1.0 : f64, b = 0.0 : f64>}
train.param @m : tensor<3xf32> {buffer, init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}

// Outputs are in the output type, and the loss runs in it; its value keeps its declared type.
// CHECK-LABEL: func.func @loss_in_the_output_type(
// CHECK-SAME: %[[X:[0-9a-z]+]]: tensor<2x3xf32>, %[[T:[0-9a-z]+]]: tensor<2x3xf32>) -> (tensor<f32>, tensor<2x3xbf16>)
// CHECK: %[[R:.*]] = nn.relu %{{.*}} : (tensor<2x3xbf16>) -> tensor<2x3xbf16>
// CHECK-NEXT: %[[E:.*]] = nn.squared_error %[[R]], %{{.*}} : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x3xbf16>
// CHECK-NEXT: %[[M:.*]] = nn.reduce_mean %[[E]] {{.*}} : (tensor<2x3xbf16>) -> tensor<bf16>
// CHECK-NEXT: %[[L:.*]] = amp.cast %[[M]] : tensor<bf16> to tensor<f32>
// CHECK-NEXT: return %[[L]], %[[R]] : tensor<f32>, tensor<2x3xbf16>
func.func @loss_in_the_output_type(%x: tensor<2x3xf32>, %t: tensor<2x3xf32>) -> (tensor<f32>, tensor<2x3xf32>) {
  %r = nn.relu %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %o = amp.output %r : tensor<2x3xf32>
  %e = nn.squared_error %o, %t : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %l = nn.reduce_mean %e {axes = array<i64: 0, 1>} : (tensor<2x3xf32>) -> tensor<f32>
  return %l, %o : tensor<f32>, tensor<2x3xf32>
}

// Scale and shift are converted, running statistics are not.
// CHECK-LABEL: func.func @running_statistics_stay(
// CHECK: nn.batch_norm {{.*}} : (tensor<2x3xbf16>, tensor<3xbf16>, tensor<3xbf16>, tensor<3xf32>, tensor<3xf32>)
// CHECK: train.assign @m, %{{.*}} : tensor<3xf32>
func.func @running_statistics_stay(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %s = train.read @s : tensor<3xf32>
  %m = train.read @m : tensor<3xf32>
  %n:5 = nn.batch_norm %x, %s, %s, %m, %m {eps = 1.0e-05 : f64, momentum = 0.1 : f64}
    : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
    -> (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
  train.assign @m, %n#3 : tensor<3xf32>
  return %n#0 : tensor<2x3xf32>
}

// Another buffer is a tensor of the model, and what is assigned to it has its type.
// CHECK-LABEL: func.func @other_buffers_are_cast(
// CHECK: %[[R:.*]] = train.read @m : tensor<3xf32>
// CHECK: %[[C:.*]] = amp.cast %[[R]] : tensor<3xf32> to tensor<3xbf16>
// CHECK: %[[A:.*]] = nn.add %[[C]], %[[C]] : (tensor<3xbf16>, tensor<3xbf16>) -> tensor<3xbf16>
// CHECK: %[[W:.*]] = amp.cast %[[A]] : tensor<3xbf16> to tensor<3xf32>
// CHECK: train.assign @m, %[[W]] : tensor<3xf32>
func.func @other_buffers_are_cast() {
  %m = train.read @m : tensor<3xf32>
  %a = nn.add %m, %m : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  train.assign @m, %a : tensor<3xf32>
  return
}
}

// -----

module attributes {amp.policy = #amp.policy<name = "f32/f32/bf16", params = f32, compute = f32, casts = false,
    lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64, output = bf16, convert = true>} {
// CHECK-LABEL: func.func @only_outputs_are_low(
// CHECK-SAME: -> tensor<2x3xbf16>
// CHECK-NEXT: %[[R:.*]] = nn.relu %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
// CHECK-NEXT: %[[O:.*]] = amp.cast %[[R]] : tensor<2x3xf32> to tensor<2x3xbf16>
// CHECK-NEXT: return %[[O]]
func.func @only_outputs_are_low(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = nn.relu %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %o = amp.output %r : tensor<2x3xf32>
  return %o : tensor<2x3xf32>
}
}

// -----

module attributes {amp.policy = #amp.policy<name = "32-true", params = f32, compute = f32, casts = false,
    lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64>} {
// CHECK-LABEL: func.func @outputs_are_marked_no_more(
// CHECK-NEXT: %[[R:.*]] = nn.relu %{{.*}}
// CHECK-NEXT: return %[[R]] : tensor<2x3xf32>
func.func @outputs_are_marked_no_more(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = nn.relu %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %o = amp.output %r : tensor<2x3xf32>
  return %o : tensor<2x3xf32>
}
}
