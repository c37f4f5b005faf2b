// Kernels of group normalisation that sum: an item is a group of channels of one image, whose elements lie
// next to each other.
#include "codegen/cpu/SliceBuilder.h"

#include "dialect/nn/NNDialect.h"

using namespace mlir;

namespace halfstep {

using Values = KernelBuilder::Values;

namespace {

struct GroupShape {
  GroupShape(Value input, int64_t groupsOfImage) : groupsOfImage(groupsOfImage) {
    ArrayRef<int64_t> shape = cast<RankedTensorType>(input.getType()).getShape();
    channels = shape[1] / groupsOfImage;
    pixels = ShapedType::getNumElements(shape.drop_front(2));
    items = shape[0] * groupsOfImage;
  }

  int64_t groupsOfImage, items;
  /// Channels of a group, pixels of a channel.
  int64_t channels, pixels;
  int64_t count() const { return channels * pixels; }
};

class GroupBuilder : public SliceBuilder {
public:
  GroupBuilder(const KernelBuilder &outer, const KernelCall &call, GroupShape shape)
      : SliceBuilder(outer, call), shape(shape) {}

  void emitStatistics(Value item, double eps) {
    Value x = span(input(0), times(item, shape.count()), shape.count());
    Value center = perElement(sum(x, cells(1), [](ValueRange e) { return Values{e[0]}; })[0]);
    Value squares = sum(x, cells(1), [&](ValueRange e) {
      Value distance = sub(e[0], center);
      return Values{mul(distance, distance)};
    })[0];
    storeForChannels(item, {center, reciprocalSqrt(add(perElement(squares), number(eps)))}, /*first=*/0);
  }

  void emitSums(Value item) {
    Value firstOfGroup = times(remainder(item, shape.groupsOfImage), shape.channels);
    Value zero = number(0), firstRow = times(item, shape.channels);
    Values totals = carry(index(0), index(shape.channels), 1, {zero, zero}, [&](Value i, ValueRange old) {
      Value row = plus(firstRow, i), scale = load(input(4), plus(firstOfGroup, i));
      Values sums = sumsOfChannel(row);
      store(sums[0], output(0), row);
      store(sums[1], output(1), row);
      return Values{add(old[0], mul(scale, sums[0])), add(old[1], mul(scale, sums[1]))};
    });
    storeForChannels(item, {perElement(totals[0]), perElement(totals[1])}, /*first=*/2);
  }

private:
  /// The sums of grad * x' and of grad over the pixels of a channel of an image, which `row` counts.
  Values sumsOfChannel(Value row) {
    Value from = times(row, shape.pixels), center = load(input(2), row);
    Values sums = sum({span(input(0), from, shape.pixels), span(input(1), from, shape.pixels)}, cells(2),
                      [&](ValueRange e) { return Values{mul(e[0], sub(e[1], center)), e[0]}; });
    return {mul(sums[0], load(input(3), row)), sums[1]};
  }

  Value perElement(Value total) { return div(total, number(double(shape.count()))); }

  /// Stores one value a result, from result `first` on, for each channel of the group.
  void storeForChannels(Value item, ValueRange values, unsigned first) {
    loop(shape.channels, [&](Value i) {
      for (auto [result, value] : llvm::enumerate(values))
        store(value, output(first + unsigned(result)), plus(times(item, shape.channels), i));
    });
  }

  const GroupShape shape;
};

GroupShape shapeOf(Operation *op) {
  if (auto stats = dyn_cast<nn::GroupNormStatsOp>(op))
    return {stats.getInput(), int64_t(stats.getGroups())};
  auto sums = cast<nn::GroupNormBackwardSumsOp>(op);
  return {sums.getInput(), int64_t(sums.getGroups())};
}

} // namespace

ContractionPlan planGroup(train::KernelOp kernel, const CpuLevel &) {
  constexpr int64_t flopsAnElement = 4;
  Operation *op = coreOf(kernel);
  GroupShape shape = shapeOf(op);
  int64_t bytes = 0;
  for (Value operand : op->getOperands())
    bytes += cast<RankedTensorType>(operand.getType()).getNumElements() * elementBytes(operand);
  ContractionPlan plan;
  plan.items = shape.items;
  plan.grain = grainOf(bytes / shape.items, shape.count() * flopsAnElement);
  return plan;
}

LogicalResult emitGroup(KernelBuilder &b, const KernelCall &call) {
  GroupBuilder builder(b, call, shapeOf(call.op()));
  builder.loop(call.lo, call.hi, 1, [&](Value item) {
    if (auto stats = dyn_cast<nn::GroupNormStatsOp>(call.op()))
      builder.emitStatistics(item, stats.getEps().convertToDouble());
    else
      builder.emitSums(item);
  });
  return success();
}

} // namespace halfstep
