// What attention with masks and shared keys, rotary positions and root-mean-square normalisation refuse.
// RUN: halfstep-opt %s -split-input-file -verify-diagnostics

func.func @keys_that_do_not_divide(%q: tensor<1x3x24xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{attention in 4 heads of queries and 3 of keys, expected a number of the first that the second divides}}
  %y, %l = nn.attention %q {heads = 4 : i64, kv_heads = 3 : i64, scale = 1.0 : f64} : (tensor<1x3x24xf32>) -> (tensor<1x3x8xf32>, tensor<1x4x3xf32>)
  return
}

// -----

func.func @mask_of_other_keys(%q: tensor<1x3x12xf32>, %m: tensor<1x4xi64>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{the mask has type 'tensor<1x4xi64>', expected the shape 'tensor<1x3xi64>'}}
  %y, %l = nn.attention %q, %m {heads = 2 : i64, masked, scale = 1.0 : f64} : (tensor<1x3x12xf32>, tensor<1x4xi64>) -> (tensor<1x3x4xf32>, tensor<1x2x3xf32>)
  return
}

// -----

func.func @mask_of_other_heads(%q: tensor<1x3x12xf32>, %m: tensor<1x3x1x3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{the mask has type 'tensor<1x3x1x3xf32>', expected extents of 1 or those of 'tensor<1x2x3x3xf32>', the last whole}}
  %y, %l = nn.attention %q, %m {heads = 2 : i64, masked, scale = 1.0 : f64} : (tensor<1x3x12xf32>, tensor<1x3x1x3xf32>) -> (tensor<1x3x4xf32>, tensor<1x2x3xf32>)
  return
}

// -----

func.func @mask_of_another_type(%q: tensor<1x3x12xbf16>, %m: tensor<1x1x1x3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{attention of 'tensor<1x3x12xbf16>' with a mask of 'tensor<1x1x1x3xf32>', expected one element type}}
  %y, %l = nn.attention %q, %m {heads = 2 : i64, masked, scale = 1.0 : f64} : (tensor<1x3x12xbf16>, tensor<1x1x1x3xf32>) -> (tensor<1x3x4xbf16>, tensor<1x2x3xf32>)
  return
}

// -----

func.func @rotary_of_an_odd_number(%x: tensor<1x3x9xf32>, %c: tensor<3x3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{rotary positions of 3 columns for 'tensor<1x3x9xf32>', expected an even number that divides the columns}}
  %y = nn.rotary %x, %c, %c : (tensor<1x3x9xf32>, tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<1x3x9xf32>
  return
}

// -----

func.func @rotary_of_other_places(%x: tensor<1x3x8xf32>, %c: tensor<4x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{cos has type 'tensor<4x4xf32>', expected the shape 'tensor<3x4xf32>'}}
  %y = nn.rotary %x, %c, %c : (tensor<1x3x8xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<1x3x8xf32>
  return
}

// -----

func.func @rms_norm_of_another_scale(%x: tensor<2x4xf32>, %s: tensor<3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{scale has type 'tensor<3xf32>', expected the shape 'tensor<4xf32>'}}
  %y, %r = nn.rms_norm %x, %s {axis = 1 : i64, eps = 1.0e-05 : f64} : (tensor<2x4xf32>, tensor<3xf32>) -> (tensor<2x4xf32>, tensor<2xf32>)
  return
}
