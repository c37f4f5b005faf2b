// Element-wise ops and constants are printed and read back unchanged. The ops are the examples of their docs.
// RUN: halfstep-opt %s | halfstep-opt | FileCheck %s
// RUN: halfstep-opt %s -mlir-print-op-generic | halfstep-opt | FileCheck %s

// CHECK-LABEL: func.func @relu(
// CHECK: nn.relu %{{[0-9a-z]+}} : (tensor<4xf32>) -> tensor<4xf32>
func.func @relu(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.relu %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @relu_backward(
// CHECK: nn.relu_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}} : (tensor<4xf32>, tensor<4xf32>)
// CHECK-SAME: -> tensor<4xf32>
func.func @relu_backward(%g: tensor<4xf32>, %r: tensor<4xf32>) -> tensor<4xf32> {
  %d = nn.relu_backward %g, %r : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %d : tensor<4xf32>
}

// CHECK-LABEL: func.func @tanh(
// CHECK: nn.tanh %{{[0-9a-z]+}} : (tensor<4xf32>) -> tensor<4xf32>
func.func @tanh(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.tanh %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @tanh_backward(
// CHECK: nn.tanh_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}} : (tensor<4xf32>, tensor<4xf32>)
// CHECK-SAME: -> tensor<4xf32>
func.func @tanh_backward(%g: tensor<4xf32>, %r: tensor<4xf32>) -> tensor<4xf32> {
  %d = nn.tanh_backward %g, %r : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %d : tensor<4xf32>
}

// CHECK-LABEL: func.func @sigmoid(
// CHECK: nn.sigmoid %{{[0-9a-z]+}} : (tensor<4xf32>) -> tensor<4xf32>
func.func @sigmoid(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.sigmoid %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @sigmoid_backward(
// CHECK: nn.sigmoid_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}} : (tensor<4xf32>, tensor<4xf32>)
// CHECK-SAME: -> tensor<4xf32>
func.func @sigmoid_backward(%g: tensor<4xf32>, %r: tensor<4xf32>) -> tensor<4xf32> {
  %d = nn.sigmoid_backward %g, %r : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %d : tensor<4xf32>
}

// CHECK-LABEL: func.func @silu(
// CHECK: nn.silu %{{[0-9a-z]+}} : (tensor<4xf32>) -> tensor<4xf32>
func.func @silu(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.silu %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @silu_backward(
// CHECK: nn.silu_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}} : (tensor<4xf32>, tensor<4xf32>)
// CHECK-SAME: -> tensor<4xf32>
func.func @silu_backward(%g: tensor<4xf32>, %x: tensor<4xf32>) -> tensor<4xf32> {
  %d = nn.silu_backward %g, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %d : tensor<4xf32>
}

// CHECK-LABEL: func.func @gelu(
// CHECK: nn.gelu %{{[0-9a-z]+}} : (tensor<4xf32>) -> tensor<4xf32>
func.func @gelu(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.gelu %x : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @gelu_backward(
// CHECK: nn.gelu_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}} : (tensor<4xf32>, tensor<4xf32>)
// CHECK-SAME: -> tensor<4xf32>
func.func @gelu_backward(%g: tensor<4xf32>, %x: tensor<4xf32>) -> tensor<4xf32> {
  %d = nn.gelu_backward %g, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %d : tensor<4xf32>
}

// CHECK-LABEL: func.func @add(
// CHECK: nn.add %{{[0-9a-z]+}}, %{{[0-9a-z]+}} : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
func.func @add(%a: tensor<2x4xf32>, %b: tensor<4xf32>) -> tensor<2x4xf32> {
  %r = nn.add %a, %b : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @sub(
// CHECK: nn.sub %{{[0-9a-z]+}}, %{{[0-9a-z]+}} : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
func.func @sub(%a: tensor<2x4xf32>, %b: tensor<4xf32>) -> tensor<2x4xf32> {
  %r = nn.sub %a, %b : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @mul(
// CHECK: nn.mul %{{[0-9a-z]+}}, %{{[0-9a-z]+}} : (tensor<2x4xf32>, tensor<2x1xf32>)
// CHECK-SAME: -> tensor<2x4xf32>
func.func @mul(%a: tensor<2x4xf32>, %b: tensor<2x1xf32>) -> tensor<2x4xf32> {
  %r = nn.mul %a, %b : (tensor<2x4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @squared_error(
// CHECK: nn.squared_error %{{[0-9a-z]+}}, %{{[0-9a-z]+}} : (tensor<4xf32>, tensor<4xf32>)
// CHECK-SAME: -> tensor<4xf32>
func.func @squared_error(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  %r = nn.squared_error %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @broadcast(
// CHECK: nn.broadcast %{{[0-9a-z]+}} {shape = array<i64: 2, 4>} : (tensor<4xf32>) -> tensor<2x4xf32>
func.func @broadcast(%x: tensor<4xf32>) -> tensor<2x4xf32> {
  %r = nn.broadcast %x {shape = array<i64: 2, 4>} : (tensor<4xf32>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @dropout(
// CHECK: nn.dropout %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}} {id = 0 : i64,
// CHECK-SAME: p = 5.000000e-01 : f64} : (tensor<4xf32>, tensor<i64>, tensor<i64>) -> tensor<4xf32>
func.func @dropout(%x: tensor<4xf32>, %seed: tensor<i64>, %step: tensor<i64>) -> tensor<4xf32> {
  %r = nn.dropout %x, %seed, %step {p = 0.5 : f64, id = 0 : i64} : (tensor<4xf32>, tensor<i64>, tensor<i64>)
      -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @constant(
// CHECK: nn.constant {value = dense<5.000000e-01> : tensor<f32>} : () -> tensor<f32>
func.func @constant() -> tensor<f32> {
  %c = nn.constant {value = dense<5.0e-01> : tensor<f32>} : () -> tensor<f32>
  return %c : tensor<f32>
}
