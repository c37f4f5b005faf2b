// train.weigh and train.accumulate: gradients are summed over batches.
//
// Where the old sum is of no use it is not multiplied with 0: it may be infinite or NaN.
#include "codegen/cpu/KernelEmitters.h"
#include "codegen/cpu/UpdateRules.h"

#include "dialect/amp/AmpDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace halfstep {

ContractionPlan planAccumulate(train::KernelOp kernel, const CpuLevel &) {
  ContractionPlan plan;
  if (!isa<train::AccumulateOp>(coreOf(kernel)))
    return plan;
  SmallVector<KernelOperand> operands = kernelOperands(kernel);
  MemRefType gradients = operands.front().type, sums = operands.back().type;
  plan.items = sums.getNumElements() / amp::kGroupPadding;
  int64_t bytes = (gradients.getElementTypeBitWidth() + 2 * sums.getElementTypeBitWidth()) / 8;
  plan.grain = grainOf(bytes * amp::kGroupPadding, 2 * amp::kGroupPadding);
  return plan;
}

static Value isFirst(KernelBuilder &b, Value first) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, b.loadScalar(first),
                               b.integer(0, b.getI32Type()));
}

/// Operands: the rows, where they are counted; whether this is the first batch; the weight; the sum.
static void emitWeigh(KernelBuilder &b, train::WeighOp op, const KernelCall &call) {
  Formula d(b, b.getF64Type());
  Value first = call.operands.drop_back(2).back(), weight = call.operands.drop_back().back(),
        sum = call.operands.back();
  b.loop(call.lo, call.hi, 1, [&](Value) {
    Value own = op.getRows()      ? d.cast(b.loadScalar(call.operands.front()))
                : op.getSamples() ? d.number(op.getSamples()->convertToDouble())
                                  : d.number(1);
    bool isMean = op.getRows() || op.getSamples();
    Value total =
        isMean ? arith::SelectOp::create(b, isFirst(b, first), own, d.add(b.loadScalar(sum), own)).getResult()
               : own;
    b.storeScalar(own, weight);
    b.storeScalar(total, sum);
  });
}

/// Operands: gradients; weight; whether this is the first batch; sums.
static void emitSums(KernelBuilder &b, const KernelCall &call) {
  Value gradients = call.operands[0], sums = call.operands[3];
  Value begin = b.times(call.lo, amp::kGroupPadding), end = b.times(call.hi, amp::kGroupPadding);
  Formula f(b, b.computeTypeOf({gradients, sums}));
  Value weight = f.cast(b.loadScalar(call.operands[1])), first = isFirst(b, call.operands[2]);
  b.update({b.slice(gradients, 0, begin, end)}, {b.slice(sums, 0, begin, end)},
           [&](ValueRange v) -> KernelBuilder::Values {
             Value old = arith::SelectOp::create(b, first, f.number(0), v[1]);
             return {f.fma(weight, v[0], old)};
           });
}

LogicalResult emitAccumulate(KernelBuilder &b, const KernelCall &call) {
  if (auto weigh = dyn_cast<train::WeighOp>(call.op()))
    emitWeigh(b, weigh, call);
  else
    emitSums(b, call);
  return success();
}

} // namespace halfstep
