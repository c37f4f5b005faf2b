// RUN: halfstep-opt %s -fuse -verify-diagnostics

func.func @no_kernel_for_the_op() -> tensor<f32> {
  // expected-error @+1 {{no kernel computes 'amp.loss_seed': expected an op that the earlier stages leave}}
  %0 = amp.loss_seed : tensor<f32>
  return %0 : tensor<f32>
}
