// Ops and attributes of amp are printed and read back unchanged.
// RUN: halfstep-opt %s | halfstep-opt | FileCheck %s
// RUN: halfstep-opt %s -mlir-print-op-generic | halfstep-opt | FileCheck %s

// CHECK: module attributes {amp.policy = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16,
// CHECK-SAME: casts = true, lists = "cpu", rounding = "fused", scaler = false, scale = 1.000000e+00 : f64>}
module attributes {amp.policy = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true,
    lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64>} {

// CHECK-LABEL: func.func @cast(
// CHECK: amp.cast %{{[0-9a-z]+}} : tensor<4x8xf32> to tensor<4x8xbf16>
func.func @cast(%x: tensor<4x8xf32>) -> tensor<4x8xbf16> {
  %h = amp.cast %x : tensor<4x8xf32> to tensor<4x8xbf16>
  return %h : tensor<4x8xbf16>
}

// CHECK-LABEL: func.func @output(
// CHECK: amp.output %{{[0-9a-z]+}} : tensor<4x8xf32>
func.func @output(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %o = amp.output %x : tensor<4x8xf32>
  return %o : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @loss_seed(
// CHECK: amp.loss_seed : tensor<f32>
func.func @loss_seed() -> tensor<f32> {
  %seed = amp.loss_seed : tensor<f32>
  return %seed : tensor<f32>
}

// CHECK-LABEL: func.func @scaled_loss_seed(
// CHECK: amp.loss_seed(%{{[0-9a-z]+}} : tensor<f32>) : tensor<f64>
func.func @scaled_loss_seed(%scale: tensor<f32>) -> tensor<f64> {
  %seed = amp.loss_seed(%scale : tensor<f32>) : tensor<f64>
  return %seed : tensor<f64>
}

// CHECK-LABEL: func.func @check_finite(
// CHECK: amp.check_finite %{{[0-9a-z]+}}, %{{[0-9a-z]+}} : tensor<32x64xbf16>, tensor<32xf32>
// CHECK-SAME: -> tensor<i32>, tensor<f64>
func.func @check_finite(%g0: tensor<32x64xbf16>, %g1: tensor<32xf32>) -> (tensor<i32>, tensor<f64>) {
  %found, %sqnorm = amp.check_finite %g0, %g1 : tensor<32x64xbf16>, tensor<32xf32> -> tensor<i32>, tensor<f64>
  return %found, %sqnorm : tensor<i32>, tensor<f64>
}

// 33 elements take 64 places, so two chunks of 4096 are needed.
// CHECK-LABEL: func.func @finite_partials(
// CHECK: amp.finite_partials %{{[0-9a-z]+}}, %{{[0-9a-z]+}} : (tensor<64x64xbf16>, tensor<33xbf16>)
// CHECK-SAME: -> (tensor<2xi32>, tensor<2xf64>)
func.func @finite_partials(%g0: tensor<64x64xbf16>, %g1: tensor<33xbf16>) -> (tensor<2xi32>, tensor<2xf64>) {
  %found, %sqnorm = amp.finite_partials %g0, %g1
    : (tensor<64x64xbf16>, tensor<33xbf16>) -> (tensor<2xi32>, tensor<2xf64>)
  return %found, %sqnorm : tensor<2xi32>, tensor<2xf64>
}

// CHECK-LABEL: func.func @finite_combine(
// CHECK: amp.finite_combine found(%{{[0-9a-z]+}}, %{{[0-9a-z]+}} : tensor<2xi32>, tensor<1xi32>)
// CHECK-SAME: sqnorm(%{{[0-9a-z]+}}, %{{[0-9a-z]+}} : tensor<2xf64>, tensor<1xf64>)
func.func @finite_combine(%f0: tensor<2xi32>, %f1: tensor<1xi32>, %n0: tensor<2xf64>, %n1: tensor<1xf64>)
    -> (tensor<i32>, tensor<f64>) {
  %f, %n = amp.finite_combine found(%f0, %f1 : tensor<2xi32>, tensor<1xi32>)
    sqnorm(%n0, %n1 : tensor<2xf64>, tensor<1xf64>)
  return %f, %n : tensor<i32>, tensor<f64>
}

}

// What differs from the defaults of a policy is printed, the defaults are not.
// CHECK: module @converted attributes {amp.policy = #amp.policy<name = "O2", {{.*}} scale = 6.553600e+04 : f64,
// CHECK-SAME: output = f16, convert = true, keep = "batch_norm", masters = "split", update = "stochastic",
// CHECK-SAME: ops = {softmax = "fp32"}, layers = {a = "lower", "head.*" = "fp32"}>}
module @converted attributes {amp.policy = #amp.policy<name = "O2", params = f32, compute = f16, casts = false,
    lists = "cpu", rounding = "fused", scaler = true, scale = 65536.0 : f64, output = f16, convert = true,
    keep = "batch_norm", masters = "split", update = "stochastic", ops = {softmax = "fp32"},
    layers = {a = "lower", "head.*" = "fp32"}>} {
}

// CHECK: module @written_out attributes {amp.policy = #amp.policy<name = "32-true", {{.*}} scale = 1.000000e+00 : f64>}
module @written_out attributes {amp.policy = #amp.policy<name = "32-true", params = f32, compute = f32, casts = false,
    lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64, convert = false, keep = "",
    masters = "separate", update = "nearest">} {
}
