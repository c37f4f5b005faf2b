// Conversions between element types.
#include "runtime/trainer/data/DataType.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

using namespace halfstep;

namespace {

template <typename To, typename From>
std::vector<To> converted(DataType to, DataType from, const std::vector<From> &values, size_t expected) {
  std::vector<To> out(values.size());
  EXPECT_EQ(convert(to, reinterpret_cast<std::byte *>(out.data()), from,
                    reinterpret_cast<const std::byte *>(values.data()), values.size()),
            expected);
  return out;
}

TEST(DataType, NamesAreReadInEitherCase) {
  EXPECT_EQ(dataTypeOf("BF16"), DataType::BF16);
  EXPECT_EQ(dataTypeOf("bool"), DataType::Bool);
  EXPECT_EQ(dataTypeOf("F8_E4M3"), std::nullopt);
  EXPECT_EQ(dataTypeOf(""), std::nullopt);
}

TEST(DataType, BytesBecomeFloats) {
  EXPECT_EQ(converted<float>(DataType::F32, DataType::U8, std::vector<uint8_t>{0, 7, 255}, 3),
            (std::vector<float>{0, 7, 255}));
  EXPECT_EQ(converted<float>(DataType::F32, DataType::I8, std::vector<int8_t>{-128, 127}, 2),
            (std::vector<float>{-128, 127}));
}

TEST(DataType, SixteenBitFloatsBothWays) {
  std::vector<uint16_t> half = {0x3c00, 0xc000, 0x0001};
  std::vector<float> values = {1, -2, std::ldexp(1.0f, -24)};
  EXPECT_EQ(converted<float>(DataType::F32, DataType::F16, half, 3), values);
  EXPECT_EQ(converted<uint16_t>(DataType::F16, DataType::F32, values, 3), half);
  EXPECT_EQ(
      converted<uint16_t>(DataType::BF16, DataType::F32, std::vector<float>{1.00390625f, 1.01171875f}, 2),
      (std::vector<uint16_t>{0x3f80, 0x3f82}))
      << "ties go to even";
}

TEST(DataType, OverflowIsFound) {
  converted<float>(DataType::F32, DataType::F64, std::vector<double>{1, 1e300}, 1);
  converted<uint16_t>(DataType::F16, DataType::F32, std::vector<float>{65504, 65520}, 1);
  converted<int32_t>(DataType::I32, DataType::I64, std::vector<int64_t>{INT32_MAX, int64_t(INT32_MAX) + 1},
                     1);
  converted<uint8_t>(DataType::U8, DataType::I64, std::vector<int64_t>{255, -1}, 1);
}

TEST(DataType, FractionsAreNoIntegers) {
  converted<int64_t>(DataType::I64, DataType::F64, std::vector<double>{3, -2, 2.5}, 2);
  converted<int64_t>(DataType::I64, DataType::F64, std::vector<double>{0x1p62, 0x1p63}, 1);
  converted<int64_t>(DataType::I64, DataType::F32,
                     std::vector<float>{1, std::numeric_limits<float>::quiet_NaN()}, 1);
}

TEST(DataType, NonFiniteIsFoundInEveryFloatType) {
  std::vector<uint16_t> half = {0x7bff, 0x7c00}, brain = {0x7f7f, 0xffc0};
  std::vector<double> wide = {1e308, -std::numeric_limits<double>::infinity()};
  EXPECT_EQ(findNonFinite(DataType::F16, reinterpret_cast<std::byte *>(half.data()), 2), 1u);
  EXPECT_EQ(findNonFinite(DataType::BF16, reinterpret_cast<std::byte *>(brain.data()), 2), 1u);
  EXPECT_EQ(findNonFinite(DataType::F64, reinterpret_cast<std::byte *>(wide.data()), 2), 1u);
  EXPECT_EQ(findNonFinite(DataType::I32, reinterpret_cast<std::byte *>(wide.data()), 4), 4u);
}

} // namespace
