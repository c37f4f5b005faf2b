// The three loops over planes of a depthwise convolution, a vector of neighbouring pixels at a time:
//
//   forward            y[p]      = sum over taps of weight[tap] * x[stride * p + tap]
//   backward data      dx[p]     = sum over taps of weight[tap] * dy[(p - tap) / stride], where that is whole
//   backward weights   dw[tap]   = sum over images and pixels of dy[p] * x[stride * p + tap]
//
// A plane is first copied, in the compute type, into scratch with zeros around it, so that no access needs a
// test. For backward data that is dy with zeros between its columns where the stride is 2; rows are chosen by
// the taps that meet them.
#include "codegen/cpu/DepthwiseConvolution.h"

#include "codegen/cpu/ConvolutionGather.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace halfstep {

using Values = SmallVector<Value>;

/// Taps that are unrolled at most.
static constexpr int64_t kMostTaps = 64;

bool isDepthwise(const ConvolutionSpec &spec) {
  return spec.groups == spec.ci && spec.ci == spec.co && spec.groups > 1 && spec.kh * spec.kw <= kMostTaps &&
         spec.strideW <= 2;
}

namespace {

struct DepthwiseLayout {
  DepthwiseLayout(const ConvolutionSpec &spec, const CpuLevel &level)
      : form(elementForm(spec.type, level, /*usePairs=*/false)), g(spec, form),
        reachH(spec.dilationH * (spec.kh - 1) + 1), reachW(spec.dilationW * (spec.kw - 1) + 1) {
    if (spec.kind != ConvolutionKind::BackwardData)
      return;
    top = int64_t(llvm::divideCeil(reachH - 1, spec.strideH));
    spreadRows = top + std::max(g.outHeight, (spec.padTop + spec.h - 1) / spec.strideH + 1);
    spreadWidth = reachW - 1 + std::max((g.outWidth - 1) * spec.strideW + 1, int64_t(spec.padLeft + spec.w));
  }

  ElementForm form;
  ConvolutionGeometry g;
  int64_t reachH, reachW;
  /// Backward data: rows of zeros above dy, rows and width of the plane of dy with its zeros.
  int64_t top = 0, spreadRows = 0, spreadWidth = 0;

  bool isData() const { return g.spec.kind == ConvolutionKind::BackwardData; }
  bool isWeights() const { return g.spec.kind == ConvolutionKind::BackwardWeights; }
  int64_t taps() const { return g.spec.kh * g.spec.kw; }
  int64_t items() const { return isWeights() ? g.spec.ci : g.spec.n * g.spec.ci; }
  /// Whole vectors may run over the end of the plane.
  int64_t planeElements() const {
    int64_t plane = isData() ? spreadRows * spreadWidth : g.imageElements;
    return int64_t(llvm::alignTo(plane + 3 * form.lanes * g.spec.strideW, form.lanes));
  }
  int64_t sumElements() const { return isWeights() ? taps() * form.lanes : 0; }
  int64_t elementBytes() const { return form.compute.getIntOrFloatBitWidth() / 8; }
  int64_t scratchBytes() const {
    int64_t plane = int64_t(llvm::alignTo(planeElements() * elementBytes(), 64));
    return plane + int64_t(llvm::alignTo(sumElements() * elementBytes(), 64));
  }
};

struct DepthwiseEmitter {
  DepthwiseEmitter(ContractionBuilder &b, const DepthwiseLayout &layout)
      : b(b), l(layout), g(layout.g), spec(layout.g.spec) {}

  ContractionBuilder &b;
  const DepthwiseLayout &l;
  const ConvolutionGeometry &g;
  const ConvolutionSpec &spec;
  Value input, other, bias, result, plane, sums;

  int64_t lanes() const { return b.form.lanes; }
  int64_t pixels() const { return spec.h * spec.w; }

  /// body(offset, elements in use) for each vector of a row.
  void eachVector(int64_t width, function_ref<void(Value, int64_t)> body) {
    int64_t whole = width / lanes() * lanes();
    if (whole == lanes())
      body(b.index(0), lanes());
    else if (whole > 0)
      b.loop(b.index(0), b.index(whole), lanes(), [&](Value offset) { body(offset, lanes()); });
    if (width > whole)
      body(b.index(whole), width - whole);
  }

  Value splat(Value flat, Value at) {
    return vector::BroadcastOp::create(b, b.vectorOf(b.form.compute), b.widen(b.loadScalar(flat, at)));
  }

  /// The filter of a channel, each tap in all lanes.
  Values filterOf(Value channel) {
    Values filter;
    for (int64_t tap = 0; tap < l.taps(); ++tap)
      filter.push_back(splat(other, b.plus(b.times(channel, l.taps()), tap)));
    return filter;
  }

  /// A vector of the plane in scratch, every `stride`-th element.
  Value loadPlane(Value at, int64_t stride) {
    if (stride == 1)
      return b.load(plane, at, lanes(), lanes());
    SmallVector<int64_t> even;
    for (int64_t i = 0; i < lanes(); ++i)
      even.push_back(2 * i);
    Value low = b.load(plane, at, lanes(), lanes()),
          high = b.load(plane, b.plus(at, lanes()), lanes(), lanes());
    return vector::ShuffleOp::create(b, low, high, even);
  }

  Value fma(Value a, Value factor, Value sum) { return vector::FMAOp::create(b, a, factor, sum); }

  void pad(Value item) {
    emitPadImage(b, g, input, b.times(item, pixels()), {b.index(0), b.index(1)}, plane, b.index(0));
  }

  //===--------------------------------------------------------------------===//
  // Forward
  //===--------------------------------------------------------------------===//

  void forward(Value item) {
    pad(item);
    Value channel = b.remainder(item, spec.ci);
    Values filter = filterOf(channel);
    Value shift = bias ? splat(bias, channel) : Value();
    b.loop(g.outHeight, [&](Value row) {
      Value from = b.times(row, spec.strideH * g.width);
      Value to = b.plus(b.times(item, g.outPixels), b.times(row, g.outWidth));
      eachVector(g.outWidth, [&](Value offset, int64_t count) {
        Value corner = b.plus(from, b.times(offset, spec.strideW)), sum = b.zeroVector(b.form.compute);
        for (int64_t tap = 0; tap < l.taps(); ++tap)
          sum = fma(filter[tap], loadPlane(b.plus(corner, placeOf(tap)), spec.strideW), sum);
        if (shift)
          sum = arith::AddFOp::create(b, sum, shift);
        b.store(b.round(sum, result), result, b.plus(to, offset), count);
      });
    });
  }

  /// Where a tap lies from the corner of its window in the padded plane.
  int64_t placeOf(int64_t tap) const {
    return tap / spec.kw * spec.dilationH * g.width + tap % spec.kw * spec.dilationW;
  }

  //===--------------------------------------------------------------------===//
  // Backward data
  //===--------------------------------------------------------------------===//

  /// Copies dy into the plane of zeros, its columns strideW apart.
  void spreadGradient(Value item) {
    b.loop(g.outHeight, [&](Value row) {
      Value from = b.plus(b.times(item, g.outPixels), b.times(row, g.outWidth));
      Value to = b.plus(b.times(b.plus(row, l.top), l.spreadWidth), l.reachW - 1);
      eachVector(g.outWidth, [&](Value offset, int64_t count) {
        Value pixels = b.widen(b.load(input, b.plus(from, offset), lanes(), count));
        Value at = b.plus(to, b.times(offset, spec.strideW));
        spec.strideW == 1 ? b.store(pixels, plane, at, count) : storeEverySecond(pixels, at, count);
      });
    });
  }

  void storeEverySecond(Value pixels, Value at, int64_t count) {
    Value zero = b.zeroVector(b.form.compute);
    int64_t used = 2 * count - 1;
    for (int64_t half = 0; half < 2 && half * lanes() < used; ++half) {
      SmallVector<int64_t> spread;
      for (int64_t i = 0; i < lanes(); ++i)
        spread.push_back(i % 2 == 0 ? (half * lanes() + i) / 2 : lanes());
      Value part = vector::ShuffleOp::create(b, pixels, zero, spread);
      b.store(part, plane, b.plus(at, half * lanes()), std::min(lanes(), used - half * lanes()));
    }
  }

  void backwardData(Value item) {
    spreadGradient(item);
    Value channel = b.remainder(item, spec.ci);
    Values filter = filterOf(channel);
    Value shift = bias ? splat(bias, channel) : Value();
    // Rows that meet the same rows of the filter, one loop each.
    for (int64_t first = 0; first < std::min(spec.strideH, spec.h); ++first) {
      int64_t rows = int64_t(llvm::divideCeil(spec.h - first, spec.strideH));
      b.loop(rows, [&](Value step) {
        Value row = b.plus(b.times(step, spec.strideH), first);
        Value to = b.plus(b.times(item, pixels()), b.times(row, spec.w));
        eachVector(spec.w, [&](Value offset, int64_t count) {
          Value sum = gradientOf(filter, first, b.plus(b.times(step, l.spreadWidth), offset));
          if (shift)
            sum = arith::AddFOp::create(b, sum, shift);
          b.store(b.round(sum, result), result, b.plus(to, offset), count);
        });
      });
    }
  }

  /// The sum over the taps that meet row `first` of the image; `corner` is what later rows and pixels add to
  /// places in the plane.
  Value gradientOf(ArrayRef<Value> filter, int64_t first, Value corner) {
    Value sum = b.zeroVector(b.form.compute);
    for (int64_t ky = 0; ky < spec.kh; ++ky) {
      int64_t distance = spec.padTop + first - ky * spec.dilationH;
      if (distance % spec.strideH != 0)
        continue;
      int64_t line = (l.top + distance / spec.strideH) * l.spreadWidth;
      for (int64_t kx = 0; kx < spec.kw; ++kx) {
        int64_t column = l.reachW - 1 + spec.padLeft - kx * spec.dilationW;
        sum = fma(filter[ky * spec.kw + kx], loadPlane(b.plus(corner, line + column), 1), sum);
      }
    }
    return sum;
  }

  //===--------------------------------------------------------------------===//
  // Backward weights
  //===--------------------------------------------------------------------===//

  /// Taps whose sums are in registers at a time: whole rows of the filter.
  int64_t tapsAtOnce() const {
    int64_t rows = std::max<int64_t>(1, (b.level.registers - 4) / spec.kw);
    return std::min(rows * spec.kw, l.taps());
  }

  void backwardWeights(Value channel) {
    emitClear(b, sums, l.sumElements());
    b.loop(spec.n, [&](Value image) {
      Value item = b.plus(b.times(image, spec.ci), channel);
      pad(item);
      for (int64_t tap = 0; tap < l.taps(); tap += tapsAtOnce())
        addImage(item, tap, std::min(tapsAtOnce(), l.taps() - tap));
    });
    for (int64_t tap = 0; tap < l.taps(); ++tap) {
      Value total = vector::ReductionOp::create(b, vector::CombiningKind::ADD, loadSum(tap));
      Value all = vector::BroadcastOp::create(b, b.vectorOf(b.form.compute), total);
      b.store(b.round(all, result), result, b.plus(b.times(channel, l.taps()), tap), 1);
    }
  }

  Value loadSum(int64_t tap) { return b.load(sums, b.index(tap * lanes()), lanes(), lanes()); }

  /// Adds what an image's plane gives to the sums of `count` taps.
  void addImage(Value item, int64_t firstTap, int64_t count) {
    Values held;
    for (int64_t i = 0; i < count; ++i)
      held.push_back(loadSum(firstTap + i));
    Value rows = b.index(g.outHeight);
    held = b.carry(b.index(0), rows, 1, held,
                   [&](Value row, ValueRange ofRows) { return addRow(item, row, firstTap, Values(ofRows)); });
    for (int64_t i = 0; i < count; ++i)
      b.store(held[i], sums, b.index((firstTap + i) * lanes()), lanes());
  }

  Values addRow(Value item, Value row, int64_t firstTap, Values held) {
    Value gradients = b.plus(b.times(item, g.outPixels), b.times(row, g.outWidth));
    Value from = b.times(row, spec.strideH * g.width);
    auto add = [&](Value offset, int64_t used, ValueRange old) {
      // Lanes behind the row are zeros of dy.
      Value dy = b.widen(b.load(other, b.plus(gradients, offset), lanes(), used));
      Value corner = b.plus(from, b.times(offset, spec.strideW));
      Values next;
      for (auto [i, sum] : llvm::enumerate(old))
        next.push_back(fma(dy, loadPlane(b.plus(corner, placeOf(firstTap + int64_t(i))), spec.strideW), sum));
      return next;
    };
    int64_t whole = g.outWidth / lanes() * lanes();
    if (whole > 0)
      held = b.carry(b.index(0), b.index(whole), lanes(), held,
                     [&](Value offset, ValueRange old) { return add(offset, lanes(), old); });
    return whole < g.outWidth ? add(b.index(whole), g.outWidth - whole, held) : held;
  }

  void run(Value lo, Value hi) {
    emitClear(b, plane, l.planeElements());
    b.loop(lo, hi, 1, [&](Value item) {
      l.isData() ? backwardData(item) : l.isWeights() ? backwardWeights(item) : forward(item);
    });
  }
};

} // namespace

ContractionPlan planDepthwise(const ConvolutionSpec &spec, const CpuLevel &level) {
  DepthwiseLayout l(spec, level);
  ContractionPlan plan;
  plan.items = l.items();
  plan.grain = grainFor(spec.n * spec.co * l.taps() * l.g.outPixels / plan.items, plan.items);
  plan.scratchBytes = l.scratchBytes();
  return plan;
}

void emitDepthwise(OpBuilder &builder, Location loc, const ConvolutionSpec &spec, const CpuLevel &level,
                   Value input, Value other, Value bias, Value result, Value lo, Value hi, Value scratch) {
  DepthwiseLayout layout(spec, level);
  ContractionBuilder b(builder, loc, level, layout.form);
  DepthwiseEmitter emitter(b, layout);
  emitter.input = b.flat(input);
  emitter.other = b.flat(other);
  emitter.bias = bias ? b.flat(bias) : Value();
  emitter.result = b.flat(result);
  int64_t offset = 0;
  emitter.plane = b.carve(scratch, offset, layout.planeElements(), layout.form.compute);
  if (layout.isWeights())
    emitter.sums = b.carve(scratch, offset, layout.sumElements(), layout.form.compute);
  emitter.run(lo, hi);
  builder.setInsertionPoint(b.getInsertionBlock(), b.getInsertionPoint());
}

} // namespace halfstep
