// RUN: halfstep-opt %s -split-input-file -place-casts | FileCheck %s

module attributes {amp.policy = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true,
    lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64>} {
train.param @w : tensor<3x4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
train.param @s : tensor<3xf32> {init = #train.init<kind = "constant", a = 1.0 : f64, b = 0.0 : f64>}

// What the function returns has its declared type.
// CHECK-LABEL: func.func @matmul_is_lower(
// CHECK-SAME: %[[X:.*]]: tensor<2x4xf32>) -> tensor<2x3xf32>
// CHECK: %[[W:.*]] = train.read @w : tensor<3x4xf32>
// CHECK: %[[WL:.*]] = amp.cast %[[W]] : tensor<3x4xf32> to tensor<3x4xbf16>
// CHECK: %[[XL:.*]] = amp.cast %[[X]] : tensor<2x4xf32> to tensor<2x4xbf16>
// CHECK: %[[Y:.*]] = nn.matmul %[[XL]], %[[WL]] {transpose_b}
// CHECK-SAME: : (tensor<2x4xbf16>, tensor<3x4xbf16>) -> tensor<2x3xbf16>
// CHECK: %[[R:.*]] = amp.cast %[[Y]] : tensor<2x3xbf16> to tensor<2x3xf32>
// CHECK: return %[[R]]
func.func @matmul_is_lower(%x: tensor<2x4xf32>) -> tensor<2x3xf32> {
  %w = train.read @w : tensor<3x4xf32>
  %y = nn.matmul %x, %w {transpose_b} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @untouched_ops_take_the_types_they_get(
// CHECK: %[[Y:.*]] = nn.matmul {{.*}} -> tensor<2x3xbf16>
// CHECK: %[[R:.*]] = nn.relu %[[Y]] : (tensor<2x3xbf16>) -> tensor<2x3xbf16>
// CHECK: nn.add %[[R]], %{{.*}} : (tensor<2x3xbf16>, tensor<3xf32>) -> tensor<2x3xf32>
func.func @untouched_ops_take_the_types_they_get(%x: tensor<2x4xf32>) -> tensor<2x3xf32> {
  %w = train.read @w : tensor<3x4xf32>
  %s = train.read @s : tensor<3xf32>
  %y = nn.matmul %x, %w {transpose_b} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  %r = nn.relu %y : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %a = nn.add %r, %s : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return %a : tensor<2x3xf32>
}

// Scale, shift and running statistics stay in f32 beside a low-precision input.
// CHECK-LABEL: func.func @batch_norm_keeps_its_vectors(
// CHECK: nn.batch_norm_inference %{{.*}}, %[[S:[0-9a-z]+]], %[[S]], %[[S]], %[[S]]
// CHECK-SAME: : (tensor<2x3xbf16>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xbf16>
func.func @batch_norm_keeps_its_vectors(%x: tensor<2x4xf32>) -> tensor<2x3xf32> {
  %w = train.read @w : tensor<3x4xf32>
  %s = train.read @s : tensor<3xf32>
  %y = nn.matmul %x, %w {transpose_b} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  %n = nn.batch_norm_inference %y, %s, %s, %s, %s {eps = 1.0e-05 : f64}
    : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return %n : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @losses_are_fp32(
// CHECK: %[[Y:.*]] = nn.matmul {{.*}} -> tensor<2x3xbf16>
// CHECK: %[[F:.*]] = amp.cast %[[Y]] : tensor<2x3xbf16> to tensor<2x3xf32>
// CHECK: nn.cross_entropy %[[F]], %{{.*}} : (tensor<2x3xf32>, tensor<2xi64>) -> (tensor<2xf32>, tensor<2xf32>)
func.func @losses_are_fp32(%x: tensor<2x4xf32>, %t: tensor<2xi64>) -> tensor<2xf32> {
  %w = train.read @w : tensor<3x4xf32>
  %y = nn.matmul %x, %w {transpose_b} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  %l, %e = nn.cross_entropy %y, %t {label_smoothing = 0.0 : f64}
    : (tensor<2x3xf32>, tensor<2xi64>) -> (tensor<2xf32>, tensor<2xf32>)
  return %l : tensor<2xf32>
}

// CHECK-LABEL: func.func @concat_promotes_to_the_widest(
// CHECK-SAME: %[[X:[0-9a-z]+]]: tensor<2x4xf32>
// CHECK: %[[Y:.*]] = nn.matmul {{.*}} -> tensor<2x3xbf16>
// CHECK: %[[F:.*]] = amp.cast %[[Y]] : tensor<2x3xbf16> to tensor<2x3xf32>
// CHECK: nn.concat %[[F]], %[[X]] {axis = 1 : i64} : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x7xf32>
// CHECK: nn.concat %[[Y]], %[[Y]] {axis = 1 : i64} : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x6xbf16>
func.func @concat_promotes_to_the_widest(%x: tensor<2x4xf32>) -> (tensor<2x7xf32>, tensor<2x6xf32>) {
  %w = train.read @w : tensor<3x4xf32>
  %y = nn.matmul %x, %w {transpose_b} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  %c = nn.concat %y, %x {axis = 1 : i64} : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x7xf32>
  %d = nn.concat %y, %y {axis = 1 : i64} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x6xf32>
  return %c, %d : tensor<2x7xf32>, tensor<2x6xf32>
}

// Two uses of a parameter share a cast, so their gradients meet in low precision; those of %x do not.
// CHECK-LABEL: func.func @uses_of_a_parameter_share_a_cast(
// CHECK-SAME: %[[X:[0-9a-z]+]]: tensor<2x4xf32>
// CHECK: %[[W:.*]] = amp.cast %{{.*}} : tensor<3x4xf32> to tensor<3x4xbf16>
// CHECK: %[[X0:.*]] = amp.cast %[[X]]
// CHECK: nn.matmul %[[X0]], %[[W]]
// CHECK: %[[X1:.*]] = amp.cast %[[X]]
// CHECK: nn.matmul %[[X1]], %[[W]]
func.func @uses_of_a_parameter_share_a_cast(%x: tensor<2x4xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %w = train.read @w : tensor<3x4xf32>
  %y = nn.matmul %x, %w {transpose_b} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  %z = nn.matmul %x, %w {transpose_b} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  return %y, %z : tensor<2x3xf32>, tensor<2x3xf32>
}

// CHECK-LABEL: func.func @f64_takes_no_part(
// CHECK-NOT: amp.cast
// CHECK: nn.matmul {{.*}} -> tensor<2x2xf64>
func.func @f64_takes_no_part(%x: tensor<2x4xf64>, %y: tensor<4x2xf64>) -> tensor<2x2xf64> {
  %r = nn.matmul %x, %y : (tensor<2x4xf64>, tensor<4x2xf64>) -> tensor<2x2xf64>
  return %r : tensor<2x2xf64>
}
}

// -----

module attributes {amp.policy = #amp.policy<name = "32-true", params = f32, compute = f32, casts = false,
    lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64>} {
// CHECK-LABEL: func.func @policy_without_casts(
// CHECK-NOT: amp.cast
// CHECK: return
func.func @policy_without_casts(%x: tensor<2x4xf32>, %y: tensor<4x2xf32>) -> tensor<2x2xf32> {
  %r = nn.matmul %x, %y : (tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<2x2xf32>
  return %r : tensor<2x2xf32>
}
}

// -----

module attributes {amp.policy = #amp.policy<name = "16-mixed", params = f32, compute = f16, casts = true,
    lists = "cuda", rounding = "fused", scaler = true, scale = 65536.0 : f64>} {
// An op that reads f16 and gives f32.
// CHECK-LABEL: func.func @softmax_gives_fp32_on_cuda(
// CHECK: %[[Y:.*]] = nn.matmul {{.*}} -> tensor<2x2xf16>
// CHECK: %[[F:.*]] = amp.cast %[[Y]] : tensor<2x2xf16> to tensor<2x2xf32>
// CHECK: nn.softmax %[[F]] : (tensor<2x2xf32>) -> tensor<2x2xf32>
func.func @softmax_gives_fp32_on_cuda(%x: tensor<2x4xf32>, %y: tensor<4x2xf32>) -> tensor<2x2xf32> {
  %m = nn.matmul %x, %y : (tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<2x2xf32>
  %r = nn.softmax %m : (tensor<2x2xf32>) -> tensor<2x2xf32>
  return %r : tensor<2x2xf32>
}
}

// -----

module attributes {amp.policy = #amp.policy<name = "O1", params = f32, compute = f16, casts = true,
    lists = "apex", rounding = "fused", scaler = true, scale = 65536.0 : f64>} {
// CHECK-LABEL: func.func @gelu_is_fp32_in_apex(
// CHECK: %[[F:.*]] = amp.cast %{{.*}} : tensor<2x2xf16> to tensor<2x2xf32>
// CHECK: nn.gelu %[[F]]
func.func @gelu_is_fp32_in_apex(%x: tensor<2x4xf32>, %y: tensor<4x2xf32>) -> tensor<2x2xf32> {
  %m = nn.matmul %x, %y : (tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<2x2xf32>
  %r = nn.gelu %m : (tensor<2x2xf32>) -> tensor<2x2xf32>
  return %r : tensor<2x2xf32>
}

// The number 2 is no tensor for torch, so it widens nothing.
// CHECK-LABEL: func.func @numbers_do_not_promote(
// CHECK: %[[Y:.*]] = nn.matmul {{.*}} -> tensor<2x2xf16>
// CHECK: nn.mul %[[Y]], %{{.*}} : (tensor<2x2xf16>, tensor<f32>) -> tensor<2x2xf16>
func.func @numbers_do_not_promote(%x: tensor<2x4xf32>, %y: tensor<4x2xf32>) -> tensor<2x2xf32> {
  %m = nn.matmul %x, %y : (tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<2x2xf32>
  %c = nn.constant {value = dense<2.0> : tensor<f32>} : () -> tensor<f32>
  %r = nn.mul %m, %c : (tensor<2x2xf32>, tensor<f32>) -> tensor<2x2xf32>
  return %r : tensor<2x2xf32>
}
}

// -----

module attributes {amp.policy = #amp.policy<name = "16-mixed", params = f32, compute = f16, casts = true,
    lists = "cpu", rounding = "fused", scaler = true, scale = 65536.0 : f64>} {
train.param @w : tensor<2x4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}

// The lists do not depend on the 16-bit type; losses are f32.
// CHECK-LABEL: func.func @half_on_the_cpu(
// CHECK: %[[W:.*]] = amp.cast %{{.*}} : tensor<2x4xf32> to tensor<2x4xf16>
// CHECK: %[[Y:.*]] = nn.matmul %{{.*}}, %[[W]] {transpose_b} : (tensor<2x4xf16>, tensor<2x4xf16>) -> tensor<2x2xf16>
// CHECK: %[[S:.*]] = nn.softmax %[[Y]] : (tensor<2x2xf16>) -> tensor<2x2xf16>
// CHECK: %[[F:.*]] = amp.cast %[[S]] : tensor<2x2xf16> to tensor<2x2xf32>
// CHECK: nn.squared_error %[[F]], %{{.*}} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
func.func @half_on_the_cpu(%x: tensor<2x4xf32>, %t: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %w = train.read @w : tensor<2x4xf32>
  %m = nn.matmul %x, %w {transpose_b} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x2xf32>
  %s = nn.softmax %m : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %r = nn.squared_error %s, %t : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %r : tensor<2x2xf32>
}
}

// -----

module attributes {amp.policy = #amp.policy<name = "O1", params = f32, compute = bf16, casts = true,
    lists = "apex", rounding = "fused", scaler = false, scale = 1.0 : f64>} {
// One operand in f32 lifts the other; two in the low type stay there.
// CHECK-LABEL: func.func @apex_promotes(
// CHECK: %[[Y:.*]] = nn.matmul {{.*}} -> tensor<2x2xbf16>
// CHECK: %[[D:.*]] = nn.add %[[Y]], %[[Y]] : (tensor<2x2xbf16>, tensor<2x2xbf16>) -> tensor<2x2xbf16>
// CHECK: %[[F:.*]] = amp.cast %[[D]] : tensor<2x2xbf16> to tensor<2x2xf32>
// CHECK: nn.sub %[[F]], %{{.*}} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
func.func @apex_promotes(%x: tensor<2x4xf32>, %y: tensor<4x2xf32>, %z: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %m = nn.matmul %x, %y : (tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<2x2xf32>
  %d = nn.add %m, %m : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %r = nn.sub %d, %z : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %r : tensor<2x2xf32>
}
}
