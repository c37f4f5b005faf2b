// Conversions over all 16-bit values, and around every rounding boundary between two neighbours.
#include "runtime/embedded/convert.h"

#include <bit>
#include <cmath>
#include <gtest/gtest.h>
#include <vector>

namespace {

struct Type {
  float (*widen)(uint16_t);
  uint16_t (*narrow)(float);
  uint16_t infinity; // bits; what is above is a NaN
  int fraction;      // bits of the significand without its leading one
  int minExponent;   // of the smallest normal
};
const Type types[] = {{hs_f32_from_f16, hs_f16_from_f32, 0x7c00, 10, -14},
                      {hs_f32_from_bf16, hs_bf16_from_f32, 0x7f80, 7, -126}};

// The value that the bits stand for, from the definition of the format.
double valueOf(const Type &type, uint16_t bits) {
  int exponent = (bits & 0x7fff) >> type.fraction, significand = bits & ((1 << type.fraction) - 1);
  double magnitude = exponent ? std::ldexp(significand + (1 << type.fraction),
                                           exponent - 1 + type.minExponent - type.fraction)
                              : std::ldexp(significand, type.minExponent - type.fraction);
  return bits & 0x8000 ? -magnitude : magnitude;
}

TEST(Convert, EveryFiniteValueIsExactAndComesBack) {
  for (const Type &type : types)
    for (uint32_t bits = 0; bits < 0x10000; ++bits)
      if ((bits & 0x7fff) < type.infinity) {
        ASSERT_EQ(double(type.widen(bits)), valueOf(type, bits)) << bits;
        ASSERT_EQ(type.narrow(type.widen(bits)), bits);
      }
}

TEST(Convert, InfinityStaysAndNanStaysNan) {
  for (const Type &type : types)
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
      if ((bits & 0x7fff) == type.infinity) {
        EXPECT_TRUE(std::isinf(type.widen(bits)));
        EXPECT_EQ(type.narrow(type.widen(bits)), bits);
      } else if ((bits & 0x7fff) > type.infinity) {
        ASSERT_TRUE(std::isnan(type.widen(bits))) << bits;
        uint16_t quiet = uint16_t(1 << (type.fraction - 1));
        ASSERT_EQ(type.narrow(type.widen(bits)), bits | quiet) << bits;
      }
    }
}

TEST(Convert, RoundsToNearestEvenBetweenAllNeighbours) {
  for (const Type &type : types)
    for (uint16_t bits = 0; bits + 1 < type.infinity; ++bits) {
      double low = valueOf(type, bits), high = valueOf(type, bits + 1);
      float middle = float((low + high) / 2);
      ASSERT_EQ(double(middle), (low + high) / 2);
      ASSERT_EQ(type.narrow(middle), bits + (bits & 1)) << bits;
      ASSERT_EQ(type.narrow(std::nextafter(middle, -INFINITY)), bits) << bits;
      ASSERT_EQ(type.narrow(std::nextafter(middle, INFINITY)), bits + 1) << bits;
      ASSERT_EQ(type.narrow(-middle), (bits + (bits & 1)) | 0x8000) << bits;
    }
}

TEST(Convert, OverflowsFromHalfWayToTheNextPowerOfTwo) {
  EXPECT_EQ(hs_f16_from_f32(65519.996f), 0x7bff);
  EXPECT_EQ(hs_f16_from_f32(65520.0f), 0x7c00);
  EXPECT_EQ(hs_bf16_from_f32(3.3961775e38f), 0x7f80);
  EXPECT_EQ(hs_f16_from_f32(-3e38f), 0xfc00);
}

TEST(Convert, ADoubleIsRoundedOnce) {
  // Just above the tie between 1 and 1 + 2^-10: rounding through f32 would lose the excess and go to even.
  double value = 1 + 0x1p-11 + 0x1p-40;
  uint16_t half = 0;
  hs_store_element(HS_F16, &half, 0, value);
  EXPECT_EQ(half, 0x3c01);
  hs_store_element(HS_F16, &half, 0, -value);
  EXPECT_EQ(half, 0xbc01);
  hs_store_element(HS_BF16, &half, 0, 1 + 0x1p-8 - 0x1p-40);
  EXPECT_EQ(half, 0x3f80);
  hs_store_element(HS_F16, &half, 0, 1e300);
  EXPECT_EQ(half, 0x7c00);
}

TEST(Convert, ArraysOfAllTypes) {
  std::vector<float> values = {0, 1, -2.5f, 3};
  for (int32_t type : {HS_F32, HS_F64, HS_F16, HS_BF16}) {
    std::vector<uint64_t> stored(values.size());
    std::vector<float> back(values.size());
    hs_convert(type, stored.data(), HS_F32, values.data(), int64_t(values.size()));
    hs_convert(HS_F32, back.data(), type, stored.data(), int64_t(values.size()));
    EXPECT_EQ(back, values);
  }
  EXPECT_EQ(hs_dtype_bytes(HS_I64), 8u);
  EXPECT_EQ(hs_dtype_bytes(HS_U8), 1u);
  EXPECT_EQ(hs_dtype_bytes(99), 0u);
}

} // namespace
