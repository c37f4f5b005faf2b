// RUN: halfstep-opt %s -split-input-file -differentiate | FileCheck %s

#fused = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true, lists = "cpu",
    rounding = "fused", scaler = false, scale = 1.0 : f64>
module @product attributes {amp.policy = #fused} {
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK-LABEL: module @product
// CHECK-SAME: {
// CHECK: func.func @train_step(%[[X:.*]]: tensor<4xf32>)
// CHECK: %[[L:.*]] = nn.reduce_sum
// CHECK: %[[S:.*]] = amp.loss_seed : tensor<f32>
// CHECK: %[[R:.*]] = nn.reshape %[[S]] {shape = array<i64: 1>}
// CHECK: %[[B:.*]] = nn.broadcast %[[R]] {shape = array<i64: 4>}
// The gradient of %x, which nobody needs, is not computed.
// CHECK-NEXT: %[[G:.*]] = nn.mul %[[B]], %[[X]]
// CHECK-NEXT: train.gradient @w, %[[G]] : tensor<4xf32>
// CHECK-NEXT: return %[[L]]
func.func @train_step(%x: tensor<4xf32>) -> tensor<f32> {
  %w = train.read @w : tensor<4xf32>
  %p = nn.mul %x, %w : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %l = nn.reduce_sum %p {axes = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
// CHECK: func.func @forward(
// CHECK-NOT: amp.loss_seed
func.func @forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  %w = train.read @w : tensor<4xf32>
  %p = nn.mul %x, %w : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %p : tensor<4xf32>
}
}

// -----

module @fan_out_is_summed attributes {amp.policy = #amp.policy<name = "32-true", params = f32, compute = f32,
    casts = false, lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64>} {
train.param @w : tensor<f32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK-LABEL: module @fan_out_is_summed
// CHECK: %[[S:.*]] = amp.loss_seed
// CHECK: %[[A:.*]] = nn.mul %[[S]],
// CHECK: %[[B:.*]] = nn.mul %[[S]],
// CHECK: %[[T:.*]] = nn.add %[[A]], %[[B]]
// CHECK: train.gradient @w, %[[T]]
func.func @train_step(%x: tensor<f32>) -> tensor<f32> {
  %w = train.read @w : tensor<f32>
  %l = nn.mul %w, %w : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return %l : tensor<f32>
}
}

// -----

// Two reads of one parameter are two uses of it.
module @reads_are_summed attributes {amp.policy = #amp.policy<name = "32-true", params = f32, compute = f32,
    casts = false, lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64>} {
train.param @w : tensor<f32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK-LABEL: module @reads_are_summed
// CHECK: %[[S:.*]] = amp.loss_seed
// CHECK-NEXT: %[[T:.*]] = nn.add %[[S]], %[[S]]
// CHECK-NEXT: train.gradient @w, %[[T]]
func.func @train_step(%x: tensor<f32>) -> tensor<f32> {
  %w = train.read @w : tensor<f32>
  %v = train.read @w : tensor<f32>
  %l = nn.add %w, %v : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return %l : tensor<f32>
}
}

// -----

// Three gradients in bf16 are summed in f32 and rounded once.
#fused = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true, lists = "cpu",
    rounding = "fused", scaler = false, scale = 1.0 : f64>
module @sums_round_once_when_fused attributes {amp.policy = #fused} {
train.param @w : tensor<bf16> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK-LABEL: module @sums_round_once_when_fused
// CHECK-COUNT-2: amp.cast %{{.*}} : tensor<bf16> to tensor<f32>
// CHECK: %[[A:.*]] = nn.add {{.*}} -> tensor<f32>
// CHECK: amp.cast %{{.*}} : tensor<bf16> to tensor<f32>
// CHECK: %[[B:.*]] = nn.add %[[A]], {{.*}} -> tensor<f32>
// CHECK: %[[G:.*]] = amp.cast %[[B]] : tensor<f32> to tensor<bf16>
// CHECK: train.gradient @w, %[[G]] : tensor<bf16>
func.func @train_step(%x: tensor<bf16>) -> tensor<bf16> {
  %w = train.read @w : tensor<bf16>
  %a = nn.mul %w, %w : (tensor<bf16>, tensor<bf16>) -> tensor<bf16>
  %l = nn.mul %a, %w : (tensor<bf16>, tensor<bf16>) -> tensor<bf16>
  return %l : tensor<bf16>
}
}

// -----

module @sums_round_each_time_when_eager attributes {amp.policy = #amp.policy<name = "bf16-mixed", params = f32,
    compute = bf16, casts = true, lists = "cpu", rounding = "eager", scaler = false, scale = 1.0 : f64>} {
train.param @w : tensor<bf16> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK-LABEL: module @sums_round_each_time_when_eager
// CHECK-NOT: amp.cast
// CHECK: %[[A:.*]] = nn.add {{.*}} -> tensor<bf16>
// CHECK: %[[B:.*]] = nn.add %[[A]], {{.*}} -> tensor<bf16>
// CHECK: train.gradient @w, %[[B]] : tensor<bf16>
func.func @train_step(%x: tensor<bf16>) -> tensor<bf16> {
  %w = train.read @w : tensor<bf16>
  %a = nn.mul %w, %w : (tensor<bf16>, tensor<bf16>) -> tensor<bf16>
  %l = nn.mul %a, %w : (tensor<bf16>, tensor<bf16>) -> tensor<bf16>
  return %l : tensor<bf16>
}
}

// -----

// The cast of the forward graph makes the backward pass of the op bf16, and the parameter's gradient f32.
module @gradient_of_a_cast attributes {amp.policy = #amp.policy<name = "bf16-mixed", params = f32,
    compute = bf16, casts = true, lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64>} {
train.param @w : tensor<1x4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK-LABEL: module @gradient_of_a_cast
// CHECK: %[[D:.*]] = nn.matmul %{{.*}}, %{{.*}} {transpose_a} : (tensor<2x1xbf16>, tensor<2x4xbf16>) -> tensor<1x4xbf16>
// CHECK: %[[G:.*]] = amp.cast %[[D]] : tensor<1x4xbf16> to tensor<1x4xf32>
// CHECK: train.gradient @w, %[[G]] : tensor<1x4xf32>
func.func @train_step(%x: tensor<2x4xbf16>) -> tensor<f32> {
  %w = train.read @w : tensor<1x4xf32>
  %c = amp.cast %w : tensor<1x4xf32> to tensor<1x4xbf16>
  %y = nn.matmul %x, %c {transpose_b} : (tensor<2x4xbf16>, tensor<1x4xbf16>) -> tensor<2x1xbf16>
  %f = amp.cast %y : tensor<2x1xbf16> to tensor<2x1xf32>
  %l = nn.reduce_mean %f {axes = array<i64: 0, 1>} : (tensor<2x1xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
}

// -----

// An operand narrower than the op's result gets its gradient in its own type.
module @gradient_has_its_operands_type attributes {amp.policy = #amp.policy<name = "bf16-mixed", params = f32,
    compute = bf16, casts = true, lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64>} {
train.param @w : tensor<4xbf16> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK-LABEL: module @gradient_has_its_operands_type
// CHECK: %[[G:.*]] = amp.cast %{{.*}} : tensor<4xf32> to tensor<4xbf16>
// CHECK: train.gradient @w, %[[G]] : tensor<4xbf16>
func.func @train_step(%x: tensor<4xf32>) -> tensor<f32> {
  %w = train.read @w : tensor<4xbf16>
  %p = nn.add %x, %w : (tensor<4xf32>, tensor<4xbf16>) -> tensor<4xf32>
  %l = nn.reduce_sum %p {axes = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
}

// -----

// The backward pass draws the same random numbers again.
module @dropout attributes {amp.policy = #amp.policy<name = "32-true", params = f32, compute = f32,
    casts = false, lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64>} {
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK-LABEL: module @dropout
// CHECK: %[[SEED:.*]] = train.scalar "seed"
// CHECK: %[[STEP:.*]] = train.scalar "step"
// CHECK: nn.dropout %{{.*}}, %[[SEED]], %[[STEP]] {id = 3 : i64, p = 5.000000e-01 : f64}
// CHECK: %[[G:.*]] = nn.dropout %{{.*}}, %[[SEED]], %[[STEP]] {id = 3 : i64, p = 5.000000e-01 : f64}
// CHECK: train.gradient @w, %[[G]]
func.func @train_step() -> tensor<f32> {
  %w = train.read @w : tensor<4xf32>
  %seed = train.scalar "seed" : tensor<i64>
  %step = train.scalar "step" : tensor<i64>
  %d = nn.dropout %w, %seed, %step {p = 0.5 : f64, id = 3 : i64}
    : (tensor<4xf32>, tensor<i64>, tensor<i64>) -> tensor<4xf32>
  %l = nn.reduce_sum %d {axes = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
}

// -----

// Buffers and inputs have no gradient, and ops that reach only those need no rule: nn.copy has none.
module @buffers_have_no_gradient attributes {amp.policy = #amp.policy<name = "32-true", params = f32,
    compute = f32, casts = false, lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64>} {
train.param @w : tensor<f32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
train.param @m : tensor<f32> {buffer, init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK-LABEL: module @buffers_have_no_gradient
// CHECK: train.gradient @w
// CHECK-NOT: train.gradient
func.func @train_step() -> tensor<f32> {
  %w = train.read @w : tensor<f32>
  %m = train.read @m : tensor<f32>
  %c = nn.copy %m : (tensor<f32>) -> tensor<f32>
  %l = nn.mul %w, %c : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return %l : tensor<f32>
}
}

// -----

// Attention saves its operands, its result and one number a row; the scores are computed again. Ids have no
// gradient, and that of a table is the sum by row.
module @attention_of_an_embedding attributes {amp.policy = #amp.policy<name = "32-true", params = f32,
    compute = f32, casts = false, lists = "cpu", rounding = "fused", scaler = false, scale = 1.0 : f64>} {
train.param @w : tensor<5x12xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK-LABEL: module @attention_of_an_embedding
// CHECK: func.func @train_step(%[[IDS:.*]]: tensor<1x3xi64>)
// CHECK: %[[E:.*]] = nn.embedding %{{.*}}, %[[IDS]]
// CHECK: %[[Y:.*]], %[[LSE:.*]] = nn.attention %[[E]] {causal, heads = 2 : i64, scale = 5.000000e-01 : f64}
// CHECK: %[[G:.*]] = nn.attention_backward %{{.*}}, %[[Y]], %[[LSE]], %[[E]] {causal, heads = 2 : i64, scale = 5.000000e-01 : f64}
// CHECK-SAME: -> tensor<1x3x12xf32>
// CHECK-NEXT: %[[D:.*]] = nn.embedding_backward %[[G]], %[[IDS]] {rows = 5 : i64}
// CHECK-NEXT: train.gradient @w, %[[D]] : tensor<5x12xf32>
func.func @train_step(%ids: tensor<1x3xi64>) -> tensor<f32> {
  %w = train.read @w : tensor<5x12xf32>
  %e = nn.embedding %w, %ids : (tensor<5x12xf32>, tensor<1x3xi64>) -> tensor<1x3x12xf32>
  %y, %lse = nn.attention %e {heads = 2 : i64, causal, scale = 0.5 : f64}
    : (tensor<1x3x12xf32>) -> (tensor<1x3x4xf32>, tensor<1x2x3xf32>)
  %l = nn.reduce_sum %y {axes = array<i64: 0, 1, 2>} : (tensor<1x3x4xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
}
