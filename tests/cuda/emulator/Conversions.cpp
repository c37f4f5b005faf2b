// cvt: every pair of types that generated code uses, rounded once. Meanings after the PTX ISA description,
// chapter 9.7.9.21: a float outside an integer's range gives the nearest end of the range, NaN gives 0 (f64
// and 64-bit results: the bits 0x8000...).
#include "HalfFormats.h"
#include "Lanewise.h"

#include <limits>

namespace halfstep::emulator {
namespace {

template <typename To, typename From>
LaneOp integerConversion() {
  LaneOp op = lanewise<[](From a) { return static_cast<To>(a); }>();
  op.resizes = true;
  op.resultSigned = std::is_signed_v<To>;
  return op;
}

template <typename From>
void addFromInteger(LaneOps &ops, const std::string &from) {
  ops["cvt.u8." + from] = integerConversion<uint8_t, From>();
  ops["cvt.u16." + from] = integerConversion<uint16_t, From>();
  ops["cvt.u32." + from] = integerConversion<uint32_t, From>();
  ops["cvt.u64." + from] = integerConversion<uint64_t, From>();
  ops["cvt.s8." + from] = integerConversion<int8_t, From>();
  ops["cvt.s16." + from] = integerConversion<int16_t, From>();
  ops["cvt.s32." + from] = integerConversion<int32_t, From>();
  ops["cvt.s64." + from] = integerConversion<int64_t, From>();
  auto floating = [&](const char *to, LaneOp op) {
    op.resizes = true;
    ops["cvt.rn." + (to + ("." + from))] = op;
  };
  floating("f32", lanewise<[](From a) { return static_cast<float>(a); }>());
  floating("f64", lanewise<[](From a) { return static_cast<double>(a); }>());
  // 64-bit integers may lie between doubles, so the way through them would round twice.
  if constexpr (sizeof(From) < 8)
    floating("f16", lanewise<[](From a) { return fromFloat<F16>(oddFloat(static_cast<double>(a))); }>());
}

enum class Round { Zero, Nearest, Down, Up };

template <typename F>
F rounded(F a, Round how) {
  return how == Round::Zero      ? std::trunc(a)
         : how == Round::Nearest ? std::nearbyint(a) // to even: nothing changes the rounding mode
         : how == Round::Down    ? std::floor(a)
                                 : std::ceil(a);
}

template <typename To, typename From, Round how>
To toInteger(From a) {
  if (a != a)
    return sizeof(From) == 8 || sizeof(To) == 8 ? static_cast<To>(uint64_t(1) << (sizeof(To) * 8 - 1))
                                                : To(0);
  const From whole = rounded(a, how);
  // The bounds as powers of two, exact in every format.
  const From above = std::ldexp(From(1), std::numeric_limits<To>::digits);
  if (whole >= above)
    return std::numeric_limits<To>::max();
  if (whole <= (std::is_signed_v<To> ? -above : From(0)))
    return std::numeric_limits<To>::min();
  return static_cast<To>(whole);
}

template <typename From, Round how>
void addToInteger(LaneOps &ops, const std::string &rounding, const std::string &from) {
  auto add = [&](const char *to, LaneOp op) { ops["cvt." + rounding + "." + to + "." + from] = op; };
  add("s16", lanewise<toInteger<int16_t, From, how>>());
  add("u16", lanewise<toInteger<uint16_t, From, how>>());
  add("s32", lanewise<toInteger<int32_t, From, how>>());
  add("u32", lanewise<toInteger<uint32_t, From, how>>());
  add("s64", lanewise<toInteger<int64_t, From, how>>());
  add("u64", lanewise<toInteger<uint64_t, From, how>>());
  add(from.c_str(), lanewise<[](From a) { return rounded(a, how); }>());
}

template <typename From>
void addRoundings(LaneOps &ops, const std::string &from) {
  addToInteger<From, Round::Zero>(ops, "rzi", from);
  addToInteger<From, Round::Nearest>(ops, "rni", from);
  addToInteger<From, Round::Down>(ops, "rmi", from);
  addToInteger<From, Round::Up>(ops, "rpi", from);
}

void addBetweenFloats(LaneOps &ops) {
  ops["cvt.f64.f32"] = lanewise<[](float a) { return static_cast<double>(a); }>();
  ops["cvt.rn.f32.f64"] = lanewise<[](double a) { return canonical(static_cast<float>(a)); }>();
  ops["cvt.f32.f16"] = lanewise<[](F16 a) { return canonical(toFloat(a)); }>();
  ops["cvt.f64.f16"] = lanewise<[](F16 a) { return static_cast<double>(toFloat(a)); }>();
  ops["cvt.f32.bf16"] = lanewise<[](BF16 a) { return canonical(toFloat(a)); }>();
  ops["cvt.rn.f16.f32"] = lanewise<fromFloat<F16>>();
  ops["cvt.rn.bf16.f32"] = lanewise<fromFloat<BF16>>();
  ops["cvt.rn.f16.f64"] = lanewise<[](double a) { return fromFloat<F16>(oddFloat(a)); }>();
  ops["cvt.rn.f16x2.f32"] = lanewise<[](float high, float low) {
    return uint32_t(fromFloat<F16>(high).bits) << 16 | fromFloat<F16>(low).bits;
  }>();
  ops["cvt.rn.bf16x2.f32"] = lanewise<[](float high, float low) {
    return uint32_t(fromFloat<BF16>(high).bits) << 16 | fromFloat<BF16>(low).bits;
  }>();
}

} // namespace

void addConversions(LaneOps &ops) {
  addFromInteger<uint8_t>(ops, "u8");
  addFromInteger<uint16_t>(ops, "u16");
  addFromInteger<uint32_t>(ops, "u32");
  addFromInteger<uint64_t>(ops, "u64");
  addFromInteger<int8_t>(ops, "s8");
  addFromInteger<int16_t>(ops, "s16");
  addFromInteger<int32_t>(ops, "s32");
  addFromInteger<int64_t>(ops, "s64");
  addRoundings<float>(ops, "f32");
  addRoundings<double>(ops, "f64");
  addBetweenFloats(ops);
}

} // namespace halfstep::emulator
