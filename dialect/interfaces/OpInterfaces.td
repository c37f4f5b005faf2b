// What passes ask of an op without knowing it: its gradient, its precision class, its scalar formula.

#ifndef HALFSTEP_DIALECT_INTERFACES
#define HALFSTEP_DIALECT_INTERFACES

include "mlir/IR/OpBase.td"

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::halfstep";
  let description = [{
    An op with a gradient rule. The reverse walker of `differentiate` calls it once an op, with the summed
    gradient of each result.
  }];
  let methods = [
    InterfaceMethod<[{
      Builds the gradients of the operands. `resultGrads` has one value a result, null where nothing depends
      on it. The rule sets `operandGrads[i]` for each operand that has a gradient; it leaves null what has none
      (class ids, saved statistics). A gradient has its operand's shape; the walker casts it to the operand's type.
    }], "void", "buildGradient",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::ArrayRef<::mlir::Value>":$resultGrads,
         "::llvm::SmallVectorImpl<::mlir::Value> &":$operandGrads)>,
  ];
}

def PrecisionClassOpInterface : OpInterface<"PrecisionClassOpInterface"> {
  let cppNamespace = "::halfstep";
  let description = [{
    An op that the op lists of a precision policy name. Lists and overrides map the key to one of
    `lower fp32 fp32_out promote banned untouched`; an op without the interface is untouched.
  }];
  let methods = [
    InterfaceMethod<"The name under which op lists know this op: the one of torch's functional API.",
                    "::llvm::StringRef", "getPrecisionKey">,
  ];
}

def ElementwiseOpInterface : OpInterface<"ElementwiseOpInterface"> {
  let cppNamespace = "::halfstep";
  let description = [{
    An op with one result whose every element depends on one element of each operand. Such ops fuse into one
    kernel whatever their number.
  }];
  let methods = [
    InterfaceMethod<[{
      Emits the op's formula on scalars. Floating `operands` are in `type` (f32 or f64); integer ones in their own.
      Formulas without integers also take vectors: `type` and all operands are then vectors of one length.
      `linearIndex` gives the row-major index of the result's element as i64, for counter-based random numbers.
    }], "::mlir::Value", "emitScalar",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc, "::mlir::ValueRange":$operands,
         "::mlir::Type":$type, "::llvm::function_ref<::mlir::Value()>":$linearIndex)>,
    InterfaceMethod<[{
      The map from the result's dimensions to an operand's element. Default: numpy's broadcasting.
    }], "::mlir::AffineMap", "getOperandMap", (ins "unsigned":$operand), "", [{
      auto result = ::llvm::cast<::mlir::RankedTensorType>($_op->getResult(0).getType());
      auto input = ::llvm::cast<::mlir::RankedTensorType>($_op->getOperand(operand).getType());
      return ::halfstep::broadcastMap(input.getShape(), result.getRank(), $_op->getContext());
    }]>,
  ];
}

#endif // HALFSTEP_DIALECT_INTERFACES
