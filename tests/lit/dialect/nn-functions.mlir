// Functions are printed and read back unchanged. The ops are the examples of their docs.
// RUN: halfstep-opt %s | halfstep-opt | FileCheck %s
// RUN: halfstep-opt %s -mlir-print-op-generic | halfstep-opt | FileCheck %s

// CHECK-LABEL: func.func @exp(
// CHECK: nn.exp %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @exp(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.exp %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @log(
// CHECK: nn.log %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @log(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.log %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @sqrt(
// CHECK: nn.sqrt %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @sqrt(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.sqrt %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @norm_root(
// CHECK: nn.norm_root %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @norm_root(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.norm_root %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @reciprocal(
// CHECK: nn.reciprocal %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @reciprocal(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.reciprocal %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @abs(
// CHECK: nn.abs %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @abs(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.abs %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @erf(
// CHECK: nn.erf %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @erf(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.erf %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @sin(
// CHECK: nn.sin %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @sin(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.sin %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @cos(
// CHECK: nn.cos %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @cos(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.cos %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @clip(
// CHECK: nn.clip %{{[0-9a-z]+}}
// CHECK-SAME: alpha = {{.*}}beta = 
// CHECK-SAME: -> tensor<4xf32>
func.func @clip(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.clip %x {alpha = 0.0 : f64, beta = 6.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @leaky_relu(
// CHECK: nn.leaky_relu %{{[0-9a-z]+}}
// CHECK-SAME: alpha = 
// CHECK-SAME: -> tensor<4xf32>
func.func @leaky_relu(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.leaky_relu %x {alpha = 0.01 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @elu(
// CHECK: nn.elu %{{[0-9a-z]+}}
// CHECK-SAME: alpha = 
// CHECK-SAME: -> tensor<4xf32>
func.func @elu(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.elu %x {alpha = 1.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @selu(
// CHECK: nn.selu %{{[0-9a-z]+}}
// CHECK-SAME: alpha = {{.*}}beta = 
// CHECK-SAME: -> tensor<4xf32>
func.func @selu(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.selu %x {alpha = 1.6732632423543772 : f64, beta = 1.0507009873554805 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @celu(
// CHECK: nn.celu %{{[0-9a-z]+}}
// CHECK-SAME: alpha = 
// CHECK-SAME: -> tensor<4xf32>
func.func @celu(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.celu %x {alpha = 1.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @softplus(
// CHECK: nn.softplus %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @softplus(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.softplus %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @log_sigmoid(
// CHECK: nn.log_sigmoid %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @log_sigmoid(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.log_sigmoid %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @softsign(
// CHECK: nn.softsign %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @softsign(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.softsign %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @mish(
// CHECK: nn.mish %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @mish(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.mish %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @hardswish(
// CHECK: nn.hardswish %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @hardswish(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.hardswish %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @hardsigmoid(
// CHECK: nn.hardsigmoid %{{[0-9a-z]+}}
// CHECK-SAME: alpha = {{.*}}beta = 
// CHECK-SAME: -> tensor<4xf32>
func.func @hardsigmoid(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.hardsigmoid %x {alpha = 0.2 : f64, beta = 0.5 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @thresholded_relu(
// CHECK: nn.thresholded_relu %{{[0-9a-z]+}}
// CHECK-SAME: alpha = 
// CHECK-SAME: -> tensor<4xf32>
func.func @thresholded_relu(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.thresholded_relu %x {alpha = 1.0 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @sign(
// CHECK: nn.sign %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @sign(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.sign %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @floor(
// CHECK: nn.floor %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @floor(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.floor %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @ceil(
// CHECK: nn.ceil %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @ceil(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.ceil %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @round(
// CHECK: nn.round %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @round(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.round %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @detach(
// CHECK: nn.detach %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<4xf32>
func.func @detach(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.detach %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @div(
// CHECK: nn.div %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<2x4xf32>
func.func @div(%a: tensor<2x4xf32>, %b: tensor<4xf32>) -> tensor<2x4xf32> {
  %r = nn.div %a, %b : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @pow(
// CHECK: nn.pow %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<2x4xf32>
func.func @pow(%a: tensor<2x4xf32>, %b: tensor<4xf32>) -> tensor<2x4xf32> {
  %r = nn.pow %a, %b : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @maximum(
// CHECK: nn.maximum %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<2x4xf32>
func.func @maximum(%a: tensor<2x4xf32>, %b: tensor<4xf32>) -> tensor<2x4xf32> {
  %r = nn.maximum %a, %b : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @minimum(
// CHECK: nn.minimum %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<2x4xf32>
func.func @minimum(%a: tensor<2x4xf32>, %b: tensor<4xf32>) -> tensor<2x4xf32> {
  %r = nn.minimum %a, %b : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @prelu(
// CHECK: nn.prelu %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<2x4xf32>
func.func @prelu(%a: tensor<2x4xf32>, %b: tensor<4xf32>) -> tensor<2x4xf32> {
  %r = nn.prelu %a, %b : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @function_backward(
// CHECK: nn.function_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: alpha = {{.*}}function = {{.*}}operand = 
// CHECK-SAME: -> tensor<4xf32>
func.func @function_backward(%g: tensor<4xf32>, %x: tensor<4xf32>) -> tensor<4xf32> {
  %d = nn.function_backward %g, %x {function = "elu", operand = 0 : i64, alpha = 1.0 : f64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %d : tensor<4xf32>
}
