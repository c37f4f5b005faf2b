// Kernels of kind "rotary": pairs of columns of each head turned by the angles of their place. An item is a
// place of a sample; a head is two loops over half of its columns each.
#include "codegen/cpu/SliceBuilder.h"

#include "dialect/nn/NNDialect.h"

using namespace mlir;

namespace halfstep {

using Values = KernelBuilder::Values;

namespace {

class RotaryBuilder : public SliceBuilder {
public:
  RotaryBuilder(const KernelBuilder &outer, const KernelCall &call, nn::RotaryOp op)
      : SliceBuilder(outer, call), op(op),
        places(cast<RankedTensorType>(op.getInput().getType()).getDimSize(1)),
        columns(cast<RankedTensorType>(op.getInput().getType()).getDimSize(2)),
        depth(cast<RankedTensorType>(op.getCos().getType()).getDimSize(1)) {}

  void emit(Value item) {
    Value table = times(remainder(item, places), depth);
    loop(columns / depth, [&](Value head) {
      Value at = plus(times(item, columns), times(head, depth));
      emitHead(at, table);
    });
  }

private:
  nn::RotaryOp op;
  const int64_t places, columns, depth;

  /// Member `which` of all pairs of a row.
  Value half(Value buffer, Value from, int64_t which) {
    if (op.getInterleaved())
      return span(buffer, plus(from, which), depth / 2, /*stride=*/2);
    return span(buffer, plus(from, which * (depth / 2)), depth / 2);
  }

  void emitHead(Value at, Value table) {
    Values ins;
    for (unsigned operand : {0u, 1u, 2u})
      for (int64_t which : {0, 1})
        ins.push_back(half(input(operand), operand == 0 ? at : table, which));
    Values outs{half(output(0), at, 0), half(output(0), at, 1)};
    each(ins, outs, [&](ValueRange e) {
      Value x0 = e[0], x1 = e[1], cos0 = e[2], cos1 = e[3], sin0 = e[4], sin1 = e[5];
      if (op.getTransposed())
        return Values{add(mul(x0, cos0), mul(x1, sin1)), sub(mul(x1, cos1), mul(x0, sin0))};
      return Values{sub(mul(x0, cos0), mul(x1, sin0)), add(mul(x1, cos1), mul(x0, sin1))};
    });
  }
};

} // namespace

ContractionPlan planRotary(train::KernelOp kernel, const CpuLevel &level) {
  auto op = cast<nn::RotaryOp>(coreOf(kernel));
  auto type = cast<RankedTensorType>(op.getInput().getType());
  constexpr int64_t flopsAnElement = 3;
  ContractionPlan plan;
  plan.items = type.getDimSize(0) * type.getDimSize(1);
  plan.grain =
      grainOf(2 * type.getDimSize(2) * elementBytes(op.getInput()), flopsAnElement * type.getDimSize(2));
  return plan;
}

LogicalResult emitRotary(KernelBuilder &b, const KernelCall &call) {
  RotaryBuilder builder(b, call, cast<nn::RotaryOp>(call.op()));
  builder.loop(call.lo, call.hi, 1, [&](Value item) { builder.emit(item); });
  return success();
}

} // namespace halfstep
