// Comparisons, choices and numbers of ids are printed and read back unchanged. The ops are the examples of their docs.
// RUN: halfstep-opt %s | halfstep-opt | FileCheck %s
// RUN: halfstep-opt %s -mlir-print-op-generic | halfstep-opt | FileCheck %s

// CHECK-LABEL: func.func @compare(
// CHECK: nn.compare %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: predicate = 
// CHECK-SAME: -> tensor<2x4xf32>
func.func @compare(%a: tensor<2x4xf32>, %b: tensor<4xf32>) -> tensor<2x4xf32> {
  %m = nn.compare %a, %b {predicate = "less"} : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %m : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @where(
// CHECK: nn.where %{{[0-9a-z]+}}, %{{[0-9a-z]+}}, %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<2x4xf32>
func.func @where(%c: tensor<4xf32>, %a: tensor<2x4xf32>, %b: tensor<f32>) -> tensor<2x4xf32> {
  %r = nn.where %c, %a, %b : (tensor<4xf32>, tensor<2x4xf32>, tensor<f32>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @from_ids(
// CHECK: nn.from_ids %{{[0-9a-z]+}}
// CHECK-SAME: -> tensor<2x4xf32>
func.func @from_ids(%x: tensor<2x4xi64>) -> tensor<2x4xf32> {
  %r = nn.from_ids %x : (tensor<2x4xi64>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}
