// nn: embedding and attention.

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
def NN_AttentionOp : NN_Keyed<"attention", "scaled_dot_product_attention", [NN_Differentiable]> {
  let summary = "scaled dot-product attention of several heads";
  let description = [{
    `operands` are query [b, q, h * d], key and value [b, k, h * d] with h = `heads`, or one tensor [b, t, 3 * h * d]
    that holds the three side by side. A head's queries, keys and values Q, K and V are d columns each:
    `result = softmax(scale * Q K') V` with a softmax a row (Vaswani et al., Attention is all you need, 2017), heads side
    by side; `causal` leaves out the keys behind a query's own place. `lse` [b, h, q] is the logarithm of the sum of a
    row's exponentials, in f32 (f64 for f64).

    Products are summed in f32 (f64 for f64). No tensor of q x k elements is made: a kernel holds some rows of it
    (Dao et al., FlashAttention, 2022). Where bf16 products exist, the exponentials are rounded to bf16 before they are
    multiplied by V.

    ```mlir
    %y, %lse = nn.attention %qkv {heads = 2 : i64, causal, scale = 5.0e-01 : f64}
        : (tensor<1x3x24xf32>) -> (tensor<1x3x8xf32>, tensor<1x2x3xf32>)
    ```
  }];
  let arguments = (ins Variadic<NN_FloatTensor>:$projections, I64Attr:$heads, UnitAttr:$causal, F64Attr:$scale);
  let results = (outs NN_FloatTensor:$result, NN_FloatTensor:$lse);
}
def NN_AttentionBackwardOp : NN_Op<"attention_backward"> {
  let summary = "gradients of attention with respect to its operands";
  let description = [{
    With P = exp(scale * Q K' - lse), computed again, and G the gradient of `result`, a head:
    `dV = P' G`, `dS = scale * P * (G V' - rowsum(G * result))`, `dQ = dS K`, `dK = dS' Q`. `grads` has the operands'
    form: three tensors, or one that holds them side by side.

    ```mlir
    %d = nn.attention_backward %g, %y, %lse, %qkv {heads = 2 : i64, causal, scale = 5.0e-01 : f64}
        : (tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x2x3xf32>, tensor<1x3x24xf32>) -> tensor<1x3x24xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$grad, NN_FloatTensor:$result, NN_FloatTensor:$lse,
    Variadic<NN_FloatTensor>:$projections, I64Attr:$heads, UnitAttr:$causal, F64Attr:$scale);
  let results = (outs Variadic<NN_FloatTensor>:$grads);
}

#endif // HALFSTEP_DIALECT_NN_SEQUENCE
