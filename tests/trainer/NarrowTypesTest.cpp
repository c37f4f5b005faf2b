// The ends of narrow types, against all their values: rounding to nearest, ties to even, by search.
#include "runtime/trainer/observe/Calibration.h"

#include "runtime/embedded/convert.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

namespace halfstep {
namespace {

/// A type by its layout; fp8_e4m3 has no infinities, and its last code is NaN.
struct Layout {
  const char *name;
  int exponentBits, mantissaBits, finiteCodes;
};

double valueOf(const Layout &layout, int code) {
  int bias = (1 << (layout.exponentBits - 1)) - 1, exponent = code >> layout.mantissaBits;
  double fraction = std::ldexp(code & ((1 << layout.mantissaBits) - 1), -layout.mantissaBits);
  return exponent ? std::ldexp(1 + fraction, exponent - bias) : std::ldexp(fraction, 1 - bias);
}

/// The code nearest to a magnitude, the even one of two; finiteCodes, as if the type went on, for overflow.
int nearestCode(const Layout &layout, double size) {
  int low = 0, high = layout.finiteCodes;
  while (high - low > 1) {
    int middle = (low + high) / 2;
    (valueOf(layout, middle) <= size ? low : high) = middle;
  }
  double below = size - valueOf(layout, low), above = valueOf(layout, high) - size;
  return below != above ? (below < above ? low : high) : (low % 2 ? high : low);
}

TEST(NarrowTypes, EndWhereRoundingToNearestLeavesThem) {
  const Layout layouts[] = {
      {"fp16", 5, 10, 0x7c00}, {"bf16", 8, 7, 0x7f80}, {"fp8_e4m3", 4, 3, 0x7f}, {"fp8_e5m2", 5, 2, 0x7c}};
  ASSERT_EQ(std::size(layouts), kNarrowTypes.size());
  for (size_t i = 0; i < kNarrowTypes.size(); ++i) {
    const NarrowType &type = kNarrowTypes[i];
    const Layout &layout = layouts[i];
    ASSERT_STREQ(type.name, layout.name);
    EXPECT_EQ(type.largest, valueOf(layout, layout.finiteCodes - 1)) << type.name;
    EXPECT_EQ(nearestCode(layout, type.overflowFrom), layout.finiteCodes) << type.name;
    EXPECT_LT(nearestCode(layout, std::nextafter(type.overflowFrom, 0)), layout.finiteCodes) << type.name;
    EXPECT_EQ(nearestCode(layout, type.zeroUpTo), 0) << type.name;
    EXPECT_EQ(nearestCode(layout, std::nextafter(type.zeroUpTo, 1)), 1) << type.name;
  }
}

TEST(NarrowTypes, AgreeWithTheRuntimesConversions) {
  auto f16 = [](double value) { return hs_f16_from_f32(float(value)); };
  auto bf16 = [](double value) { return hs_bf16_from_f32(float(value)); };
  EXPECT_EQ(f16(kNarrowTypes[0].overflowFrom), 0x7c00);
  EXPECT_EQ(f16(std::nextafter(float(kNarrowTypes[0].overflowFrom), 0.0f)), 0x7bff);
  EXPECT_EQ(f16(kNarrowTypes[0].zeroUpTo), 0);
  EXPECT_EQ(f16(std::nextafter(float(kNarrowTypes[0].zeroUpTo), 1.0f)), 1);
  EXPECT_EQ(bf16(kNarrowTypes[1].overflowFrom), 0x7f80);
  EXPECT_EQ(bf16(std::nextafter(float(kNarrowTypes[1].overflowFrom), 0.0f)), 0x7f7f);
  EXPECT_EQ(bf16(kNarrowTypes[1].zeroUpTo), 0);
  EXPECT_EQ(bf16(std::nextafter(float(kNarrowTypes[1].zeroUpTo), 1.0f)), 1);
}

} // namespace
} // namespace halfstep
