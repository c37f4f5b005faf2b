// RUN: halfstep-opt %s -split-input-file -place-casts -verify-diagnostics

// expected-error @+1 {{the module has no 'amp.policy' attribute: the importer sets it}}
module {
}

// -----

// expected-error @+1 {{op lists 'tpu', expected cpu, cuda or apex}}
module attributes {amp.policy = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true,
    lists = "tpu", rounding = "fused", scaler = false, scale = 1.0 : f64>} {
}

// -----

// expected-error @+1 {{keep 'layer_norm', expected batch_norm or norms}}
module attributes {amp.policy = #amp.policy<name = "O2", params = f32, compute = f16, casts = false, lists = "cpu",
    rounding = "fused", scaler = true, scale = 1.0 : f64, convert = true, keep = "layer_norm">} {
}

// -----

module attributes {amp.policy = #amp.policy<name = "16-mixed", params = f32, compute = f16, casts = true,
    lists = "cuda", rounding = "fused", scaler = false, scale = 1.0 : f64, ops = {softmax = "banned"}>} {
func.func @banned_op(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  // expected-error @+1 {{is banned by ops 'softmax', since it overflows in low precision; use other lists or give it a class}}
  %r = nn.softmax %x : (tensor<2x2xf32>) -> tensor<2x2xf32>
  return %r : tensor<2x2xf32>
}
}

// -----

module attributes {amp.policy = #amp.policy<name = "16-mixed", params = f32, compute = f16, casts = true,
    lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64, ops = {matmul = "untouched", relu = "lower"}>} {
func.func @types_that_do_not_mix(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %r = nn.relu %x : (tensor<2x2xf32>) -> tensor<2x2xf32>
  // expected-error @+1 {{cannot run on operands of the types 'tensor<2x2xf16>', 'tensor<2x2xf32>', which ops 'matmul' leaves to it; give it the class lower, fp32 or promote}}
  %m = nn.matmul %r, %x : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %m : tensor<2x2xf32>
}
}
