// Kernels that work row by row: softmax, layer and root-mean-square normalisation and cross-entropy, forward
// and backward.
// A row is read two or three times while it is in the first-level cache; its sums are taken over the whole
// row, so that they do not depend on how the rows are cut into ranges.
#include "codegen/cpu/ClassTargets.h"
#include "codegen/cpu/RowFusion.h"

#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace mlir;

namespace halfstep {

using Values = KernelBuilder::Values;

namespace {

/// The op's matrix: rows x length elements.
struct RowShape {
  int64_t rows, length;
};

/// Builds the body of one kernel. All operands are matrices of the shape, vectors of its length (shared by
/// all rows) or vectors with one element a row.
class RowBuilder : public SliceBuilder {
public:
  RowBuilder(const KernelBuilder &outer, const KernelCall &call, RowShape shape)
      : SliceBuilder(outer, call), shape(shape), lo(call.lo), hi(call.hi), rows(*this, call, shape.length) {}

  void emit(nn::SoftmaxOp op);
  void emit(nn::SoftmaxBackwardOp op);
  void emit(nn::LogSoftmaxOp op);
  void emit(nn::LogSoftmaxBackwardOp op);
  void emit(nn::LayerNormOp op);
  void emit(nn::LayerNormBackwardInputOp op);
  void emit(nn::RmsNormOp op);
  void emit(nn::RmsNormBackwardInputOp op);
  void emit(nn::CrossEntropyOp op);
  void emit(nn::CrossEntropyBackwardOp op);
  void emit(nn::SoftCrossEntropyOp op);
  void emit(nn::SoftCrossEntropyBackwardOp op);
  void emit(nn::NllOp op);
  void emit(nn::NllBackwardOp op);

private:
  struct Smoothing;
  void eachRow(function_ref<void(Value)> body) {
    loop(lo, hi, 1, [&](Value row) {
      body(row);
      rows.finish(row);
    });
  }
  Value mean(Value sum) { return div(sum, number(static_cast<double>(shape.length))); }
  Value sumOf(Value elements, Value cell) {
    return sum(elements, cell, [](ValueRange e) { return Values{e[0]}; })[0];
  }
  Value wanted(const Smoothing &smoothing, Value target, Value weight);
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

void RowBuilder::emit(nn::LogSoftmaxOp) {
  Value keyCell = scalarBuffer(getIntegerType(compute.getIntOrFloatBitWidth()));
  Values sumCell = cells(1);
  eachRow([&](Value row) {
    Value x = rows.operand(0, row), max = maximum(x, keyCell);
    Value logSum = log(sum(x, sumCell, [&](ValueRange e) { return Values{exp(sub(e[0], max))}; })[0]);
    each(x, rows.result(row), [&](ValueRange e) { return Values{sub(sub(e[0], max), logSum)}; });
  });
}

void RowBuilder::emit(nn::LogSoftmaxBackwardOp) {
  Values sumCell = cells(1);
  eachRow([&](Value row) {
    Value grad = rows.operand(0, row), saved = rows.operand(1, row);
    Value total = sum(grad, sumCell, [&](ValueRange e) { return Values{e[0]}; })[0];
    each({grad, saved}, rows.result(row),
         [&](ValueRange e) { return Values{sub(e[0], mul(exp(e[1]), total))}; });
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

void RowBuilder::emit(nn::RmsNormOp op) {
  Values sumCell = cells(1);
  eachRow([&](Value row) {
    Value x = rows.operand(0, row);
    Value square = mean(sum(x, sumCell, [&](ValueRange e) { return Values{mul(e[0], e[0])}; })[0]);
    Value rstd = reciprocalSqrt(add(square, number(op.getEps().convertToDouble())));
    store(rstd, output(1), row);
    if (rows.hasResult())
      each({x, input(1)}, rows.result(row), [&](ValueRange e) { return Values{mul(mul(e[0], rstd), e[1])}; });
  });
}

void RowBuilder::emit(nn::RmsNormBackwardInputOp op) {
  Values sumCell = cells(1);
  eachRow([&](Value row) {
    Value grad = rows.operand(0, row), x = rows.operand(1, row), scale = input(2);
    Value rstd = load(input(3), row);
    Value product = mean(sum({grad, x, scale}, sumCell,
                             [&](ValueRange e) { return Values{mul(mul(e[0], e[2]), mul(e[1], rstd))}; })[0]);
    each({grad, x, scale}, rows.result(row), [&](ValueRange e) {
      Value h = mul(e[0], e[2]), normal = mul(e[1], rstd);
      return Values{mul(rstd, sub(h, mul(normal, product)))};
    });
  });
}

//===----------------------------------------------------------------------===//
// Cross-entropy
//===----------------------------------------------------------------------===//

/// e / C for every class and 1 - e for the target, with e the label smoothing.
struct RowBuilder::Smoothing {
  Smoothing(llvm::APFloat value, int64_t classes)
      : share(value.convertToDouble() / static_cast<double>(classes)), rest(1 - value.convertToDouble()) {}
  double share, rest;
  bool isNone() const { return share == 0; }
};

/// What the classes' weights are multiplied with, as a wanted distribution that need not sum to 1.
Value RowBuilder::wanted(const Smoothing &smoothing, Value target, Value weight) {
  Value all = add(mul(number(smoothing.rest), target), number(smoothing.share));
  return weight ? mul(weight, all) : all;
}

// With d = z - max all terms of the losses are distances: lse - z[c] = log sum exp d - d[c], without
// cancellation between large logits.
void RowBuilder::emit(nn::CrossEntropyOp op) {
  Smoothing smoothing(op.getLabelSmoothing(), shape.length);
  Value weights = op.getWeight() ? input(2) : Value();
  ClassTargets targets(*this, input(1), weights, op.getIgnoreIndex());
  Value keyCell = scalarBuffer(getIntegerType(compute.getIntOrFloatBitWidth()));
  Values sumCells = cells(smoothing.isNone() ? 1 : 2);
  Value total = weights && !smoothing.isNone() ? sumOf(weights, sumCells[0]) : Value();
  eachRow([&](Value row) {
    Value z = rows.operand(0, row), max = maximum(z, keyCell);
    Values ins{z};
    if (total)
      ins.push_back(weights);
    Values sums = sum(ins, sumCells, [&](ValueRange e) {
      Value distance = sub(e[0], max);
      Value weighted = total ? mul(e[1], distance) : distance;
      return smoothing.isNone() ? Values{exp(distance)} : Values{exp(distance), weighted};
    });
    Value logSum = log(sums[0]);
    store(add(max, logSum), output(1), row);
    ClassTargets::Row target = targets.at(row);
    Value loss = sub(logSum, sub(load(z, target.id), max));
    if (weights)
      loss = mul(target.weight, loss);
    if (!smoothing.isNone()) {
      Value count = total ? total : number(static_cast<double>(shape.length));
      Value everyClass = sub(mul(count, logSum), sums[1]);
      loss = add(mul(number(smoothing.rest), loss), mul(number(smoothing.share), everyClass));
    }
    store(targets.orZero(target, loss), output(0), row);
  });
}

void RowBuilder::emit(nn::CrossEntropyBackwardOp op) {
  Smoothing smoothing(op.getLabelSmoothing(), shape.length);
  Value weights = op.getWeight() ? input(4) : Value();
  ClassTargets targets(*this, input(2), weights, op.getIgnoreIndex());
  Value total = weights ? sumOf(weights, cells(1)[0]) : Value();
  eachRow([&](Value row) {
    ClassTargets::Row target = targets.at(row);
    Value grad = targets.orZero(target, load(input(0), row)), lse = load(input(3), row);
    Value id = arith::IndexCastOp::create(*this, getI32Type(), target.id);
    Value factor;
    if (weights)
      factor = add(mul(number(smoothing.rest), target.weight), mul(number(smoothing.share), total));
    Values ins{rows.operand(1, row)};
    if (weights)
      ins.push_back(weights);
    each(ins, rows.result(row), [&](ValueRange e) {
      Value hit = arith::CmpIOp::create(*this, arith::CmpIPredicate::eq, toI32(position()), id);
      Value share = arith::SelectOp::create(*this, hit, number(smoothing.rest + smoothing.share),
                                            number(smoothing.share));
      Value power = exp(sub(e[0], lse));
      Value difference = weights ? sub(mul(power, factor), mul(e[1], share)) : sub(power, share);
      return Values{mul(grad, difference)};
    });
  });
}

void RowBuilder::emit(nn::SoftCrossEntropyOp op) {
  Smoothing smoothing(op.getLabelSmoothing(), shape.length);
  Value weights = op.getWeight() ? input(2) : Value();
  Value keyCell = scalarBuffer(getIntegerType(compute.getIntOrFloatBitWidth()));
  Values sumCells = cells(3);
  eachRow([&](Value row) {
    Value z = rows.operand(0, row), max = maximum(z, keyCell);
    Values ins{z, rows.operand(1, row)};
    if (weights)
      ins.push_back(weights);
    Values sums = sum(ins, sumCells, [&](ValueRange e) {
      Value distance = sub(e[0], max), share = wanted(smoothing, e[1], weights ? e[2] : Value());
      return Values{exp(distance), share, mul(share, distance)};
    });
    Value logSum = log(sums[0]);
    store(add(max, logSum), output(1), row);
    store(sub(mul(sums[1], logSum), sums[2]), output(0), row);
  });
}

void RowBuilder::emit(nn::SoftCrossEntropyBackwardOp op) {
  Smoothing smoothing(op.getLabelSmoothing(), shape.length);
  Value weights = op.getWeight() ? input(4) : Value();
  Values sumCell = cells(1);
  eachRow([&](Value row) {
    Value grad = load(input(0), row), lse = load(input(3), row);
    Value z = rows.operand(1, row), t = rows.operand(2, row);
    Values shares{t}, ins{z, t};
    if (weights) {
      shares.push_back(weights);
      ins.push_back(weights);
    }
    Value factor = sum(shares, sumCell, [&](ValueRange e) {
      return Values{wanted(smoothing, e[0], weights ? e[1] : Value())};
    })[0];
    each(ins, rows.result(row), [&](ValueRange e) {
      Value share = wanted(smoothing, e[1], weights ? e[2] : Value());
      return Values{mul(grad, sub(mul(exp(sub(e[0], lse)), factor), share))};
    });
  });
}

void RowBuilder::emit(nn::NllOp op) {
  ClassTargets targets(*this, input(1), op.getWeight() ? input(2) : Value(), op.getIgnoreIndex());
  eachRow([&](Value row) {
    Value scores = rows.operand(0, row);
    ClassTargets::Row target = targets.at(row);
    Value loss = sub(number(0), mul(target.weight, load(scores, target.id)));
    store(targets.orZero(target, loss), output(0), row);
  });
}

void RowBuilder::emit(nn::NllBackwardOp op) {
  ClassTargets targets(*this, input(2), op.getWeight() ? input(3) : Value(), op.getIgnoreIndex());
  eachRow([&](Value row) {
    ClassTargets::Row target = targets.at(row);
    Value grad = sub(number(0), mul(target.weight, targets.orZero(target, load(input(0), row))));
    Value id = arith::IndexCastOp::create(*this, getI32Type(), target.id);
    rows.operand(1, row); // what the kernel stores on the way to it
    each({}, rows.result(row), [&](ValueRange) {
      Value hit = arith::CmpIOp::create(*this, arith::CmpIPredicate::eq, toI32(position()), id);
      return Values{arith::SelectOp::create(*this, hit, grad, number(0))};
    });
  });
}

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

static RowShape rowShape(Operation *op) {
  auto split = [](Value tensor, int64_t axis) {
    auto type = cast<RankedTensorType>(tensor.getType());
    int64_t length = ShapedType::getNumElements(type.getShape().drop_front(axis));
    return RowShape{type.getNumElements() / length, length};
  };
  auto last = [](Value tensor) { return cast<RankedTensorType>(tensor.getType()).getRank() - 1; };
  return TypeSwitch<Operation *, RowShape>(op)
      .Case<nn::LayerNormOp, nn::LayerNormBackwardInputOp, nn::RmsNormOp, nn::RmsNormBackwardInputOp>(
          [&](auto norm) { return split(norm.getInput(), norm.getAxis()); })
      .Case<nn::CrossEntropyOp, nn::CrossEntropyBackwardOp, nn::SoftCrossEntropyOp,
            nn::SoftCrossEntropyBackwardOp>(
          [&](auto loss) { return split(loss.getLogits(), last(loss.getLogits())); })
      .Case<nn::NllBackwardOp>(
          [&](auto loss) { return split(loss.getLogProbabilities(), last(loss.getLogProbabilities())); })
      .Default([&](Operation *) { return split(op->getOperand(0), last(op->getOperand(0))); });
}

ContractionPlan planRow(train::KernelOp kernel, const CpuLevel &level) {
  // Operations an element, an exponential counting as 20.
  constexpr int64_t exponentialFlops = 25, otherFlops = 10;
  Operation *op = coreOf(kernel);
  RowShape shape = rowShape(op);
  bool exponential =
      isa<nn::SoftmaxOp, nn::LogSoftmaxOp, nn::LogSoftmaxBackwardOp, nn::CrossEntropyOp,
          nn::CrossEntropyBackwardOp, nn::SoftCrossEntropyOp, nn::SoftCrossEntropyBackwardOp>(op);
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
      .Case<nn::SoftmaxOp, nn::SoftmaxBackwardOp, nn::LogSoftmaxOp, nn::LogSoftmaxBackwardOp, nn::LayerNormOp,
            nn::LayerNormBackwardInputOp, nn::RmsNormOp, nn::RmsNormBackwardInputOp, nn::CrossEntropyOp,
            nn::CrossEntropyBackwardOp, nn::SoftCrossEntropyOp, nn::SoftCrossEntropyBackwardOp, nn::NllOp,
            nn::NllBackwardOp>([&](auto op) {
        builder.emit(op);
        return success();
      })
      .Default([](Operation *op) { return op->emitOpError("has no row kernel"); });
}

} // namespace halfstep
