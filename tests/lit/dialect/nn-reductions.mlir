// Reductions beside sum and mean, and the logarithm of softmax, are printed and read back unchanged. The ops are the examples of their docs.
// RUN: halfstep-opt %s | halfstep-opt | FileCheck %s
// RUN: halfstep-opt %s -mlir-print-op-generic | halfstep-opt | FileCheck %s

// CHECK-LABEL: func.func @reduce_max(
// CHECK: nn.reduce_max %{{[0-9a-z]+}}
// CHECK-SAME: axes = 
// CHECK-SAME: -> tensor<4xf32>
func.func @reduce_max(%x: tensor<2x4xf32>) -> tensor<4xf32> {
  %s = nn.reduce_max %x {axes = array<i64: 0>} : (tensor<2x4xf32>) -> tensor<4xf32>
  return %s : tensor<4xf32>
}

// CHECK-LABEL: func.func @reduce_min(
// CHECK: nn.reduce_min %{{[0-9a-z]+}}
// CHECK-SAME: axes = 
// CHECK-SAME: -> tensor<4xf32>
func.func @reduce_min(%x: tensor<2x4xf32>) -> tensor<4xf32> {
  %s = nn.reduce_min %x {axes = array<i64: 0>} : (tensor<2x4xf32>) -> tensor<4xf32>
  return %s : tensor<4xf32>
}

// CHECK-LABEL: func.func @reduce_prod(
// CHECK: nn.reduce_prod %{{[0-9a-z]+}}
// CHECK-SAME: axes = 
// CHECK-SAME: -> tensor<4xf32>
func.func @reduce_prod(%x: tensor<2x4xf32>) -> tensor<4xf32> {
  %s = nn.reduce_prod %x {axes = array<i64: 0>} : (tensor<2x4xf32>) -> tensor<4xf32>
  return %s : tensor<4xf32>
}

// CHECK-LABEL: func.func @log_softmax(
// CHECK: nn.log_softmax %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<2x4xf32>
func.func @log_softmax(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %r = nn.log_softmax %x : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @log_softmax_backward(
// CHECK: nn.log_softmax_backward %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<2x4xf32>
func.func @log_softmax_backward(%g: tensor<2x4xf32>, %r: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %d = nn.log_softmax_backward %g, %r : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return %d : tensor<2x4xf32>
}
