// RUN: halfstep-opt %s -split-input-file -masters | FileCheck %s

#separate = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true, lists = "cpu",
                        rounding = "fused", scaler = false, scale = 1.0 : f64>
// All functions read the copy.
// CHECK-LABEL: module @copy_of_a_parameter
module @copy_of_a_parameter attributes {amp.policy = #separate} {
// CHECK: train.param @w : tensor<4xf32> {copy_type = bf16,
// CHECK-NOT: split
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK: func.func @train_step()
// CHECK-NEXT: %[[W:.*]] = train.read @w {copy} : tensor<4xbf16>
// CHECK-NEXT: return %[[W]]
func.func @train_step() -> tensor<4xbf16> {
  %0 = train.read @w : tensor<4xf32>
  %1 = amp.cast %0 : tensor<4xf32> to tensor<4xbf16>
  return %1 : tensor<4xbf16>
}
// CHECK: func.func @forward()
// CHECK-NEXT: %[[V:.*]] = train.read @w {copy} : tensor<4xbf16>
// CHECK-NEXT: return %[[V]]
func.func @forward() -> tensor<4xbf16> {
  %0 = train.read @w : tensor<4xf32>
  %1 = amp.cast %0 : tensor<4xf32> to tensor<4xbf16>
  return %1 : tensor<4xbf16>
}
}

// -----

#separate = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true, lists = "cpu",
                        rounding = "fused", scaler = false, scale = 1.0 : f64>
// CHECK-LABEL: module @master_that_is_read_too
module @master_that_is_read_too attributes {amp.policy = #separate} {
// CHECK: train.param @w : tensor<4xf32> {copy_type = bf16,
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK: %[[M:.*]] = train.read @w : tensor<4xf32>
// CHECK: %[[C:.*]] = train.read @w {copy} : tensor<4xbf16>
// CHECK: return %[[M]], %[[C]]
func.func @train_step() -> (tensor<4xf32>, tensor<4xbf16>) {
  %0 = train.read @w : tensor<4xf32>
  %1 = amp.cast %0 : tensor<4xf32> to tensor<4xbf16>
  return %0, %1 : tensor<4xf32>, tensor<4xbf16>
}
}

// -----

#separate = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true, lists = "cpu",
                        rounding = "fused", scaler = false, scale = 1.0 : f64>
// There is one copy: another narrow type keeps its cast.
// CHECK-LABEL: module @two_narrow_types
module @two_narrow_types attributes {amp.policy = #separate} {
// CHECK: train.param @w : tensor<4xf32> {copy_type = bf16,
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK: train.read @w {copy} : tensor<4xbf16>
// CHECK: amp.cast %{{.*}} : tensor<4xf32> to tensor<4xf16>
func.func @train_step() -> (tensor<4xbf16>, tensor<4xf16>) {
  %0 = train.read @w : tensor<4xf32>
  %1 = amp.cast %0 : tensor<4xf32> to tensor<4xbf16>
  %2 = amp.cast %0 : tensor<4xf32> to tensor<4xf16>
  return %1, %2 : tensor<4xbf16>, tensor<4xf16>
}
}

// -----

#separate = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true, lists = "cpu",
                        rounding = "fused", scaler = false, scale = 1.0 : f64>
// CHECK-LABEL: module @widening_casts_stay
module @widening_casts_stay attributes {amp.policy = #separate} {
// CHECK-NOT: copy
// CHECK: amp.cast
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
func.func @train_step() -> tensor<4xf64> {
  %0 = train.read @w : tensor<4xf32>
  %1 = amp.cast %0 : tensor<4xf32> to tensor<4xf64>
  return %1 : tensor<4xf64>
}
}

// -----

#separate = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true, lists = "cpu",
                        rounding = "fused", scaler = false, scale = 1.0 : f64>
// The optimizer writes copies, and it does not write buffers.
// CHECK-LABEL: module @buffers_have_no_copy
module @buffers_have_no_copy attributes {amp.policy = #separate} {
// CHECK-NOT: copy
// CHECK: amp.cast
train.param @m : tensor<4xf32> {buffer, init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
func.func @train_step() -> tensor<4xbf16> {
  %0 = train.read @m : tensor<4xf32>
  %1 = amp.cast %0 : tensor<4xf32> to tensor<4xbf16>
  return %1 : tensor<4xbf16>
}
}

// -----

#separate = #amp.policy<name = "16-mixed", params = f32, compute = f16, casts = true, lists = "cpu",
                        rounding = "fused", scaler = true, scale = 1.0 : f64>
// CHECK-LABEL: module @copy_in_f16
module @copy_in_f16 attributes {amp.policy = #separate} {
// CHECK: train.param @w : tensor<4xf32> {copy_type = f16,
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK: train.read @w {copy} : tensor<4xf16>
func.func @train_step() -> tensor<4xf16> {
  %0 = train.read @w : tensor<4xf32>
  %1 = amp.cast %0 : tensor<4xf32> to tensor<4xf16>
  return %1 : tensor<4xf16>
}
}

// -----

#split = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true, lists = "cpu",
                     rounding = "fused", scaler = false, scale = 1.0 : f64, masters = "split">
// @w is read in bf16 only; an f32 read of @v finds no f32 in a split parameter, so @v keeps a master of its own. @b is
// never cast.
// CHECK-LABEL: module @split
module @split attributes {amp.policy = #split} {
// CHECK: train.param @w : tensor<4xf32> {copy_type = bf16, {{.*}}, split}
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK: train.param @v : tensor<4xf32> {copy_type = bf16, init = #train.init<kind = "constant", a = {{[^,]*}}, b = {{[^,]*}}>}
train.param @v : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK: train.param @b : tensor<4xf32> {init
train.param @b : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK-DAG: %[[B:.*]] = train.read @b : tensor<4xf32>
// CHECK-DAG: %[[V:.*]] = train.read @v {copy} : tensor<4xbf16>
// CHECK-DAG: %[[W:.*]] = train.read @w {copy} : tensor<4xbf16>
// CHECK: return %[[W]], %[[V]], %[[B]]
func.func @train_step() -> (tensor<4xbf16>, tensor<4xbf16>, tensor<4xf32>) {
  %0 = train.read @w : tensor<4xf32>
  %1 = amp.cast %0 : tensor<4xf32> to tensor<4xbf16>
  %2 = train.read @v : tensor<4xf32>
  %3 = amp.cast %2 : tensor<4xf32> to tensor<4xbf16>
  %4 = train.read @b : tensor<4xf32>
  return %1, %3, %4 : tensor<4xbf16>, tensor<4xbf16>, tensor<4xf32>
}
// CHECK: func.func @forward
// CHECK: train.read @v : tensor<4xf32>
func.func @forward() -> tensor<4xf32> {
  %0 = train.read @v : tensor<4xf32>
  return %0 : tensor<4xf32>
}
}

// -----

#none = #amp.policy<name = "bf16-true", params = bf16, compute = bf16, casts = false, lists = "cpu",
                    rounding = "fused", scaler = false, scale = 1.0 : f64, convert = true, masters = "none">
// Initial values are rounded once, to nearest-even: the first two are ties. Numbers that the runtime makes it rounds.
// CHECK-LABEL: module @no_masters
module @no_masters attributes {amp.policy = #none} {
// CHECK: train.param @w : tensor<4xbf16> {init = #train.init<kind = "data", {{.*}} data = dense<[1.000000e+00, 1.015630e+00, -9.183550e-41, 0x7F80]> : tensor<4xbf16>>}
train.param @w : tensor<4xf32> {init = #train.init<kind = "data", a = 0.0 : f64, b = 0.0 : f64,
    data = dense<[1.00390625, 1.01171875, -1.0e-40, 3.4e38]> : tensor<4xf32>>}
// CHECK: train.param @u : tensor<4xbf16> {init = #train.init<kind = "uniform", a = -1.250000e-01 : f64
train.param @u : tensor<4xf32> {init = #train.init<kind = "uniform", a = -0.125 : f64, b = 0.125 : f64>}
// CHECK: func.func @train_step()
// CHECK-NEXT: %[[W:.*]] = train.read @w : tensor<4xbf16>
// CHECK-NEXT: %[[U:.*]] = train.read @u : tensor<4xbf16>
// CHECK-NEXT: return %[[W]], %[[U]]
func.func @train_step() -> (tensor<4xbf16>, tensor<4xbf16>) {
  %0 = train.read @w : tensor<4xf32>
  %1 = amp.cast %0 : tensor<4xf32> to tensor<4xbf16>
  %2 = train.read @u : tensor<4xf32>
  %3 = amp.cast %2 : tensor<4xf32> to tensor<4xbf16>
  return %1, %3 : tensor<4xbf16>, tensor<4xbf16>
}
// CHECK: func.func @forward()
// CHECK-NEXT: train.read @w : tensor<4xbf16>
// CHECK-NEXT: return
func.func @forward() -> tensor<4xbf16> {
  %0 = train.read @w : tensor<4xf32>
  %1 = amp.cast %0 : tensor<4xf32> to tensor<4xbf16>
  return %1 : tensor<4xbf16>
}
}

// -----

#none = #amp.policy<name = "16-true", params = f16, compute = f16, casts = false, lists = "cpu",
                    rounding = "fused", scaler = false, scale = 1.0 : f64, convert = true, masters = "none">
// What is read in two types stays in the wider one, with a copy; buffers keep their type.
// CHECK-LABEL: module @no_masters_but_two_types
module @no_masters_but_two_types attributes {amp.policy = #none} {
// CHECK: train.param @w : tensor<4xf32> {copy_type = f16,
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK: train.param @m : tensor<4xf32> {buffer
train.param @m : tensor<4xf32> {buffer, init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK: train.read @w : tensor<4xf32>
// CHECK: train.read @w {copy} : tensor<4xf16>
func.func @train_step() -> (tensor<4xf32>, tensor<4xf16>, tensor<4xf16>) {
  %0 = train.read @w : tensor<4xf32>
  %1 = amp.cast %0 : tensor<4xf32> to tensor<4xf16>
  %2 = train.read @m : tensor<4xf32>
  %3 = amp.cast %2 : tensor<4xf32> to tensor<4xf16>
  return %0, %1, %3 : tensor<4xf32>, tensor<4xf16>, tensor<4xf16>
}
}

// -----

#stochastic = #amp.policy<name = "bf16-true", params = bf16, compute = bf16, casts = false, lists = "cpu",
                          rounding = "fused", scaler = false, scale = 1.0 : f64, convert = true, masters = "none",
                          update = "stochastic">
// CHECK-LABEL: module @stochastic
module @stochastic attributes {amp.policy = #stochastic} {
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK: train.update [@w] {{.*}}stochastic = 0 : i64
func.func @train_step(%g: tensor<4xbf16>, %found: tensor<i32>, %n: tensor<f64>) {
  train.update [@w] gradients(%g : tensor<4xbf16>) guard(%found : tensor<i32>) norm(%n : tensor<f64>)
    {optimizer = #train.optimizer<kind = "sgd", constants = {}>}
  return
}
}
