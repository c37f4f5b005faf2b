// Registration and folders of the nn dialect.
#include "dialect/nn/NNDialect.h"
#include "dialect/nn/Functions.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"

#include "dialect/nn/NNDialect.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/nn/NNOps.cpp.inc"

using namespace mlir;

namespace halfstep::nn {

void NNDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialect/nn/NNOps.cpp.inc"
      >();
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

OpFoldResult ReshapeOp::fold(FoldAdaptor) {
  if (getInput().getType() == getType())
    return getInput();
  if (auto inner = getInput().getDefiningOp<ReshapeOp>()) {
    getInputMutable().assign(inner.getInput());
    return getResult();
  }
  return {};
}

} // namespace halfstep::nn
