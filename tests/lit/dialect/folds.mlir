// What ops fold to by themselves, whatever the policy.
// RUN: halfstep-opt %s -canonicalize | FileCheck %s

// CHECK-LABEL: func.func @reshape_to_the_same_shape(
// CHECK-SAME: %[[X:.*]]: tensor<2x4xf32>)
// CHECK-NEXT: return %[[X]]
func.func @reshape_to_the_same_shape(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %r = nn.reshape %x {shape = array<i64: 2, 4>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @reshape_of_a_reshape(
// CHECK-SAME: %[[X:.*]]: tensor<2x4xf32>)
// CHECK-NEXT: %[[R:.*]] = nn.reshape %[[X]] {shape = array<i64: 4, 2>} : (tensor<2x4xf32>) -> tensor<4x2xf32>
// CHECK-NEXT: return %[[R]]
func.func @reshape_of_a_reshape(%x: tensor<2x4xf32>) -> tensor<4x2xf32> {
  %0 = nn.reshape %x {shape = array<i64: 8>} : (tensor<2x4xf32>) -> tensor<8xf32>
  %1 = nn.reshape %0 {shape = array<i64: 4, 2>} : (tensor<8xf32>) -> tensor<4x2xf32>
  return %1 : tensor<4x2xf32>
}

// CHECK-LABEL: func.func @cast_to_the_same_type(
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>)
// CHECK-NEXT: return %[[X]]
func.func @cast_to_the_same_type(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = amp.cast %x : tensor<4xf32> to tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func @widened_and_narrowed_back_is_exact(
// CHECK-SAME: %[[X:.*]]: tensor<4xbf16>)
// CHECK-NEXT: return %[[X]]
func.func @widened_and_narrowed_back_is_exact(%x: tensor<4xbf16>) -> tensor<4xbf16> {
  %0 = amp.cast %x : tensor<4xbf16> to tensor<4xf32>
  %1 = amp.cast %0 : tensor<4xf32> to tensor<4xbf16>
  return %1 : tensor<4xbf16>
}

// CHECK-LABEL: func.func @narrowed_and_widened_back_rounds(
// CHECK: amp.cast
// CHECK: amp.cast
func.func @narrowed_and_widened_back_rounds(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = amp.cast %x : tensor<4xf32> to tensor<4xbf16>
  %1 = amp.cast %0 : tensor<4xbf16> to tensor<4xf32>
  return %1 : tensor<4xf32>
}

// The middle type does not hold every value: 1e5 is infinite in f16.
// CHECK-LABEL: func.func @cast_through_the_other_half_type(
// CHECK: amp.cast
// CHECK: amp.cast
func.func @cast_through_the_other_half_type(%x: tensor<4xbf16>) -> tensor<4xbf16> {
  %0 = amp.cast %x : tensor<4xbf16> to tensor<4xf16>
  %1 = amp.cast %0 : tensor<4xf16> to tensor<4xbf16>
  return %1 : tensor<4xbf16>
}
