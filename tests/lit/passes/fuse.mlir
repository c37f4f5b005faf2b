// RUN: halfstep-opt %s -split-input-file -fuse | FileCheck %s

// CHECK-LABEL: func.func @element_wise_ops_of_one_shape(
// CHECK-SAME: %[[X:.*]]: tensor<8x4xf32>, %[[B:.*]]: tensor<4xf32>)
// CHECK-NEXT: %[[R:.*]] = train.kernel "map"(%[[X]], %[[B]]) : (tensor<8x4xf32>, tensor<4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: ^bb0(%[[A0:.*]]: tensor<8x4xf32>, %[[A1:.*]]: tensor<4xf32>):
// CHECK-NEXT: %[[S:.*]] = nn.add %[[A0]], %[[A1]]
// CHECK-NEXT: %[[T:.*]] = nn.relu %[[S]]
// CHECK-NEXT: train.yield %[[T]]
// CHECK-NEXT: }
// CHECK-NEXT: return %[[R]]
func.func @element_wise_ops_of_one_shape(%x: tensor<8x4xf32>, %b: tensor<4xf32>) -> tensor<8x4xf32> {
  %0 = nn.add %x, %b : (tensor<8x4xf32>, tensor<4xf32>) -> tensor<8x4xf32>
  %1 = nn.relu %0 : (tensor<8x4xf32>) -> tensor<8x4xf32>
  return %1 : tensor<8x4xf32>
}

// CHECK-LABEL: func.func @value_that_others_read_is_a_result(
// CHECK: %[[R:.*]]:2 = train.kernel "map"
// CHECK: train.yield
// CHECK: train.kernel "contraction"(%[[R]]#0,
// CHECK: return %[[R]]#1
func.func @value_that_others_read_is_a_result(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %0 = nn.tanh %x : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = nn.relu %0 : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %2 = nn.matmul %0, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %1, %2 : tensor<4x4xf32>, tensor<4x4xf32>
}

// The vector is stored, since each of its elements is read many times.
// CHECK-LABEL: func.func @operand_that_is_broadcast(
// CHECK: %[[V:.*]] = train.kernel "map"(%{{.*}}) : (tensor<4xf32>) -> tensor<4xf32>
// CHECK: train.kernel "map"(%{{.*}}, %[[V]]) : (tensor<8x4xf32>, tensor<4xf32>) -> tensor<8x4xf32>
func.func @operand_that_is_broadcast(%x: tensor<8x4xf32>, %b: tensor<4xf32>) -> tensor<8x4xf32> {
  %0 = nn.tanh %b : (tensor<4xf32>) -> tensor<4xf32>
  %1 = nn.add %x, %0 : (tensor<8x4xf32>, tensor<4xf32>) -> tensor<8x4xf32>
  return %1 : tensor<8x4xf32>
}

// CHECK-LABEL: func.func @reduction_of_what_only_it_reads(
// CHECK-NEXT: %{{.*}} = train.kernel "reduce"
// CHECK-NEXT: ^bb0
// CHECK-NEXT: nn.squared_error
// CHECK-NEXT: nn.reduce_mean
// CHECK-NEXT: train.yield
// CHECK-NOT: train.kernel
func.func @reduction_of_what_only_it_reads(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<f32> {
  %0 = nn.squared_error %x, %y : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = nn.reduce_mean %0 {axes = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
  return %1 : tensor<f32>
}

// CHECK-LABEL: func.func @reduction_of_what_others_read_too(
// CHECK: train.kernel "map"
// CHECK: train.kernel "reduce"
func.func @reduction_of_what_others_read_too(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<f32>) {
  %0 = nn.tanh %x : (tensor<4xf32>) -> tensor<4xf32>
  %1 = nn.reduce_sum %0 {axes = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
  return %0, %1 : tensor<4xf32>, tensor<f32>
}

// Numbers are computed anew in each kernel instead of being stored.
// CHECK-LABEL: func.func @numbers_are_part_of_kernels(
// CHECK-NEXT: %{{.*}} = train.kernel "map"(%{{.*}}) : (tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT: ^bb0
// CHECK-NEXT: nn.constant
// CHECK-NEXT: nn.mul
// CHECK-NEXT: nn.mul
// CHECK-NEXT: train.yield
func.func @numbers_are_part_of_kernels(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = nn.constant {value = dense<5.0e-01> : tensor<f32>} : () -> tensor<f32>
  %1 = nn.mul %0, %0 : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %2 = nn.mul %x, %1 : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  return %2 : tensor<4xf32>
}

// A reshape moves nothing, so it stays outside and shares memory.
// CHECK-LABEL: func.func @reshape_is_no_kernel(
// CHECK: %[[K:.*]] = train.kernel "map"
// CHECK: %[[R:.*]] = nn.reshape %[[K]]
// CHECK: return %[[R]]
func.func @reshape_is_no_kernel(%x: tensor<2x4xf32>) -> tensor<8xf32> {
  %0 = nn.relu %x : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %1 = nn.reshape %0 {shape = array<i64: 8>} : (tensor<2x4xf32>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// What a function returns lies in memory that its kernels write.
// CHECK-LABEL: func.func @returned_argument_is_copied(
// CHECK: %[[K:.*]] = train.kernel "map"
// CHECK: nn.copy
// CHECK: return %[[K]]
func.func @returned_argument_is_copied(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// CHECK-LABEL: func.func @dead_ops_are_dropped(
// CHECK-NOT: nn.tanh
// CHECK: return
func.func @dead_ops_are_dropped(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = nn.tanh %x : (tensor<4xf32>) -> tensor<4xf32>
  %1 = nn.relu %x : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// CHECK-LABEL: func.func @batch_norm_is_split(
// CHECK: %[[S:.*]]:4 = train.kernel "column"
// CHECK: nn.batch_norm_stats
// CHECK: train.kernel "map"(%{{.*}}, %[[S]]#0, %[[S]]#1,
// CHECK: nn.batch_norm_apply
// CHECK: nn.relu
func.func @batch_norm_is_split(%x: tensor<2x3xf32>, %v: tensor<3xf32>) -> tensor<2x3xf32> {
  %y, %m, %r, %nm, %nv = nn.batch_norm %x, %v, %v, %v, %v {eps = 1.0e-05 : f64, momentum = 0.1 : f64}
    : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
    -> (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
  %z = nn.relu %y : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %z : tensor<2x3xf32>
}

// Every other op is a kernel of its own.
// CHECK-LABEL: func.func @kinds(
// CHECK: train.kernel "row"
// CHECK: nn.softmax
// CHECK: train.kernel "move"
// CHECK: nn.transpose
// CHECK: train.kernel "pool"
// CHECK: nn.avg_pool2d
func.func @kinds(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x1x1xf32> {
  %0 = nn.softmax %x : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %1 = nn.transpose %0 {perm = array<i64: 0, 1, 3, 2>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
  %2 = nn.avg_pool2d %1 {kernel = array<i64: 4, 4>, stride = array<i64: 4, 4>, padding = array<i64: 0, 0, 0, 0>}
    : (tensor<1x2x4x4xf32>) -> tensor<1x2x1x1xf32>
  return %2 : tensor<1x2x1x1xf32>
}

// -----

// One check and one sweep for each combination of types, and one verdict.
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>,
    copy_type = bf16}
train.param @v : tensor<2xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
train.param @m : tensor<2xf32> {buffer, init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK-LABEL: func.func @updates_are_split_by_type(
// CHECK: %[[P:.*]]:2 = train.kernel "finite"(%{{.*}}) : (tensor<4xbf16>) -> (tensor<1xi32>, tensor<1xf64>)
// CHECK: %[[Q:.*]]:2 = train.kernel "finite"(%{{.*}}) : (tensor<2xf32>) -> (tensor<1xi32>, tensor<1xf64>)
// CHECK: %[[F:.*]]:2 = train.kernel "finite"(%[[P]]#0, %[[Q]]#0, %[[P]]#1, %[[Q]]#1)
// CHECK: train.kernel "update"(%{{.*}}, %[[F]]#0, %[[F]]#1) : (tensor<4xbf16>, tensor<i32>, tensor<f64>)
// CHECK: train.sgd_update [@w]
// CHECK: train.kernel "update"(%{{.*}}, %[[F]]#0, %[[F]]#1) : (tensor<2xf32>, tensor<i32>, tensor<f64>)
// CHECK: train.sgd_update [@v]
// CHECK: train.kernel "assign"(%{{.*}}, %[[F]]#0)
// CHECK: train.assign @m
func.func @updates_are_split_by_type(%x: tensor<4xbf16>, %y: tensor<2xf32>) {
  %g = nn.relu %x : (tensor<4xbf16>) -> tensor<4xbf16>
  %h = nn.relu %y : (tensor<2xf32>) -> tensor<2xf32>
  %found, %norm = amp.check_finite %g, %h : tensor<4xbf16>, tensor<2xf32> -> tensor<i32>, tensor<f64>
  train.sgd_update [@w, @v] gradients(%g, %h : tensor<4xbf16>, tensor<2xf32>) guard(%found : tensor<i32>)
    norm(%norm : tensor<f64>) {momentum = 0.0 : f64, weight_decay = 0.0 : f64, nesterov = false}
  train.assign @m, %h guard %found : tensor<i32> : tensor<2xf32>
  return
}

// -----

// A sweep needs its gradients one after the other, so each has memory of its own.
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
train.param @v : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK-LABEL: func.func @gradient_of_two_parameters(
// CHECK: %[[G:.*]]:2 = train.kernel "map"
// CHECK: nn.relu
// CHECK: nn.copy
// CHECK: train.kernel "finite"(%[[G]]#0, %[[G]]#1)
// CHECK: train.kernel "update"(%[[G]]#0, %[[G]]#1,
func.func @gradient_of_two_parameters(%x: tensor<4xf32>) {
  %g = nn.relu %x : (tensor<4xf32>) -> tensor<4xf32>
  %found, %norm = amp.check_finite %g, %g : tensor<4xf32>, tensor<4xf32> -> tensor<i32>, tensor<f64>
  train.sgd_update [@w, @v] gradients(%g, %g : tensor<4xf32>, tensor<4xf32>) guard(%found : tensor<i32>)
    norm(%norm : tensor<f64>) {momentum = 0.0 : f64, weight_decay = 0.0 : f64, nesterov = false}
  return
}

// -----

// A step reads the values from its start, so state is written after all that reads it.
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK-LABEL: func.func @state_is_written_last(
// CHECK: %[[W:.*]] = train.read @w
// CHECK: %[[R:.*]] = train.kernel "map"(%[[W]])
// CHECK: nn.copy
// CHECK: train.kernel "update"
// CHECK-NOT: train.kernel
// CHECK: return %[[R]]
func.func @state_is_written_last(%x: tensor<4xf32>) -> tensor<4xf32> {
  %w = train.read @w : tensor<4xf32>
  %g = nn.relu %x : (tensor<4xf32>) -> tensor<4xf32>
  %found, %norm = amp.check_finite %g : tensor<4xf32> -> tensor<i32>, tensor<f64>
  train.sgd_update [@w] gradients(%g : tensor<4xf32>) guard(%found : tensor<i32>) norm(%norm : tensor<f64>)
    {momentum = 0.0 : f64, weight_decay = 0.0 : f64, nesterov = false}
  return %w : tensor<4xf32>
}

// -----

// Attention is a kernel of its own, which yields what the backward pass needs; no tensor of scores is left.
// CHECK-LABEL: func.func @attention_is_one_kernel(
// CHECK: train.kernel "embedding"(%{{.*}}, %{{.*}}) : (tensor<5x12xf32>, tensor<1x3xi64>) -> tensor<1x3x12xf32>
// CHECK: train.kernel "attention"(%{{.*}}) : (tensor<1x3x12xf32>) -> (tensor<1x3x4xf32>, tensor<1x2x3xf32>)
// CHECK: train.kernel "attention"(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}})
// CHECK-SAME: -> tensor<1x3x12xf32>
// CHECK: train.kernel "embedding"(%{{.*}}, %{{.*}}) : (tensor<1x3x12xf32>, tensor<1x3xi64>) -> tensor<5x12xf32>
func.func @attention_is_one_kernel(%w: tensor<5x12xf32>, %ids: tensor<1x3xi64>, %g: tensor<1x3x4xf32>)
    -> tensor<5x12xf32> {
  %e = nn.embedding %w, %ids : (tensor<5x12xf32>, tensor<1x3xi64>) -> tensor<1x3x12xf32>
  %y, %lse = nn.attention %e {heads = 2 : i64, causal, scale = 0.5 : f64}
    : (tensor<1x3x12xf32>) -> (tensor<1x3x4xf32>, tensor<1x2x3xf32>)
  %d = nn.attention_backward %g, %y, %lse, %e {heads = 2 : i64, causal, scale = 0.5 : f64}
    : (tensor<1x3x4xf32>, tensor<1x3x4xf32>, tensor<1x2x3xf32>, tensor<1x3x12xf32>) -> tensor<1x3x12xf32>
  %t = nn.embedding_backward %d, %ids {rows = 5 : i64} : (tensor<1x3x12xf32>, tensor<1x3xi64>) -> tensor<5x12xf32>
  return %t : tensor<5x12xf32>
}
