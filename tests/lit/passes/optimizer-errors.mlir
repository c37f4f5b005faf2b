// RUN: halfstep-opt %s -split-input-file -optimizer -verify-diagnostics

// expected-error @+1 {{the module has no 'train.optimizer' attribute: the importer sets it}}
module @no_optimizer {
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
func.func @train_step(%g: tensor<4xf32>) {
  train.gradient @w, %g : tensor<4xf32>
  return
}
}
