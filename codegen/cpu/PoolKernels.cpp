// Kernels of pooling. An item is one plane (one channel of one image). Windows that lie inside the image are
// done a row at a time, all taps of the window in one loop along the row; those that reach into the padding,
// and those of large kernels, one by one.
#include "codegen/cpu/SliceBuilder.h"

#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace halfstep {

using Values = KernelBuilder::Values;

namespace {

/// Windows of kernelH x kernelW over a plane of height x width. Padding counts from the top and the left;
/// what it is at the other sides follows from the result's extents.
struct PoolShape {
  int64_t planes, height, width, outHeight, outWidth;
  int64_t kernelH = 1, kernelW = 1, strideH = 1, strideW = 1, padTop = 0, padLeft = 0, padBottom = 0,
          padRight = 0;
  bool excludePad = false;

  int64_t pixels() const { return height * width; }
  int64_t outPixels() const { return outHeight * outWidth; }
  bool isPadded() const { return padTop || padLeft || padBottom || padRight; }
  /// One window, which is the plane.
  bool isGlobal() const { return kernelH == height && kernelW == width && !isPadded(); }

  /// From the types of image and pooled image.
  PoolShape(Value image, Value pooled) {
    auto type = cast<RankedTensorType>(image.getType()), out = cast<RankedTensorType>(pooled.getType());
    planes = type.getDimSize(0) * type.getDimSize(1);
    height = type.getDimSize(2), width = type.getDimSize(3);
    outHeight = out.getDimSize(2), outWidth = out.getDimSize(3);
  }
  template <typename PoolOp>
  PoolShape(Value image, Value pooled, PoolOp op) : PoolShape(image, pooled) {
    kernelH = op.getKernel()[0], kernelW = op.getKernel()[1];
    strideH = op.getStride()[0], strideW = op.getStride()[1];
    padTop = op.getPadding()[0], padLeft = op.getPadding()[1];
    padBottom = op.getPadding()[2], padRight = op.getPadding()[3];
  }
};

class PoolBuilder : public SliceBuilder {
public:
  PoolBuilder(const KernelBuilder &outer, const KernelCall &call, PoolShape shape)
      : SliceBuilder(outer, call), shape(shape), lo(call.lo), hi(call.hi) {}

  void emit(nn::MaxPool2dOp op);
  void emit(nn::MaxPool2dBackwardOp op);
  void emit(nn::AvgPool2dOp op);
  void emit(nn::AvgPool2dBackwardOp op);

private:
  /// Rows y..yEnd and columns x..xEnd of a plane: the part of a window that lies inside the image.
  struct Inside {
    Value y, yEnd, x, xEnd;
  };
  /// Does the windows `first`..`end` of row `outRow` of the result, which lie inside the image; `taps` has
  /// the places of their elements, as many slices as the kernel has.
  using RowBody = function_ref<void(Value plane, Value outRow, int64_t first, int64_t end)>;
  using WindowBody = function_ref<void(Value plane, Value outRow, Value outColumn)>;

  void eachPlane(function_ref<void(Value)> body) { loop(lo, hi, 1, body); }
  void eachWindow(RowBody row, WindowBody window);
  Inside inside(Value outRow, Value outColumn);
  Values taps(Value plane, Value outRow, int64_t first, int64_t end);
  Value placeInResult(Value plane, Value outRow, Value outColumn) {
    return plus(times(plus(times(plane, shape.outHeight), outRow), shape.outWidth), outColumn);
  }
  /// Best element and its place after a candidate.
  Values better(Value best, Value place, Value candidate, Value candidatePlace);
  void emitMaxRow(Value plane, Value outRow, int64_t first, int64_t end);
  void emitMaxWindow(Value plane, Value outRow, Value outColumn);
  Value divisor(const Inside &window);
  void emitMeanRow(Value plane, Value outRow, int64_t first, int64_t end);
  void emitMeanWindow(Value plane, Value outRow, Value outColumn, Value sumCell);
  void emitGlobalMean(Value plane);
  void spread(Value plane, Value target, Value start, Value rowSums);

  const PoolShape shape;
  const Value lo, hi;
};

} // namespace

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

/// The windows of one dimension that lie inside the image: first and end.
static std::pair<int64_t, int64_t> wholeWindows(int64_t extent, int64_t kernel, int64_t stride, int64_t pad,
                                                int64_t windows) {
  int64_t first = llvm::divideCeil(pad, stride);
  int64_t end = extent + pad < kernel ? 0 : std::min(windows, (extent + pad - kernel) / stride + 1);
  return {first, std::max(first, end)};
}

void PoolBuilder::eachWindow(RowBody row, WindowBody window) {
  // Beyond this the taps of a row do not fit into the registers.
  constexpr int64_t mostTaps = 16;
  auto [top, bottom] =
      wholeWindows(shape.height, shape.kernelH, shape.strideH, shape.padTop, shape.outHeight);
  auto [left, right] = wholeWindows(shape.width, shape.kernelW, shape.strideW, shape.padLeft, shape.outWidth);
  if (shape.kernelH * shape.kernelW > mostTaps || left >= right)
    top = bottom = 0;
  eachPlane([&](Value plane) {
    auto windows = [&](int64_t fromRow, int64_t toRow, int64_t from, int64_t to) {
      if (fromRow < toRow && from < to)
        loop(index(fromRow), index(toRow), 1, [&](Value outRow) {
          loop(index(from), index(to), 1, [&](Value outColumn) { window(plane, outRow, outColumn); });
        });
    };
    windows(0, top, 0, shape.outWidth);
    if (top < bottom)
      loop(index(top), index(bottom), 1, [&](Value outRow) { row(plane, outRow, left, right); });
    windows(top, bottom, 0, left);
    windows(top, bottom, right, shape.outWidth);
    windows(bottom, shape.outHeight, 0, shape.outWidth);
  });
}

PoolBuilder::Inside PoolBuilder::inside(Value outRow, Value outColumn) {
  Value y = plus(times(outRow, shape.strideH), -shape.padTop);
  Value x = plus(times(outColumn, shape.strideW), -shape.padLeft);
  return {larger(y, index(0)), smaller(plus(y, shape.kernelH), index(shape.height)), larger(x, index(0)),
          smaller(plus(x, shape.kernelW), index(shape.width))};
}

/// For each tap, row by row, the elements of all windows of a row that it meets.
Values PoolBuilder::taps(Value plane, Value outRow, int64_t first, int64_t end) {
  Value y = plus(times(outRow, shape.strideH), -shape.padTop);
  Value start =
      plus(times(plus(times(plane, shape.height), y), shape.width), first * shape.strideW - shape.padLeft);
  Values slices;
  for (int64_t ky = 0; ky < shape.kernelH; ++ky)
    for (int64_t kx = 0; kx < shape.kernelW; ++kx)
      slices.push_back(span(input(0), plus(start, ky * shape.width + kx), end - first, shape.strideW));
  std::reverse(slices.begin(), slices.end());
  return slices;
}

//===----------------------------------------------------------------------===//
// Maximum
//===----------------------------------------------------------------------===//

/// Unordered or greater takes a NaN; none is taken after it.
Values PoolBuilder::better(Value best, Value place, Value candidate, Value candidatePlace) {
  Value greater = arith::CmpFOp::create(*this, arith::CmpFPredicate::UGT, candidate, best);
  Value open = arith::CmpFOp::create(*this, arith::CmpFPredicate::ORD, best, best);
  Value take = arith::AndIOp::create(*this, greater, open);
  return {arith::SelectOp::create(*this, take, candidate, best),
          arith::SelectOp::create(*this, take, candidatePlace, place)};
}

void PoolBuilder::emitMaxRow(Value plane, Value outRow, int64_t first, int64_t end) {
  Value y = plus(times(outRow, shape.strideH), -shape.padTop);
  Value start = toI32(plus(times(y, shape.width), first * shape.strideW - shape.padLeft));
  Value at = placeInResult(plane, outRow, index(first));
  Values outs;
  for (Value result : {output(0), output(1)})
    if (result)
      outs.push_back(span(result, at, end - first));
  each(taps(plane, outRow, first, end), outs, [&](ValueRange e) {
    auto i32 = [&](int64_t value) { return integer(value, getI32Type()); };
    Value corner = arith::AddIOp::create(*this, start,
                                         arith::MulIOp::create(*this, toI32(position()), i32(shape.strideW)));
    int64_t count = shape.kernelH * shape.kernelW;
    Values best{e[count - 1], corner};
    for (int64_t tap = 1; tap < count; ++tap) {
      int64_t offset = tap / shape.kernelW * shape.width + tap % shape.kernelW;
      best = better(best[0], best[1], e[count - 1 - tap], arith::AddIOp::create(*this, corner, i32(offset)));
    }
    return !output(1) ? Values{best[0]} : !output(0) ? Values{best[1]} : best;
  });
}

void PoolBuilder::emitMaxWindow(Value plane, Value outRow, Value outColumn) {
  Inside window = inside(outRow, outColumn);
  Value start = times(plane, shape.pixels());
  Value corner = plus(times(window.y, shape.width), window.x);
  Values best{load(input(0), plus(start, corner)), toI32(corner)};
  best = carry(window.y, window.yEnd, 1, best, [&](Value y, ValueRange rowBest) {
    return carry(window.x, window.xEnd, 1, rowBest, [&](Value x, ValueRange b) {
      Value place = plus(times(y, shape.width), x);
      return better(b[0], b[1], load(input(0), plus(start, place)), toI32(place));
    });
  });
  Value at = placeInResult(plane, outRow, outColumn);
  store(best[0], output(0), at);
  store(best[1], output(1), at);
}

void PoolBuilder::emit(nn::MaxPool2dOp op) {
  eachWindow(
      [&](Value plane, Value outRow, int64_t first, int64_t end) { emitMaxRow(plane, outRow, first, end); },
      [&](Value plane, Value outRow, Value outColumn) { emitMaxWindow(plane, outRow, outColumn); });
}

/// True where sums over a plane cannot be taken in the result without rounding each.
static bool needsPlaneInScratch(Operation *op) {
  return isa<nn::MaxPool2dBackwardOp, nn::AvgPool2dBackwardOp>(op) &&
         getElementTypeOrSelf(op->getResult(0)) != sliceComputeType(op);
}

void PoolBuilder::emit(nn::MaxPool2dBackwardOp op) {
  Value buffer = needsPlaneInScratch(op) ? carve(shape.pixels(), compute) : Value();
  eachPlane([&](Value plane) {
    Value start = times(plane, shape.pixels()), from = times(plane, shape.outPixels());
    Value result = span(output(0), start, shape.pixels());
    Value target = buffer ? buffer : output(0), offset = buffer ? index(0) : start;
    fill(buffer ? buffer : result, 0);
    loop(shape.outPixels(), [&](Value i) {
      Value place = arith::IndexCastOp::create(*this, getIndexType(), loadScalar(input(1), plus(from, i)));
      Value at = plus(offset, place);
      store(add(load(target, at), load(input(0), plus(from, i))), target, at);
    });
    if (buffer)
      copy(buffer, result);
  });
}

//===----------------------------------------------------------------------===//
// Mean
//===----------------------------------------------------------------------===//

/// The number of elements that the mean of a window is over.
Value PoolBuilder::divisor(const Inside &window) {
  if (!shape.excludePad)
    return number(static_cast<double>(shape.kernelH * shape.kernelW));
  return mul(toFloat(minus(window.yEnd, window.y)), toFloat(minus(window.xEnd, window.x)));
}

void PoolBuilder::emitMeanRow(Value plane, Value outRow, int64_t first, int64_t end) {
  Value result = span(output(0), placeInResult(plane, outRow, index(first)), end - first);
  each(taps(plane, outRow, first, end), result, [&](ValueRange e) {
    Value total = e[0];
    for (Value tap : e.slice(1, shape.kernelH * shape.kernelW - 1))
      total = add(total, tap);
    return Values{div(total, number(static_cast<double>(shape.kernelH * shape.kernelW)))};
  });
}

void PoolBuilder::emitMeanWindow(Value plane, Value outRow, Value outColumn, Value sumCell) {
  Inside window = inside(outRow, outColumn);
  clear(sumCell);
  loop(window.y, window.yEnd, 1, [&](Value y) {
    Value at = plus(times(plus(times(plane, shape.height), y), shape.width), window.x);
    accumulate(span(input(0), at, minus(window.xEnd, window.x)), sumCell,
               [](ValueRange e) { return Values{e[0]}; });
  });
  store(div(loadScalar(sumCell), divisor(window)), output(0), placeInResult(plane, outRow, outColumn));
}

void PoolBuilder::emitGlobalMean(Value plane) {
  Value pixels = span(input(0), times(plane, shape.pixels()), shape.pixels());
  Value total = sum(pixels, cells(1), [](ValueRange e) { return Values{e[0]}; })[0];
  store(div(total, number(static_cast<double>(shape.pixels()))), output(0), plane);
}

void PoolBuilder::emit(nn::AvgPool2dOp op) {
  if (shape.isGlobal())
    return eachPlane([&](Value plane) { emitGlobalMean(plane); });
  Value sumCell = scalarBuffer(compute);
  eachWindow(
      [&](Value plane, Value outRow, int64_t first, int64_t end) { emitMeanRow(plane, outRow, first, end); },
      [&](Value plane, Value outRow, Value outColumn) { emitMeanWindow(plane, outRow, outColumn, sumCell); });
}

void PoolBuilder::emit(nn::AvgPool2dBackwardOp op) {
  if (shape.isGlobal())
    return eachPlane([&](Value plane) {
      Value share = div(load(input(0), plane), number(static_cast<double>(shape.pixels())));
      each({}, span(output(0), times(plane, shape.pixels()), shape.pixels()),
           [&](ValueRange) { return Values{share}; });
    });
  Value rowSums = carve(shape.width, compute);
  Value buffer = needsPlaneInScratch(op) ? carve(shape.pixels(), compute) : Value();
  eachPlane([&](Value plane) {
    Value start = times(plane, shape.pixels());
    Value result = span(output(0), start, shape.pixels());
    fill(buffer ? buffer : result, 0);
    if (!buffer)
      return spread(plane, output(0), start, rowSums);
    spread(plane, buffer, index(0), rowSums);
    copy(buffer, result);
  });
}

/// Adds the gradients of a plane's windows, each divided by its divisor, to the plane at `start` of `target`:
/// first along the row, then the same row to all rows of the windows.
void PoolBuilder::spread(Value plane, Value target, Value start, Value rowSums) {
  loop(shape.outHeight, [&](Value outRow) {
    fill(rowSums, 0);
    loop(shape.outWidth, [&](Value outColumn) {
      Inside window = inside(outRow, outColumn);
      Value share = div(load(input(0), placeInResult(plane, outRow, outColumn)), divisor(window));
      loop(window.x, window.xEnd, 1, [&](Value x) { store(add(load(rowSums, x), share), rowSums, x); });
    });
    Inside rows = inside(outRow, index(0));
    loop(rows.y, rows.yEnd, 1, [&](Value y) {
      each(rowSums, span(target, plus(start, times(y, shape.width)), shape.width),
           [&](ValueRange e) { return Values{add(e[1], e[0])}; });
    });
  });
}

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

static PoolShape poolShape(Operation *op) {
  return TypeSwitch<Operation *, PoolShape>(op)
      .Case([](nn::MaxPool2dOp pool) { return PoolShape(pool.getInput(), pool.getResult(), pool); })
      .Case([](nn::MaxPool2dBackwardOp pool) { return PoolShape(pool.getResult(), pool.getGrad()); })
      .Case([](nn::AvgPool2dOp pool) {
        PoolShape shape(pool.getInput(), pool.getResult(), pool);
        shape.excludePad = pool.getExcludePad();
        return shape;
      })
      .Default([](Operation *op) {
        auto pool = cast<nn::AvgPool2dBackwardOp>(op);
        PoolShape shape(pool.getResult(), pool.getGrad(), pool);
        shape.excludePad = pool.getExcludePad();
        return shape;
      });
}

ContractionPlan planPool(train::KernelOp kernel, const CpuLevel &level) {
  constexpr int64_t flopsATap = 4;
  Operation *op = sliceOp(kernel);
  PoolShape shape = poolShape(op);
  Type compute = sliceComputeType(op);
  ContractionPlan plan;
  plan.items = shape.planes;
  plan.grain = grainOf((shape.pixels() + shape.outPixels()) * elementBytes(op->getResult(0)),
                       shape.outPixels() * shape.kernelH * shape.kernelW * flopsATap);
  if (isa<nn::AvgPool2dBackwardOp>(op) && !shape.isGlobal())
    plan.scratchBytes = KernelBuilder::carvedBytes({shape.width}, compute);
  if (needsPlaneInScratch(op))
    plan.scratchBytes += KernelBuilder::carvedBytes({shape.pixels()}, compute);
  return plan;
}

LogicalResult emitPool(KernelBuilder &b, const KernelCall &call) {
  return TypeSwitch<Operation *, LogicalResult>(call.op())
      .Case<nn::MaxPool2dOp, nn::MaxPool2dBackwardOp, nn::AvgPool2dOp, nn::AvgPool2dBackwardOp>([&](auto op) {
        PoolBuilder(b, call, poolShape(op)).emit(op);
        return success();
      })
      .Default([](Operation *op) { return op->emitOpError("has no pool kernel"); });
}

} // namespace halfstep
