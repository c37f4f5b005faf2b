// See DataType.h.
#include "runtime/trainer/data/DataType.h"

#include "runtime/embedded/convert.h"

#include <cctype>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

namespace halfstep {
namespace {

struct Row {
  const char *name;
  uint8_t bytes;
  bool isFloat;
};

/// By DataType.
constexpr Row rows[] = {{"F32", 4, true},  {"F64", 8, true},  {"F16", 2, true},  {"BF16", 2, true},
                        {"I64", 8, false}, {"I32", 4, false}, {"U8", 1, false},  {"I8", 1, false},
                        {"I16", 2, false}, {"U16", 2, false}, {"U32", 4, false}, {"BOOL", 1, false}};

/// Bits of the two 16-bit types, with their conversions.
struct Half {
  uint16_t bits;
  float value() const { return hs_f32_from_f16(bits); }
  static Half of(float value) { return {hs_f16_from_f32(value)}; }
};
struct BFloat {
  uint16_t bits;
  float value() const { return hs_f32_from_bf16(bits); }
  static BFloat of(float value) { return {hs_bf16_from_f32(value)}; }
};
/// Any byte but 0 is true.
struct Truth {
  uint8_t bits;
  int32_t value() const { return bits != 0; }
};

template <typename T>
concept Wrapped = requires(T element) { element.value(); };

/// Calls function with a value of the C++ type that stands for `type`.
template <typename Function>
auto dispatch(DataType type, Function function) {
  switch (type) {
  case DataType::F32:
    return function(float());
  case DataType::F64:
    return function(double());
  case DataType::F16:
    return function(Half());
  case DataType::BF16:
    return function(BFloat());
  case DataType::I64:
    return function(int64_t());
  case DataType::I32:
    return function(int32_t());
  case DataType::U8:
    return function(uint8_t());
  case DataType::I8:
    return function(int8_t());
  case DataType::I16:
    return function(int16_t());
  case DataType::U16:
    return function(uint16_t());
  case DataType::U32:
    return function(uint32_t());
  case DataType::Bool:
    break;
  }
  return function(Truth());
}

template <typename T>
auto load(const std::byte *at) {
  T element;
  std::memcpy(&element, at, sizeof element);
  if constexpr (Wrapped<T>)
    return element.value();
  else
    return element;
}

template <typename To, typename From>
bool toInteger(From value, To &out) {
  if constexpr (std::is_floating_point_v<From>) {
    // Both bounds are powers of two, or zero, so they are exact; NaN fails the comparison.
    constexpr double lowest = double(std::numeric_limits<To>::min());
    const double above = std::ldexp(1.0, std::numeric_limits<To>::digits);
    if (!(double(value) >= lowest && double(value) < above) || std::trunc(value) != value)
      return false;
  } else if (!std::in_range<To>(value)) {
    return false;
  }
  out = To(value);
  return true;
}

/// A double becomes a 16-bit type through f32; rounding twice can only differ from rounding once for values
/// within 2^-29 of a tie.
template <typename To, typename From>
bool toElement(From value, To &out) {
  if constexpr (std::is_same_v<To, Half> || std::is_same_v<To, BFloat>) {
    out = To::of(float(value));
    return std::isfinite(out.value()) || !std::isfinite(double(value));
  } else if constexpr (std::is_same_v<To, Truth>) {
    out.bits = value != From(0);
    return true;
  } else if constexpr (std::is_floating_point_v<To>) {
    out = To(value);
    return std::isfinite(out) || !std::isfinite(double(value));
  } else {
    return toInteger(value, out);
  }
}

template <typename To, typename From>
size_t convertAll(std::byte *out, const std::byte *in, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    To element;
    if (!toElement(load<From>(in + i * sizeof(From)), element))
      return i;
    std::memcpy(out + i * sizeof(To), &element, sizeof(To));
  }
  return count;
}

template <typename T>
size_t findIn(const std::byte *data, size_t count) {
  for (size_t i = 0; i < count; ++i)
    if (!std::isfinite(double(load<T>(data + i * sizeof(T)))))
      return i;
  return count;
}

} // namespace

size_t byteSize(DataType type) { return rows[size_t(type)].bytes; }

bool isFloat(DataType type) { return rows[size_t(type)].isFloat; }

const char *name(DataType type) { return rows[size_t(type)].name; }

std::optional<DataType> dataTypeOf(std::string_view name) {
  std::string upper(name);
  for (char &c : upper)
    c = char(std::toupper(static_cast<unsigned char>(c)));
  for (size_t i = 0; i < std::size(rows); ++i)
    if (upper == rows[i].name)
      return DataType(i);
  return std::nullopt;
}

double loadElement(DataType type, const std::byte *at) {
  return dispatch(type, [&](auto tag) { return double(load<decltype(tag)>(at)); });
}

size_t convert(DataType to, std::byte *out, DataType from, const std::byte *in, size_t count) {
  if (to == from) {
    if (count)
      std::memcpy(out, in, count * byteSize(to));
    return count;
  }
  return dispatch(to, [&](auto toTag) {
    return dispatch(
        from, [&](auto fromTag) { return convertAll<decltype(toTag), decltype(fromTag)>(out, in, count); });
  });
}

size_t findNonFinite(DataType type, const std::byte *data, size_t count) {
  if (!isFloat(type))
    return count;
  return dispatch(type, [&](auto tag) { return findIn<decltype(tag)>(data, count); });
}

} // namespace halfstep
