// Softmax, layer normalisation and cross-entropy, forward and backward: a warp a row, or a block a long one.
// What the region computes before and after the op is computed where it is needed, from memory that the
// caches still hold.
#include "codegen/cuda/Forms.h"
#include "codegen/cuda/ThreadBuilder.h"

#include "codegen/cpu/RegionFormulas.h"
#include "codegen/cpu/RowFusion.h"

#include "dialect/nn/NNDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace mlir;

namespace halfstep {

namespace {

/// Builds the work of one team on one row. Operands are as in the CPU's RowBuilder.
class RowThreads : public SliceBuilder {
public:
  RowThreads(const KernelBuilder &outer, const KernelCall &call, Value row)
      : SliceBuilder(outer, call), call(call), fusion(call.kernel), shape(rowShape(op)),
        team(*this, teamFor(shape.length)), row(row), start(times(row, shape.length)) {}

  void emit(nn::SoftmaxOp op);
  void emit(nn::SoftmaxBackwardOp op);
  void emit(nn::LogSoftmaxOp op);
  void emit(nn::LogSoftmaxBackwardOp op);
  void emit(nn::LayerNormOp op);
  void emit(nn::LayerNormBackwardInputOp op);
  void emit(nn::CrossEntropyOp op);
  void emit(nn::CrossEntropyBackwardOp op);

private:
  const KernelCall &call;
  const RowFusion fusion;
  const RowShape shape;
  Team team;
  const Value row, start;

  //===--------------------------------------------------------------------===//
  // Elements
  //===--------------------------------------------------------------------===//

  /// Values of the region at an element of the row; `result`: the op's own there, or null.
  Values formulas(ArrayRef<OpOperand *> wanted, Value linear, Value result) {
    auto read = [&](OpOperand &operand) -> Value {
      if (result && operand.get() == op->getResult(0))
        return result;
      auto argument = dyn_cast<BlockArgument>(operand.get());
      if (!argument)
        return {};
      bool isNumber = cast<RankedTensorType>(argument.getType()).getNumElements() == 1;
      return load(flat(call.input(argument)), isNumber ? index(0) : linear);
    };
    auto linearIndex = [&]() -> Value { return arith::IndexCastOp::create(*this, getI64Type(), linear); };
    RegionFormulas formulas(*this, compute, read, linearIndex);
    return llvm::map_to_vector(wanted, [&](OpOperand *operand) { return formulas.of(*operand); });
  }

  OpOperand &yieldOf(unsigned result) { return call.kernel.getYield()->getOpOperand(result); }

  Value at(Value place) { return plus(start, place); }

  /// Element `place` of the row in an operand of the op, which may be computed.
  Value operand(unsigned number, Value place) {
    if (!fusion.find(number))
      return load(input(number), at(place));
    return formulas({&op->getOpOperand(number)}, at(place), {})[0];
  }

  /// The same, where each element is come to for the first time: stores what is computed on the way.
  Value firstOperand(unsigned number, Value place) {
    const RowFusion::Computed *made = fusion.find(number);
    if (!made)
      return operand(number, place);
    SmallVector<OpOperand *> wanted{&op->getOpOperand(number)};
    for (unsigned result : made->stored)
      wanted.push_back(&yieldOf(result));
    Values values = formulas(wanted, at(place), {});
    for (auto [result, value] : llvm::zip_equal(made->stored, ArrayRef(values).drop_front()))
      store(value, flat(call.result(result)), at(place));
    return values[0];
  }

  bool hasResult() { return fusion.isResultRead() || output(0); }

  /// Takes the op's first result at an element: stores it, or what is computed from it.
  void finish(Value place, Value result) {
    if (!fusion.isResultRead())
      store(result, output(0), at(place));
    SmallVector<OpOperand *> wanted;
    for (unsigned number : fusion.last())
      wanted.push_back(&yieldOf(number));
    if (wanted.empty())
      return;
    Value rounded = convert(convert(result, fusion.resultType()), compute);
    for (auto [number, value] : llvm::zip_equal(fusion.last(), formulas(wanted, at(place), rounded)))
      store(value, flat(call.result(number)), at(place));
  }

  //===--------------------------------------------------------------------===//
  // Rows
  //===--------------------------------------------------------------------===//

  Value mean(Value sum) { return div(sum, number(static_cast<double>(shape.length))); }

  /// Sums over the row, in each thread.
  Values sums(unsigned count, function_ref<Values(Value)> terms) {
    Values zeros(count, number(0));
    Values parts = team.carry(shape.length, zeros, [&](Value place, ValueRange old) {
      Values next = terms(place);
      for (auto [value, sum] : llvm::zip_equal(next, old))
        value = add(sum, value);
      return next;
    });
    for (Value &part : parts)
      part = team.sum(part);
    return parts;
  }
  Value sum(function_ref<Value(Value)> term) {
    return sums(1, [&](Value place) { return Values{term(place)}; })[0];
  }

  Value maximumOfFirst(unsigned number) {
    Value least = this->number(-std::numeric_limits<double>::infinity());
    Value part = team.carry(shape.length, least, [&](Value place, ValueRange old) {
      return Values{largerFloat(*this, firstOperand(number, place), old[0])};
    })[0];
    return team.maximum(part);
  }

  void each(function_ref<void(Value)> body) { team.each(shape.length, body); }
};

} // namespace

void RowThreads::emit(nn::SoftmaxOp) {
  Value max = maximumOfFirst(0);
  auto power = [&](Value place) { return exp(sub(operand(0, place), max)); };
  Value scale = div(number(1), sum(power));
  each([&](Value place) { finish(place, mul(power(place), scale)); });
}

void RowThreads::emit(nn::SoftmaxBackwardOp) {
  Value dot = sum([&](Value place) { return mul(firstOperand(0, place), firstOperand(1, place)); });
  each([&](Value place) { finish(place, mul(operand(1, place), sub(operand(0, place), dot))); });
}

void RowThreads::emit(nn::LogSoftmaxOp) {
  Value max = maximumOfFirst(0);
  Value logSum = log(sum([&](Value place) { return exp(sub(operand(0, place), max)); }));
  each([&](Value place) { finish(place, sub(sub(operand(0, place), max), logSum)); });
}

void RowThreads::emit(nn::LogSoftmaxBackwardOp) {
  Value total = sum([&](Value place) { return firstOperand(0, place); });
  each([&](Value place) { finish(place, sub(operand(0, place), mul(exp(firstOperand(1, place)), total))); });
}

void RowThreads::emit(nn::LayerNormOp op) {
  Value center = mean(sum([&](Value place) { return firstOperand(0, place); }));
  Value variance = mean(sum([&](Value place) {
    Value distance = sub(operand(0, place), center);
    return mul(distance, distance);
  }));
  Value rstd = reciprocalSqrt(add(variance, number(op.getEps().convertToDouble())));
  team.first([&] {
    store(center, output(1), row);
    store(rstd, output(2), row);
  });
  if (hasResult())
    each([&](Value place) {
      Value normal = mul(sub(operand(0, place), center), rstd);
      finish(place, add(mul(normal, load(input(1), place)), load(input(2), place)));
    });
}

void RowThreads::emit(nn::LayerNormBackwardInputOp) {
  Value center = load(input(3), row), rstd = load(input(4), row);
  auto terms = [&](Value grad, Value x, Value place) {
    return std::make_pair(mul(grad, load(input(2), place)), mul(sub(x, center), rstd));
  };
  Values both = sums(2, [&](Value place) {
    Value grad = firstOperand(0, place), x = firstOperand(1, place);
    auto [h, normal] = terms(grad, x, place);
    return Values{h, mul(h, normal)};
  });
  Value meanOfH = mean(both[0]), meanOfProduct = mean(both[1]);
  each([&](Value place) {
    Value grad = operand(0, place), x = operand(1, place);
    auto [h, normal] = terms(grad, x, place);
    finish(place, mul(rstd, sub(sub(h, meanOfH), mul(normal, meanOfProduct))));
  });
}

// As on the CPU, all terms of the losses are distances to the maximum.
void RowThreads::emit(nn::CrossEntropyOp op) {
  double smoothing = op.getLabelSmoothing().convertToDouble();
  Value max = maximumOfFirst(0);
  Values both = sums(smoothing != 0 ? 2 : 1, [&](Value place) {
    Value distance = sub(operand(0, place), max);
    return smoothing != 0 ? Values{exp(distance), distance} : Values{exp(distance)};
  });
  team.first([&] {
    Value logSum = log(both[0]);
    store(add(max, logSum), output(1), row);
    Value target = arith::IndexCastOp::create(*this, getIndexType(), loadScalar(input(1), row));
    Value loss = sub(logSum, sub(operand(0, target), max));
    if (smoothing != 0) {
      Value everyClass = sub(logSum, mean(both[1]));
      loss = add(mul(number(1 - smoothing), loss), mul(number(smoothing), everyClass));
    }
    store(loss, output(0), row);
  });
}

void RowThreads::emit(nn::CrossEntropyBackwardOp op) {
  double smoothing = op.getLabelSmoothing().convertToDouble();
  double elsewhere = smoothing / static_cast<double>(shape.length);
  Value grad = load(input(0), row), lse = load(input(3), row);
  Value target = arith::TruncIOp::create(*this, getI32Type(), loadScalar(input(2), row));
  each([&](Value place) {
    Value hit = arith::CmpIOp::create(*this, arith::CmpIPredicate::eq, toI32(place), target);
    Value wanted = arith::SelectOp::create(*this, hit, number(1 - smoothing + elsewhere), number(elsewhere));
    finish(place, mul(grad, sub(exp(sub(firstOperand(1, place), lse)), wanted)));
  });
}

LaunchShape rowShapeOf(train::KernelOp kernel) {
  RowShape shape = rowShape(coreOf(kernel));
  return teamsFor(shape.rows, teamFor(shape.length));
}

LogicalResult emitRowThreads(KernelBuilder &b, const KernelCall &call) {
  RowShape shape = rowShape(call.op());
  forTeam(b, shape.rows, teamFor(shape.length), [&](Value row) {
    llvm::TypeSwitch<Operation *>(call.op())
        .Case<nn::SoftmaxOp, nn::SoftmaxBackwardOp, nn::LogSoftmaxOp, nn::LogSoftmaxBackwardOp,
              nn::LayerNormOp, nn::LayerNormBackwardInputOp, nn::CrossEntropyOp, nn::CrossEntropyBackwardOp>(
            [&](auto op) { RowThreads(b, call, row).emit(op); });
  });
  return success();
}

} // namespace halfstep
