// Padding, gathering, scattering and cropping of images.
#include "codegen/cpu/ConvolutionGather.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/bit.h"

using namespace mlir;

namespace halfstep {

/// What a band adds to scratch stays below this, half of a second-level cache.
static constexpr int64_t bandBytes = 512 << 10;
/// Pixels beyond which the sums of a weight gradient are read and written rarely enough.
static constexpr int64_t enoughPixels = 256;
/// Rows of this many vectors or fewer are unrolled.
static constexpr int64_t unrolledVectors = 4;

/// The tallest band that divides the output's height and whose rows fit.
static int64_t chooseBand(int64_t outHeight, int64_t rowBytes) {
  for (int64_t rows = outHeight; rows > 1; --rows)
    if (outHeight % rows == 0 && rows * rowBytes <= bandBytes)
      return rows;
  return 1;
}

/// The most images that divide all of them and do not exceed what is enough.
static int64_t chooseImages(int64_t images, int64_t pixels) {
  for (int64_t count = std::min(images, enoughPixels / pixels); count > 1; --count)
    if (images % count == 0)
      return count;
  return 1;
}

ConvolutionGeometry::ConvolutionGeometry(const ConvolutionSpec &spec, const ElementForm &form) : spec(spec) {
  ciGroup = spec.ci / spec.groups;
  coGroup = spec.co / spec.groups;
  taps = ciGroup * spec.kh * spec.kw;
  outHeight = spec.outHeight();
  outWidth = spec.outWidth();
  outPixels = outHeight * outWidth;
  height =
      std::max(spec.padTop + spec.h, (outHeight - 1) * spec.strideH + spec.dilationH * (spec.kh - 1) + 1);
  width = std::max(spec.padLeft + spec.w, (outWidth - 1) * spec.strideW + spec.dilationW * (spec.kw - 1) + 1);
  imageElements = ciGroup * height * width;
  slack = (spec.strideW + 1) * form.lanes;

  bool forward = spec.kind == ConvolutionKind::Forward;
  int64_t depth = forward ? taps : llvm::alignTo(coGroup, form.lanes);
  bandRows = chooseBand(outHeight, form.steps(depth) * form.panelBytes() * outWidth);
  bands = outHeight / bandRows;
  bandPixels = bandRows * outWidth;
  // Pairs are of pixels of one image.
  if (spec.kind == ConvolutionKind::BackwardWeights && bands == 1 && bandPixels % form.depthPerStep == 0)
    images = chooseImages(spec.n, bandPixels);
  pixel = form.pairs() && spec.kind != ConvolutionKind::BackwardData ? form.storage : form.compute;
  // A vector more than the pixels need: whole stores may run over, and rows do not share cache sets.
  columnStride = llvm::alignTo(images * bandPixels, form.lanes) + form.lanes;
}

/// body(offset, elements in use) for each vector of a row of `count` elements.
static void forEachRowVector(ContractionBuilder &b, int64_t count, function_ref<void(Value, int64_t)> body) {
  int64_t lanes = b.form.lanes, whole = count / lanes;
  if (whole <= unrolledVectors)
    for (int64_t i = 0; i < whole; ++i)
      body(b.index(i * lanes), lanes);
  else
    b.loop(b.index(0), b.index(whole * lanes), lanes, [&](Value offset) { body(offset, lanes); });
  if (count > whole * lanes)
    body(b.index(whole * lanes), count - whole * lanes);
}

/// Start of a row of the image proper, in the padded image.
static Value interiorRow(ContractionBuilder &b, const ConvolutionGeometry &g, Value channel, Value row) {
  Value line = b.plus(b.plus(b.times(channel, g.height), row), g.spec.padTop);
  return b.plus(b.times(line, g.width), g.spec.padLeft);
}

static Value imageRow(ContractionBuilder &b, const ConvolutionGeometry &g, Value at, Value channel,
                      Value row) {
  return b.plus(at, b.times(b.plus(b.times(channel, g.spec.h), row), g.spec.w));
}

void emitPadImage(ContractionBuilder &b, const ConvolutionGeometry &g, Value image, Value at,
                  PanelRange channels, Value padded, Value to) {
  b.loop(channels.lo, channels.hi, 1, [&](Value channel) {
    b.loop(g.spec.h, [&](Value row) {
      Value source = imageRow(b, g, at, channel, row), target = b.plus(to, interiorRow(b, g, channel, row));
      forEachRowVector(b, g.spec.w, [&](Value offset, int64_t count) {
        Value pixels = b.load(image, b.plus(source, offset), b.form.lanes, count);
        if (g.pixel == b.form.compute)
          pixels = b.widen(pixels);
        b.store(pixels, padded, b.plus(target, offset), count);
      });
    });
  });
}

void emitCropImage(ContractionBuilder &b, const ConvolutionGeometry &g, Value padded, Value image, Value at,
                   Value bias, Value biasAt) {
  b.loop(g.ciGroup, [&](Value channel) {
    Value shift;
    if (bias)
      shift = vector::BroadcastOp::create(b, b.vectorOf(b.form.compute),
                                          b.widen(b.loadScalar(bias, b.plus(biasAt, channel))));
    b.loop(g.spec.h, [&](Value row) {
      Value from = interiorRow(b, g, channel, row), to = imageRow(b, g, at, channel, row);
      forEachRowVector(b, g.spec.w, [&](Value offset, int64_t count) {
        Value pixels = b.load(padded, b.plus(from, offset), b.form.lanes, count);
        if (shift)
          pixels = arith::AddFOp::create(b, pixels, shift);
        b.store(b.round(pixels, image), image, b.plus(to, offset), count);
      });
    });
  });
}

/// Where a tap meets the padded image for the first pixel of the output.
static Value tapOrigin(ContractionBuilder &b, const ConvolutionGeometry &g, Value tap) {
  const ConvolutionSpec &spec = g.spec;
  Value channel = b.quotient(tap, spec.kh * spec.kw), inKernel = b.remainder(tap, spec.kh * spec.kw);
  Value y = b.quotient(inKernel, spec.kw), x = b.remainder(inKernel, spec.kw);
  Value line = b.plus(b.times(channel, g.height), b.times(y, spec.dilationH));
  return b.plus(b.times(line, g.width), b.times(x, spec.dilationW));
}

/// For each output row of the band: body(offset of its pixels in the padded image, offset in the columns).
static void forEachOutputRow(ContractionBuilder &b, const ConvolutionGeometry &g, Value firstRow,
                             function_ref<void(Value, Value)> body) {
  b.loop(g.bandRows, [&](Value row) {
    body(b.times(b.plus(firstRow, row), g.spec.strideH * g.width), b.times(row, g.outWidth));
  });
}

/// A vector of every second element from `at`.
static Value loadEverySecond(ContractionBuilder &b, Value flat, Value at) {
  int64_t lanes = b.form.lanes;
  SmallVector<int64_t> even;
  for (int64_t i = 0; i < lanes; ++i)
    even.push_back(2 * i);
  Value low = b.load(flat, at, lanes, lanes), high = b.load(flat, b.plus(at, lanes), lanes, lanes);
  return vector::ShuffleOp::create(b, low, high, even);
}

/// Writes a row of the output to the columns at `to`. `value(offset in the padded image, loader)` makes
/// elements, scalars or vectors, of the pixels that the loader loads.
static void gatherRow(ContractionBuilder &b, const ConvolutionGeometry &g, Value padded, Value columns,
                      Value to, function_ref<Value(Value, function_ref<Value(Value)>)> value) {
  int64_t lanes = b.form.lanes, stride = g.spec.strideW;
  if (stride > 2) {
    b.loop(g.outWidth, [&](Value x) {
      Value element = value(b.times(x, stride), [&](Value at) { return b.loadScalar(padded, at); });
      b.storeScalar(element, columns, b.plus(to, x));
    });
    return;
  }
  // Whole vectors: what runs over a row is overwritten by the next one, or lies in the slack of the last.
  forEachRowVector(b, g.outWidth, [&](Value offset, int64_t) {
    Value elements = value(b.times(offset, stride), [&](Value at) {
      return stride == 1 ? b.load(padded, at, lanes, lanes) : loadEverySecond(b, padded, at);
    });
    b.store(elements, columns, b.plus(to, offset), lanes);
  });
}

void emitGatherColumns(ContractionBuilder &b, const ConvolutionGeometry &g, Value padded, Value from,
                       PanelRange taps, Value firstRow, Value columns, Value to) {
  b.loop(taps.lo, taps.hi, 1, [&](Value tap) {
    Value origin = b.plus(from, tapOrigin(b, g, tap));
    Value columnAt = b.plus(to, b.times(b.minus(tap, taps.lo), g.columnStride));
    forEachOutputRow(b, g, firstRow, [&](Value row, Value target) {
      Value start = b.plus(origin, row);
      gatherRow(b, g, padded, columns, b.plus(columnAt, target),
                [&](Value offset, function_ref<Value(Value)> load) { return load(b.plus(start, offset)); });
    });
  });
}

void emitGatherPanel(ContractionBuilder &b, const ConvolutionGeometry &g, Value padded, Value firstRow,
                     Value columns) {
  Value zero = b.index(0);
  if (!b.form.pairs())
    return emitGatherColumns(b, g, padded, zero, {zero, b.index(g.taps)}, firstRow, columns, zero);
  auto gatherStep = [&](Value step, bool whole) {
    Value tap = b.times(step, 2);
    Value first = tapOrigin(b, g, tap), second = whole ? tapOrigin(b, g, b.plus(tap, 1)) : Value();
    Value columnAt = b.times(step, g.columnStride);
    forEachOutputRow(b, g, firstRow, [&](Value row, Value target) {
      Value low = b.plus(first, row), high = whole ? b.plus(second, row) : Value();
      gatherRow(b, g, padded, columns, b.plus(columnAt, target),
                [&](Value offset, function_ref<Value(Value)> load) {
                  Value one = load(b.plus(low, offset));
                  return whole ? b.paired(one, load(b.plus(high, offset))) : b.extended(one);
                });
    });
  };
  b.loop(g.taps / 2, [&](Value step) { gatherStep(step, /*whole=*/true); });
  if (g.taps % 2 != 0)
    gatherStep(b.index(g.taps / 2), /*whole=*/false);
}

/// Adds `count` pixels of a row, not more than a vector, to neighbouring pixels. In pieces of any length that
/// are whole vectors, not masks: the next tap reads these pixels again soon, and a masked store cannot be
/// forwarded to a load.
static void scatterContiguous(ContractionBuilder &b, Value columns, Value from, int64_t count, Value padded,
                              Value to) {
  for (int64_t done = 0; done < count;) {
    int64_t length = llvm::bit_floor(uint64_t(count - done));
    Value at = b.plus(to, done);
    Value sum = arith::AddFOp::create(b, b.load(padded, at, length, length),
                                      b.load(columns, b.plus(from, done), length, length));
    b.store(sum, padded, at, length);
    done += length;
  }
}

/// The same for every second pixel: zeros are added to those between.
static void scatterEverySecond(ContractionBuilder &b, Value columns, Value from, int64_t count, Value padded,
                               Value to) {
  int64_t lanes = b.form.lanes;
  Value pixels = b.load(columns, from, lanes, count), zero = b.zeroVector(b.form.compute);
  for (int64_t half = 0; half < 2 && half * lanes < 2 * count; ++half) {
    SmallVector<int64_t> spread;
    for (int64_t i = 0; i < lanes; ++i)
      spread.push_back(i % 2 == 0 ? (half * lanes + i) / 2 : lanes);
    Value at = b.plus(to, half * lanes), terms = vector::ShuffleOp::create(b, pixels, zero, spread);
    b.store(arith::AddFOp::create(b, b.load(padded, at, lanes, lanes), terms), padded, at, lanes);
  }
}

static void scatterRow(ContractionBuilder &b, const ConvolutionGeometry &g, Value columns, Value from,
                       Value padded, Value to) {
  int64_t stride = g.spec.strideW;
  if (stride <= 2) {
    forEachRowVector(b, g.outWidth, [&](Value offset, int64_t count) {
      Value source = b.plus(from, offset), target = b.plus(to, b.times(offset, stride));
      if (stride == 1)
        scatterContiguous(b, columns, source, count, padded, target);
      else
        scatterEverySecond(b, columns, source, count, padded, target);
    });
    return;
  }
  b.loop(g.outWidth, [&](Value x) {
    Value at = b.plus(to, b.times(x, stride));
    Value sum = arith::AddFOp::create(b, b.loadScalar(padded, at), b.loadScalar(columns, b.plus(from, x)));
    b.storeScalar(sum, padded, at);
  });
}

void emitScatterColumns(ContractionBuilder &b, const ConvolutionGeometry &g, Value columns, PanelRange taps,
                        Value firstRow, Value padded) {
  b.loop(taps.lo, taps.hi, 1, [&](Value tap) {
    Value origin = tapOrigin(b, g, tap), columnAt = b.times(b.minus(tap, taps.lo), g.columnStride);
    forEachOutputRow(b, g, firstRow, [&](Value row, Value target) {
      scatterRow(b, g, columns, b.plus(columnAt, target), padded, b.plus(origin, row));
    });
  });
}

} // namespace halfstep
