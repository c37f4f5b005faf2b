// Verifiers of the train dialect.
#include "dialect/train/TrainDialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"

#include "dialect/train/TrainDialect.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/train/TrainAttributes.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/train/TrainOps.cpp.inc"

using namespace mlir;

namespace halfstep::train {

void TrainDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/train/TrainAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/train/TrainOps.cpp.inc"
      >();
}

/// The parameter that `op` names; an error at `op` when there is none.
static ParamOp findParam(Operation *op, FlatSymbolRefAttr name, SymbolTableCollection &tables) {
  auto param = tables.lookupNearestSymbolFrom<ParamOp>(op, name);
  if (!param)
    op->emitOpError() << "names " << name << ", which no 'train.param' of the module declares";
  return param;
}

static LogicalResult verifyShape(Operation *op, ParamOp param, Type type) {
  if (cast<RankedTensorType>(type).getShape() == param.getTensorType().getShape())
    return success();
  InFlightDiagnostic diagnostic = op->emitOpError() << "has type " << type << ", expected the shape of "
                                                    << param.getTensorType();
  diagnostic.attachNote(param.getLoc()) << "the parameter is declared here";
  return diagnostic;
}

static LogicalResult verifySplit(ParamOp op) {
  if (!op.getSplit())
    return success();
  Type element = op.getTensorType().getElementType(), copy = op.getCopyType().value_or(Type());
  if (!element.isF32() || !copy || !copy.isBF16() || op.getBuffer()) // P1
    return op.emitOpError() << "is split, expected a parameter in f32, not a buffer, with 'copy_type = bf16'";
  return success();
}

LogicalResult ParamOp::verify() {
  if (!getTensorType().hasStaticShape())
    return emitOpError() << "has the dynamic type " << getTensorType() << ", expected a static shape";
  StringRef kind = getInit().getKind();
  if (!llvm::is_contained({"constant", "uniform", "normal", "data"}, kind))
    return emitOpError() << "has the initialiser '" << kind
                         << "', expected constant, uniform, normal or data";
  ElementsAttr data = getInit().getData();
  if ((kind == "data") != static_cast<bool>(data))
    return emitOpError() << "must have 'data' exactly when its initialiser is 'data'";
  if (data && data.getShapedType().getShape() != getTensorType().getShape())
    return emitOpError() << "has data of type " << data.getShapedType() << ", expected " << getTensorType();
  return verifySplit(*this);
}

LogicalResult ReadOp::verifySymbolUses(SymbolTableCollection &tables) {
  ParamOp param = findParam(*this, getParamAttr(), tables);
  if (!param)
    return failure();
  Type element = getCopy() ? param.getCopyType().value_or(Type()) : param.getTensorType().getElementType();
  if (!getCopy() && param.getSplit())
    return emitOpError() << "reads the values of " << getParamAttr() << ", which are split; expected 'copy'";
  if (!element)
    return emitOpError() << "reads the working copy of " << getParamAttr() << ", which has none";
  if (element != getElementTypeOrSelf(getType()))
    return emitOpError() << "has element type " << getElementTypeOrSelf(getType()) << ", expected "
                         << element;
  return verifyShape(*this, param, getType());
}

LogicalResult ScalarOp::verify() {
  Type expected = llvm::StringSwitch<Type>(getField())
                      .Cases({"lr", "loss_scale", "inv_scale", "clip_norm"}, Float32Type::get(getContext()))
                      .Case("update", Float64Type::get(getContext()))
                      .Case("guard", IntegerType::get(getContext(), 32))
                      .Cases({"seed", "step"}, IntegerType::get(getContext(), 64))
                      .Default(Type());
  if (!expected)
    return emitOpError() << "names the field '" << getField() << "', which the step has not";
  if (getType() != RankedTensorType::get({}, expected))
    return emitOpError() << "has type " << getType() << ", expected " << RankedTensorType::get({}, expected);
  return success();
}

LogicalResult GradientOp::verifySymbolUses(SymbolTableCollection &tables) {
  ParamOp param = findParam(*this, getParamAttr(), tables);
  return param ? verifyShape(*this, param, getValue().getType()) : failure();
}

LogicalResult AssignOp::verifySymbolUses(SymbolTableCollection &tables) {
  ParamOp param = findParam(*this, getParamAttr(), tables);
  if (!param)
    return failure();
  if (!param.getBuffer())
    return emitOpError() << "writes the parameter " << getParamAttr() << ", expected a buffer";
  return verifyShape(*this, param, getValue().getType());
}

//===----------------------------------------------------------------------===//
// Updates
//===----------------------------------------------------------------------===//

/// True for a number or a truth value that the constant may be.
static bool isInRange(const OptimizerConstant &constant, Attribute value) {
  using enum OptimizerConstant::Range;
  if (constant.range == Switch)
    return isa<BoolAttr>(value);
  auto number = dyn_cast<FloatAttr>(value);
  if (!number || !number.getType().isF64() || !number.getValue().isFinite())
    return false;
  double x = number.getValueAsDouble();
  return x >= 0 && (constant.range != Unit || x < 1) && (constant.range != Positive || x > 0);
}

LogicalResult OptimizerAttr::verify(llvm::function_ref<InFlightDiagnostic()> emitError, StringRef kind,
                                    DictionaryAttr constants) {
  const OptimizerRow *row = findOptimizer(kind);
  if (!row)
    return emitError() << "optimizer '" << kind << "', expected one of "
                       << llvm::join(optimizerKinds(), ", ");
  for (NamedAttribute entry : constants) {
    const OptimizerConstant *constant = row->find(entry.getName().strref());
    if (!constant)
      return emitError() << "optimizer '" << kind << "' has no constant '" << entry.getName().getValue()
                         << "'";
    if (!isInRange(*constant, entry.getValue()))
      return emitError() << "'" << entry.getName().getValue() << "' is " << entry.getValue()
                         << ", which is outside its range";
  }
  return success();
}

double OptimizerAttr::constant(StringRef name) const {
  Attribute value = getConstants().get(name);
  if (auto flag = dyn_cast_or_null<BoolAttr>(value))
    return flag.getValue();
  if (auto number = dyn_cast_or_null<FloatAttr>(value))
    return number.getValueAsDouble();
  const OptimizerConstant *constant = findOptimizer(getKind())->find(name);
  assert(constant && "a constant of the optimizer");
  return constant->fallback;
}

SmallVector<OptimizerSlot> OptimizerAttr::slots() const {
  SmallVector<OptimizerSlot> needed;
  for (const OptimizerSlot &slot : findOptimizer(getKind())->slots)
    if (slot.needs.empty() || constant(slot.needs) != 0)
      needed.push_back(slot);
  return needed;
}

void WeighOp::build(OpBuilder &builder, OperationState &state, Value rows, FloatAttr samples) {
  Type number = RankedTensorType::get({}, builder.getF64Type());
  build(builder, state, TypeRange{number, number}, rows, samples);
}

LogicalResult WeighOp::verify() {
  if (getRows() && getSamples())
    return emitOpError() << "has both an operand and 'samples', expected at most one of the two";
  return success();
}

void AccumulateOp::build(OpBuilder &builder, OperationState &state, ValueRange gradients, Value weight) {
  SmallVector<Type> types = llvm::map_to_vector(gradients, [](Value gradient) -> Type {
    auto type = cast<RankedTensorType>(gradient.getType());
    return type.clone(type.getElementType().isF64() ? type.getElementType()
                                                    : Float32Type::get(type.getContext()));
  });
  build(builder, state, types, gradients, weight);
}

LogicalResult UpdateOp::verify() {
  if (getParams().size() == getGradients().size() && !getParams().empty())
    return success();
  return emitOpError() << "has " << getParams().size() << " parameters and " << getGradients().size()
                       << " gradients, expected one gradient a parameter and at least one";
}

LogicalResult UpdateOp::verifySymbolUses(SymbolTableCollection &tables) {
  for (auto [name, gradient] : llvm::zip(getParams(), getGradients())) {
    ParamOp param = findParam(*this, cast<FlatSymbolRefAttr>(name), tables);
    if (!param || failed(verifyShape(*this, param, gradient.getType())))
      return failure();
  }
  return success();
}

LogicalResult KernelOp::verify() {
  if (getBlock().getArgumentTypes() != getInputs().getTypes())
    return emitOpError() << "has a region whose arguments differ from its inputs";
  auto yield = dyn_cast<YieldOp>(getYield());
  if (!yield || yield.getOperandTypes() != getResultTypes())
    return emitOpError() << "must end in a 'train.yield' of its result types";
  if (getOffsets() && getOffsets()->size() != getNumResults())
    return emitOpError() << "has " << getOffsets()->size() << " offsets for " << getNumResults()
                         << " results";
  return success();
}

} // namespace halfstep::train
