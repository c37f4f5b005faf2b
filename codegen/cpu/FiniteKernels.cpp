// amp.finite_partials and amp.finite_combine: pass 1 over the gradients, before any update.
#include "codegen/cpu/FiniteFormulas.h"
#include "codegen/cpu/KernelEmitters.h"

#include "dialect/amp/AmpDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace halfstep {

ContractionPlan planFinite(train::KernelOp kernel, const CpuLevel &) {
  ContractionPlan plan;
  if (auto op = dyn_cast<amp::FinitePartialsOp>(&kernel.getBlock().front())) {
    plan.items = cast<RankedTensorType>(op.getFound().getType()).getNumElements();
    int64_t width = getElementTypeOrSelf(op.getGradients()[0].getType()).getIntOrFloatBitWidth();
    plan.grain = grainOf(amp::kFiniteChunk * width / 8, 4 * amp::kFiniteChunk);
  }
  return plan;
}

Value magnitudeBits(KernelBuilder &b, Value element) {
  unsigned width = element.getType().getIntOrFloatBitWidth();
  Type type = b.getIntegerType(width);
  Value bits = arith::BitcastOp::create(b, type, element);
  return arith::AndIOp::create(b, bits, b.integer(width == 64 ? INT64_MAX : INT32_MAX, type));
}

Value infinityBits(KernelBuilder &b, Type compute) {
  auto type = cast<FloatType>(compute);
  llvm::APInt bits = llvm::APFloat::getInf(type.getFloatSemantics()).bitcastToAPInt();
  return b.integer(bits.getSExtValue(), b.getIntegerType(type.getWidth()));
}

static void emitChunk(KernelBuilder &b, Value chunk, Value found, Value sqnorm) {
  Type compute = b.computeTypeOf({chunk});
  Value largest = b.scalarBuffer(b.getIntegerType(compute.getIntOrFloatBitWidth()));
  Value sum = b.scalarBuffer(compute);
  b.storeScalar(b.integer(0, cast<MemRefType>(largest.getType()).getElementType()), largest);
  b.storeScalar(b.number(0, compute), sum);
  b.reduce({chunk}, {largest, sum}, [&](ValueRange v) -> KernelBuilder::Values {
    // Not a fused multiply-add: LLVM does not know that as a reduction.
    Value square = arith::MulFOp::create(b, v[0], v[0]);
    return {arith::MaxUIOp::create(b, v[1], magnitudeBits(b, v[0])), arith::AddFOp::create(b, v[2], square)};
  });
  Value isFound =
      arith::CmpIOp::create(b, arith::CmpIPredicate::uge, b.loadScalar(largest), infinityBits(b, compute));
  b.storeScalar(arith::ExtUIOp::create(b, b.getI32Type(), isFound), found);
  b.storeScalar(b.loadScalar(sum), sqnorm);
}

static void emitPartials(KernelBuilder &b, const KernelCall &call) {
  Value gradients = call.operands[0], found = call.operands[1], sqnorm = call.operands[2];
  int64_t elements = cast<MemRefType>(gradients.getType()).getNumElements();
  b.loop(call.lo, call.hi, 1, [&](Value chunk) {
    Value begin = b.times(chunk, amp::kFiniteChunk);
    Value end = b.smaller(b.plus(begin, amp::kFiniteChunk), b.index(elements));
    emitChunk(b, b.slice(gradients, 0, begin, end), b.slice(found, 0, chunk), b.slice(sqnorm, 0, chunk));
  });
}

static void emitCombine(KernelBuilder &b, amp::FiniteCombineOp op, const KernelCall &call) {
  Value any = b.scalarBuffer(b.getI32Type()), sum = b.scalarBuffer(b.getF64Type());
  b.storeScalar(b.integer(0, b.getI32Type()), any);
  b.storeScalar(b.number(0, b.getF64Type()), sum);
  for (Value found : op.getFound())
    b.reduce({call.input(found)}, {any},
             [&](ValueRange v) -> KernelBuilder::Values { return {arith::OrIOp::create(b, v[0], v[1])}; });
  // In order: the norm is one of the numbers that users compare between machines.
  for (Value partials : op.getPartials())
    b.reduce(
        {call.input(partials)}, {sum},
        [&](ValueRange v) -> KernelBuilder::Values { return {arith::AddFOp::create(b, v[1], v[0])}; },
        /*ordered=*/true);
  Value isFound =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ne, b.loadScalar(any), b.integer(0, b.getI32Type()));
  b.storeScalar(arith::ExtUIOp::create(b, b.getI32Type(), isFound), call.resultOf(op.getFoundInf()));
  b.storeScalar(b.loadScalar(sum), call.resultOf(op.getSqnorm()));
}

LogicalResult emitFinite(KernelBuilder &b, const KernelCall &call) {
  if (auto combine = dyn_cast<amp::FiniteCombineOp>(call.op()))
    b.loop(call.lo, call.hi, 1, [&](Value) { emitCombine(b, combine, call); });
  else
    emitPartials(b, call);
  return success();
}

} // namespace halfstep
