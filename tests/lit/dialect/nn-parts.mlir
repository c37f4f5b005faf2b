// Parts and places of tensors are printed and read back unchanged. The ops are the examples of their docs.
// RUN: halfstep-opt %s | halfstep-opt | FileCheck %s
// RUN: halfstep-opt %s -mlir-print-op-generic | halfstep-opt | FileCheck %s

// CHECK-LABEL: func.func @slice(
// CHECK: nn.slice %{{[0-9a-z]+}}
// CHECK-SAME: sizes = {{.*}}starts = {{.*}}steps = 
// CHECK-SAME: -> tensor<2x2xf32>
func.func @slice(%x: tensor<2x4xf32>) -> tensor<2x2xf32> {
  %r = nn.slice %x {starts = array<i64: 0, 3>, sizes = array<i64: 2, 2>, steps = array<i64: 1, -2>} : (tensor<2x4xf32>) -> tensor<2x2xf32>
  return %r : tensor<2x2xf32>
}

// CHECK-LABEL: func.func @place(
// CHECK: nn.place %{{[0-9a-z]+}}
// CHECK-SAME: shape = {{.*}}starts = {{.*}}steps = {{.*}}value = 
// CHECK-SAME: -> tensor<2x4xf32>
func.func @place(%x: tensor<2x2xf32>) -> tensor<2x4xf32> {
  %r = nn.place %x {shape = array<i64: 2, 4>, starts = array<i64: 0, 3>, steps = array<i64: 1, -2>, value = 0.0 : f64} : (tensor<2x2xf32>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}
