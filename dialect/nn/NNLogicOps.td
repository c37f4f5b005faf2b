// nn: comparisons, choices, and what reads ids as numbers. A truth value is 1 or 0 in a floating tensor.

#ifndef HALFSTEP_DIALECT_NN_LOGIC
#define HALFSTEP_DIALECT_NN_LOGIC

include "dialect/nn/NNBase.td"

def NN_IdTensor : RankedTensorOf<[I64]>;
def NN_AnyTensor : RankedTensorOf<[F16, BF16, F32, F64, I64]>;

def NN_CompareOp : NN_Keyed<"compare", "eq", [NN_Elementwise, NN_Differentiable]> {
  let summary = "truth of a relation, with broadcasting";
  let description = [{
    `result` is 1 where `predicate` holds of `lhs` and `rhs` under numpy's broadcasting, else 0. Predicates are `equal`,
    `not_equal`, `less`, `less_equal`, `greater`, `greater_equal` on numbers (only `not_equal` holds of NaN), and `and`,
    `or`, `xor` on truth values (true is what is not 0). Both operands are floating, or both are ids. The result is f64
    when an operand is, or when `wide` says so (of ids), else f32. It has no gradient.

    ```mlir
    %m = nn.compare %a, %b {predicate = "less"} : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
    ```
  }];
  let arguments = (ins NN_AnyTensor:$lhs, NN_AnyTensor:$rhs, StrAttr:$predicate, UnitAttr:$wide);
  let results = (outs NN_FloatTensor:$result);
}
def NN_WhereOp : NN_Keyed<"where", "where", [NN_Elementwise, NN_Differentiable]> {
  let summary = "choice between two, with broadcasting";
  let description = [{
    `result = condition != 0 ? lhs : rhs` under numpy's broadcasting; the element type is the wider of the latter two, of
    which a number of rank 0 does not widen one with dimensions.

    ```mlir
    %r = nn.where %c, %a, %b : (tensor<4xf32>, tensor<2x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$condition, NN_FloatTensor:$lhs, NN_FloatTensor:$rhs);
  let results = (outs NN_FloatTensor:$result);
}
def NN_FromIdsOp : NN_Op<"from_ids", [NN_Elementwise]> {
  let summary = "ids as floating numbers";
  let description = [{
    `result = input` in f32, or f64 when `wide`; ids beyond 2^24 are rounded in f32.

    ```mlir
    %r = nn.from_ids %x : (tensor<2x4xi64>) -> tensor<2x4xf32>
    ```
  }];
  let arguments = (ins NN_IdTensor:$input, UnitAttr:$wide);
  let results = (outs NN_FloatTensor:$result);
}

#endif // HALFSTEP_DIALECT_NN_LOGIC
