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

// What is stored between kernels is narrow: readers widen for themselves.
// CHECK-LABEL: func.func @widening_casts_are_made_by_their_readers(
// CHECK-SAME: %[[X:.*]]: tensor<4x3xbf16>, %[[T:.*]]: tensor<4xi64>
// CHECK-NEXT: %[[L:.*]]:2 = train.kernel "row"(%[[X]], %[[T]])
// CHECK: amp.cast
// CHECK: nn.cross_entropy
// CHECK: %[[G:.*]] = train.kernel "row"(%{{.*}}, %[[X]], %[[T]], %[[L]]#1)
// CHECK: amp.cast {{.*}} to tensor<4x3xf32>
// CHECK: nn.cross_entropy_backward
// CHECK: amp.cast {{.*}} to tensor<4x3xbf16>
// CHECK: return %[[L]]#0, %[[G]] : tensor<4xf32>, tensor<4x3xbf16>
func.func @widening_casts_are_made_by_their_readers(%x: tensor<4x3xbf16>, %t: tensor<4xi64>, %d: tensor<4xf32>)
    -> (tensor<4xf32>, tensor<4x3xbf16>) {
  %z = amp.cast %x : tensor<4x3xbf16> to tensor<4x3xf32>
  %l:2 = nn.cross_entropy %z, %t {label_smoothing = 0.0 : f64}
    : (tensor<4x3xf32>, tensor<4xi64>) -> (tensor<4xf32>, tensor<4xf32>)
  %g = nn.cross_entropy_backward %d, %z, %t, %l#1 {label_smoothing = 0.0 : f64}
    : (tensor<4xf32>, tensor<4x3xf32>, tensor<4xi64>, tensor<4xf32>) -> tensor<4x3xf32>
  %y = amp.cast %g : tensor<4x3xf32> to tensor<4x3xbf16>
  return %l#0, %y : tensor<4xf32>, tensor<4x3xbf16>
}

// A contraction reads one type, so there the wide value is stored.
// CHECK-LABEL: func.func @widening_cast_that_a_contraction_reads(
// CHECK: train.kernel "map"(%{{.*}}) : (tensor<4x4xbf16>) -> tensor<4x4xf32>
// CHECK: train.kernel "contraction"
func.func @widening_cast_that_a_contraction_reads(%x: tensor<4x4xbf16>) -> tensor<4x4xf32> {
  %w = amp.cast %x : tensor<4x4xbf16> to tensor<4x4xf32>
  %y = nn.matmul %w, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// A sum that others read too is a second result of the row kernel, whose own is stored only as it is rounded.
// CHECK-LABEL: func.func @row_op_between_element_wise_ops(
// CHECK: %[[K:.*]]:2 = train.kernel "row"
// CHECK: %[[S:.*]] = nn.add
// CHECK: %[[N:.*]], %{{.*}}, %{{.*}} = nn.layer_norm %[[S]]
// CHECK: %[[Y:.*]] = amp.cast %[[N]]
// CHECK: train.yield %[[S]], %[[Y]] : tensor<8x4xf32>, tensor<8x4xbf16>
// CHECK: train.kernel "contraction"(%[[K]]#1,
// CHECK: return %[[K]]#0
func.func @row_op_between_element_wise_ops(%x: tensor<8x4xf32>, %r: tensor<8x4xbf16>, %v: tensor<4xf32>,
    %w: tensor<4x4xbf16>) -> (tensor<8x4xf32>, tensor<8x4xbf16>) {
  %s = nn.add %x, %r : (tensor<8x4xf32>, tensor<8x4xbf16>) -> tensor<8x4xf32>
  %n, %m, %d = nn.layer_norm %s, %v, %v {axis = 1 : i64, eps = 1.0e-05 : f64}
    : (tensor<8x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<8x4xf32>, tensor<8xf32>, tensor<8xf32>)
  %y = amp.cast %n : tensor<8x4xf32> to tensor<8x4xbf16>
  %p = nn.matmul %y, %w : (tensor<8x4xbf16>, tensor<4x4xbf16>) -> tensor<8x4xbf16>
  return %s, %p : tensor<8x4xf32>, tensor<8x4xbf16>
}

// Each kernel has one op that is not element-wise.
// CHECK-LABEL: func.func @two_row_ops(
// CHECK-COUNT-2: train.kernel "row"
// CHECK-NOT: train.kernel
func.func @two_row_ops(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %0 = nn.relu %x : (tensor<8x4xf32>) -> tensor<8x4xf32>
  %1 = nn.softmax %0 : (tensor<8x4xf32>) -> tensor<8x4xf32>
  %2 = nn.relu %1 : (tensor<8x4xf32>) -> tensor<8x4xf32>
  %3 = nn.softmax %2 : (tensor<8x4xf32>) -> tensor<8x4xf32>
  return %3 : tensor<8x4xf32>
}

// A vector along the rows has not their shape.
// CHECK-LABEL: func.func @row_op_of_what_is_broadcast(
// CHECK: train.kernel "map"
// CHECK: train.kernel "row"
func.func @row_op_of_what_is_broadcast(%x: tensor<8x4xf32>, %b: tensor<4xf32>) -> tensor<8x4xf32> {
  %0 = nn.add %x, %b : (tensor<8x4xf32>, tensor<4xf32>) -> tensor<8x4xf32>
  %1 = nn.softmax %0 : (tensor<8x4xf32>) -> tensor<8x4xf32>
  return %1 : tensor<8x4xf32>
}

// The scale of a layer normalisation is no row.
// CHECK-LABEL: func.func @vectors_of_a_row_op(
// CHECK: train.kernel "map"
// CHECK: train.kernel "row"
func.func @vectors_of_a_row_op(%x: tensor<4xf32>, %v: tensor<4xf32>) -> tensor<4xf32> {
  %0 = nn.tanh %v : (tensor<4xf32>) -> tensor<4xf32>
  %n, %m, %d = nn.layer_norm %x, %0, %v {axis = 0 : i64, eps = 1.0e-05 : f64}
    : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<f32>, tensor<f32>)
  return %n : tensor<4xf32>
}

// CHECK-LABEL: func.func @sum_is_rounded_as_it_is_stored(
// CHECK: %[[K:.*]] = train.kernel "reduce"(%{{.*}}) : (tensor<8x4xbf16>) -> tensor<4xbf16>
// CHECK: amp.cast
// CHECK: nn.reduce_sum
// CHECK: amp.cast
// CHECK-NOT: train.kernel
func.func @sum_is_rounded_as_it_is_stored(%x: tensor<8x4xbf16>) -> tensor<4xbf16> {
  %0 = amp.cast %x : tensor<8x4xbf16> to tensor<8x4xf32>
  %1 = nn.reduce_sum %0 {axes = array<i64: 0>} : (tensor<8x4xf32>) -> tensor<4xf32>
  %2 = amp.cast %1 : tensor<4xf32> to tensor<4xbf16>
  return %2 : tensor<4xbf16>
}

// Casts change places with ops that only move elements, which then move narrow ones.
// CHECK-LABEL: func.func @casts_around_moves(
// CHECK: %[[T:.*]] = train.kernel "move"(%{{.*}}) : (tensor<4x8xbf16>) -> tensor<8x4xbf16>
// CHECK: %[[R:.*]] = nn.reshape %[[T]] {{.*}} -> tensor<32xbf16>
// CHECK: %[[M:.*]] = train.kernel "map"(%[[R]]) : (tensor<32xbf16>) -> tensor<32xbf16>
// CHECK: %[[Q:.*]] = nn.reshape %[[M]] {{.*}} -> tensor<4x8xbf16>
// CHECK: train.kernel "move"(%[[Q]]) : (tensor<4x8xbf16>) -> tensor<8x4xbf16>
func.func @casts_around_moves(%x: tensor<4x8xbf16>) -> tensor<8x4xbf16> {
  %0 = amp.cast %x : tensor<4x8xbf16> to tensor<4x8xf32>
  %1 = nn.transpose %0 {perm = array<i64: 1, 0>} : (tensor<4x8xf32>) -> tensor<8x4xf32>
  %2 = nn.reshape %1 {shape = array<i64: 32>} : (tensor<8x4xf32>) -> tensor<32xf32>
  %3 = nn.tanh %2 : (tensor<32xf32>) -> tensor<32xf32>
  %4 = nn.reshape %3 {shape = array<i64: 4, 8>} : (tensor<32xf32>) -> tensor<4x8xf32>
  %5 = nn.transpose %4 {perm = array<i64: 1, 0>} : (tensor<4x8xf32>) -> tensor<8x4xf32>
  %6 = amp.cast %5 : tensor<8x4xf32> to tensor<8x4xbf16>
  return %6 : tensor<8x4xbf16>
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
// CHECK: train.update [@w]
// CHECK: train.kernel "update"(%{{.*}}, %[[F]]#0, %[[F]]#1) : (tensor<2xf32>, tensor<i32>, tensor<f64>)
// CHECK: train.update [@v]
// CHECK: train.kernel "assign"(%{{.*}}, %[[F]]#0)
// CHECK: train.assign @m
func.func @updates_are_split_by_type(%x: tensor<4xbf16>, %y: tensor<2xf32>) {
  %g = nn.relu %x : (tensor<4xbf16>) -> tensor<4xbf16>
  %h = nn.relu %y : (tensor<2xf32>) -> tensor<2xf32>
  %found, %norm = amp.check_finite %g, %h : tensor<4xbf16>, tensor<2xf32> -> tensor<i32>, tensor<f64>
  train.update [@w, @v] gradients(%g, %h : tensor<4xbf16>, tensor<2xf32>) guard(%found : tensor<i32>)
    norm(%norm : tensor<f64>) {optimizer = #train.optimizer<kind = "sgd", constants = {}>}
  train.assign @m, %h guard %found : tensor<i32> : tensor<2xf32>
  return
}

// -----

// Split masters have a sweep of their own. Elements that are rounded at random count on through all sweeps, padded.
train.param @w : tensor<4xbf16> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
train.param @v : tensor<33xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>,
    copy_type = bf16}
train.param @s : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>,
    copy_type = bf16, split}
train.param @u : tensor<4xf16> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK-LABEL: func.func @sweeps_by_storage(
// CHECK: train.update [@w] {{.*}}stochastic = 0 : i64
// CHECK: train.update [@v]
// CHECK-NOT: stochastic
// CHECK: train.update [@s]
// CHECK-NOT: stochastic
// CHECK: train.update [@u] {{.*}}stochastic = 128 : i64
func.func @sweeps_by_storage(%x: tensor<4xbf16>, %y: tensor<33xbf16>, %z: tensor<4xf16>) {
  %g = nn.relu %x : (tensor<4xbf16>) -> tensor<4xbf16>
  %h = nn.relu %y : (tensor<33xbf16>) -> tensor<33xbf16>
  %i = nn.tanh %x : (tensor<4xbf16>) -> tensor<4xbf16>
  %j = nn.relu %z : (tensor<4xf16>) -> tensor<4xf16>
  %found, %norm = amp.check_finite %g, %h, %i, %j
      : tensor<4xbf16>, tensor<33xbf16>, tensor<4xbf16>, tensor<4xf16> -> tensor<i32>, tensor<f64>
  train.update [@w, @v, @s, @u] gradients(%g, %h, %i, %j
      : tensor<4xbf16>, tensor<33xbf16>, tensor<4xbf16>, tensor<4xf16>) guard(%found : tensor<i32>)
    norm(%norm : tensor<f64>) {optimizer = #train.optimizer<kind = "sgd", constants = {}>, stochastic = 0 : i64}
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
  train.update [@w, @v] gradients(%g, %g : tensor<4xf32>, tensor<4xf32>) guard(%found : tensor<i32>)
    norm(%norm : tensor<f64>) {optimizer = #train.optimizer<kind = "sgd", constants = {}>}
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
  train.update [@w] gradients(%g : tensor<4xf32>) guard(%found : tensor<i32>) norm(%norm : tensor<f64>)
    {optimizer = #train.optimizer<kind = "sgd", constants = {}>}
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
