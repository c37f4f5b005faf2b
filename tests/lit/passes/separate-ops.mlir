// The module's train.separate_ops in fuse and plan-memory.
// RUN: halfstep-opt %s -split-input-file -fuse -plan-memory | FileCheck %s

// Casts that readers could make for themselves and numbers that they could compute are kernels, too, and each
// result has memory of its own although only the last is alive at the end.
// CHECK-LABEL: func.func @every_op_is_a_kernel_with_memory_of_its_own(
// CHECK-SAME: %[[X:.*]]: tensor<16xbf16>, %[[B:.*]]: tensor<16xf32>)
// CHECK-NEXT: %[[W:.*]] = train.kernel "map"(%[[X]]) : (tensor<16xbf16>) -> tensor<16xf32> attributes {offsets = array<i64: 256>}
// CHECK: amp.cast
// CHECK: %[[S:.*]] = train.kernel "map"(%[[W]], %[[B]])
// CHECK-SAME: offsets = array<i64: 320>
// CHECK: nn.add
// CHECK: %[[T:.*]] = train.kernel "map"(%[[S]])
// CHECK-SAME: offsets = array<i64: 384>
// CHECK: nn.relu
// CHECK: %[[R:.*]] = train.kernel "reduce"(%[[T]])
// CHECK-SAME: offsets = array<i64: 448>
// CHECK: nn.reduce_sum
// CHECK: %[[Q:.*]] = train.kernel "map"(%[[R]])
// CHECK-SAME: offsets = array<i64: 512>
// CHECK: nn.mul
// CHECK: return %[[Q]]
module attributes {train.separate_ops} {
func.func @every_op_is_a_kernel_with_memory_of_its_own(%x: tensor<16xbf16>, %b: tensor<16xf32>) -> tensor<f32> {
  %0 = amp.cast %x : tensor<16xbf16> to tensor<16xf32>
  %1 = nn.add %0, %b : (tensor<16xf32>, tensor<16xf32>) -> tensor<16xf32>
  %2 = nn.relu %1 : (tensor<16xf32>) -> tensor<16xf32>
  %3 = nn.reduce_sum %2 {axes = array<i64: 0>} : (tensor<16xf32>) -> tensor<f32>
  %4 = nn.mul %3, %3 : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return %4 : tensor<f32>
}
}

// -----

// CHECK-LABEL: func.func @constants_stay_in_the_kernels_that_read_them(
// CHECK-NEXT: train.kernel "map"(%{{.*}}) : (tensor<16xf32>) -> tensor<16xf32>
// CHECK-NEXT: ^bb0
// CHECK-NEXT: nn.constant
// CHECK-NEXT: nn.mul
module attributes {train.separate_ops} {
func.func @constants_stay_in_the_kernels_that_read_them(%x: tensor<16xf32>) -> tensor<16xf32> {
  %0 = nn.constant {value = dense<2.0> : tensor<f32>} : () -> tensor<f32>
  %1 = nn.mul %x, %0 : (tensor<16xf32>, tensor<f32>) -> tensor<16xf32>
  return %1 : tensor<16xf32>
}
}
