// RUN: halfstep-opt %s -split-input-file -optimizer -verify-diagnostics

// expected-error @+1 {{the module has no 'train.optimizer' attribute: the importer sets it}}
module @no_optimizer {
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
func.func @train_step(%g: tensor<4xf32>) {
  train.gradient @w, %g : tensor<4xf32>
  return
}
}

// -----

module @unknown_optimizer attributes {train.optimizer = #train.optimizer<kind = "lion", momentum = 0.0 : f64,
    nesterov = false, weight_decay = 0.0 : f64, beta1 = 0.9 : f64, beta2 = 0.5 : f64, eps = 1.0e-8 : f64>} {
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
func.func @train_step(%g: tensor<4xf32>) {
  // expected-error @+1 {{optimizer 'lion', expected sgd or adamw}}
  train.gradient @w, %g : tensor<4xf32>
  return
}
}
