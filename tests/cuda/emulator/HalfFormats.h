// f16 and bf16 as bits, with conversions rounded once to nearest, ties to even. NaN results are 0x7FFF, as
// PTX says.
#ifndef HALFSTEP_EMULATOR_HALFFORMATS_H
#define HALFSTEP_EMULATOR_HALFFORMATS_H

#include <bit>
#include <cmath>
#include <cstdint>

namespace halfstep::emulator {

struct F16 {
  uint16_t bits;
};
struct BF16 {
  uint16_t bits;
};

inline float toFloat(BF16 value) { return std::bit_cast<float>(uint32_t(value.bits) << 16); }
inline float toFloat(F16 value) {
  const uint32_t sign = uint32_t(value.bits & 0x8000) << 16, rest = value.bits & 0x7FFF;
  // The exponent is rebiased by an exact product, which also normalises subnormal values.
  uint32_t magnitude = std::bit_cast<uint32_t>(std::bit_cast<float>(rest << 13) * 0x1p112f);
  magnitude = rest >= 0x7C00 ? 0x7F800000 | rest << 13 : magnitude;
  return std::bit_cast<float>(sign | magnitude);
}

/// A NaN becomes the one that f32 instructions give. On bits: a compiler may give any NaN for any other.
inline float canonical(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return std::bit_cast<float>((bits & 0x7FFFFFFF) > 0x7F800000 ? 0x7FFFFFFF : bits);
}

template <typename T>
T fromFloat(float value);

template <>
inline F16 fromFloat<F16>(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value), sign = bits >> 16 & 0x8000, rest = bits & 0x7FFFFFFF;
  if (rest > 0x7F800000)
    return {0x7FFF};
  uint32_t magnitude;
  if (rest >= 0x477FF000) // halfway from 65504 to 65536, and up
    magnitude = 0x7C00;
  else if (rest < 0x38800000) // below the least normal value: the sum's last place is that of a subnormal
    magnitude = std::bit_cast<uint32_t>(std::bit_cast<float>(rest) + 0.5f) - 0x3F000000;
  else
    magnitude = (rest - (112u << 23) + 0xFFF + (rest >> 13 & 1)) >> 13;
  return {static_cast<uint16_t>(sign | magnitude)};
}

template <>
inline BF16 fromFloat<BF16>(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000)
    return {0x7FFF};
  return {static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
}

/// Rounded to odd: a second rounding to at most 22 bits then gives what one rounding would.
inline float oddFloat(double value) {
  const float nearest = static_cast<float>(value);
  if (static_cast<double>(nearest) == value || value != value)
    return nearest;
  uint32_t bits = std::bit_cast<uint32_t>(nearest);
  bits -= std::fabs(static_cast<double>(nearest)) > std::fabs(value);
  return std::bit_cast<float>(bits | 1);
}

/// a * b + c rounded to odd in double, for products that are exact there.
inline double oddFma(double a, double b, double c) {
  const double product = a * b, sum = product + c;
  if (!std::isfinite(sum))
    return sum;
  const double part = sum - product, error = (product - (sum - part)) + (c - part);
  if (error == 0)
    return sum;
  uint64_t bits = std::bit_cast<uint64_t>(sum);
  bits -= std::signbit(error) != std::signbit(sum);
  return std::bit_cast<double>(bits | 1);
}

} // namespace halfstep::emulator

#endif // HALFSTEP_EMULATOR_HALFFORMATS_H
