// nn.class_mean: one item, since there is one number a row and the order of the sums is part of the result.
#include "codegen/cpu/ClassTargets.h"
#include "codegen/cpu/KernelEmitters.h"
#include "codegen/cpu/SliceBuilder.h"

#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace halfstep {

ContractionPlan planClassMean(train::KernelOp, const CpuLevel &) { return {}; }

LogicalResult emitClassMean(KernelBuilder &outer, const KernelCall &call) {
  SliceBuilder b(outer, call);
  auto op = cast<nn::ClassMeanOp>(call.op());
  int64_t rows = cast<RankedTensorType>(op.getValues().getType()).getNumElements();
  ClassTargets targets(b, b.input(1), op.getWeight() ? b.input(2) : Value(), op.getIgnoreIndex());
  Type wide = b.getF64Type();
  b.loop(call.lo, call.hi, 1, [&](Value) {
    auto add = [&](Value row, ValueRange sums) -> KernelBuilder::Values {
      ClassTargets::Row target = targets.at(row);
      Value value = b.convert(b.load(b.input(0), row), wide), weight = b.convert(target.weight, wide);
      return {arith::AddFOp::create(b, sums[0], value), arith::AddFOp::create(b, sums[1], weight)};
    };
    Value zero = b.KernelBuilder::number(0, wide), one = b.KernelBuilder::number(1, wide);
    KernelBuilder::Values sums = b.carry(b.index(0), b.index(rows), 1, {zero, zero}, add);
    auto store = [&](Value value, unsigned result) {
      if (Value place = b.output(result))
        b.store(b.convert(value, b.compute), place, b.index(0));
    };
    store(arith::DivFOp::create(b, sums[0], sums[1]), 0);
    store(sums[1], 1);
    store(arith::DivFOp::create(b, one, sums[1]), 2);
  });
  return success();
}

} // namespace halfstep
