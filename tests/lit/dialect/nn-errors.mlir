// Each constraint of an nn op on shapes, types and attributes has its message. MLIR adds one of its own after it.
// RUN: halfstep-opt %s -split-input-file -verify-diagnostics

func.func @operands_do_not_broadcast(%a: tensor<2x4xf32>, %b: tensor<3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{operands of types 'tensor<2x4xf32>' and 'tensor<3xf32>' do not broadcast}}
  %r = nn.add %a, %b : (tensor<2x4xf32>, tensor<3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @saved_value_has_another_shape(%g: tensor<4xf32>, %s: tensor<5xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{the saved value has type 'tensor<5xf32>', expected the shape 'tensor<4xf32>'}}
  %r = nn.relu_backward %g, %s : (tensor<4xf32>, tensor<5xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @result_differs_from_the_inferred_type(%x: tensor<4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{inferred type(s) 'tensor<4xf32>' are incompatible with return type(s)}}
  %r = nn.relu %x : (tensor<4xf32>) -> tensor<4xbf16>
  return
}

// -----

func.func @integers_have_no_relu(%x: tensor<4xi64>) {
  // expected-error @+1 {{operand #0 must be ranked tensor of}}
  %r = nn.relu %x : (tensor<4xi64>) -> tensor<4xi64>
  return
}

// -----

func.func @broadcast_to_another_extent(%x: tensor<3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{an operand of type 'tensor<3xf32>' does not broadcast to 'tensor<2x4xf32>'}}
  %r = nn.broadcast %x {shape = array<i64: 2, 4>} : (tensor<3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @dropout_of_everything(%x: tensor<4xf32>, %s: tensor<i64>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{dropout probability p is 1.000000e+00, expected 0 <= p < 1}}
  %r = nn.dropout %x, %s, %s {p = 1.0 : f64, id = 0 : i64}
    : (tensor<4xf32>, tensor<i64>, tensor<i64>) -> tensor<4xf32>
  return
}

// -----

func.func @matmul_of_vectors(%a: tensor<4xf32>, %b: tensor<4x2xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{matrix product of 'tensor<4xf32>' and 'tensor<4x2xf32>', expected operands of rank 2 or more}}
  %r = nn.matmul %a, %b : (tensor<4xf32>, tensor<4x2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @matmul_of_two_types(%a: tensor<2x4xbf16>, %b: tensor<4x2xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{matrix product of 'tensor<2x4xbf16>' and 'tensor<4x2xf32>', expected one element type}}
  %r = nn.matmul %a, %b : (tensor<2x4xbf16>, tensor<4x2xf32>) -> tensor<2x2xf32>
  return
}

// -----

func.func @matmul_transposes_rows_of_rank_3(%a: tensor<2x4x3xf32>, %b: tensor<4x2xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{transpose_a with lhs of type 'tensor<2x4x3xf32>', expected rank 2 where rhs has rank 2}}
  %r = nn.matmul %a, %b {transpose_a} : (tensor<2x4x3xf32>, tensor<4x2xf32>) -> tensor<2x3x2xf32>
  return
}

// -----

func.func @matmul_of_other_batches(%a: tensor<2x3x4xf32>, %b: tensor<5x4x3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{batched matrix product of 'tensor<2x3x4xf32>' and 'tensor<5x4x3xf32>', expected equal leading}}
  %r = nn.matmul %a, %b : (tensor<2x3x4xf32>, tensor<5x4x3xf32>) -> tensor<2x3x3xf32>
  return
}

// -----

func.func @matmul_sums_over_other_extents(%a: tensor<2x4xf32>, %b: tensor<3x2xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{sums over 4 and 3 elements, expected equal extents}}
  %r = nn.matmul %a, %b : (tensor<2x4xf32>, tensor<3x2xf32>) -> tensor<2x2xf32>
  return
}

// -----

func.func @matmul_bias_has_another_shape(%a: tensor<2x4xf32>, %b: tensor<4x3xf32>, %c: tensor<2xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{bias has type 'tensor<2xf32>', expected the shape 'tensor<3xf32>'}}
  %r = nn.matmul %a, %b, %c : (tensor<2x4xf32>, tensor<4x3xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @conv2d_without_groups(%x: tensor<2x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{groups is 0, expected at least 1}}
  %r = nn.conv2d %x, %w {stride = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>,
      dilation = array<i64: 1, 1>, groups = 0 : i64}
    : (tensor<2x3x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<2x4x6x6xf32>
  return
}

// -----

func.func @conv2d_stride_has_one_value(%x: tensor<2x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{stride has 1 values, expected 2}}
  %r = nn.conv2d %x, %w {stride = array<i64: 1>, padding = array<i64: 0, 0, 0, 0>,
      dilation = array<i64: 1, 1>, groups = 1 : i64}
    : (tensor<2x3x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<2x4x6x6xf32>
  return
}

// -----

func.func @conv2d_padding_is_negative(%x: tensor<2x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{padding has the value -1, expected at least 0}}
  %r = nn.conv2d %x, %w {stride = array<i64: 1, 1>, padding = array<i64: -1, 0, 0, 0>,
      dilation = array<i64: 1, 1>, groups = 1 : i64}
    : (tensor<2x3x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<2x4x6x6xf32>
  return
}

// -----

func.func @conv2d_of_a_matrix(%x: tensor<3x8xf32>, %w: tensor<4x3x3x3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{input has type 'tensor<3x8xf32>', expected rank 4}}
  %r = nn.conv2d %x, %w {stride = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>,
      dilation = array<i64: 1, 1>, groups = 1 : i64} : (tensor<3x8xf32>, tensor<4x3x3x3xf32>) -> tensor<4x6xf32>
  return
}

// -----

func.func @conv2d_of_other_channels(%x: tensor<2x3x8x8xf32>, %w: tensor<4x2x3x3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{expected [out, in / groups, kh, kw] with out a multiple of groups}}
  %r = nn.conv2d %x, %w {stride = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>,
      dilation = array<i64: 1, 1>, groups = 1 : i64}
    : (tensor<2x3x8x8xf32>, tensor<4x2x3x3xf32>) -> tensor<2x4x6x6xf32>
  return
}

// -----

func.func @conv2d_of_two_types(%x: tensor<2x3x8x8xbf16>, %w: tensor<4x3x3x3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{convolution of 'tensor<2x3x8x8xbf16>' with 'tensor<4x3x3x3xf32>', expected one element type}}
  %r = nn.conv2d %x, %w {stride = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>,
      dilation = array<i64: 1, 1>, groups = 1 : i64}
    : (tensor<2x3x8x8xbf16>, tensor<4x3x3x3xf32>) -> tensor<2x4x6x6xf32>
  return
}

// -----

func.func @conv2d_kernel_does_not_fit(%x: tensor<2x3x2x2xf32>, %w: tensor<4x3x3x3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{a kernel of type 'tensor<4x3x3x3xf32>' does not fit into padded input}}
  %r = nn.conv2d %x, %w {stride = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>,
      dilation = array<i64: 1, 1>, groups = 1 : i64}
    : (tensor<2x3x2x2xf32>, tensor<4x3x3x3xf32>) -> tensor<2x4x1x1xf32>
  return
}

// -----

func.func @batch_norm_has_no_channels(%x: tensor<3xf32>, %v: tensor<3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{input has type 'tensor<3xf32>', expected rank 2 or more with channels second}}
  %r = nn.batch_norm_inference %x, %v, %v, %v, %v {eps = 1.0e-05 : f64}
    : (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @batch_norm_of_other_channels(%x: tensor<2x4xf32>, %v: tensor<3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{a vector over channels has type 'tensor<3xf32>', expected the shape 'tensor<4xf32>'}}
  %r = nn.batch_norm_inference %x, %v, %v, %v, %v {eps = 1.0e-05 : f64}
    : (tensor<2x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @layer_norm_from_a_dimension_that_is_not_there(%x: tensor<2x4xf32>, %v: tensor<4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{axis is 2 for input of type 'tensor<2x4xf32>', expected 0 <= axis < 2}}
  %y, %m, %r = nn.layer_norm %x, %v, %v {axis = 2 : i64, eps = 1.0e-05 : f64}
    : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>)
  return
}

// -----

func.func @layer_norm_scale_has_another_shape(%x: tensor<2x4xf32>, %v: tensor<2xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{scale has type 'tensor<2xf32>', expected the shape 'tensor<4xf32>'}}
  %y, %m, %r = nn.layer_norm %x, %v, %v {axis = 1 : i64, eps = 1.0e-05 : f64}
    : (tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>) -> (tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>)
  return
}

// -----

func.func @pool_padding_exceeds_half_the_window(%x: tensor<1x2x4x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{padding is 2, expected at most half of the kernel's extent 2}}
  %r = nn.avg_pool2d %x {kernel = array<i64: 2, 2>, stride = array<i64: 2, 2>, padding = array<i64: 2, 0, 0, 0>}
    : (tensor<1x2x4x4xf32>) -> tensor<1x2x3x2xf32>
  return
}

// -----

func.func @pool_window_does_not_fit(%x: tensor<1x2x4x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{a window of extent 5 does not fit into input of type 'tensor<1x2x4x4xf32>'}}
  %r = nn.avg_pool2d %x {kernel = array<i64: 5, 5>, stride = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>}
    : (tensor<1x2x4x4xf32>) -> tensor<1x2x1x1xf32>
  return
}

// -----

func.func @cross_entropy_without_classes(%z: tensor<f32>, %t: tensor<i64>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{logits have type 'tensor<f32>', expected classes in the last dimension}}
  %l, %e = nn.cross_entropy %z, %t {label_smoothing = 0.0 : f64}
    : (tensor<f32>, tensor<i64>) -> (tensor<f32>, tensor<f32>)
  return
}

// -----

func.func @cross_entropy_target_has_another_shape(%z: tensor<2x10xf32>, %t: tensor<3xi64>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{the target has type 'tensor<3xi64>', expected the shape 'tensor<2xi64>'}}
  %l, %e = nn.cross_entropy %z, %t {label_smoothing = 0.0 : f64}
    : (tensor<2x10xf32>, tensor<3xi64>) -> (tensor<2xf32>, tensor<2xf32>)
  return
}

// -----

func.func @reduction_axes_are_not_sorted(%x: tensor<2x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{axes of a reduction of 'tensor<2x4xf32>' name 0, expected sorted dimensions, none twice}}
  %r = nn.reduce_sum %x {axes = array<i64: 1, 0>} : (tensor<2x4xf32>) -> tensor<f32>
  return
}

// -----

func.func @reshape_to_another_number_of_elements(%x: tensor<2x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{reshape of 'tensor<2x4xf32>' to 'tensor<7xf32>', expected as many elements}}
  %r = nn.reshape %x {shape = array<i64: 7>} : (tensor<2x4xf32>) -> tensor<7xf32>
  return
}

// -----

func.func @transpose_names_a_dimension_twice(%x: tensor<2x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{perm does not name each dimension of 'tensor<2x4xf32>' once}}
  %r = nn.transpose %x {perm = array<i64: 0, 0>} : (tensor<2x4xf32>) -> tensor<2x2xf32>
  return
}

// -----

func.func @split_along_a_dimension_that_is_not_there(%x: tensor<2x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{axis is -1 for input of type 'tensor<2x4xf32>', expected 0 <= axis < 2}}
  %a = nn.split %x {axis = -1 : i64, sizes = array<i64: 4>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @split_into_an_empty_piece(%x: tensor<2x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{sizes has the value 0, expected at least 1}}
  %a, %b = nn.split %x {axis = 1 : i64, sizes = array<i64: 4, 0>}
    : (tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x0xf32>)
  return
}

// -----

func.func @split_leaves_a_rest(%x: tensor<2x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{sizes sum to 3, expected the extent 4 of dimension 1}}
  %a = nn.split %x {axis = 1 : i64, sizes = array<i64: 3>} : (tensor<2x4xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @concat_of_nothing() {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{concatenation of nothing, expected at least one operand}}
  %r = "nn.concat"() {axis = 0 : i64} : () -> tensor<2x4xf32>
  return
}

// -----

func.func @concat_along_a_dimension_that_is_not_there(%a: tensor<2x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{axis is 2 for operands of type 'tensor<2x4xf32>', expected 0 <= axis < 2}}
  %r = nn.concat %a, %a {axis = 2 : i64} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @concat_of_two_ranks(%a: tensor<2x4xf32>, %b: tensor<4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{concatenation of 'tensor<2x4xf32>' and 'tensor<4xf32>', expected one rank}}
  %r = nn.concat %a, %b {axis = 1 : i64} : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @concat_of_other_extents(%a: tensor<2x4xf32>, %b: tensor<3x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{an operand has type 'tensor<3x4xf32>', expected the shape 'tensor<2x4xf32>'}}
  %r = nn.concat %a, %b {axis = 1 : i64} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @embedding_in_a_table_of_rank_1(%w: tensor<10xf32>, %x: tensor<3xi64>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{table has type 'tensor<10xf32>', expected rank 2}}
  %y = nn.embedding %w, %x : (tensor<10xf32>, tensor<3xi64>) -> tensor<3x10xf32>
  return
}

// -----

func.func @embedding_backward_of_other_places(%g: tensor<4x8xf32>, %x: tensor<3xi64>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{grad has type 'tensor<4x8xf32>', expected the shape 'tensor<3x8xf32>'}}
  %d = nn.embedding_backward %g, %x {rows = 5 : i64} : (tensor<4x8xf32>, tensor<3xi64>) -> tensor<5x8xf32>
  return
}

// -----

func.func @embedding_backward_of_a_number(%g: tensor<f32>, %x: tensor<3xi64>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{grad has type 'tensor<f32>', expected a row for each id}}
  %d = nn.embedding_backward %g, %x {rows = 5 : i64} : (tensor<f32>, tensor<3xi64>) -> tensor<5x8xf32>
  return
}

// -----

func.func @attention_of_two(%q: tensor<1x3x8xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{attention of 2 tensors, expected query, key and value, or one that holds the three side by side}}
  %y, %l = nn.attention %q, %q {heads = 2 : i64, scale = 1.0 : f64} : (tensor<1x3x8xf32>, tensor<1x3x8xf32>) -> (tensor<1x3x8xf32>, tensor<1x2x3xf32>)
  return
}

// -----

func.func @attention_of_rank_2(%q: tensor<3x12xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{an operand of attention has type 'tensor<3x12xf32>', expected rank 3}}
  %y, %l = nn.attention %q {heads = 2 : i64, scale = 1.0 : f64} : (tensor<3x12xf32>) -> (tensor<1x3x4xf32>, tensor<1x2x3xf32>)
  return
}

// -----

func.func @attention_with_heads_that_do_not_divide(%q: tensor<1x3x15xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{attention of 'tensor<1x3x15xf32>' in 2 heads, expected columns for 6 equal parts}}
  %y, %l = nn.attention %q {heads = 2 : i64, scale = 1.0 : f64} : (tensor<1x3x15xf32>) -> (tensor<1x3x5xf32>, tensor<1x2x3xf32>)
  return
}

// -----

func.func @attention_with_keys_of_another_depth(%q: tensor<1x3x8xf32>, %k: tensor<1x3x6xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{key and value has type 'tensor<1x3x6xf32>', expected the shape 'tensor<1x3x8xf32>'}}
  %y, %l = nn.attention %q, %k, %k {heads = 2 : i64, scale = 1.0 : f64} : (tensor<1x3x8xf32>, tensor<1x3x6xf32>, tensor<1x3x6xf32>) -> (tensor<1x3x8xf32>, tensor<1x2x3xf32>)
  return
}

// -----

func.func @attention_of_two_element_types(%q: tensor<1x3x8xf32>, %k: tensor<1x3x8xbf16>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{attention of 'tensor<1x3x8xf32>' and 'tensor<1x3x8xbf16>', expected one element type}}
  %y, %l = nn.attention %q, %k, %k {heads = 2 : i64, scale = 1.0 : f64} : (tensor<1x3x8xf32>, tensor<1x3x8xbf16>, tensor<1x3x8xbf16>) -> (tensor<1x3x8xf32>, tensor<1x2x3xf32>)
  return
}

// -----

func.func @attention_backward_of_another_gradient(%g: tensor<1x3x8xf32>, %y: tensor<1x3x4xf32>, %l: tensor<1x2x3xf32>, %q: tensor<1x3x12xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{grad has type 'tensor<1x3x8xf32>', expected the shape 'tensor<1x3x4xf32>'}}
  %d = nn.attention_backward %g, %y, %l, %q {heads = 2 : i64, scale = 1.0 : f64} : (tensor<1x3x8xf32>, tensor<1x3x4xf32>, tensor<1x2x3xf32>, tensor<1x3x12xf32>) -> tensor<1x3x12xf32>
  return
}

// -----

func.func @attention_in_more_heads_than_columns(%q: tensor<1x3x12xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{attention of 'tensor<1x3x12xf32>' in 4611686018427387904 heads, expected at most 12}}
  %y, %l = nn.attention %q {heads = 4611686018427387904 : i64, scale = 1.0 : f64} : (tensor<1x3x12xf32>) -> (tensor<1x3x4xf32>, tensor<1x2x3xf32>)
  return
}

// -----

func.func @attention_without_keys(%q: tensor<1x3x8xf32>, %k: tensor<1x0x8xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{an operand of attention has type 'tensor<1x0x8xf32>', expected no extent of 0}}
  %y, %l = nn.attention %q, %k, %k {heads = 2 : i64, scale = 1.0 : f64} : (tensor<1x3x8xf32>, tensor<1x0x8xf32>, tensor<1x0x8xf32>) -> (tensor<1x3x8xf32>, tensor<1x2x3xf32>)
  return
}

// -----

func.func @embedding_in_a_table_without_columns(%w: tensor<10x0xf32>, %x: tensor<3xi64>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{table has type 'tensor<10x0xf32>', expected no extent of 0}}
  %y = nn.embedding %w, %x : (tensor<10x0xf32>, tensor<3xi64>) -> tensor<3x0xf32>
  return
}

// -----

func.func @embedding_backward_without_rows(%g: tensor<3x8xf32>, %x: tensor<3xi64>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{rows is -5, expected at least 1}}
  %d = nn.embedding_backward %g, %x {rows = -5 : i64} : (tensor<3x8xf32>, tensor<3xi64>) -> tensor<5x8xf32>
  return
}
