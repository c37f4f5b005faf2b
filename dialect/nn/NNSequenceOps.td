// nn: embedding, attention and rotary positions.

#ifndef HALFSTEP_DIALECT_NN_SEQUENCE
#define HALFSTEP_DIALECT_NN_SEQUENCE

include "dialect/nn/NNBase.td"

def NN_EmbeddingOp : NN_Keyed<"embedding", "embedding", [NN_Differentiable]> {
  let summary = "rows of a table by their numbers";
  let description = [{
    `result[..., :] = table[ids[...], :]`, not rounded. The runtime has checked that 0 <= id < rows.

    ```mlir
    %y = nn.embedding %w, %x : (tensor<10x4xf32>, tensor<2x3xi64>) -> tensor<2x3x4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$table, TensorOf<[I64]>:$ids);
  let results = (outs NN_FloatTensor:$result);
}
def NN_EmbeddingBackwardOp : NN_Op<"embedding_backward"> {
  let summary = "gradient of embedding with respect to its table";
  let description = [{
    `result[r, :]` is the sum of `grad[..., :]` over the places where `ids` is r, of `rows` rows. Summed in f32 (f64 for
    f64) in the order of the places, whatever the number of threads, and rounded once.

    ```mlir
    %d = nn.embedding_backward %g, %x {rows = 10 : i64} : (tensor<2x3x4xf32>, tensor<2x3xi64>) -> tensor<10x4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, TensorOf<[I64]>:$ids, I64Attr:$rows);
  let results = (outs NN_FloatTensor:$result);
}
/// What both ops of attention say about their operands.
class NN_AttentionMethods {
  code methods = [{
    /// Query, key and value, or the one tensor that holds them.
    ::mlir::OperandRange getProjections() { return getTensors().drop_back(getMasked() ? 1 : 0); }
    ::mlir::Value getMask() { return getMasked() ? ::mlir::Value(getTensors().back()) : ::mlir::Value(); }
    int64_t getKeyHeads() { return static_cast<int64_t>(getKvHeads().value_or(getHeads())); }
  }];
}
def NN_AttentionOp : NN_Keyed<"attention", "scaled_dot_product_attention", [NN_Differentiable]> {
  let summary = "scaled dot-product attention of several heads";
  let description = [{
    `tensors` are query [b, q, h * d], key and value [b, k, g * d] with h = `heads` and g = `kv_heads` (h when it is not
    given), or one tensor [b, t, (h + 2 * g) * d] that holds the three side by side. A head's queries, keys and values Q, K
    and V are d columns each; h / g heads of queries in a row share one of keys and values:
    `result = softmax(scale * Q K' + M) V` with a softmax a row (Vaswani et al., Attention is all you need, 2017), heads
    side by side; `causal` leaves out the keys behind a query's own place. `lse` [b, h, q] is the logarithm of the sum of a
    row's exponentials, in f32 (f64 for f64).

    With `masked` a mask stands behind the others: i64 [b, k], where 0 hides a key, or a floating one [b, h, q, k], of
    which the first three extents may be 1, that is added to the scores; a number of -1e30 or less hides its key. A hidden
    key has no part in a row, and a row whose keys are all hidden is 0, as in PyTorch. No gradient reaches a mask.

    Products are summed in f32 (f64 for f64). No tensor of q x k elements is made: a kernel holds some rows of it
    (Dao et al., FlashAttention, 2022). Where bf16 products exist, the exponentials are rounded to bf16 before they are
    multiplied by V.

    ```mlir
    %y, %lse = nn.attention %qkv {heads = 2 : i64, causal, scale = 5.0e-01 : f64}
        : (tensor<1x3x24xf32>) -> (tensor<1x3x8xf32>, tensor<1x2x3xf32>)
    %z, %lse2 = nn.attention %q, %k, %v, %m {heads = 2 : i64, kv_heads = 1 : i64, masked, scale = 5.0e-01 : f64}
        : (tensor<1x3x8xf32>, tensor<1x5x4xf32>, tensor<1x5x4xf32>, tensor<1x5xi64>)
        -> (tensor<1x3x8xf32>, tensor<1x2x3xf32>)
    ```
  }];
  let arguments = (ins Variadic<RankedTensorOf<[F16, BF16, F32, F64, I64]>>:$tensors, I64Attr:$heads,
    OptionalAttr<I64Attr>:$kv_heads, UnitAttr:$causal, UnitAttr:$masked, F64Attr:$scale);
  let results = (outs NN_FloatTensor:$result, NN_FloatTensor:$lse);
  let extraClassDeclaration = keyMethod # NN_AttentionMethods<>.methods;
}
def NN_AttentionBackwardOp : NN_Op<"attention_backward"> {
  let summary = "gradients of attention with respect to its operands";
  let description = [{
    With P = exp(scale * Q K' + M - lse), computed again, and G the gradient of `result`, a head:
    `dV = P' G`, `dS = scale * P * (G V' - rowsum(G * result))`, `dQ = dS K`, `dK = dS' Q`; the gradients of keys and
    values are sums over the heads that share them. A row whose keys are all hidden contributes nothing. `tensors` and
    attributes are those of `nn.attention`; `grads` has the form of its projections: three tensors, or one that holds them
    side by side.

    ```mlir
    %d = nn.attention_backward %g, %y, %lse, %qkv {heads = 2 : i64, causal, scale = 5.0e-01 : f64}
        : (tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x2x3xf32>, tensor<1x3x24xf32>) -> tensor<1x3x24xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$result, NN_FloatTensor:$lse,
    Variadic<RankedTensorOf<[F16, BF16, F32, F64, I64]>>:$tensors, I64Attr:$heads, OptionalAttr<I64Attr>:$kv_heads,
    UnitAttr:$causal, UnitAttr:$masked, F64Attr:$scale);
  let results = (outs Variadic<NN_FloatTensor>:$grads);
  let extraClassDeclaration = NN_AttentionMethods<>.methods;
}
def NN_RotaryOp : NN_Op<"rotary", [NN_Differentiable]> {
  let summary = "rotary positions: pairs of columns turned by angles that depend on the place";
  let description = [{
    `input` is [b, t, h * d] with heads of d columns, `cos` and `sin` are [t, d]. A head's row x at place t becomes
    `x * cos[t] + r(x) * sin[t]`, where r exchanges the columns of each pair and negates the one that becomes the first
    (Su et al., RoFormer, 2021). Pairs are the columns i and i + d / 2, or, `interleaved`, 2 i and 2 i + 1. `transposed`
    gives what the gradient is: `x * cos[t] + r'(x * sin[t])`. Computed in f32 (f64 for f64), rounded once to the type of
    `input`.

    ```mlir
    %y = nn.rotary %x, %c, %s : (tensor<2x3x8xf32>, tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<2x3x8xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$cos, NN_FloatTensor:$sin, UnitAttr:$interleaved,
    UnitAttr:$transposed);
  let results = (outs NN_FloatTensor:$result);
}

#endif // HALFSTEP_DIALECT_NN_SEQUENCE
