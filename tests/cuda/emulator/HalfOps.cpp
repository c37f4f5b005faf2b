// f16 and bf16 arithmetic, scalar and packed. Sums and products of two are exact enough in f32 to be rounded
// once more (24 >= 2 * 11 + 2 bits); fma goes through a sum rounded to odd. Meanings after the PTX ISA
// description, chapter 9.7.4.
#include "HalfFormats.h"
#include "Lanewise.h"

namespace halfstep::emulator {
namespace {

template <typename T>
T add(T a, T b) {
  return fromFloat<T>(toFloat(a) + toFloat(b));
}
template <typename T>
T subtract(T a, T b) {
  return fromFloat<T>(toFloat(a) - toFloat(b));
}
template <typename T>
T multiply(T a, T b) {
  return fromFloat<T>(toFloat(a) * toFloat(b));
}
template <typename T>
T fma(T a, T b, T c) {
  return fromFloat<T>(oddFloat(oddFma(toFloat(a), toFloat(b), toFloat(c))));
}
template <typename T>
T negate(T a) {
  return {static_cast<uint16_t>(a.bits ^ 0x8000)};
}
template <typename T>
T absolute(T a) {
  return {static_cast<uint16_t>(a.bits & 0x7FFF)};
}

template <typename T>
bool isNan(T a) {
  return toFloat(a) != toFloat(a);
}
template <typename T>
bool isLess(T a, T b) {
  const float x = toFloat(a), y = toFloat(b);
  return x < y || (x == y && a.bits >> 15 > b.bits >> 15);
}
template <typename T>
T minimum(T a, T b) {
  return isNan(a) ? (isNan(b) ? T{0x7FFF} : b) : isNan(b) || !isLess(b, a) ? a : b;
}
template <typename T>
T maximum(T a, T b) {
  return isNan(a) ? (isNan(b) ? T{0x7FFF} : b) : isNan(b) || !isLess(a, b) ? a : b;
}
template <typename T>
T nanMinimum(T a, T b) {
  return isNan(a) || isNan(b) ? T{0x7FFF} : minimum(a, b);
}
template <typename T>
T nanMaximum(T a, T b) {
  return isNan(a) || isNan(b) ? T{0x7FFF} : maximum(a, b);
}

/// F on both halves of packed operands.
template <auto F, typename T, typename... A>
uint32_t packed(A... values) {
  const T low = F(T{static_cast<uint16_t>(values)}...), high = F(T{static_cast<uint16_t>(values >> 16)}...);
  return uint32_t(high.bits) << 16 | low.bits;
}

template <auto F, typename T>
LaneOp unaryPacked() {
  return lanewise<[](uint32_t a) { return packed<F, T>(a); }>();
}
template <auto F, typename T>
LaneOp binaryPacked() {
  return lanewise<[](uint32_t a, uint32_t b) { return packed<F, T>(a, b); }>();
}

template <typename T>
void addFormat(LaneOps &ops, const std::string &type) {
  for (const std::string rounding : {"", "rn."}) {
    ops["add." + rounding + type] = lanewise<add<T>>();
    ops["sub." + rounding + type] = lanewise<subtract<T>>();
    ops["mul." + rounding + type] = lanewise<multiply<T>>();
    ops["add." + rounding + type + "x2"] = binaryPacked<add<T>, T>();
    ops["sub." + rounding + type + "x2"] = binaryPacked<subtract<T>, T>();
    ops["mul." + rounding + type + "x2"] = binaryPacked<multiply<T>, T>();
  }
  ops["fma.rn." + type] = lanewise<fma<T>>();
  ops["fma.rn." + type + "x2"] =
      lanewise<[](uint32_t a, uint32_t b, uint32_t c) { return packed<fma<T>, T>(a, b, c); }>();
  ops["neg." + type] = lanewise<negate<T>>();
  ops["abs." + type] = lanewise<absolute<T>>();
  ops["neg." + type + "x2"] = unaryPacked<negate<T>, T>();
  ops["abs." + type + "x2"] = unaryPacked<absolute<T>, T>();
  ops["min." + type] = lanewise<minimum<T>>();
  ops["max." + type] = lanewise<maximum<T>>();
  ops["min." + type + "x2"] = binaryPacked<minimum<T>, T>();
  ops["max." + type + "x2"] = binaryPacked<maximum<T>, T>();
  ops["min.NaN." + type] = lanewise<nanMinimum<T>>();
  ops["max.NaN." + type] = lanewise<nanMaximum<T>>();
  ops["min.NaN." + type + "x2"] = binaryPacked<nanMinimum<T>, T>();
  ops["max.NaN." + type + "x2"] = binaryPacked<nanMaximum<T>, T>();
}

} // namespace

void addHalfOps(LaneOps &ops) {
  addFormat<F16>(ops, "f16");
  addFormat<BF16>(ops, "bf16");
}

} // namespace halfstep::emulator
