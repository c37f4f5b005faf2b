// nn: the dialect and what its ops share.

#ifndef HALFSTEP_DIALECT_NNBASE
#define HALFSTEP_DIALECT_NNBASE

include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "dialect/interfaces/OpInterfaces.td"

def NN_Dialect : Dialect {
  let name = "nn";
  let cppNamespace = "::halfstep::nn";
  let summary = "Neural network ops on static tensors.";
  let description = [{
    Images are NCHW, weights as PyTorch keeps them. Shapes are static. Unless an op says otherwise, arithmetic is
    in f32 (f64 when an operand is f64), a result is rounded once, to nearest-even, when it is stored, and NaN and
    infinity propagate as IEEE 754 says. Result types are inferred from operands and attributes.
  }];
}

def NN_FloatTensor : RankedTensorOf<[F16, BF16, F32, F64]>;

class NN_Op<string mnemonic, list<Trait> traits = []> :
    Op<NN_Dialect, mnemonic, !listconcat([Pure, InferTypeOpAdaptor], traits)> {
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}
def NN_Differentiable : DeclareOpInterfaceMethods<DifferentiableOpInterface>;
def NN_Elementwise : DeclareOpInterfaceMethods<ElementwiseOpInterface, ["emitScalar"]>;
def NN_MappedElementwise : DeclareOpInterfaceMethods<ElementwiseOpInterface, ["emitScalar", "getOperandMap"]>;

/// An op that precision lists know as `key`.
class NN_Keyed<string mnemonic, string key, list<Trait> traits = []> :
    NN_Op<mnemonic, !listconcat([PrecisionClassOpInterface], traits)> {
  code keyMethod = "::llvm::StringRef getPrecisionKey() { return \"" # key # "\"; }\n";
  let extraClassDeclaration = keyMethod;
}

#endif // HALFSTEP_DIALECT_NNBASE
