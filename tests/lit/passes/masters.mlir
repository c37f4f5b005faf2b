// RUN: halfstep-opt %s -split-input-file -masters | FileCheck %s

// All functions read the copy.
module @copy_of_a_parameter {
// CHECK-LABEL: module @copy_of_a_parameter
// CHECK: train.param @w : tensor<4xf32> {copy_type = bf16,
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

module @master_that_is_read_too {
// CHECK-LABEL: module @master_that_is_read_too
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

// There is one copy: another narrow type keeps its cast.
module @two_narrow_types {
// CHECK-LABEL: module @two_narrow_types
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

module @widening_casts_stay {
// CHECK-LABEL: module @widening_casts_stay
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

// The optimizer writes copies, and it does not write buffers.
module @buffers_have_no_copy {
// CHECK-LABEL: module @buffers_have_no_copy
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

module @copy_in_f16 {
// CHECK-LABEL: module @copy_in_f16
// CHECK: train.param @w : tensor<4xf32> {copy_type = f16,
train.param @w : tensor<4xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
// CHECK: train.read @w {copy} : tensor<4xf16>
func.func @train_step() -> tensor<4xf16> {
  %0 = train.read @w : tensor<4xf32>
  %1 = amp.cast %0 : tensor<4xf32> to tensor<4xf16>
  return %1 : tensor<4xf16>
}
}
