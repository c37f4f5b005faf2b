// nn: reductions and data movement.

#ifndef HALFSTEP_DIALECT_NN_MOVE
#define HALFSTEP_DIALECT_NN_MOVE

include "dialect/nn/NNBase.td"

class NN_Reduce<string mnemonic, string key> : NN_Keyed<mnemonic, key, [NN_Differentiable]> {
  let arguments = (ins NN_FloatTensor:$input, DenseI64ArrayAttr:$axes, UnitAttr:$keep_dims);
  let results = (outs NN_FloatTensor:$result);
}
def NN_ReduceSumOp : NN_Reduce<"reduce_sum", "sum"> {
  let summary = "sum over dimensions";
  let description = [{
    Sum over `axes` (sorted, none twice), summed in f32 (f64 for f64) and rounded once; `keep_dims` leaves extents of 1.

    ```mlir
    %s = nn.reduce_sum %x {axes = array<i64: 0>} : (tensor<2x4xf32>) -> tensor<4xf32>
    ```
  }];
}
def NN_ReduceMeanOp : NN_Reduce<"reduce_mean", "mean"> {
  let summary = "mean over dimensions";
  let description = [{
    As `nn.reduce_sum`, divided by the number of elements summed.

    ```mlir
    %s = nn.reduce_mean %x {axes = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
    ```
  }];
}
def NN_ReshapeOp : NN_Op<"reshape", [NN_Differentiable]> {
  let summary = "the same elements in another shape";
  let description = [{
    Row-major order is kept; no element moves.

    ```mlir
    %r = nn.reshape %x {shape = array<i64: 8>} : (tensor<2x4xf32>) -> tensor<8xf32>
    ```
  }];
  let arguments = (ins RankedTensorOf<[F16, BF16, F32, F64, I64]>:$input, DenseI64ArrayAttr:$shape);
  let results = (outs RankedTensorOf<[F16, BF16, F32, F64, I64]>:$result);
  let hasFolder = 1;
}
def NN_TransposeOp : NN_Op<"transpose", [NN_Differentiable]> {
  let summary = "permute dimensions";
  let description = [{
    Dimension i of `result` is dimension `perm[i]` of `input`.

    ```mlir
    %r = nn.transpose %x {perm = array<i64: 1, 0>} : (tensor<2x4xf32>) -> tensor<4x2xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, DenseI64ArrayAttr:$perm);
  let results = (outs NN_FloatTensor:$result);
}
def NN_SplitOp : NN_Op<"split", [NN_Differentiable]> {
  let summary = "cut along a dimension";
  let description = [{
    Consecutive pieces of extents `sizes`, which sum to the extent of `axis`.

    ```mlir
    %a, %b = nn.split %x {axis = 1 : i64, sizes = array<i64: 1, 3>} : (tensor<2x4xf32>) -> (tensor<2x1xf32>, tensor<2x3xf32>)
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, I64Attr:$axis, DenseI64ArrayAttr:$sizes);
  let results = (outs Variadic<NN_FloatTensor>:$pieces);
}
def NN_ConcatOp : NN_Keyed<"concat", "cat", [NN_Differentiable]> {
  let summary = "join along a dimension";
  let description = [{
    The operands one after the other along `axis`; their other extents are equal.

    ```mlir
    %r = nn.concat %a, %b {axis = 1 : i64} : (tensor<2x1xf32>, tensor<2x3xf32>) -> tensor<2x4xf32>
    ```
  }];
  let arguments = (ins Variadic<NN_FloatTensor>:$pieces, I64Attr:$axis);
  let results = (outs NN_FloatTensor:$result);
}
def NN_CopyOp : NN_Op<"copy", [NN_Elementwise]> {
  let summary = "the same values in memory of their own";
  let description = [{
    `result = input`. `optimizer` puts one where two gradients would share memory.

    ```mlir
    %r = nn.copy %x : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input);
  let results = (outs NN_FloatTensor:$result);
}

#endif // HALFSTEP_DIALECT_NN_MOVE
