// Kernels that sum over rows: the parameter gradients of layer and root-mean-square normalisation, and the
// statistics and parameter gradients of batch normalisation. Memory is read in its own order and the sums of
// many columns are carried along in scratch, or, where a channel's pixels lie next to each other, in
// registers.
#include "codegen/cpu/SliceBuilder.h"

#include "dialect/nn/NNDialect.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace halfstep {

using Values = KernelBuilder::Values;

//===----------------------------------------------------------------------===//
// Layer normalisation
//===----------------------------------------------------------------------===//

/// Columns of an item: a whole number of cache lines of any result type.
static constexpr int64_t kColumnsPerItem = 32;
/// Columns that are summed at a time: both sums stay in the first-level cache.
static constexpr int64_t kColumnsAtOnce = 2048;
/// Rows that are added in one pass over the sums.
static constexpr int64_t kRowsAtOnce = 4;

namespace {

/// Of nn.layer_norm_backward_params, whose second sum is that of the gradients, and of
/// nn.rms_norm_backward_scale, which has neither it nor a mean.
template <typename Op>
class NormColumns : public SliceBuilder {
public:
  NormColumns(const KernelBuilder &outer, const KernelCall &call, Op op)
      : SliceBuilder(outer, call), rows(shape(op).first), columns(shape(op).second) {}

  static constexpr bool kHasMean = std::is_same_v<Op, nn::LayerNormBackwardParamsOp>;
  static constexpr unsigned kSums = kHasMean ? 2 : 1;

  static std::pair<int64_t, int64_t> shape(Op op) {
    auto type = cast<RankedTensorType>(op.getInput().getType());
    int64_t columns = ShapedType::getNumElements(type.getShape().drop_front(op.getAxis()));
    return {type.getNumElements() / columns, columns};
  }

  void emit(Value lo, Value hi) {
    Values held;
    for (unsigned i = 0; i < kSums; ++i)
      held.push_back(carve(std::min(columns, kColumnsAtOnce), compute));
    Value end = smaller(times(hi, kColumnsPerItem), index(columns));
    loop(times(lo, kColumnsPerItem), end, kColumnsAtOnce, [&](Value from) {
      Value width = smaller(minus(end, from), index(kColumnsAtOnce));
      Values sums = llvm::map_to_vector(held, [&](Value sum) { return span(sum, index(0), width); });
      for (Value sum : sums)
        fill(sum, 0);
      int64_t whole = rows / kRowsAtOnce * kRowsAtOnce;
      loop(index(0), index(whole), kRowsAtOnce,
           [&](Value row) { addRows(row, kRowsAtOnce, from, width, sums); });
      loop(index(whole), index(rows), 1, [&](Value row) { addRows(row, 1, from, width, sums); });
      for (auto [i, sum] : llvm::enumerate(sums))
        if (output(unsigned(i)))
          copy(sum, span(output(unsigned(i)), from, width));
    });
  }

private:
  void addRows(Value row, int64_t count, Value from, Value width, ValueRange sums) {
    Values ins, means, rstds;
    for (int64_t i = 0; i < count; ++i) {
      Value at = plus(row, i), start = plus(times(at, columns), from);
      ins.push_back(span(input(0), start, width));
      ins.push_back(span(input(1), start, width));
      if (kHasMean)
        means.push_back(load(input(2), at));
      rstds.push_back(load(input(kHasMean ? 3 : 2), at));
    }
    // Explicit fused multiply-adds: a column may be in a loop's vector part or in its remainder, depending on
    // how the columns are cut, and must come out the same.
    each(ins, sums, [&](ValueRange e) {
      Values next(e.drop_front(2 * count));
      for (int64_t i = 0; i < count; ++i) {
        Value centered = kHasMean ? sub(e[2 * i + 1], means[i]) : e[2 * i + 1];
        next[0] = fma(e[2 * i], mul(centered, rstds[i]), next[0]);
        if (kHasMean)
          next[1] = add(next[1], e[2 * i]);
      }
      return next;
    });
  }

  const int64_t rows, columns;
};

//===----------------------------------------------------------------------===//
// Batch normalisation
//===----------------------------------------------------------------------===//

/// [images, channels, pixels]: the shape of the input of batch normalisation.
struct ChannelShape {
  int64_t images, channels, pixels;
  int64_t count() const { return images * pixels; }
  /// Channels with few pixels are summed together, pixel by pixel, so that the loops are long.
  bool isNarrow() const { return pixels < kLeastWidePixels; }
  /// Channels that are summed together when they are narrow.
  int64_t channelsAtOnce() const { return std::min(channels, std::max<int64_t>(1, kColumnsAtOnce / pixels)); }

  static constexpr int64_t kLeastWidePixels = 512;
};

class BatchNormColumns : public SliceBuilder {
public:
  BatchNormColumns(const KernelBuilder &outer, const KernelCall &call, ChannelShape shape)
      : SliceBuilder(outer, call), shape(shape), lo(call.lo), hi(call.hi) {}

  void emit(nn::BatchNormStatsOp op) {
    if (!shape.isNarrow())
      return loop(lo, hi, 1, [&](Value channel) { emitWide(op, channel); });
    int64_t columns = shape.channelsAtOnce() * shape.pixels;
    Value sums = carve(columns, compute), centers = carve(columns, compute);
    eachGroup([&](Value first, Value end) { emitNarrow(op, first, end, sums, centers); });
  }

  void emit(nn::BatchNormBackwardParamsOp op) {
    if (!shape.isNarrow())
      return loop(lo, hi, 1, [&](Value channel) { emitWideGradients(channel); });
    int64_t columns = shape.channelsAtOnce() * shape.pixels;
    Values sums{carve(columns, compute), carve(columns, compute)};
    Value centers = carve(columns, compute);
    eachGroup([&](Value first, Value end) { emitNarrowGradients(first, end, sums, centers); });
  }

private:
  /// The pixels of channels from `channel` on, in all images.
  template <typename Count>
  void eachImage(Value channel, ValueRange buffers, Count count, function_ref<void(ValueRange)> body) {
    loop(shape.images, [&](Value image) {
      Value from = times(plus(times(image, shape.channels), channel), shape.pixels);
      body(llvm::map_to_vector(buffers, [&](Value buffer) { return span(buffer, from, count); }));
    });
  }

  void eachGroup(function_ref<void(Value, Value)> body) {
    loop(lo, hi, shape.channelsAtOnce(),
         [&](Value first) { body(first, smaller(plus(first, shape.channelsAtOnce()), hi)); });
  }

  /// Sum over the pixels of a channel in a buffer of the group that begins with `first`.
  Value sumOfChannel(Value sums, Value channel, Value first) {
    Value pixels = span(sums, times(minus(channel, first), shape.pixels), shape.pixels);
    return sum(pixels, cells(1), [](ValueRange e) { return Values{e[0]}; })[0];
  }

  Value perElement(Value sum) { return div(sum, number(static_cast<double>(shape.count()))); }

  /// Stores what follows from the mean and the sum of the squared distances to it. For a channel of one
  /// element, where the unbiased variance does not exist, it is taken to be 0.
  void finishStatistics(nn::BatchNormStatsOp op, Value channel, Value center, Value squares) {
    double momentum = op.getMomentum().convertToDouble();
    Value rstd = reciprocalSqrt(add(perElement(squares), number(op.getEps().convertToDouble())));
    Value unbiased = div(squares, number(static_cast<double>(std::max<int64_t>(1, shape.count() - 1))));
    auto blend = [&](Value running, Value batch) {
      return add(mul(number(1 - momentum), load(running, channel)), mul(number(momentum), batch));
    };
    store(center, output(0), channel);
    store(rstd, output(1), channel);
    store(blend(input(1), center), output(2), channel);
    store(blend(input(2), unbiased), output(3), channel);
  }

  void emitWide(nn::BatchNormStatsOp op, Value channel) {
    auto total = [&](Body terms) {
      Values cell = cells(1);
      clear(cell);
      eachImage(channel, input(0), shape.pixels, [&](ValueRange x) { accumulate(x, cell, terms); });
      return loadScalar(cell[0]);
    };
    Value center = perElement(total([](ValueRange e) { return Values{e[0]}; }));
    Value squares = total([&](ValueRange e) {
      Value distance = sub(e[0], center);
      return Values{mul(distance, distance)};
    });
    finishStatistics(op, channel, center, squares);
  }

  void emitNarrow(nn::BatchNormStatsOp op, Value first, Value end, Value sumBuffer, Value centerBuffer) {
    Value width = times(minus(end, first), shape.pixels);
    Value sums = span(sumBuffer, index(0), width), centers = span(centerBuffer, index(0), width);
    fill(sums, 0);
    eachImage(first, input(0), width,
              [&](ValueRange x) { each(x, sums, [&](ValueRange e) { return Values{add(e[1], e[0])}; }); });
    loop(first, end, 1, [&](Value channel) {
      spread(perElement(sumOfChannel(sumBuffer, channel, first)), centerBuffer, channel, first);
    });
    fill(sums, 0);
    eachImage(first, input(0), width, [&](ValueRange x) {
      each({x[0], centers}, sums, [&](ValueRange e) {
        Value distance = sub(e[0], e[1]);
        return Values{fma(distance, distance, e[2])};
      });
    });
    loop(first, end, 1, [&](Value channel) {
      Value center = load(centerBuffer, times(minus(channel, first), shape.pixels));
      finishStatistics(op, channel, center, sumOfChannel(sumBuffer, channel, first));
    });
  }

  /// A value for all pixels of a channel.
  void spread(Value value, Value buffer, Value channel, Value first) {
    Value pixels = span(buffer, times(minus(channel, first), shape.pixels), shape.pixels);
    each({}, pixels, [&](ValueRange) { return Values{value}; });
  }

  void finishGradients(Value channel, Value products, Value grads) {
    store(mul(products, load(input(3), channel)), output(0), channel);
    store(grads, output(1), channel);
  }

  void emitWideGradients(Value channel) {
    Values sums = cells(2);
    Value center = load(input(2), channel);
    clear(sums);
    eachImage(channel, {input(0), input(1)}, shape.pixels, [&](ValueRange buffers) {
      accumulate(buffers, sums, [&](ValueRange e) { return Values{mul(e[0], sub(e[1], center)), e[0]}; });
    });
    finishGradients(channel, loadScalar(sums[0]), loadScalar(sums[1]));
  }

  void emitNarrowGradients(Value first, Value end, ValueRange sumBuffers, Value centerBuffer) {
    Value width = times(minus(end, first), shape.pixels), centers = span(centerBuffer, index(0), width);
    Values sums = llvm::map_to_vector(sumBuffers, [&](Value sum) { return span(sum, index(0), width); });
    loop(first, end, 1,
         [&](Value channel) { spread(load(input(2), channel), centerBuffer, channel, first); });
    for (Value sum : sums)
      fill(sum, 0);
    eachImage(first, {input(0), input(1)}, width, [&](ValueRange buffers) {
      each({buffers[0], buffers[1], centers}, sums,
           [&](ValueRange e) { return Values{fma(e[0], sub(e[1], e[2]), e[3]), add(e[4], e[0])}; });
    });
    loop(first, end, 1, [&](Value channel) {
      finishGradients(channel, sumOfChannel(sumBuffers[0], channel, first),
                      sumOfChannel(sumBuffers[1], channel, first));
    });
  }

  const ChannelShape shape;
  const Value lo, hi;
};

} // namespace

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

static ChannelShape channelShape(Value input) {
  auto type = cast<RankedTensorType>(input.getType());
  return {type.getDimSize(0), type.getDimSize(1), ShapedType::getNumElements(type.getShape().drop_front(2))};
}

template <typename Op>
static ContractionPlan planNorm(Op op) {
  constexpr int64_t flopsAnElement = 5;
  auto [rows, columns] = NormColumns<Op>::shape(op);
  int64_t elements = rows * kColumnsPerItem;
  ContractionPlan plan;
  plan.items = llvm::divideCeil(columns, kColumnsPerItem);
  plan.grain = grainOf(elements * (elementBytes(op.getGrad()) + elementBytes(op.getInput())),
                       elements * flopsAnElement);
  plan.scratchBytes = NormColumns<Op>::kSums *
                      KernelBuilder::carvedBytes({std::min(columns, kColumnsAtOnce)}, sliceComputeType(op));
  return plan;
}

/// `buffers`: how many buffers of sums the narrow form takes.
static ContractionPlan planBatchNorm(Operation *op, Value input, int64_t bytesAnElement, int64_t buffers) {
  constexpr int64_t flopsAnElement = 4;
  ChannelShape shape = channelShape(input);
  ContractionPlan plan;
  plan.items = shape.channels;
  plan.grain = grainOf(shape.count() * bytesAnElement, shape.count() * flopsAnElement);
  if (shape.isNarrow())
    plan.scratchBytes =
        buffers * KernelBuilder::carvedBytes({shape.channelsAtOnce() * shape.pixels}, sliceComputeType(op));
  return plan;
}

ContractionPlan planColumn(train::KernelOp kernel, const CpuLevel &level) {
  return TypeSwitch<Operation *, ContractionPlan>(coreOf(kernel))
      .Case<nn::LayerNormBackwardParamsOp, nn::RmsNormBackwardScaleOp>([](auto op) { return planNorm(op); })
      .Case([](nn::BatchNormStatsOp op) {
        return planBatchNorm(op, op.getInput(), elementBytes(op.getInput()), /*buffers=*/2);
      })
      .Case([](nn::BatchNormBackwardParamsOp op) {
        return planBatchNorm(op, op.getInput(), elementBytes(op.getInput()) + elementBytes(op.getGrad()),
                             /*buffers=*/3);
      })
      .Default(ContractionPlan());
}

LogicalResult emitColumn(KernelBuilder &b, const KernelCall &call) {
  return TypeSwitch<Operation *, LogicalResult>(call.op())
      .Case<nn::LayerNormBackwardParamsOp, nn::RmsNormBackwardScaleOp>([&](auto op) {
        NormColumns<decltype(op)>(b, call, op).emit(call.lo, call.hi);
        return success();
      })
      .Case<nn::BatchNormStatsOp, nn::BatchNormBackwardParamsOp>([&](auto op) {
        BatchNormColumns(b, call, channelShape(op.getInput())).emit(op);
        return success();
      })
      .Default([](Operation *op) { return op->emitOpError("has no column kernel"); });
}

} // namespace halfstep
