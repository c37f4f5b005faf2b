// RUN: halfstep-opt %s -split-input-file -masters -verify-diagnostics

// expected-error@+1 {{the module has no 'amp.policy' attribute: the importer sets it}}
module @no_policy {
}

// -----

// expected-error@+1 {{masters 'halved', expected separate, split or none}}
module @unknown_masters attributes {amp.policy = #amp.policy<name = "x", params = f32, compute = bf16, casts = true,
    lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64, masters = "halved">} {
}

// -----

// expected-error@+1 {{update 'up', expected nearest or stochastic}}
module @unknown_update attributes {amp.policy = #amp.policy<name = "x", params = f32, compute = bf16, casts = true,
    lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64, update = "up">} {
}

// -----

module @split_f16 attributes {amp.policy = #amp.policy<name = "16-mixed", params = f32, compute = f16, casts = true,
    lists = "cpu", rounding = "fused", scaler = true, scale = 1.0 : f64, masters = "split">} {
// expected-error@+1 {{'w' is 'f32' and read in 'f16', but split masters are f32 that is read in bf16; use separate ones}}
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
func.func @train_step() -> tensor<4xf16> {
  %0 = train.read @w : tensor<4xf32>
  %1 = amp.cast %0 : tensor<4xf32> to tensor<4xf16>
  return %1 : tensor<4xf16>
}
}

// -----

module @data_in_a_file attributes {amp.policy = #amp.policy<name = "bf16-true", params = bf16, compute = bf16,
    casts = false, lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64, masters = "none">} {
// expected-error@+1 {{'w' has initial values that are not dense, which cannot be rounded to 'bf16'}}
train.param @w : tensor<1xf32> {init = #train.init<kind = "data", a = 0.0 : f64, b = 0.0 : f64,
    data = dense_resource<blob> : tensor<1xf32>>}
func.func @train_step() -> tensor<1xbf16> {
  %0 = train.read @w : tensor<1xf32>
  %1 = amp.cast %0 : tensor<1xf32> to tensor<1xbf16>
  return %1 : tensor<1xbf16>
}
}
{-#
  dialect_resources: {
    builtin: {
      blob: "0x040000000000803F"
    }
  }
#-}
