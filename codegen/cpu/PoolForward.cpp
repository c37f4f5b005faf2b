// Maxima and means of windows. Windows that have all their columns inside the image are done a vector at a
// time, one window a lane, where their elements lie next to each other or at every other place; the rest, and
// windows of large kernels, one by one.
#include "codegen/cpu/PoolBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/bit.h"

using namespace mlir;

namespace halfstep {

using Values = KernelBuilder::Values;

//===----------------------------------------------------------------------===//
// Which windows are done together
//===----------------------------------------------------------------------===//

/// Kernels of more elements than this are not unrolled.
static constexpr int64_t kMostTaps = 25;
/// Code is made for this many groups of rows that differ in the part of the kernel inside the image.
static constexpr int64_t kMostRowGroups = 3;

SmallVector<PoolBuilder::RowGroup> PoolBuilder::rowGroups() const {
  SmallVector<RowGroup> groups;
  for (int64_t row = 0; row < shape.outHeight; ++row) {
    int64_t top = row * shape.strideH - shape.padTop;
    int64_t first = std::max<int64_t>(0, -top), end = std::min(shape.kernelH, shape.height - top);
    if (groups.empty() || groups.back().firstTap != first || groups.back().endTap != end)
      groups.push_back({row, row, first, end});
    ++groups.back().to;
  }
  return groups;
}

/// Lanes of the vectors for a row of so many windows; 0 if they are done one by one.
int64_t PoolBuilder::windowLanes(int64_t windows) {
  if (windows < 1 || shape.taps() > kMostTaps || shape.strideW > 2 || !shape.isRegular())
    return 0;
  // The instructions that round to bf16 take eight elements or more.
  int64_t least = getElementTypeOrSelf(input(0).getType()).isBF16() ? 8 : 4;
  int64_t lanes = std::min<int64_t>(level.vectorBits / compute.getIntOrFloatBitWidth(),
                                    llvm::bit_floor(uint64_t(windows)));
  return lanes < least ? 0 : lanes;
}

void PoolBuilder::eachWindow(WindowsBody many, WindowBody one) {
  auto [left, right] = shape.wholeColumns();
  SmallVector<RowGroup> groups = rowGroups();
  if (windowLanes(right - left) == 0 || int64_t(groups.size()) > kMostRowGroups) {
    groups = {{0, shape.outHeight, 0, shape.kernelH}};
    left = right = 0;
  }
  eachPlane([&](Value plane) {
    for (const RowGroup &group : groups)
      loop(index(group.from), index(group.to), 1, [&](Value outRow) {
        auto oneByOne = [&](int64_t from, int64_t to) {
          if (from < to)
            loop(index(from), index(to), 1, [&](Value outColumn) { one(plane, outRow, outColumn); });
        };
        oneByOne(0, left);
        if (left < right)
          eachInRow(plane, outRow, group, left, right, many);
        oneByOne(right, shape.outWidth);
      });
  });
}

//===----------------------------------------------------------------------===//
// Windows of a row
//===----------------------------------------------------------------------===//

void PoolBuilder::eachInRow(Value plane, Value outRow, const RowGroup &group, int64_t left, int64_t right,
                            WindowsBody many) {
  int64_t lanes = windowLanes(right - left), whole = (right - left) / lanes * lanes;
  Value y = plus(times(outRow, shape.strideH), group.firstTap - shape.padTop);
  auto vectorOfWindows = [&](Value outColumn) {
    ElementForm form = elementForm(cast<MemRefType>(input(0).getType()).getElementType(), level, false);
    form.compute = compute;
    form.lanes = lanes;
    ContractionBuilder vectors(*this, getLoc(), level, form);
    Value corner = plus(times(y, shape.width), plus(times(outColumn, shape.strideW), -shape.padLeft));
    Value start = plus(times(plane, shape.pixels()), corner);
    Values taps;
    for (int64_t row = 0; row < group.endTap - group.firstTap; ++row)
      addTaps(vectors, plus(start, row * shape.width), taps);
    many({vectors, group.endTap - group.firstTap, taps, corner, resultAt(plane, outRow, outColumn)});
  };
  loop(index(left), index(left + whole), lanes, vectorOfWindows);
  // The last vector overlaps the one before: its windows come out the same again.
  if (whole < right - left)
    vectorOfWindows(index(right - lanes));
}

Value PoolBuilder::loadVector(ContractionBuilder &vectors, Value at, int64_t lanes, int64_t count) {
  return vectors.widen(vectors.load(input(0), at, lanes, count));
}

void PoolBuilder::storeVector(ContractionBuilder &vectors, Value value, Value flatBuffer, Value at) {
  if (isa<FloatType>(cast<MemRefType>(flatBuffer.getType()).getElementType()))
    value = vectors.round(value, flatBuffer);
  vectors.store(value, flatBuffer, at, cast<VectorType>(value.getType()).getNumElements());
}

/// The taps of one row of the kernel; `at` is the first window's first element in that row.
void PoolBuilder::addTaps(ContractionBuilder &vectors, Value at, Values &taps) {
  int64_t lanes = vectors.form.lanes;
  if (shape.strideW == 1) {
    for (int64_t x = 0; x < shape.kernelW; ++x)
      taps.push_back(loadVector(vectors, plus(at, x), lanes, lanes));
    return;
  }
  // With a stride of 2, two neighbouring taps are the even and the odd elements of two vectors.
  auto everyOther = [&](Value wide, int64_t first) {
    SmallVector<int64_t> places;
    for (int64_t lane = 0; lane < lanes; ++lane)
      places.push_back(first + 2 * lane);
    taps.push_back(vector::ShuffleOp::create(*this, wide, wide, places));
  };
  for (int64_t x = 0; x + 1 < shape.kernelW; x += 2) {
    Value wide = loadVector(vectors, plus(at, x), 2 * lanes, 2 * lanes);
    everyOther(wide, 0);
    everyOther(wide, 1);
  }
  // Nothing behind the last window is read: it may be the end of the image.
  if (shape.kernelW == 1)
    everyOther(loadVector(vectors, at, 2 * lanes, 2 * lanes - 1), 0);
  else if (shape.kernelW % 2 == 1)
    everyOther(loadVector(vectors, plus(at, shape.kernelW - 2), 2 * lanes, 2 * lanes), 1);
}

PoolBuilder::Inside PoolBuilder::inside(Value outRow, Value outColumn) {
  auto first = [&](Value start, int64_t padding, int64_t dilation) {
    // Before the image, the first of the window's places that is in it.
    Value ahead = plus(start, llvm::alignTo(padding, dilation));
    return larger(start, dilation == 1 ? index(0) : remainder(ahead, dilation));
  };
  auto end = [&](Value start, int64_t kernel, int64_t dilation, int64_t extent) {
    return smaller(plus(start, dilation * (kernel - 1) + 1), index(extent));
  };
  Value y = plus(times(outRow, shape.strideH), -shape.padTop);
  Value x = plus(times(outColumn, shape.strideW), -shape.padLeft);
  return {first(y, shape.padTop, shape.dilationH), end(y, shape.kernelH, shape.dilationH, shape.height),
          first(x, shape.padLeft, shape.dilationW), end(x, shape.kernelW, shape.dilationW, shape.width)};
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

void PoolBuilder::emitMaxima(const Windows &windows) {
  auto type = VectorType::get(windows.vectors.form.lanes, getI32Type());
  auto placesFrom = [&](int64_t first, int64_t step) -> Value {
    SmallVector<int32_t> places;
    for (int64_t lane = 0; lane < type.getNumElements(); ++lane)
      places.push_back(int32_t(first + lane * step));
    return arith::ConstantOp::create(*this, DenseElementsAttr::get(type, ArrayRef(places)));
  };
  Value corner = vector::BroadcastOp::create(*this, type, toI32(windows.corner));
  corner = arith::AddIOp::create(*this, corner, placesFrom(0, shape.strideW));
  Values best{windows.taps[0], corner};
  for (int64_t tap = 1; tap < int64_t(windows.taps.size()); ++tap) {
    int64_t offset = tap / shape.kernelW * shape.width + tap % shape.kernelW;
    Value place = arith::AddIOp::create(*this, corner, placesFrom(offset, 0));
    best = better(best[0], best[1], windows.taps[tap], place);
  }
  for (unsigned i : {0u, 1u})
    if (output(i))
      storeVector(windows.vectors, best[i], output(i), windows.at);
}

void PoolBuilder::emitMaximum(Value plane, Value outRow, Value outColumn) {
  Inside window = inside(outRow, outColumn);
  Value start = times(plane, shape.pixels());
  Value corner = plus(times(window.y, shape.width), window.x);
  Values best{load(input(0), plus(start, corner)), toI32(corner)};
  best = carry(window.y, window.yEnd, shape.dilationH, best, [&](Value y, ValueRange rowBest) {
    return carry(window.x, window.xEnd, shape.dilationW, rowBest, [&](Value x, ValueRange old) {
      Value place = plus(times(y, shape.width), x);
      return better(old[0], old[1], load(input(0), plus(start, place)), toI32(place));
    });
  });
  Value at = resultAt(plane, outRow, outColumn);
  store(best[0], output(0), at);
  store(best[1], output(1), at);
}

void PoolBuilder::emit(nn::MaxPool2dOp op) {
  eachWindow([&](const Windows &windows) { emitMaxima(windows); },
             [&](Value plane, Value outRow, Value outColumn) { emitMaximum(plane, outRow, outColumn); });
}

//===----------------------------------------------------------------------===//
// Mean
//===----------------------------------------------------------------------===//

Value PoolBuilder::divisor(const Inside &window, Value outRow, Value outColumn) {
  if (!shape.excludePad && shape.isRegular())
    return number(static_cast<double>(shape.taps()));
  auto counted = [&](Value out, int64_t stride, int64_t before, int64_t kernel, int64_t end) {
    Value start = plus(times(out, stride), -before);
    return toFloat(minus(smaller(plus(start, kernel), index(end)), start));
  };
  if (!shape.excludePad)
    return mul(counted(outRow, shape.strideH, shape.padTop, shape.kernelH,
                       shape.height + shape.padBottom - shape.uncountedH),
               counted(outColumn, shape.strideW, shape.padLeft, shape.kernelW,
                       shape.width + shape.padRight - shape.uncountedW));
  return mul(toFloat(minus(window.yEnd, window.y)), toFloat(minus(window.xEnd, window.x)));
}

void PoolBuilder::emitMeans(const Windows &windows) {
  Value sum = windows.taps[0];
  for (Value tap : ArrayRef(windows.taps).drop_front())
    sum = add(sum, tap);
  int64_t count = shape.excludePad ? windows.tapRows * shape.kernelW : shape.taps();
  auto type = cast<VectorType>(sum.getType());
  auto divisor = DenseElementsAttr::get(type, getFloatAttr(compute, static_cast<double>(count)).getValue());
  storeVector(windows.vectors, div(sum, arith::ConstantOp::create(*this, divisor)), output(0), windows.at);
}

void PoolBuilder::emitMean(Value plane, Value outRow, Value outColumn) {
  Inside window = inside(outRow, outColumn);
  Value total = carry(window.y, window.yEnd, 1, number(0), [&](Value y, ValueRange rowTotal) {
    Value row = times(plus(times(plane, shape.height), y), shape.width);
    return carry(window.x, window.xEnd, 1, rowTotal,
                 [&](Value x, ValueRange old) { return Values{add(old[0], load(input(0), plus(row, x)))}; });
  })[0];
  store(div(total, divisor(window, outRow, outColumn)), output(0), resultAt(plane, outRow, outColumn));
}

void PoolBuilder::emitGlobalMean(Value plane) {
  Value pixels = span(input(0), times(plane, shape.pixels()), shape.pixels());
  Value total = sum(pixels, cells(1), [](ValueRange e) { return Values{e[0]}; })[0];
  store(div(total, number(static_cast<double>(shape.pixels()))), output(0), plane);
}

void PoolBuilder::emit(nn::AvgPool2dOp op) {
  if (shape.isGlobal())
    return eachPlane([&](Value plane) { emitGlobalMean(plane); });
  eachWindow([&](const Windows &windows) { emitMeans(windows); },
             [&](Value plane, Value outRow, Value outColumn) { emitMean(plane, outRow, outColumn); });
}

} // namespace halfstep
