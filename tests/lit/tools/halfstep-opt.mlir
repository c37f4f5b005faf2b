// The driver knows our dialects, those that code goes through, and MLIR's general passes.
// RUN: halfstep-opt %s -canonicalize -cse | FileCheck %s
// RUN: halfstep-opt --show-dialects | FileCheck %s --check-prefix=DIALECTS

// DIALECTS: amp
// DIALECTS-SAME: linalg
// DIALECTS-SAME: memref
// DIALECTS-SAME: nn
// DIALECTS-SAME: train
// DIALECTS-SAME: vector

// CHECK-LABEL: func.func @common_ops_are_merged(
// CHECK-COUNT-1: nn.tanh
// CHECK-NOT: nn.tanh
// CHECK: nn.add
func.func @common_ops_are_merged(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = nn.tanh %x : (tensor<4xf32>) -> tensor<4xf32>
  %1 = nn.tanh %x : (tensor<4xf32>) -> tensor<4xf32>
  %2 = nn.add %0, %1 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %2 : tensor<4xf32>
}
