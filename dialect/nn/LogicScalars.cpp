// Scalar formulas of comparisons and choices.
#include "dialect/nn/NNDialect.h"
#include "dialect/nn/Scalar.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace halfstep::nn {

#define HS_SCALAR(Op)                                                                                        \
  Value Op::emitScalar(OpBuilder &builder, Location loc, ValueRange operands, Type type,                     \
                       llvm::function_ref<Value()>)

static arith::CmpFPredicate floatPredicate(StringRef name) {
  using enum arith::CmpFPredicate;
  return llvm::StringSwitch<arith::CmpFPredicate>(name)
      .Case("equal", OEQ)
      .Case("less", OLT)
      .Case("less_equal", OLE)
      .Case("greater", OGT)
      .Case("greater_equal", OGE)
      .Default(UNE);
}

static arith::CmpIPredicate idPredicate(StringRef name) {
  using enum arith::CmpIPredicate;
  return llvm::StringSwitch<arith::CmpIPredicate>(name)
      .Case("equal", eq)
      .Case("less", slt)
      .Case("less_equal", sle)
      .Case("greater", sgt)
      .Case("greater_equal", sge)
      .Default(ne);
}

/// The comparison of two floats, or of two ids, as i1.
static Value relation(OpBuilder &builder, Location loc, StringRef predicate, Value a, Value b) {
  if (isa<IntegerType>(a.getType()))
    return arith::CmpIOp::create(builder, loc, idPredicate(predicate), a, b);
  return arith::CmpFOp::create(builder, loc, floatPredicate(predicate), a, b);
}

static Value isNotZero(OpBuilder &builder, Location loc, Value value) {
  Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(value.getType()));
  return relation(builder, loc, "not_equal", value, zero);
}

HS_SCALAR(CompareOp) {
  Value holds;
  StringRef predicate = getPredicate();
  if (llvm::is_contained({"and", "or", "xor"}, predicate)) {
    Value a = isNotZero(builder, loc, operands[0]), b = isNotZero(builder, loc, operands[1]);
    holds = predicate == "and"  ? arith::AndIOp::create(builder, loc, a, b).getResult()
            : predicate == "or" ? arith::OrIOp::create(builder, loc, a, b).getResult()
                                : arith::XOrIOp::create(builder, loc, a, b).getResult();
  } else {
    holds = relation(builder, loc, predicate, operands[0], operands[1]);
  }
  Scalar s(builder, loc, type);
  return s.select(holds, s.number(1), s.number(0));
}

HS_SCALAR(WhereOp) {
  return arith::SelectOp::create(builder, loc, isNotZero(builder, loc, operands[0]), operands[1],
                                 operands[2]);
}

HS_SCALAR(FromIdsOp) { return arith::SIToFPOp::create(builder, loc, type, operands[0]); }

} // namespace halfstep::nn
