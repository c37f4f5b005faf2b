// train: the state of a training step and what changes it - parameters, buffers, optimizers - and fused kernels.

#ifndef HALFSTEP_DIALECT_TRAIN
#define HALFSTEP_DIALECT_TRAIN

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Train_Dialect : Dialect {
  let name = "train";
  let cppNamespace = "::halfstep::train";
  let summary = "Parameters, optimizers and the step.";
  let description = [{
    A module has one `train.param` a parameter or buffer, and the functions `@train_step`, `@eval_step` and
    `@forward`. A step reads the values from its start; updates become visible at its end.
  }];
  let useDefaultAttributePrinterParser = 1;
}

class Train_Op<string mnemonic, list<Trait> traits = []> : Op<Train_Dialect, mnemonic, traits>;
def Train_FloatTensor : RankedTensorOf<[F16, BF16, F32, F64]>;

def Train_OptimizerAttr : AttrDef<Train_Dialect, "Optimizer"> {
  let mnemonic = "optimizer";
  let summary = "Which optimizer updates the parameters, and its constants";
  let description = [{
    The module attribute `train.optimizer`. The learning rate is not here: it is a scalar of the step.

    ```mlir
    #train.optimizer<kind = "sgd", momentum = 9.0e-01 : f64, nesterov = false, weight_decay = 0.0 : f64,
                     beta1 = 0.9 : f64, beta2 = 0.999 : f64, eps = 1.0e-8 : f64>
    ```
  }];
  let parameters = (ins
    StringRefParameter<"sgd or adamw">:$kind, "::mlir::FloatAttr":$momentum, "bool":$nesterov,
    "::mlir::FloatAttr":$weight_decay, "::mlir::FloatAttr":$beta1, "::mlir::FloatAttr":$beta2,
    "::mlir::FloatAttr":$eps);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Train_InitAttr : AttrDef<Train_Dialect, "Init"> {
  let mnemonic = "init";
  let summary = "Initial value of a parameter";
  let description = [{
    `constant` a; `uniform` over [a, b); `normal` with mean a and standard deviation b; `data` the elements given.

    ```mlir
    #train.init<kind = "uniform", a = -0.125 : f64, b = 0.125 : f64>
    ```
  }];
  let parameters = (ins StringRefParameter<"constant, uniform, normal or data">:$kind,
    "::mlir::FloatAttr":$a, "::mlir::FloatAttr":$b, OptionalParameter<"::mlir::ElementsAttr">:$data);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Train_ParamOp : Train_Op<"param", [Symbol, HasParent<"::mlir::ModuleOp">]> {
  let summary = "a parameter or buffer of the model";
  let description = [{
    Declares state that lives from step to step under its original name. A parameter is updated by the optimizer, a
    buffer (`buffer`) by `train.assign`. After `masters`, `copy_type` names the type of the working copy that the
    optimizer writes beside the master. `plan-memory` sets `offsets`, in bytes from the start of the arena: the values,
    the working copy, and each optimizer slot; -1 for what there is not.

    With `split`, the f32 values are not stored beside their bf16 copy but as that copy and the rest of their bits, at
    4 bytes an element. With b the 32 bits of a value, the copy is `(b + 0x8000) >> 16`, b rounded to bf16 with
    halves away from zero, and the rest, whose place is the first offset, `b & 0xffff`. Read as a signed number, the
    rest says whether rounding added one: `b = (copy << 16) + rest`, without loss. A NaN becomes quiet and loses bit 15
    before. Nothing reads a split value in f32 but its update.

    - (P1) `split` needs values in f32, `copy_type = bf16`, and no `buffer`.

    ```mlir
    train.param @"fc1.weight" : tensor<32x64xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
    train.param @"fc2.weight" : tensor<32x64xf32> {copy_type = bf16, split, init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<Train_FloatTensor>:$type, Train_InitAttr:$init,
    UnitAttr:$buffer, OptionalAttr<TypeAttr>:$copy_type, OptionalAttr<DenseI64ArrayAttr>:$offsets,
    UnitAttr:$split);
  let assemblyFormat = "$sym_name `:` $type attr-dict";
  let extraClassDeclaration = [{
    ::mlir::RankedTensorType getTensorType() { return ::llvm::cast<::mlir::RankedTensorType>(getType()); }
    /// What lies at the first offset: the values, or the low halves of split ones.
    ::mlir::Type getStoredElementType() {
      return getSplit() ? ::mlir::IntegerType::get(getContext(), 16) : getTensorType().getElementType();
    }
  }];
  let hasVerifier = 1;
}

def Train_ReadOp : Train_Op<"read", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a parameter or buffer at the start of the step";
  let description = [{
    With `copy`, the working copy in the parameter's `copy_type`.

    ```mlir
    %w = train.read @"fc1.weight" : tensor<32x64xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$param, UnitAttr:$copy);
  let results = (outs Train_FloatTensor:$result);
  let assemblyFormat = "$param attr-dict `:` type($result)";
}

def Train_ScalarOp : Train_Op<"scalar", [Pure]> {
  let summary = "a number that the runtime sets before a step";
  let description = [{
    `lr`, `loss_scale`, `inv_scale`, `clip_norm` (f32), `update` (f64: updates applied so far, plus one), `guard` (i32),
    `seed`, `step` (i64). The names are the fields of `hs_scalars`.

    ```mlir
    %lr = train.scalar "lr" : tensor<f32>
    ```
  }];
  let arguments = (ins StrAttr:$field);
  let results = (outs TensorOf<[F32, F64, I32, I64]>:$result);
  let assemblyFormat = "$field attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Train_GradientOp : Train_Op<"gradient", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the gradient of the loss with respect to a parameter";
  let description = [{
    Left by `differentiate`, one a parameter, and consumed by `optimizer`.

    ```mlir
    train.gradient @"fc1.weight", %g : tensor<32x64xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$param, Train_FloatTensor:$value);
  let assemblyFormat = "$param `,` $value attr-dict `:` type($value)";
}

def Train_AssignOp : Train_Op<"assign", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a buffer after the step";
  let description = [{
    Writes at the end of the step. With `found_inf`, only when it is 0 or the step is not guarded: a skipped step
    leaves running statistics alone.

    ```mlir
    train.assign @"bn1.running_mean", %m : tensor<16xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$param, Train_FloatTensor:$value, Optional<TensorOf<[I32]>>:$found_inf);
  let assemblyFormat = "$param `,` $value (`guard` $found_inf^ `:` type($found_inf))? attr-dict `:` type($value)";
}

/// `slots`: how many optimizer slots a parameter has, as a C++ expression of the op.
class Train_UpdateOp<string mnemonic, dag hyper, string slots> :
    Train_Op<mnemonic, [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  code slotMethod = "int64_t getSlotCount() { return " # slots # "; }\n";
  let extraClassDeclaration = slotMethod;
  let arguments = !con((ins TypedArrayAttrBase<FlatSymbolRefAttr, "parameters">:$params,
    Variadic<Train_FloatTensor>:$gradients, TensorOf<[I32]>:$found_inf, TensorOf<[F64]>:$sqnorm), hyper,
    (ins OptionalAttr<I64Attr>:$stochastic));
  let assemblyFormat = [{
    $params `gradients` `(` $gradients `:` type($gradients) `)` `guard` `(` $found_inf `:` type($found_inf) `)`
    `norm` `(` $sqnorm `:` type($sqnorm) `)` attr-dict
  }];
  let hasVerifier = 1;
}

def Train_SgdUpdateOp : Train_UpdateOp<"sgd_update", (ins F64Attr:$momentum, F64Attr:$weight_decay, BoolAttr:$nesterov),
    "getMomentum().isZero() ? 0 : 1"> {
  let summary = "one SGD step for a group of parameters";
  let description = [{
    Pass 2, one sweep over the flat group, skipped when `found_inf` is 1 and the step is guarded. With g the gradient
    times `inv_scale` and the clipping factor min(1, clip_norm / (norm + 1e-6)):

        g += weight_decay * w;  b = momentum * b + g;  w -= lr * (nesterov ? g + momentum * b : b)

    (torch.optim.SGD, dampening 0). All in f32 (f64 if anything is f64), rounded once, to nearest-even, when it is
    stored. The working copy, where there is one, is written in the same pass; of split parameters both halves are.

    With `stochastic`, values in bf16 or f16 (not the slots) are rounded up or down at random, up with the probability
    of the distance from below, so that what is too small to change a value changes it now and then and the mean is
    right. `stochastic` is the number of the group's first element; elements count on from there in memory, padding
    included. With t the scalar `update` and arithmetic modulo 2^64 and 2^32, the random number of element n is

        key = mix(seed + 0x9e3779b97f4a7c15 * t), mix being SplitMix64's finalizer
        x = n ^ low half of key;  x = (x ^ x >> 16) * 0x7feb352d ^ high half of key;  x = (x ^ x >> 15) * 0x846ca68b

    (the steps of lowbias32 in Chris Wellons' hash-prospector, with the other half of the key between them). Its upper
    bits, as many as the store drops - 16 for bf16, 13 for f16 - are added to the bits of the f32 value, which then
    are cut off. So the result depends on nothing but seed, t and n. In f16's subnormal range 2^-14 is added before and
    taken off after, which gives those numbers the same spacing. A finite value beyond the largest finite one of the
    type does not become infinite by chance: below the next power of two it becomes that largest one, else infinity.
    NaN stays NaN. Wider values are rounded to nearest all the same.

    ```mlir
    train.sgd_update [@w] gradients(%g : tensor<4xf32>) guard(%found : tensor<i32>) norm(%n : tensor<f64>)
      {momentum = 9.0e-01 : f64, weight_decay = 0.0 : f64, nesterov = false}
    ```
  }];
}

def Train_AdamwUpdateOp : Train_UpdateOp<"adamw_update",
    (ins F64Attr:$beta1, F64Attr:$beta2, F64Attr:$eps, F64Attr:$weight_decay), "2"> {
  let summary = "one AdamW step for a group of parameters";
  let description = [{
    As `train.sgd_update`, with t = the scalar `update`:

        w -= lr * weight_decay * w;  m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * g * g
        w -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)

    (torch.optim.AdamW; Loshchilov and Hutter, Decoupled Weight Decay Regularization, algorithm 2).

    ```mlir
    train.adamw_update [@w] gradients(%g : tensor<4xf32>) guard(%found : tensor<i32>) norm(%n : tensor<f64>)
      {beta1 = 9.0e-01 : f64, beta2 = 9.99e-01 : f64, eps = 1.0e-08 : f64, weight_decay = 1.0e-02 : f64}
    ```
  }];
}

def Train_KernelOp : Train_Op<"kernel", [SingleBlock, IsolatedFromAbove]> {
  let summary = "ops that run as one kernel";
  let description = [{
    Made by `fuse`. The region's arguments are the operands; `train.yield` gives the results. `offsets`, set by
    `plan-memory`, are the byte offsets of the results in the arena. `kind` names the emitter in codegen.

    ```mlir
    %y = train.kernel "map" (%x) : (tensor<4xf32>) -> tensor<4xf32> {
    ^bb0(%a: tensor<4xf32>):
      %r = nn.relu %a : (tensor<4xf32>) -> tensor<4xf32>
      train.yield %r : tensor<4xf32>
    }
    ```
  }];
  let arguments = (ins StrAttr:$kind, Variadic<AnyRankedTensor>:$inputs, OptionalAttr<DenseI64ArrayAttr>:$offsets);
  let results = (outs Variadic<AnyRankedTensor>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$kind `(` $inputs `)` `:` functional-type($inputs, $outputs) attr-dict-with-keyword $body";
  let extraClassDeclaration = [{
    ::mlir::Block &getBlock() { return getBody().front(); }
    ::mlir::Operation *getYield() { return getBlock().getTerminator(); }
  }];
  let hasVerifier = 1;
}

def Train_YieldOp : Train_Op<"yield", [Terminator, Pure, HasParent<"KernelOp">]> {
  let summary = "the results of a kernel";
  let description = [{
    Ends the region of a `train.kernel`; its operands have the types of the kernel's results.

    ```mlir
    train.yield %r : tensor<4xf32>
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

#endif // HALFSTEP_DIALECT_TRAIN
