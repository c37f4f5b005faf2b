// Kernels that work row by row: softmax, layer normalisation and cross-entropy, forward and backward.
// A row is read two or three times while it is in the first-level cache; its sums are taken over the whole
// row, so that they do not depend on how the rows are cut into ranges.
#include "codegen/cpu/RowFusion.h"

#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace mlir;

namespace halfstep {

using Values = KernelBuilder::Values;

namespace {

/// Builds the body of one kernel. All operands are matrices of the shape, vectors of its length (shared by
/// all rows) or vectors with one element a row.
class RowBuilder : public SliceBuilder {
public:
  RowBuilder(const KernelBuilder &outer, const KernelCall &call, RowShape shape)
      : SliceBuilder(outer, call), shape(shape), lo(call.lo), hi(call.hi), rows(*this, call, shape.length) {}

  void emit(nn::SoftmaxOp op);
  void emit(nn::SoftmaxBackwardOp op);
  void emit(nn::LayerNormOp op);
  void emit(nn::LayerNormBackwardInputOp op);
  void emit(nn::CrossEntropyOp op);
  void emit(nn::CrossEntropyBackwardOp op);

private:
  void eachRow(function_ref<void(Value)> body) {
    loop(lo, hi, 1, [&](Value row) {
      body(row);
      rows.finish(row);
    });
  }
  Value mean(Value sum) { return div(sum, number(static_cast<double>(shape.length))); }
  Value key(Value value);
  Value value(Value key);
  Value maximum(Value row, Value keyCell);

  const RowShape shape;
  const Value lo, hi;
  FusedRows rows;
};

} // namespace

//===----------------------------------------------------------------------===//
// Maximum
//===----------------------------------------------------------------------===//

/// The bits of a float as a signed integer in the order of the values: those of negative numbers are flipped.
/// Its own inverse. Integer maxima vectorise; NaN ends up above or below all numbers.
static Value flipNegative(KernelBuilder &b, Value bits) {
  Type type = bits.getType();
  int64_t width = type.getIntOrFloatBitWidth();
  Value sign = arith::ShRSIOp::create(b, bits, b.integer(width - 1, type));
  Value mask = arith::ShRUIOp::create(b, sign, b.integer(1, type));
  return arith::XOrIOp::create(b, bits, mask);
}

Value RowBuilder::key(Value value) {
  Type type = getIntegerType(compute.getIntOrFloatBitWidth());
  return flipNegative(*this, arith::BitcastOp::create(*this, type, value));
}

Value RowBuilder::value(Value key) {
  return arith::BitcastOp::create(*this, compute, flipNegative(*this, key));
}

/// The largest element of a row. With NaN in the row it may be any element: all users exponentiate the
/// distance of each element to it and sum, which keeps the NaN.
Value RowBuilder::maximum(Value row, Value keyCell) {
  Type type = getIntegerType(compute.getIntOrFloatBitWidth());
  int64_t least = compute.isF64() ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int32_t>::min();
  storeScalar(integer(least, type), keyCell);
  each(row, {}, keyCell,
       [&](ValueRange e) { return Values{arith::MaxSIOp::create(*this, key(e[0]), e[1])}; });
  return value(loadScalar(keyCell));
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

/// True where the exponentials of a row cannot wait for their sum in the result without being rounded.
static bool needsExponentialsInScratch(Operation *softmax, Type resultType) {
  return resultType != sliceComputeType(softmax);
}

void RowBuilder::emit(nn::SoftmaxOp op) {
  Value keyCell = scalarBuffer(getIntegerType(compute.getIntOrFloatBitWidth()));
  Values sumCell = cells(1);
  Type resultType = rows.resultType();
  Value buffer = needsExponentialsInScratch(op, resultType) ? carve(shape.length, compute) : Value();
  eachRow([&](Value row) {
    Value x = rows.operand(0, row), y = rows.result(row);
    Value powers = buffer ? buffer : y;
    Value max = maximum(x, keyCell);
    clear(sumCell);
    each(x, powers, sumCell, [&](ValueRange e) {
      Value power = exp(sub(e[0], max));
      return Values{power, accumulated(e[2], power)};
    });
    Value scale = div(number(1), loadScalar(sumCell[0]));
    if (buffer)
      each(buffer, y, [&](ValueRange e) { return Values{mul(e[0], scale)}; });
    else
      each({}, y, [&](ValueRange e) { return Values{mul(e[0], scale)}; });
  });
}

void RowBuilder::emit(nn::SoftmaxBackwardOp op) {
  Values sumCell = cells(1);
  eachRow([&](Value row) {
    Value grad = rows.operand(0, row), saved = rows.operand(1, row);
    Value dot = sum({grad, saved}, sumCell, [&](ValueRange e) { return Values{mul(e[0], e[1])}; })[0];
    each({grad, saved}, rows.result(row), [&](ValueRange e) { return Values{mul(e[1], sub(e[0], dot))}; });
  });
}

//===----------------------------------------------------------------------===//
// Layer normalisation
//===----------------------------------------------------------------------===//

void RowBuilder::emit(nn::LayerNormOp op) {
  Values sumCell = cells(1);
  eachRow([&](Value row) {
    Value x = rows.operand(0, row);
    Value center = mean(sum(x, sumCell, [&](ValueRange e) { return Values{e[0]}; })[0]);
    Value variance = mean(sum(x, sumCell, [&](ValueRange e) {
      Value distance = sub(e[0], center);
      return Values{mul(distance, distance)};
    })[0]);
    Value rstd = reciprocalSqrt(add(variance, number(op.getEps().convertToDouble())));
    store(center, output(1), row);
    store(rstd, output(2), row);
    if (rows.hasResult())
      each({x, input(1), input(2)}, rows.result(row),
           [&](ValueRange e) { return Values{add(mul(mul(sub(e[0], center), rstd), e[1]), e[2])}; });
  });
}

void RowBuilder::emit(nn::LayerNormBackwardInputOp op) {
  Values sumCells = cells(2);
  eachRow([&](Value row) {
    Value grad = rows.operand(0, row), x = rows.operand(1, row), scale = input(2);
    Value center = load(input(3), row), rstd = load(input(4), row);
    auto terms = [&](ValueRange e) {
      Value h = mul(e[0], e[2]), normal = mul(sub(e[1], center), rstd);
      return std::make_pair(h, normal);
    };
    Values sums = sum({grad, x, scale}, sumCells, [&](ValueRange e) {
      auto [h, normal] = terms(e);
      return Values{h, mul(h, normal)};
    });
    Value meanOfH = mean(sums[0]), meanOfProduct = mean(sums[1]);
    each({grad, x, scale}, rows.result(row), [&](ValueRange e) {
      auto [h, normal] = terms(e);
      return Values{mul(rstd, sub(sub(h, meanOfH), mul(normal, meanOfProduct)))};
    });
  });
}

//===----------------------------------------------------------------------===//
// Cross-entropy
//===----------------------------------------------------------------------===//

// With d = z - max all terms of the losses are distances: lse - z[c] = log sum exp d - d[c], without
// cancellation between large logits.
void RowBuilder::emit(nn::CrossEntropyOp op) {
  double smoothing = op.getLabelSmoothing().convertToDouble();
  Value keyCell = scalarBuffer(getIntegerType(compute.getIntOrFloatBitWidth()));
  Values sumCells = cells(smoothing != 0 ? 2 : 1);
  eachRow([&](Value row) {
    Value z = rows.operand(0, row), max = maximum(z, keyCell);
    Values sums = sum(z, sumCells, [&](ValueRange e) {
      Value distance = sub(e[0], max);
      return smoothing != 0 ? Values{exp(distance), distance} : Values{exp(distance)};
    });
    Value logSum = log(sums[0]);
    store(add(max, logSum), output(1), row);
    Value target = arith::IndexCastOp::create(*this, getIndexType(), loadScalar(input(1), row));
    Value atTarget = load(z, target);
    Value loss = sub(logSum, sub(atTarget, max));
    if (smoothing != 0) {
      Value everyClass = sub(logSum, mean(sums[1]));
      loss = add(mul(number(1 - smoothing), loss), mul(number(smoothing), everyClass));
    }
    store(loss, output(0), row);
  });
}

void RowBuilder::emit(nn::CrossEntropyBackwardOp op) {
  double smoothing = op.getLabelSmoothing().convertToDouble();
  eachRow([&](Value row) {
    Value grad = load(input(0), row), lse = load(input(3), row);
    Value target = arith::TruncIOp::create(*this, getI32Type(), loadScalar(input(2), row));
    each(rows.operand(1, row), rows.result(row), [&](ValueRange e) {
      Value hit = arith::CmpIOp::create(*this, arith::CmpIPredicate::eq, toI32(position()), target);
      double elsewhere = smoothing / static_cast<double>(shape.length);
      Value wanted =
          arith::SelectOp::create(*this, hit, number(1 - smoothing + elsewhere), number(elsewhere));
      return Values{mul(grad, sub(exp(sub(e[0], lse)), wanted))};
    });
  });
}

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

RowShape rowShape(Operation *op) {
  auto split = [](Value tensor, int64_t axis) {
    auto type = cast<RankedTensorType>(tensor.getType());
    int64_t length = ShapedType::getNumElements(type.getShape().drop_front(axis));
    return RowShape{type.getNumElements() / length, length};
  };
  auto last = [](Value tensor) { return cast<RankedTensorType>(tensor.getType()).getRank() - 1; };
  return TypeSwitch<Operation *, RowShape>(op)
      .Case<nn::LayerNormOp, nn::LayerNormBackwardInputOp>(
          [&](auto norm) { return split(norm.getInput(), norm.getAxis()); })
      .Case<nn::CrossEntropyOp, nn::CrossEntropyBackwardOp>(
          [&](auto loss) { return split(loss.getLogits(), last(loss.getLogits())); })
      .Default([&](Operation *) { return split(op->getOperand(0), last(op->getOperand(0))); });
}

ContractionPlan planRow(train::KernelOp kernel, const CpuLevel &level) {
  // Operations an element, an exponential counting as 20.
  constexpr int64_t exponentialFlops = 25, otherFlops = 10;
  Operation *op = coreOf(kernel);
  RowShape shape = rowShape(op);
  bool exponential = isa<nn::SoftmaxOp, nn::CrossEntropyOp, nn::CrossEntropyBackwardOp>(op);
  int64_t bytes = 0;
  for (Value value : llvm::concat<const Value>(op->getOperands(), op->getResults()))
    bytes += elementBytes(value) * cast<RankedTensorType>(value.getType()).getNumElements() / shape.rows;
  ContractionPlan plan;
  plan.items = shape.rows;
  plan.grain = grainOf(bytes, shape.length * (exponential ? exponentialFlops : otherFlops));
  RowFusion fusion(kernel);
  plan.scratchBytes = fusion.scratchBytes(shape.length, sliceComputeType(op));
  if (isa<nn::SoftmaxOp>(op) && needsExponentialsInScratch(op, fusion.resultType()))
    plan.scratchBytes += KernelBuilder::carvedBytes({shape.length}, sliceComputeType(op));
  return plan;
}

LogicalResult emitRow(KernelBuilder &b, const KernelCall &call) {
  RowBuilder builder(b, call, rowShape(call.op()));
  return TypeSwitch<Operation *, LogicalResult>(call.op())
      .Case<nn::SoftmaxOp, nn::SoftmaxBackwardOp, nn::LayerNormOp, nn::LayerNormBackwardInputOp,
            nn::CrossEntropyOp, nn::CrossEntropyBackwardOp>([&](auto op) {
        builder.emit(op);
        return success();
      })
      .Default([](Operation *op) { return op->emitOpError("has no row kernel"); });
}

} // namespace halfstep
