// Sums over rows: the parameter gradients of layer normalisation, column by column, and the statistics and
// parameter gradients of batch normalisation, a block a channel.
#include "codegen/cuda/Columns.h"
#include "codegen/cuda/Forms.h"

#include "codegen/cpu/ColumnFormulas.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace halfstep {

//===----------------------------------------------------------------------===//
// Layer normalisation
//===----------------------------------------------------------------------===//

/// Rows and columns of the input.
static std::pair<int64_t, int64_t> matrixOf(nn::LayerNormBackwardParamsOp op) {
  auto type = cast<RankedTensorType>(op.getInput().getType());
  int64_t columns = ShapedType::getNumElements(type.getShape().drop_front(op.getAxis()));
  return {type.getNumElements() / columns, columns};
}

static void emitLayerNorm(KernelBuilder &outer, const KernelCall &call, nn::LayerNormBackwardParamsOp op) {
  SliceBuilder b(outer, call);
  auto [rows, columns] = matrixOf(op);
  Columns threads(b, columns, rows);
  Values parts = threads.carry({b.number(0), b.number(0)}, [&](Value row, ValueRange old) {
    Value at = b.plus(b.times(row, columns), threads.column());
    Value grad = b.load(b.input(0), at);
    Value normal = b.mul(b.sub(b.load(b.input(1), at), b.load(b.input(2), row)), b.load(b.input(3), row));
    return Values{b.fma(grad, normal, old[0]), b.add(old[1], grad)};
  });
  for (Value &part : parts)
    part = threads.sum(part);
  threads.first([&] {
    for (unsigned i : {0u, 1u})
      b.store(parts[i], b.output(i), threads.column());
  });
}

//===----------------------------------------------------------------------===//
// Batch normalisation
//===----------------------------------------------------------------------===//

static int64_t channelTeam(const ChannelExtents &extents) {
  constexpr int64_t many = 16384;
  return extents.count() >= many ? 1024 : extents.count() > kWarp ? 256 : kWarp;
}

namespace {

/// Builds the work of one team on one channel.
class ChannelThreads : public SliceBuilder {
public:
  ChannelThreads(const KernelBuilder &outer, const KernelCall &call, ChannelExtents extents, Value channel)
      : SliceBuilder(outer, call), extents(extents), team(*this, channelTeam(extents)), channel(channel) {}

  void emit(nn::BatchNormStatsOp op) {
    Value center = perElement(sums(1, [&](Value at) { return Values{load(input(0), at)}; })[0]);
    Value squares = sums(1, [&](Value at) {
      Value distance = sub(load(input(0), at), center);
      return Values{mul(distance, distance)};
    })[0];
    team.first([&] { storeStatistics(*this, op, extents.count(), channel, center, squares); });
  }

  void emit(nn::BatchNormBackwardParamsOp) {
    Value center = load(input(2), channel);
    Values both = sums(2, [&](Value at) {
      Value grad = load(input(0), at);
      return Values{mul(grad, sub(load(input(1), at), center)), grad};
    });
    team.first([&] {
      store(mul(both[0], load(input(3), channel)), output(0), channel);
      store(both[1], output(1), channel);
    });
  }

private:
  const ChannelExtents extents;
  Team team;
  const Value channel;

  Value perElement(Value sum) { return div(sum, number(static_cast<double>(extents.count()))); }

  /// Sums over the channel of terms at an element of the tensor.
  Values sums(unsigned count, function_ref<Values(Value)> terms) {
    Values zeros(count, number(0));
    Values parts = team.carry(extents.count(), zeros, [&](Value place, ValueRange old) {
      Value image = quotient(place, extents.pixels), pixel = remainder(place, extents.pixels);
      Value plane = plus(times(image, extents.channels), channel);
      Values next = terms(plus(times(plane, extents.pixels), pixel));
      for (auto [value, sum] : llvm::zip_equal(next, old))
        value = add(sum, value);
      return next;
    });
    for (Value &part : parts)
      part = team.sum(part);
    return parts;
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

static LaunchShape channelsShape(Value input) {
  ChannelExtents extents = channelExtents(input);
  return teamsFor(extents.channels, channelTeam(extents));
}

LaunchShape columnShape(train::KernelOp kernel) {
  return llvm::TypeSwitch<Operation *, LaunchShape>(coreOf(kernel))
      .Case([](nn::LayerNormBackwardParamsOp op) {
        auto [rows, columns] = matrixOf(op);
        return columnsShape(columns, rows);
      })
      .Case<nn::BatchNormStatsOp, nn::BatchNormBackwardParamsOp>(
          [](auto op) { return channelsShape(op.getInput()); });
}

LogicalResult emitColumnThreads(KernelBuilder &b, const KernelCall &call) {
  auto emitChannels = [&](auto op) {
    ChannelExtents extents = channelExtents(op.getInput());
    forTeam(b, extents.channels, channelTeam(extents),
            [&](Value channel) { ChannelThreads(b, call, extents, channel).emit(op); });
  };
  llvm::TypeSwitch<Operation *>(call.op())
      .Case([&](nn::LayerNormBackwardParamsOp op) { emitLayerNorm(b, call, op); })
      .Case<nn::BatchNormStatsOp, nn::BatchNormBackwardParamsOp>(emitChannels);
  return success();
}

} // namespace halfstep
