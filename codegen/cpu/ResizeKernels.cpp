// Kernels of kind "resize": an item is a plane (a channel of an image). Each row of the result is made from
// one or two rows of the image in the order of memory; along the row, where each column comes from is a table
// in scratch.
#include "codegen/cpu/SliceBuilder.h"

#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace halfstep {

using Values = KernelBuilder::Values;

namespace {

/// The image and what is sampled from it, in either direction.
struct ResizeShape {
  explicit ResizeShape(Operation *op) : isForward(isa<nn::Resize2dOp>(op)) {
    auto from = cast<RankedTensorType>(op->getOperand(0).getType());
    auto to = cast<RankedTensorType>(op->getResult(0).getType());
    ArrayRef<int64_t> image = (isForward ? from : to).getShape(),
                      sampled = (isForward ? to : from).getShape();
    planes = image[0] * image[1];
    height = image[2], width = image[3];
    outHeight = sampled[2], outWidth = sampled[3];
    llvm::TypeSwitch<Operation *>(op).Case<nn::Resize2dOp, nn::Resize2dBackwardOp>([&](auto resize) {
      factor = resize.getFactor(), offset = resize.getOffset();
      linear = resize.getLinear(), ceil = resize.getCeil();
    });
    storesRounded = getElementTypeOrSelf(op->getResult(0)) != sliceComputeType(op);
  }

  bool isForward, linear = false, ceil = false;
  int64_t planes, height, width, outHeight, outWidth;
  ArrayRef<double> factor, offset;
  /// The result is narrower than sums are.
  bool storesRounded;

  int64_t pixels() const { return height * width; }
  int64_t outPixels() const { return outHeight * outWidth; }
};

class ResizeBuilder : public SliceBuilder {
public:
  ResizeBuilder(const KernelBuilder &outer, const KernelCall &call, ResizeShape shape)
      : SliceBuilder(outer, call), shape(shape), wide(getF64Type()) {
    lowColumns = carve(shape.outWidth, getI32Type());
    highColumns = carve(shape.outWidth, getI32Type());
    weights = carve(shape.outWidth, compute);
    imageRow = carve(shape.width, compute);
    sampledRow = carve(shape.outWidth, compute);
    if (!shape.isForward && shape.storesRounded)
      sums = carve(shape.pixels(), compute);
  }

  static int64_t scratchBytes(const ResizeShape &shape, Type compute, MLIRContext *context) {
    Type integer = IntegerType::get(context, 32);
    int64_t bytes = 2 * carvedBytes({shape.outWidth}, integer) + 2 * carvedBytes({shape.outWidth}, compute) +
                    carvedBytes({shape.width}, compute);
    return bytes + (!shape.isForward && shape.storesRounded ? carvedBytes({shape.pixels()}, compute) : 0);
  }

  void emit(Value lo, Value hi) {
    loop(shape.outWidth, [&](Value column) {
      Source source = sourceOf(column, 1, shape.width);
      storeScalar(toI32(source.low), lowColumns, column);
      storeScalar(toI32(source.high), highColumns, column);
      store(source.weight, weights, column);
    });
    loop(lo, hi, 1, [&](Value plane) { shape.isForward ? emitForward(plane) : emitBackward(plane); });
  }

private:
  /// Two places of the image and the weight of the second; without `linear` the first place alone counts.
  struct Source {
    Value low, high, weight;
  };

  Value wideNumber(double value) { return KernelBuilder::number(value, wide); }

  /// Where place `at` of the result, in dimension `dim` (0: rows, 1: columns), comes from.
  Source sourceOf(Value at, unsigned dim, int64_t extent) {
    Value place = arith::SIToFPOp::create(*this, wide, toI32(at));
    place = arith::MulFOp::create(*this, place, wideNumber(shape.factor[dim]));
    place = arith::AddFOp::create(*this, place, wideNumber(shape.offset[dim]));
    // What rounding made of an integer is that integer: floor must not fall to the one below.
    Value nearest = math::RoundEvenOp::create(*this, place);
    Value distance = math::AbsFOp::create(*this, arith::SubFOp::create(*this, place, nearest).getResult());
    Value isWhole = arith::CmpFOp::create(*this, arith::CmpFPredicate::OLT, distance, wideNumber(1e-6));
    place = arith::SelectOp::create(*this, isWhole, nearest, place);
    Value whole =
        shape.ceil ? Value(math::CeilOp::create(*this, place)) : Value(math::FloorOp::create(*this, place));
    Value weight = arith::SubFOp::create(*this, place, whole);
    Value next = arith::AddFOp::create(*this, whole, wideNumber(1));
    return {inside(whole, extent), inside(next, extent), KernelBuilder::convert(weight, compute)};
  }

  /// The nearest index of an extent to a whole number.
  Value inside(Value whole, int64_t extent) {
    Value low = arith::MaximumFOp::create(*this, whole, wideNumber(0));
    Value both = arith::MinimumFOp::create(*this, low, wideNumber(double(extent - 1)));
    Value integer = arith::FPToSIOp::create(*this, getI32Type(), both);
    return arith::IndexCastOp::create(*this, getIndexType(), integer);
  }

  Value columnFrom(Value table, Value column) {
    return arith::IndexCastOp::create(*this, getIndexType(), loadScalar(table, column));
  }
  Value oneMinus(Value weight) { return sub(number(1), weight); }

  void emitForward(Value plane) {
    loop(shape.outHeight, [&](Value row) {
      Source source = sourceOf(row, 0, shape.height);
      auto imageAt = [&](Value y) {
        return span(input(0), plus(times(plane, shape.pixels()), times(y, shape.width)), shape.width);
      };
      if (shape.linear)
        each({imageAt(source.low), imageAt(source.high)}, imageRow, [&](ValueRange e) {
          return Values{add(mul(oneMinus(source.weight), e[0]), mul(source.weight, e[1]))};
        });
      else
        copy(imageAt(source.low), imageRow);
      loop(shape.outWidth, [&](Value column) { store(sampleAt(column), sampledRow, column); });
      copy(sampledRow, sampledAt(output(0), plane, row));
    });
  }

  /// An element of `imageRow`, or the mean of two, for a column of the result.
  Value sampleAt(Value column) {
    Value low = load(imageRow, columnFrom(lowColumns, column));
    if (!shape.linear)
      return low;
    Value weight = load(weights, column), high = load(imageRow, columnFrom(highColumns, column));
    return add(mul(oneMinus(weight), low), mul(weight, high));
  }

  Value sampledAt(Value buffer, Value plane, Value row) {
    return span(buffer, plus(times(plane, shape.outPixels()), times(row, shape.outWidth)), shape.outWidth);
  }

  void emitBackward(Value plane) {
    Value start = times(plane, shape.pixels()), result = span(output(0), start, shape.pixels());
    Value target = sums ? sums : output(0), first = sums ? index(0) : start;
    fill(sums ? sums : result, 0);
    loop(shape.outHeight, [&](Value row) {
      copy(sampledAt(input(0), plane, row), sampledRow);
      fill(imageRow, 0);
      loop(shape.outWidth, [&](Value column) { spread(column); });
      Source source = sourceOf(row, 0, shape.height);
      auto addTo = [&](Value y, Value weight) {
        each(imageRow, span(target, plus(first, times(y, shape.width)), shape.width),
             [&](ValueRange e) { return Values{add(e[1], weight ? mul(weight, e[0]) : e[0])}; });
      };
      addTo(source.low, shape.linear ? oneMinus(source.weight) : Value());
      if (shape.linear)
        addTo(source.high, source.weight);
    });
    if (sums)
      copy(sums, result);
  }

  /// Adds a column of `sampledRow` to the elements of `imageRow` that it came from.
  void spread(Value column) {
    Value gradient = load(sampledRow, column), weight = load(weights, column);
    auto addTo = [&](Value table, Value term) {
      Value at = columnFrom(table, column);
      store(add(load(imageRow, at), term), imageRow, at);
    };
    addTo(lowColumns, shape.linear ? mul(oneMinus(weight), gradient) : gradient);
    if (shape.linear)
      addTo(highColumns, mul(weight, gradient));
  }

  const ResizeShape shape;
  const Type wide;
  Value lowColumns, highColumns, weights, imageRow, sampledRow, sums;
};

} // namespace

ContractionPlan planResize(train::KernelOp kernel, const CpuLevel &) {
  constexpr int64_t flopsAnElement = 8;
  Operation *op = coreOf(kernel);
  ResizeShape shape(op);
  ContractionPlan plan;
  plan.items = shape.planes;
  plan.grain = grainOf((shape.pixels() + shape.outPixels()) * elementBytes(op->getResult(0)),
                       (shape.pixels() + shape.outPixels()) * flopsAnElement);
  plan.scratchBytes = ResizeBuilder::scratchBytes(shape, sliceComputeType(op), op->getContext());
  return plan;
}

LogicalResult emitResize(KernelBuilder &b, const KernelCall &call) {
  ResizeBuilder(b, call, ResizeShape(call.op())).emit(call.lo, call.hi);
  return success();
}

} // namespace halfstep
