// The scalar formula of each element-wise op. Kernels call these for every element, on every target.
#include "dialect/nn/NNDialect.h"
#include "dialect/nn/Scalar.h"

#include <cmath>
#include <numbers>

using namespace mlir;

namespace halfstep::nn {

#define HS_SCALAR(Op)                                                                                        \
  Value Op::emitScalar(OpBuilder &builder, Location loc, ValueRange operands, Type type,                     \
                       llvm::function_ref<Value()> linearIndex)

HS_SCALAR(ReluOp) { return Scalar(builder, loc, type).wherePositive(operands[0], operands[0], true); }
HS_SCALAR(ReluBackwardOp) {
  return Scalar(builder, loc, type).wherePositive(operands[1], operands[0], false);
}
HS_SCALAR(TanhOp) { return Scalar(builder, loc, type).tanh(operands[0]); }
HS_SCALAR(SigmoidOp) { return Scalar(builder, loc, type).sigmoid(operands[0]); }
HS_SCALAR(AddOp) { return Scalar(builder, loc, type).add(operands[0], operands[1]); }
HS_SCALAR(SubOp) { return Scalar(builder, loc, type).sub(operands[0], operands[1]); }
HS_SCALAR(MulOp) { return Scalar(builder, loc, type).mul(operands[0], operands[1]); }
HS_SCALAR(BroadcastOp) { return operands[0]; }
HS_SCALAR(CopyOp) { return operands[0]; }

HS_SCALAR(TanhBackwardOp) {
  Scalar s(builder, loc, type);
  return s.mul(operands[0], s.oneMinus(s.square(operands[1])));
}

HS_SCALAR(SigmoidBackwardOp) {
  Scalar s(builder, loc, type);
  return s.mul(operands[0], s.mul(operands[1], s.oneMinus(operands[1])));
}

HS_SCALAR(SiluOp) {
  Scalar s(builder, loc, type);
  return s.mul(operands[0], s.sigmoid(operands[0]));
}

HS_SCALAR(SiluBackwardOp) {
  Scalar s(builder, loc, type);
  Value sigmoid = s.sigmoid(operands[1]);
  Value slope = s.mul(sigmoid, s.add(s.number(1), s.mul(operands[1], s.oneMinus(sigmoid))));
  return s.mul(operands[0], slope);
}

HS_SCALAR(SquaredErrorOp) {
  Scalar s(builder, loc, type);
  return s.square(s.sub(operands[0], operands[1]));
}

// tanh-GELU is written as x * sigmoid(2u): (1 + tanh u) / 2 = 1 / (1 + exp(-2u)), one exponential and no
// tanh.
constexpr double kGeluCubic = 0.044715;
static const double kGeluScale = std::sqrt(2 / std::numbers::pi);

static Value geluGate(Scalar &s, Value x) {
  Value u =
      s.mul(s.mul(s.number(kGeluScale), x), s.add(s.number(1), s.mul(s.number(kGeluCubic), s.square(x))));
  return s.sigmoid(s.mul(s.number(2), u));
}

/// The normal distribution function: (1 + erf(x / sqrt 2)) / 2.
static Value normalCdf(Scalar &s, Value x) {
  return s.mul(s.number(0.5), s.add(s.number(1), s.erf(s.mul(x, s.number(std::numbers::sqrt2 / 2)))));
}

HS_SCALAR(GeluOp) {
  Scalar s(builder, loc, type);
  return s.mul(operands[0], getTanh() ? geluGate(s, operands[0]) : normalCdf(s, operands[0]));
}

HS_SCALAR(GeluBackwardOp) {
  Scalar s(builder, loc, type);
  Value x = operands[1];
  if (getTanh()) {
    Value gate = geluGate(s, x);
    Value slopeOfU =
        s.mul(s.number(2 * kGeluScale), s.add(s.number(1), s.mul(s.number(3 * kGeluCubic), s.square(x))));
    Value slope = s.add(gate, s.mul(s.mul(x, s.mul(gate, s.oneMinus(gate))), slopeOfU));
    return s.mul(operands[0], slope);
  }
  Value density =
      s.mul(s.number(1 / std::sqrt(2 * std::numbers::pi)), s.exp(s.mul(s.number(-0.5), s.square(x))));
  return s.mul(operands[0], s.add(normalCdf(s, x), s.mul(x, density)));
}

//===----------------------------------------------------------------------===//
// Batch normalisation: vectors lie along dimension 1
//===----------------------------------------------------------------------===//

static AffineMap channelMap(Operation *op, unsigned operand, unsigned full) {
  int64_t rank = cast<RankedTensorType>(op->getResult(0).getType()).getRank();
  MLIRContext *context = op->getContext();
  return operand < full ? AffineMap::getMultiDimIdentityMap(rank, context)
                        : AffineMap::get(rank, 0, getAffineDimExpr(1, context));
}
AffineMap BatchNormApplyOp::getOperandMap(unsigned operand) { return channelMap(*this, operand, 1); }
AffineMap BatchNormInferenceOp::getOperandMap(unsigned operand) { return channelMap(*this, operand, 1); }
AffineMap BatchNormBackwardInputOp::getOperandMap(unsigned operand) { return channelMap(*this, operand, 2); }

HS_SCALAR(BatchNormApplyOp) {
  Scalar s(builder, loc, type);
  Value normal = s.mul(s.sub(operands[0], operands[1]), operands[2]);
  return s.add(s.mul(normal, operands[3]), operands[4]);
}

HS_SCALAR(BatchNormInferenceOp) {
  Scalar s(builder, loc, type);
  Value deviation =
      math::SqrtOp::create(builder, loc, s.add(operands[4], s.number(getEps().convertToDouble())));
  Value normal = s.div(s.sub(operands[0], operands[3]), deviation);
  return s.add(s.mul(normal, operands[1]), operands[2]);
}

/// The first `full` operands are whole, the `vectors` from `scale` on lie along dimension 1, the others,
/// statistics of channels of images, along dimensions 0 and 1.
static AffineMap groupMap(Operation *op, unsigned operand, unsigned full, unsigned scale, unsigned vectors) {
  bool isVector = operand >= scale && operand < scale + vectors;
  if (operand < full || isVector)
    return channelMap(op, operand, full);
  int64_t rank = cast<RankedTensorType>(op->getResult(0).getType()).getRank();
  MLIRContext *context = op->getContext();
  return AffineMap::get(rank, 0, {getAffineDimExpr(0, context), getAffineDimExpr(1, context)}, context);
}
AffineMap GroupNormApplyOp::getOperandMap(unsigned operand) {
  return groupMap(*this, operand, /*full=*/1, /*scale=*/3, /*vectors=*/2);
}
AffineMap GroupNormBackwardInputOp::getOperandMap(unsigned operand) {
  return groupMap(*this, operand, /*full=*/2, /*scale=*/4, /*vectors=*/1);
}

HS_SCALAR(GroupNormApplyOp) {
  Scalar s(builder, loc, type);
  Value normal = s.mul(s.sub(operands[0], operands[1]), operands[2]);
  return s.add(s.mul(normal, operands[3]), operands[4]);
}

HS_SCALAR(GroupNormBackwardInputOp) {
  Scalar s(builder, loc, type);
  Value grad = s.mul(operands[0], operands[4]), rstd = operands[3];
  Value normal = s.mul(s.sub(operands[1], operands[2]), rstd);
  return s.mul(rstd, s.sub(s.sub(grad, operands[6]), s.mul(normal, operands[5])));
}

HS_SCALAR(BatchNormBackwardInputOp) {
  Scalar s(builder, loc, type);
  auto input = cast<RankedTensorType>(getInput().getType());
  Value inverseCount =
      s.number(static_cast<double>(input.getDimSize(1)) / static_cast<double>(input.getNumElements()));
  Value grad = operands[0], rstd = operands[3], scale = operands[4];
  Value normal = s.mul(s.sub(operands[1], operands[2]), rstd);
  Value mean = s.mul(inverseCount, s.add(operands[6], s.mul(normal, operands[5])));
  return s.mul(s.mul(scale, rstd), s.sub(grad, mean));
}

//===----------------------------------------------------------------------===//
// Dropout
//===----------------------------------------------------------------------===//

/// First word of Philox 4x32-10 for a 128-bit counter and a 64-bit key, all as i32 values.
static Value philox(ImplicitLocOpBuilder &b, std::array<Value, 4> counter, std::array<Value, 2> key) {
  // Multipliers and Weyl increments of the published generator.
  constexpr uint32_t multipliers[2] = {0xD2511F53u, 0xCD9E8D57u}, weyl[2] = {0x9E3779B9u, 0xBB67AE85u};
  auto word = [&](uint32_t value) {
    return arith::ConstantOp::create(b, b.getI32IntegerAttr(static_cast<int32_t>(value))).getResult();
  };
  for (int round = 0; round < 10; ++round) {
    auto low = arith::MulUIExtendedOp::create(b, word(multipliers[0]), counter[0]);
    auto high = arith::MulUIExtendedOp::create(b, word(multipliers[1]), counter[2]);
    auto mix = [&](Value a, Value c, Value k) -> Value {
      return arith::XOrIOp::create(b, arith::XOrIOp::create(b, a, c), k);
    };
    counter = {mix(high.getHigh(), counter[1], key[0]), high.getLow(), mix(low.getHigh(), counter[3], key[1]),
               low.getLow()};
    key = {arith::AddIOp::create(b, key[0], word(weyl[0])), arith::AddIOp::create(b, key[1], word(weyl[1]))};
  }
  return counter[0];
}

HS_SCALAR(DropoutOp) {
  ImplicitLocOpBuilder b(loc, builder);
  Scalar s(builder, loc, type);
  auto halves = [&](Value wide) {
    Value shifted = arith::ShRUIOp::create(b, wide, arith::ConstantOp::create(b, b.getI64IntegerAttr(32)));
    return std::array<Value, 2>{arith::TruncIOp::create(b, b.getI32Type(), wide),
                                arith::TruncIOp::create(b, b.getI32Type(), shifted)};
  };
  auto index = halves(linearIndex()), step = halves(operands[2]);
  Value id = arith::ConstantOp::create(b, b.getI32IntegerAttr(static_cast<int32_t>(getId())));
  // The upper half of the step shares a word with the op's id: 2^32 steps and 2^32 ops without repetition.
  Value last = arith::XOrIOp::create(b, id, step[1]);
  Value bits = philox(b, {index[0], index[1], step[0], last}, halves(operands[1]));
  double p = getP().convertToDouble();
  auto limit = static_cast<uint32_t>(std::min(std::floor(p * 0x1p32), 0x1p32 - 1));
  Value keep =
      arith::CmpIOp::create(b, arith::CmpIPredicate::uge, bits,
                            arith::ConstantOp::create(b, b.getI32IntegerAttr(static_cast<int32_t>(limit))));
  return arith::SelectOp::create(b, keep, s.mul(operands[0], s.number(1 / (1 - p))), s.number(0));
}

} // namespace halfstep::nn
