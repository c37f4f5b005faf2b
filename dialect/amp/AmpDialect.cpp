// Verifiers, folders and the cast's gradient of the amp dialect.
#include "dialect/amp/AmpDialect.h"

#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/TypeSwitch.h"

#include "dialect/amp/AmpDialect.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/amp/AmpAttributes.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/amp/AmpOps.cpp.inc"

using namespace mlir;

namespace halfstep::amp {

void AmpDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/amp/AmpAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/amp/AmpOps.cpp.inc"
      >();
}

LogicalResult AmpDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  if (attribute.getName() == kPolicyAttrName && !isa<PolicyAttr>(attribute.getValue()))
    return op->emitError() << "'" << kPolicyAttrName << "' must be an #amp.policy attribute, got "
                           << attribute.getValue();
  return success();
}

PolicyAttr getPolicy(ModuleOp module) {
  auto policy = module->getAttrOfType<PolicyAttr>(kPolicyAttrName);
  if (!policy)
    module.emitError() << "the module has no '" << kPolicyAttrName << "' attribute: the importer sets it";
  return policy;
}

/// True when the two types differ and `wide` holds every value of `narrow`.
static bool isWider(Type narrow, Type wide) { return narrow != wide && promoteTypes(narrow, wide) == wide; }

bool CastOp::isWidening() {
  return isWider(getElementTypeOrSelf(getInput()), getElementTypeOrSelf(getType()));
}
bool CastOp::isNarrowing() {
  return isWider(getElementTypeOrSelf(getType()), getElementTypeOrSelf(getInput()));
}

OpFoldResult CastOp::fold(FoldAdaptor) {
  return getInput().getType() == getType() ? OpFoldResult(getInput()) : OpFoldResult();
}

/// A wider type that is narrowed back holds the same number, so the pair is the identity.
static LogicalResult dropUpDownPair(CastOp op, PatternRewriter &rewriter) {
  auto inner = op.getInput().getDefiningOp<CastOp>();
  if (!inner)
    return rewriter.notifyMatchFailure(op, "not a cast of a cast");
  Type source = getElementTypeOrSelf(inner.getInput()), middle = getElementTypeOrSelf(inner);
  if (source != getElementTypeOrSelf(op) || promoteTypes(source, middle) != middle)
    return rewriter.notifyMatchFailure(op, "the middle type does not hold every value of the outer one");
  rewriter.replaceOp(op, inner.getInput());
  return success();
}

void CastOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *) {
  patterns.add(dropUpDownPair);
}

void CastOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                           SmallVectorImpl<Value> &operandGrads) {
  operandGrads[0] = CastOp::create(builder, getLoc(), getInput().getType(), resultGrads[0]);
}

Value CastOp::emitScalar(OpBuilder &, Location, ValueRange operands, Type, llvm::function_ref<Value()>) {
  return operands[0];
}

void CheckFiniteOp::build(OpBuilder &builder, OperationState &state, ValueRange gradients) {
  build(builder, state, RankedTensorType::get({}, builder.getI32Type()),
        RankedTensorType::get({}, builder.getF64Type()), gradients);
}

int64_t groupElements(TypeRange tensors) {
  int64_t elements = 0;
  for (Type type : tensors)
    elements += llvm::alignTo(cast<RankedTensorType>(type).getNumElements(), kGroupPadding);
  return elements;
}

LogicalResult FinitePartialsOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                                 FinitePartialsOp::Adaptor adaptor,
                                                 SmallVectorImpl<Type> &types) {
  TypeRange gradients = adaptor.getGradients().getTypes();
  for (Type type : gradients)
    if (getElementTypeOrSelf(type) != getElementTypeOrSelf(gradients[0]))
      return emitOptionalError(loc, "gradients of types ", gradients[0], " and ", type,
                               ", expected one element type");
  auto chunks = static_cast<int64_t>(llvm::divideCeil(groupElements(gradients), kFiniteChunk));
  types.push_back(RankedTensorType::get({chunks}, IntegerType::get(context, 32)));
  types.push_back(RankedTensorType::get({chunks}, Float64Type::get(context)));
  return success();
}

LogicalResult FiniteCombineOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                                FiniteCombineOp::Adaptor adaptor,
                                                SmallVectorImpl<Type> &types) {
  types.push_back(RankedTensorType::get({}, IntegerType::get(context, 32)));
  types.push_back(RankedTensorType::get({}, Float64Type::get(context)));
  return success();
}

} // namespace halfstep::amp
