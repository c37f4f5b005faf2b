// Kernels of pooling: their plans, and the gradients, which are added into planes of zeros.
#include "codegen/cpu/PoolBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace halfstep {

using Values = KernelBuilder::Values;

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

template <typename PoolOp>
static void setWindow(PoolShape &shape, PoolOp op) {
  ArrayRef<int64_t> kernel = op.getKernel(), stride = op.getStride(), padding = op.getPadding();
  shape.kernelH = kernel[0], shape.kernelW = kernel[1];
  shape.strideH = stride[0], shape.strideW = stride[1];
  shape.padTop = padding[0], shape.padLeft = padding[1];
  shape.padBottom = padding[2], shape.padRight = padding[3];
}

PoolShape::PoolShape(Operation *op) {
  bool isForward = isa<nn::MaxPool2dOp, nn::AvgPool2dOp>(op);
  auto from = cast<RankedTensorType>(op->getOperand(0).getType());
  auto to = cast<RankedTensorType>(op->getResult(0).getType());
  ArrayRef<int64_t> image = (isForward ? from : to).getShape(), pooled = (isForward ? to : from).getShape();
  planes = image[0] * image[1];
  height = image[2], width = image[3];
  outHeight = pooled[2], outWidth = pooled[3];
  TypeSwitch<Operation *>(op)
      .Case([&](nn::MaxPool2dOp pool) {
        setWindow(*this, pool);
        if (std::optional<ArrayRef<int64_t>> dilation = pool.getDilation())
          dilationH = (*dilation)[0], dilationW = (*dilation)[1];
      })
      .Case<nn::AvgPool2dOp, nn::AvgPool2dBackwardOp>([&](auto pool) {
        setWindow(*this, pool);
        excludePad = pool.getExcludePad();
        if (std::optional<ArrayRef<int64_t>> uncounted = pool.getUncounted())
          uncountedH = (*uncounted)[0], uncountedW = (*uncounted)[1];
      });
}

std::pair<int64_t, int64_t> PoolShape::wholeColumns() const {
  int64_t first = llvm::divideCeil(padLeft, strideW), lastStart = width + padLeft - kernelW;
  int64_t end = lastStart < 0 ? 0 : std::min(outWidth, lastStart / strideW + 1);
  return first < end ? std::make_pair(first, end) : std::make_pair<int64_t, int64_t>(0, 0);
}

//===----------------------------------------------------------------------===//
// Backward
//===----------------------------------------------------------------------===//

bool needsPlaneInScratch(Operation *op) {
  return isa<nn::MaxPool2dBackwardOp, nn::AvgPool2dBackwardOp>(op) &&
         getElementTypeOrSelf(op->getResult(0)) != sliceComputeType(op);
}

void PoolBuilder::eachPlaneOfSums(function_ref<void(Value, Value, Value)> add) {
  Value buffer = needsPlaneInScratch(op) ? carve(shape.pixels(), compute) : Value();
  eachPlane([&](Value plane) {
    Value start = times(plane, shape.pixels());
    Value result = span(output(0), start, shape.pixels());
    fill(buffer ? buffer : result, 0);
    add(plane, buffer ? buffer : output(0), buffer ? index(0) : start);
    if (buffer)
      copy(buffer, result);
  });
}

void PoolBuilder::emit(nn::MaxPool2dBackwardOp op) {
  // One element takes as long to widen as a vector of them.
  Value wide = needsPlaneInScratch(op) ? carve(shape.outPixels(), compute) : Value();
  eachPlaneOfSums([&](Value plane, Value target, Value start) {
    Value from = times(plane, shape.outPixels());
    if (wide)
      copy(span(input(0), from, shape.outPixels()), wide);
    loop(shape.outPixels(), [&](Value i) {
      Value place = arith::IndexCastOp::create(*this, getIndexType(), loadScalar(input(1), plus(from, i)));
      Value at = plus(start, place), gradient = wide ? load(wide, i) : load(input(0), plus(from, i));
      store(add(load(target, at), gradient), target, at);
    });
  });
}

void PoolBuilder::emit(nn::AvgPool2dBackwardOp op) {
  if (shape.isGlobal())
    return eachPlane([&](Value plane) {
      Value share = div(load(input(0), plane), number(static_cast<double>(shape.pixels())));
      each({}, span(output(0), times(plane, shape.pixels()), shape.pixels()),
           [&](ValueRange) { return Values{share}; });
    });
  Value rowSums = carve(shape.width, compute);
  eachPlaneOfSums([&](Value plane, Value target, Value start) { spread(plane, target, start, rowSums); });
}

void PoolBuilder::spreadInRow(const Inside &window, Value share, Value rowSums, bool isWhole) {
  auto addAt = [&](Value x) { store(add(load(rowSums, x), share), rowSums, x); };
  constexpr int64_t mostUnrolled = 8;
  if (!isWhole || shape.kernelW > mostUnrolled)
    return loop(window.x, window.xEnd, 1, addAt);
  for (int64_t x = 0; x < shape.kernelW; ++x)
    addAt(plus(window.x, x));
}

/// Adds the gradients of a plane's windows, each divided by its divisor, to the plane at `start` of `target`:
/// first along the row, then the same row to all rows of the windows.
void PoolBuilder::spread(Value plane, Value target, Value start, Value rowSums) {
  auto [left, right] = shape.wholeColumns();
  loop(shape.outHeight, [&](Value outRow) {
    fill(rowSums, 0);
    auto columns = [&](int64_t from, int64_t to, bool areWhole) {
      if (from < to)
        loop(index(from), index(to), 1, [&](Value outColumn) {
          Inside window = inside(outRow, outColumn);
          Value share =
              div(load(input(0), resultAt(plane, outRow, outColumn)), divisor(window, outRow, outColumn));
          spreadInRow(window, share, rowSums, areWhole);
        });
    };
    columns(0, left, false);
    columns(left, right, true);
    columns(right, shape.outWidth, false);
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

ContractionPlan planPool(train::KernelOp kernel, const CpuLevel &level) {
  constexpr int64_t flopsATap = 4;
  Operation *op = coreOf(kernel);
  PoolShape shape(op);
  Type compute = sliceComputeType(op);
  ContractionPlan plan;
  plan.items = shape.planes;
  plan.grain = grainOf((shape.pixels() + shape.outPixels()) * elementBytes(op->getResult(0)),
                       shape.outPixels() * shape.taps() * flopsATap);
  if (isa<nn::AvgPool2dBackwardOp>(op) && !shape.isGlobal())
    plan.scratchBytes += KernelBuilder::carvedBytes({shape.width}, compute);
  if (needsPlaneInScratch(op))
    plan.scratchBytes += KernelBuilder::carvedBytes({shape.pixels()}, compute);
  if (isa<nn::MaxPool2dBackwardOp>(op) && needsPlaneInScratch(op))
    plan.scratchBytes += KernelBuilder::carvedBytes({shape.outPixels()}, compute);
  return plan;
}

LogicalResult emitPool(KernelBuilder &b, const KernelCall &call) {
  return TypeSwitch<Operation *, LogicalResult>(call.op())
      .Case<nn::MaxPool2dOp, nn::MaxPool2dBackwardOp, nn::AvgPool2dOp, nn::AvgPool2dBackwardOp>([&](auto op) {
        PoolBuilder(b, call, PoolShape(op)).emit(op);
        return success();
      })
      .Default([](Operation *op) { return op->emitOpError("has no pool kernel"); });
}

} // namespace halfstep
