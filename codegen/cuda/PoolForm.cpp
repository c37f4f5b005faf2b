// Pooling, a thread an element of the result: windows forward, and backward the windows that an element lies
// in.
#include "codegen/cuda/Forms.h"
#include "codegen/cuda/ThreadBuilder.h"

#include "codegen/cpu/PoolBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace halfstep {

static int64_t resultElements(Operation *op) {
  return cast<RankedTensorType>(op->getResult(0).getType()).getNumElements();
}

namespace {

/// Builds the work of one thread.
class PoolThreads : public SliceBuilder {
public:
  PoolThreads(const KernelBuilder &outer, const KernelCall &call, Value element)
      : SliceBuilder(outer, call), shape(op), element(element) {}

  void emit(nn::MaxPool2dOp op);
  void emit(nn::AvgPool2dOp op);
  void emit(nn::AvgPool2dBackwardOp op);

private:
  /// A range of indices along one dimension.
  struct Range {
    Value begin, end;
  };
  const PoolShape shape;
  const Value element;

  /// What a window has of a row or column of the image.
  Range window(Value out, int64_t stride, int64_t pad, int64_t kernel, int64_t extent) {
    Value start = plus(times(out, stride), -pad);
    return {larger(start, index(0)), smaller(plus(start, kernel), index(extent))};
  }
  Range windowRows(Value outY) {
    return window(outY, shape.strideH, shape.padTop, shape.kernelH, shape.height);
  }
  Range windowColumns(Value outX) {
    return window(outX, shape.strideW, shape.padLeft, shape.kernelW, shape.width);
  }
  /// The windows along one dimension that have element `in`.
  Range windowsOf(Value in, int64_t stride, int64_t pad, int64_t kernel, int64_t windows) {
    // The first is ceil((in + pad - kernel + 1) / stride), and not below 0.
    Value past = larger(plus(in, pad - kernel + 1), index(0));
    Value begin = quotient(plus(past, stride - 1), stride);
    return {begin, smaller(plus(quotient(plus(in, pad), stride), 1), index(windows))};
  }

  Values overWindow(Range rows, Range columns, ValueRange initial,
                    function_ref<Values(Value y, Value x, ValueRange old)> body) {
    return carry(rows.begin, rows.end, 1, initial, [&](Value y, ValueRange inRow) {
      return carry(columns.begin, columns.end, 1, inRow,
                   [&](Value x, ValueRange old) { return body(y, x, old); });
    });
  }

  Value divisor(Range rows, Range columns) {
    if (!shape.excludePad)
      return number(static_cast<double>(shape.taps()));
    return mul(toFloat(minus(rows.end, rows.begin)), toFloat(minus(columns.end, columns.begin)));
  }
};

} // namespace

void PoolThreads::emit(nn::MaxPool2dOp) {
  Values at = indicesOf(*this, element, {shape.planes, shape.outHeight, shape.outWidth});
  Range rows = windowRows(at[1]), columns = windowColumns(at[2]);
  Value start = times(at[0], shape.pixels()), corner = plus(times(rows.begin, shape.width), columns.begin);
  Values best{load(input(0), plus(start, corner)), toI32(corner)};
  best = overWindow(rows, columns, best, [&](Value y, Value x, ValueRange old) {
    Value place = plus(times(y, shape.width), x), candidate = load(input(0), plus(start, place));
    // Unordered or greater takes a NaN; none is taken after it.
    Value greater = arith::CmpFOp::create(*this, arith::CmpFPredicate::UGT, candidate, old[0]);
    Value open = arith::CmpFOp::create(*this, arith::CmpFPredicate::ORD, old[0], old[0]);
    Value take = arith::AndIOp::create(*this, greater, open);
    return Values{arith::SelectOp::create(*this, take, candidate, old[0]),
                  arith::SelectOp::create(*this, take, toI32(place), old[1])};
  });
  store(best[0], output(0), element);
  store(best[1], output(1), element);
}

void PoolThreads::emit(nn::AvgPool2dOp) {
  Values at = indicesOf(*this, element, {shape.planes, shape.outHeight, shape.outWidth});
  Range rows = windowRows(at[1]), columns = windowColumns(at[2]);
  Value start = times(at[0], shape.pixels());
  Value sum = overWindow(rows, columns, number(0), [&](Value y, Value x, ValueRange old) {
    return Values{add(old[0], load(input(0), plus(start, plus(times(y, shape.width), x))))};
  })[0];
  store(div(sum, divisor(rows, columns)), output(0), element);
}

void PoolThreads::emit(nn::AvgPool2dBackwardOp) {
  Values at = indicesOf(*this, element, {shape.planes, shape.height, shape.width});
  Range rows = windowsOf(at[1], shape.strideH, shape.padTop, shape.kernelH, shape.outHeight);
  Range columns = windowsOf(at[2], shape.strideW, shape.padLeft, shape.kernelW, shape.outWidth);
  Value sum = overWindow(rows, columns, number(0), [&](Value outY, Value outX, ValueRange old) {
    Value from = plus(times(plus(times(at[0], shape.outHeight), outY), shape.outWidth), outX);
    Value share = div(load(input(0), from), divisor(windowRows(outY), windowColumns(outX)));
    return Values{add(old[0], share)};
  })[0];
  store(sum, output(0), element);
}

LaunchShape poolThreadsShape(train::KernelOp kernel) { return threadsFor(resultElements(coreOf(kernel))); }

LogicalResult emitPoolThreads(KernelBuilder &b, const KernelCall &call) {
  forThread(b, resultElements(call.op()), [&](Value element) {
    llvm::TypeSwitch<Operation *>(call.op()).Case<nn::MaxPool2dOp, nn::AvgPool2dOp, nn::AvgPool2dBackwardOp>(
        [&](auto op) { PoolThreads(b, call, element).emit(op); });
  });
  return success();
}

} // namespace halfstep
