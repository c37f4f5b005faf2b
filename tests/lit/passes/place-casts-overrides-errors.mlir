// RUN: halfstep-opt %s -split-input-file -place-casts -verify-diagnostics

// expected-error @+1 {{precision spec: ops 'relu' is "fp8", expected lower, fp32, fp32_out, promote, banned or untouched}}
module attributes {amp.policy = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true,
    lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64, ops = {relu = "fp8"}>} {
}

// -----

// expected-error @+1 {{precision spec: ops 'relo' matches no op of the model; did you mean 'relu'?}}
module attributes {amp.policy = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true,
    lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64, ops = {relo = "fp32"}>} {
func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  %r = nn.relu %x : (tensor<2xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}
}

// -----

// expected-error @+1 {{precision spec: layers 'decoder.*' matches no layer of the model; it has 'fc', 'act'}}
module attributes {amp.policy = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true,
    lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64, layers = {"decoder.*" = "fp32"}>} {
func.func @f(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %m = nn.matmul %x, %x : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32> loc("fc")
  %r = nn.relu %m : (tensor<2x2xf32>) -> tensor<2x2xf32> loc("act")
  return %r : tensor<2x2xf32>
}
}

// -----

// Globs that agree may match with equally many characters: "b.?c" and "?.fc" do, for the layer 'b.fc'.
// expected-error @unknown {{precision spec: layers '?.fc' and 'a.f*' match with equally many characters and say "fp32" and "lower"; make one of them longer}}
module attributes {amp.policy = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true,
    lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64,
    layers = {"?.fc" = "fp32", "a.f*" = "lower", "b.?c" = "fp32"}>} {
func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  %b = nn.relu %x : (tensor<2xf32>) -> tensor<2xf32> loc("b.fc")
  %a = nn.relu %b : (tensor<2xf32>) -> tensor<2xf32> loc("a.fc")
  return %a : tensor<2xf32>
}
}
