// What joins the product whose result it reads, and what stays apart.
// RUN: halfstep-opt %s -split-input-file -fuse | FileCheck %s

// CHECK-LABEL: func.func @relu(
// CHECK-NEXT: %[[R:.*]] = train.kernel "contraction"(%{{.*}}, %{{.*}}) : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
// CHECK-NEXT: ^bb0
// CHECK-NEXT: %[[P:.*]] = nn.matmul
// CHECK-NEXT: %[[Y:.*]] = nn.relu %[[P]]
// CHECK-NEXT: train.yield %[[Y]]
// CHECK-NEXT: }
// CHECK-NEXT: return %[[R]]
func.func @relu(%x: tensor<2x3xf32>, %y: tensor<3x4xf32>) -> tensor<2x4xf32> {
  %0 = nn.matmul %x, %y : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  %1 = nn.relu %0 : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return %1 : tensor<2x4xf32>
}

// -----

// CHECK-LABEL: func.func @residual_and_two_results(
// CHECK-SAME: %[[X:.*]]: tensor<2x3xbf16>, %[[Y:.*]]: tensor<3x4xbf16>, %[[Z:.*]]: tensor<2x4xf32>)
// CHECK-NEXT: %[[R:.*]]:2 = train.kernel "contraction"(%[[X]], %[[Y]], %[[Z]])
// CHECK: nn.matmul
// CHECK: nn.add
// CHECK: nn.mul
// CHECK: train.yield
// CHECK-NOT: train.kernel
// CHECK: return %[[R]]#0, %[[R]]#1
func.func @residual_and_two_results(%x: tensor<2x3xbf16>, %y: tensor<3x4xbf16>, %z: tensor<2x4xf32>)
    -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  %0 = nn.matmul %x, %y : (tensor<2x3xbf16>, tensor<3x4xbf16>) -> tensor<2x4xbf16>
  %1 = amp.cast %0 : tensor<2x4xbf16> to tensor<2x4xf32>
  %2 = nn.add %1, %z : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  %3 = nn.mul %2, %2 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return %2, %3 : tensor<2x4xf32>, tensor<2x4xf32>
}

// -----

// The product would be computed twice, or written all the same.
// CHECK-LABEL: func.func @product_with_two_readers(
// CHECK: train.kernel "contraction"
// CHECK: train.kernel "map"
func.func @product_with_two_readers(%x: tensor<2x3xf32>, %y: tensor<3x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  %0 = nn.matmul %x, %y : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  %1 = nn.relu %0 : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return %0, %1 : tensor<2x4xf32>, tensor<2x4xf32>
}

// -----

// CHECK-LABEL: func.func @formula_with_an_exponential(
// CHECK: train.kernel "contraction"
// CHECK: train.kernel "map"
func.func @formula_with_an_exponential(%x: tensor<2x3xf32>, %y: tensor<3x4xf32>) -> tensor<2x4xf32> {
  %0 = nn.matmul %x, %y : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  %1 = nn.tanh %0 : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return %1 : tensor<2x4xf32>
}

// -----

// CHECK-LABEL: func.func @operand_of_another_shape(
// CHECK: train.kernel "contraction"
// CHECK: train.kernel "map"
func.func @operand_of_another_shape(%x: tensor<2x3xf32>, %y: tensor<3x4xf32>, %z: tensor<4xf32>) -> tensor<2x4xf32> {
  %0 = nn.matmul %x, %y : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  %1 = nn.add %0, %z : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %1 : tensor<2x4xf32>
}

// -----

// CHECK-LABEL: func.func @cast_alone(
// CHECK: train.kernel "contraction"
// CHECK: amp.cast
func.func @cast_alone(%x: tensor<2x3xbf16>, %y: tensor<3x4xbf16>) -> tensor<2x4xf32> {
  %0 = nn.matmul %x, %y : (tensor<2x3xbf16>, tensor<3x4xbf16>) -> tensor<2x4xbf16>
  %1 = amp.cast %0 : tensor<2x4xbf16> to tensor<2x4xf32>
  return %1 : tensor<2x4xf32>
}

// -----

// With eager rounding the product is rounded before anything reads it.
module attributes {amp.policy = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true,
    lists = "cpu", rounding = "eager", scaler = false, scale = 1.0 : f64>} {
  // CHECK-LABEL: func.func @eager_rounding(
  // CHECK: train.kernel "contraction"
  // CHECK: train.kernel "map"
  func.func @eager_rounding(%x: tensor<2x3xf32>, %y: tensor<3x4xf32>) -> tensor<2x4xf32> {
    %0 = nn.matmul %x, %y : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
    %1 = nn.relu %0 : (tensor<2x4xf32>) -> tensor<2x4xf32>
    return %1 : tensor<2x4xf32>
  }
}

// -----

// A library's primitive computes the product and nothing behind it.
module attributes {train.separate_contractions} {
  // CHECK-LABEL: func.func @separate_contractions(
  // CHECK: train.kernel "contraction"
  // CHECK: train.kernel "map"
  func.func @separate_contractions(%x: tensor<2x3xf32>, %y: tensor<3x4xf32>) -> tensor<2x4xf32> {
    %0 = nn.matmul %x, %y : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
    %1 = nn.relu %0 : (tensor<2x4xf32>) -> tensor<2x4xf32>
    return %1 : tensor<2x4xf32>
  }
}
