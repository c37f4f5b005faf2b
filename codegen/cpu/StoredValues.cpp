// See StoredValues.h.
#include "codegen/cpu/StoredValues.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;

namespace halfstep {

namespace {

/// Arithmetic on integers of one type.
class Bits {
public:
  Bits(KernelBuilder &b, unsigned width) : b(b), type(b.getIntegerType(width)) {}

  Value number(uint64_t value) {
    return arith::ConstantOp::create(
        b, b.getIntegerAttr(type, APInt(type.getWidth(), value, /*isSigned=*/false, /*implicitTrunc=*/true)));
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value mul(Value x, uint64_t y) { return arith::MulIOp::create(b, x, number(y)); }
  Value both(Value x, uint64_t mask) { return arith::AndIOp::create(b, x, number(mask)); }
  Value either(Value x, uint64_t mask) { return arith::OrIOp::create(b, x, number(mask)); }
  Value differ(Value x, Value y) { return arith::XOrIOp::create(b, x, y); }
  Value shiftRight(Value x, uint64_t count) { return arith::ShRUIOp::create(b, x, number(count)); }
  Value foldRight(Value x, uint64_t count) { return differ(x, shiftRight(x, count)); }
  Value isAtLeast(Value x, uint64_t bound) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::uge, x, number(bound));
  }
  Value choose(Value condition, Value x, Value y) { return arith::SelectOp::create(b, condition, x, y); }
  /// The lowest bits.
  Value low(Value x, unsigned width) { return arith::TruncIOp::create(b, b.getIntegerType(width), x); }

private:
  KernelBuilder &b;
  IntegerType type;
};

} // namespace

static Value bitsOf(KernelBuilder &b, Value f32) {
  return arith::BitcastOp::create(b, b.getI32Type(), b.convert(f32, b.getF32Type()));
}

static Value bf16Of(KernelBuilder &b, Value upperHalfOfBits) {
  Bits i(b, 32);
  return arith::BitcastOp::create(b, b.getBF16Type(), i.low(i.shiftRight(upperHalfOfBits, 16), 16));
}

KernelBuilder::Values PlainValues::write(Value value) const {
  return hasCopy ? KernelBuilder::Values{value, value} : KernelBuilder::Values{value};
}

//===----------------------------------------------------------------------===//
// Split
//===----------------------------------------------------------------------===//

Value SplitValues::read(ValueRange parts) const {
  Value rest = arith::ExtSIOp::create(b, b.getI32Type(), parts[0]);
  Value bits = arith::AddIOp::create(b, bitsOf(b, parts[1]), rest);
  return b.convert(arith::BitcastOp::create(b, b.getF32Type(), bits), compute);
}

KernelBuilder::Values SplitValues::write(Value value) const {
  Bits i(b, 32);
  Value bits = bitsOf(b, value);
  Value isNan = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, value, value);
  Value quiet = i.both(i.either(bits, 0x400000), ~uint64_t(0x8000));
  bits = i.choose(isNan, quiet, bits);
  return {i.low(bits, 16), bf16Of(b, i.add(bits, i.number(0x8000)))};
}

//===----------------------------------------------------------------------===//
// Stochastic
//===----------------------------------------------------------------------===//

/// The finalizer of SplitMix64: David Stafford's variant 13.
static Value mix(KernelBuilder &b, Value x) {
  Bits i(b, 64);
  x = i.mul(i.foldRight(x, 30), 0xbf58476d1ce4e5b9);
  x = i.mul(i.foldRight(x, 27), 0x94d049bb133111eb);
  return i.foldRight(x, 31);
}

StochasticValues::StochasticValues(KernelBuilder &b, FloatType type, Value seed, Value update, Value first)
    : b(b), type(type) {
  Bits i(b, 64);
  Value step = arith::FPToUIOp::create(b, b.getI64Type(), update);
  Value key = mix(b, i.add(seed, i.mul(step, 0x9e3779b97f4a7c15)));
  low = i.low(key, 32);
  high = i.low(i.shiftRight(key, 32), 32);
  this->first = arith::IndexCastOp::create(b, b.getI32Type(), first);
}

Value StochasticValues::randomBits(unsigned count) const {
  Bits i(b, 32);
  Value position = linalg::IndexOp::create(b, b.getIndexType(), b.getI64IntegerAttr(0));
  Value element = i.add(first, arith::IndexCastOp::create(b, b.getI32Type(), position));
  Value x = i.differ(element, low);
  x = i.differ(i.mul(i.foldRight(x, 16), 0x7feb352d), high);
  x = i.mul(i.foldRight(x, 15), 0x846ca68b);
  return i.shiftRight(x, 32 - count);
}

Value StochasticValues::roundToBf16(Value bits) const {
  Bits i(b, 32);
  Value isLargest = i.isAtLeast(i.both(bits, 0x7fffffff), 0x7f7f0000); // or infinite, or NaN
  return bf16Of(b, i.add(bits, i.choose(isLargest, i.number(0), randomBits(16))));
}

Value StochasticValues::roundToF16(Value bits) const {
  constexpr uint64_t leastNormal = 0x38800000, largest = 0x477fe000; // 2^-14 and 65504
  Bits i(b, 32);
  auto f32 = [&](Value x) -> Value { return arith::BitcastOp::create(b, b.getF32Type(), x); };
  Value magnitude = i.both(bits, 0x7fffffff);
  Value lift = i.choose(i.isAtLeast(magnitude, leastNormal), i.number(0),
                        i.either(i.both(bits, 0x80000000), leastNormal));
  Value lifted = bitsOf(b, arith::AddFOp::create(b, f32(bits), f32(lift)));
  Value random = i.choose(i.isAtLeast(magnitude, largest), i.number(0), randomBits(13));
  Value cut = i.both(i.add(lifted, random), ~uint64_t(0x1fff));
  return b.convert(arith::SubFOp::create(b, f32(cut), f32(lift)), type);
}

KernelBuilder::Values StochasticValues::write(Value value) const {
  Value bits = bitsOf(b, value);
  return {type.isBF16() ? roundToBf16(bits) : roundToF16(bits)};
}

} // namespace halfstep
