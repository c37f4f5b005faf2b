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
  let summary = "An optimizer and its constants";
  let description = [{
    The module attribute `train.optimizer` is that of all parameters without one of their own. Kinds, and the names,
    ranges and defaults of their constants, are the rows of dialect/train/OptimizerTable.cpp; a constant that is left
    out has its default. The learning rate is not here: it is a scalar of the step.

    ```mlir
    #train.optimizer<kind = "sgd", constants = {momentum = 9.0e-01 : f64, weight_decay = 1.0e-04 : f64}>
    ```
  }];
  let parameters = (ins StringRefParameter<"a row of the table">:$kind, "::mlir::DictionaryAttr":$constants);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The value of a constant; true is 1.
    double constant(::llvm::StringRef name) const;
    /// The state that these constants need, in the order of its places.
    ::llvm::SmallVector<::halfstep::OptimizerSlot> slots() const;
  }];
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

    A `frozen` parameter keeps its values: it has no gradient and no optimizer state. `optimizer` is the parameter's own,
    where it differs from the module's.

    - (P1) `split` needs values in f32, `copy_type = bf16`, and no `buffer`.

    ```mlir
    train.param @"fc1.weight" : tensor<32x64xf32> {init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
    train.param @"fc2.weight" : tensor<32x64xf32> {copy_type = bf16, split, init = #train.init<kind = "constant", a = 0.0 : f64, b = 0.0 : f64>}
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<Train_FloatTensor>:$type, Train_InitAttr:$init,
    UnitAttr:$buffer, OptionalAttr<TypeAttr>:$copy_type, OptionalAttr<DenseI64ArrayAttr>:$offsets,
    UnitAttr:$split, UnitAttr:$frozen, OptionalAttr<Train_OptimizerAttr>:$optimizer);
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

def Train_WeighOp : Train_Op<"weigh"> {
  let summary = "what this batch counts among those whose gradients are summed before an update";
  let description = [{
    A step that has it adds its gradients to those of earlier batches, and updates with their mean only when the runtime
    says so. `weight` is what the mean loss of this batch has been divided by: `samples`, or an operand where that depends
    on the batch; `sum` is `weight` summed over the batches since the last update. With neither, the loss is a sum, and
    both are 1. Sums are f64.

    ```mlir
    %w, %s = train.weigh {samples = 3.2e+01 : f64} : tensor<f64>, tensor<f64>
    %v, %t = train.weigh(%rows : tensor<f32>) : tensor<f64>, tensor<f64>
    ```
  }];
  let arguments = (ins Optional<Train_FloatTensor>:$rows, OptionalAttr<F64Attr>:$samples);
  let results = (outs TensorOf<[F64]>:$weight, TensorOf<[F64]>:$sum);
  let builders = [OpBuilder<(ins "::mlir::Value":$rows, "::mlir::FloatAttr":$samples)>];
  let assemblyFormat = "(`(` $rows^ `:` type($rows) `)`)? attr-dict `:` type($weight) `,` type($sum)";
  let hasVerifier = 1;
}

def Train_AccumulateOp : Train_Op<"accumulate"> {
  let summary = "gradients of several batches, summed";
  let description = [{
    `result = weight * gradient`, plus what the result was after the last step unless that ended in an update. In f32
    (f64 for f64). The results keep their places from step to step.

    ```mlir
    %a = train.accumulate %g weight(%w : tensor<f64>) : (tensor<4xbf16>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins Variadic<Train_FloatTensor>:$gradients, TensorOf<[F64]>:$weight);
  let results = (outs Variadic<Train_FloatTensor>:$sums);
  let builders = [OpBuilder<(ins "::mlir::ValueRange":$gradients, "::mlir::Value":$weight)>];
  let assemblyFormat = [{
    $gradients `weight` `(` $weight `:` type($weight) `)` attr-dict `:` functional-type($gradients, $sums)
  }];
}

def Train_UpdateOp : Train_Op<"update", [AttrSizedOperandSegments, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "one step of an optimizer for a group of parameters";
  let description = [{
    Pass 2, one sweep over the flat group, skipped when `found_inf` is 1 and the step is guarded. All in f32 (f64 if
    anything is f64), rounded once, to nearest-even, when it is stored. The working copy, where there is one, is written
    in the same pass; of split parameters both halves are. With `weights`, the sum of `train.weigh`, gradients are divided
    by it, and nothing happens in a step that does not end in an update.

    With g the gradient times `inv_scale` and the clipping factor min(1, clip_norm / (norm + 1e-6)), then held within
    `clip_value` on either side (torch.nn.utils.clip_grad_norm_, clip_grad_value_), lr the step's learning rate times
    `lr_scale`, and t the scalar `update`, the formulas are those of torch.optim:

        sgd      g += weight_decay * w;  b = momentum * b + g;  w -= lr * (nesterov ? g + momentum * b : b)
        adam     g += weight_decay * w;  m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * g * g
                 w -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps); with amsgrad the largest v so far
        adamw    w -= lr * weight_decay * w, then as adam without the first formula
        adagrad  g += weight_decay * w;  s += g * g;  w -= lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)
        rmsprop  g += weight_decay * w;  s = alpha * s + (1 - alpha) * g * g;  with centered, a = alpha * a +
                 (1 - alpha) * g and s - a * a for s below;  b = momentum * b + g / (sqrt(s) + eps);  w -= lr * b

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
    train.update [@w] gradients(%g : tensor<4xf32>) guard(%found : tensor<i32>) norm(%n : tensor<f64>)
      {optimizer = #train.optimizer<kind = "sgd", constants = {momentum = 9.0e-01 : f64}>}
    ```
  }];
  let arguments = (ins TypedArrayAttrBase<FlatSymbolRefAttr, "parameters">:$params,
    Variadic<Train_FloatTensor>:$gradients, TensorOf<[I32]>:$found_inf, TensorOf<[F64]>:$sqnorm,
    Optional<TensorOf<[F64]>>:$weights, Train_OptimizerAttr:$optimizer, OptionalAttr<I64Attr>:$stochastic);
  let assemblyFormat = [{
    $params `gradients` `(` $gradients `:` type($gradients) `)` `guard` `(` $found_inf `:` type($found_inf) `)`
    `norm` `(` $sqnorm `:` type($sqnorm) `)` (`weights` `(` $weights^ `:` type($weights) `)`)? attr-dict
  }];
  let hasVerifier = 1;
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
