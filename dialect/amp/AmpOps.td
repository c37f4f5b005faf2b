// amp: where and how precision changes - casts, the scaled seed of the backward pass, the finiteness check.

#ifndef HALFSTEP_DIALECT_AMP
#define HALFSTEP_DIALECT_AMP

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "dialect/interfaces/OpInterfaces.td"

def Amp_Dialect : Dialect {
  let name = "amp";
  let cppNamespace = "::halfstep::amp";
  let summary = "Mixed precision: casts, loss scale, finiteness.";
  let description = [{
    The ops that a precision policy adds to a training step. The policy itself is the module attribute
    `amp.policy`; passes read it there and take no options.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
}

class Amp_Op<string mnemonic, list<Trait> traits = []> : Op<Amp_Dialect, mnemonic, traits>;
def Amp_FloatTensor : RankedTensorOf<[F16, BF16, F32, F64]>;

def Amp_PolicyAttr : AttrDef<Amp_Dialect, "Policy"> {
  let mnemonic = "policy";
  let summary = "The resolved precision policy of a module";
  let description = [{
    Everything that passes need to know of the precision spec, levels and overrides already applied.
    `params` is the type that the optimizer updates, `compute` the type of ops of class `lower`. With `casts`,
    the forward graph is cast op by op as the lists say; with `convert`, the whole model runs in `compute`; with
    neither, everything is in `params`.

    Optional, with their defaults left out of the text: `output` (the type of the model's outputs, in which a
    converted model's loss runs; f32), `keep` (the normalisations of a converted model whose parameters stay f32:
    `batch_norm` or `norms`, meaning all), `masters` (how a parameter that ops read in low precision is stored:
    `separate`, `split` or `none`), `update` (how an update rounds what it stores: `nearest` or `stochastic`), and
    the classes that `ops` (by the keys of op lists) and `layers` (by globs over layer names) give, before the lists.

    ```mlir
    #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true, lists = "cpu", rounding = "fused",
                scaler = false, scale = 1.0 : f64>
    #amp.policy<name = "O2", params = f32, compute = f16, casts = false, lists = "cpu", rounding = "fused",
                scaler = true, scale = 65536.0 : f64, convert = true, keep = "batch_norm",
                layers = {"head.*" = "fp32"}>
    ```
  }];
  let parameters = (ins
    StringRefParameter<"canonical name">:$name, "::mlir::Type":$params, "::mlir::Type":$compute, "bool":$casts,
    StringRefParameter<"op lists">:$lists, StringRefParameter<"fused or eager">:$rounding, "bool":$scaler,
    "::mlir::FloatAttr":$scale, OptionalParameter<"::mlir::Type">:$output,
    DefaultValuedParameter<"bool", "false">:$convert,
    StringRefParameter<"batch_norm, norms or nothing", [{""}]>:$keep,
    StringRefParameter<"separate, split or none", [{"separate"}]>:$masters,
    StringRefParameter<"nearest or stochastic", [{"nearest"}]>:$update,
    OptionalParameter<"::mlir::DictionaryAttr">:$ops, OptionalParameter<"::mlir::DictionaryAttr">:$layers);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Amp_CastOp : Amp_Op<"cast", [Pure, SameOperandsAndResultShape,
    DeclareOpInterfaceMethods<DifferentiableOpInterface>,
    DeclareOpInterfaceMethods<ElementwiseOpInterface, ["emitScalar"]>]> {
  let summary = "change the floating type of a tensor";
  let description = [{
    `result = round(input)` to the result's type, nearest-even; NaN stays NaN, overflow gives infinity. Widening is
    exact. The gradient is the cast back.

    ```mlir
    %h = amp.cast %x : tensor<4x8xf32> to tensor<4x8xbf16>
    ```
  }];
  let arguments = (ins Amp_FloatTensor:$input);
  let results = (outs Amp_FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let extraClassDeclaration = [{
    /// True when the result's type holds every value of the operand's.
    bool isWidening();
    /// True when the operand's type holds every value of the result's.
    bool isNarrowing();
  }];
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Amp_OutputOp : Amp_Op<"output", [Pure, SameOperandsAndResultType]> {
  let summary = "marks an output of the model";
  let description = [{
    `result = input`. What depends on it is not the model any more but its loss. The importer puts it on each output;
    `place-casts` replaces it, by a cast to the policy's output type where the policy converts the model.

    ```mlir
    %out = amp.output %y : tensor<4x10xf32>
    ```
  }];
  let arguments = (ins Amp_FloatTensor:$input);
  let results = (outs Amp_FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

def Amp_LossSeedOp : Amp_Op<"loss_seed", [Pure]> {
  let summary = "the gradient at the loss: 1, or the loss scale";
  let description = [{
    `differentiate` starts from this value. Without an operand it is 1; `scale-loss` gives it the current loss scale.

    ```mlir
    %seed = amp.loss_seed : tensor<f32>
    %scaled = amp.loss_seed(%scale : tensor<f32>) : tensor<f32>
    ```
  }];
  let arguments = (ins Optional<Amp_FloatTensor>:$scale);
  let results = (outs Amp_FloatTensor:$result);
  let assemblyFormat = "(`(` $scale^ `:` type($scale) `)`)? attr-dict `:` type($result)";
}

def Amp_CheckFiniteOp : Amp_Op<"check_finite", [Pure]> {
  let summary = "finiteness and squared norm of all gradients";
  let description = [{
    Pass 1 over the gradients, before any update: `found_inf` is 1 when an element of any gradient is infinite or NaN,
    else 0; it decides for all parameters. `sqnorm` is the sum of squares of the gradients as they are (still
    scaled), accumulated in f32 within fixed chunks and in f64 over chunks, so that it does not depend on the
    number of threads. Never writes gradients.

    ```mlir
    %found, %sqnorm = amp.check_finite %g0, %g1
        : tensor<32x64xbf16>, tensor<32xf32> -> tensor<i32>, tensor<f64>
    ```
  }];
  let arguments = (ins Variadic<Amp_FloatTensor>:$gradients);
  let results = (outs TensorOf<[I32]>:$found_inf, TensorOf<[F64]>:$sqnorm);
  let builders = [OpBuilder<(ins "::mlir::ValueRange":$gradients)>];
  let assemblyFormat = "$gradients attr-dict `:` type($gradients) `->` type($found_inf) `,` type($sqnorm)";
}

def Amp_FinitePartialsOp : Amp_Op<"finite_partials", [Pure, InferTypeOpAdaptor]> {
  let summary = "finiteness and squared norm of gradients, chunk by chunk";
  let description = [{
    The first half of `amp.check_finite` for gradients of one type, which `plan-memory` places one after the other, each
    padded with zeros to a multiple of 32 elements: `found[c]` and `sqnorm[c]` are those of the c-th chunk of 4096
    elements of that block. `fuse` makes it, one a gradient type.

    ```mlir
    %found, %sqnorm = amp.finite_partials %g0, %g1 : (tensor<32x64xbf16>, tensor<32xbf16>) -> (tensor<1xi32>, tensor<1xf64>)
    ```
  }];
  let arguments = (ins Variadic<Amp_FloatTensor>:$gradients);
  let results = (outs TensorOf<[I32]>:$found, TensorOf<[F64]>:$sqnorm);
  let assemblyFormat = "$gradients attr-dict `:` functional-type($gradients, results)";
}

def Amp_FiniteCombineOp : Amp_Op<"finite_combine", [Pure, InferTypeOpAdaptor, SameVariadicOperandSize]> {
  let summary = "one verdict from all chunks";
  let description = [{
    The second half of `amp.check_finite`: `found_inf` is 1 when an element of any `found` is not 0; `sqnorm` sums
    the chunks of all operands in their order.

    ```mlir
    %f, %n = amp.finite_combine found(%found : tensor<1xi32>) sqnorm(%sqnorm : tensor<1xf64>)
    ```
  }];
  let arguments = (ins Variadic<TensorOf<[I32]>>:$found, Variadic<TensorOf<[F64]>>:$partials);
  let results = (outs TensorOf<[I32]>:$found_inf, TensorOf<[F64]>:$sqnorm);
  let assemblyFormat = "`found` `(` $found `:` type($found) `)` `sqnorm` `(` $partials `:` type($partials) `)` attr-dict";
}

#endif // HALFSTEP_DIALECT_AMP
