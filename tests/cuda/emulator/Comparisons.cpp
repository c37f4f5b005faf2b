// setp. Meanings after the PTX ISA description, chapter 9.7.6.2: comparisons with a NaN are false unless
// their name ends in u.
#include "HalfFormats.h"
#include "Lanewise.h"

namespace halfstep::emulator {
namespace {

float value(F16 a) { return toFloat(a); }
float value(BF16 a) { return toFloat(a); }
template <typename T>
T value(T a) {
  return a;
}

template <typename T>
void addOrdered(LaneOps &ops, const std::string &type) {
  ops["setp.eq." + type] = lanewise<[](T a, T b) { return value(a) == value(b); }>();
  ops["setp.lt." + type] = lanewise<[](T a, T b) { return value(a) < value(b); }>();
  ops["setp.le." + type] = lanewise<[](T a, T b) { return value(a) <= value(b); }>();
  ops["setp.gt." + type] = lanewise<[](T a, T b) { return value(a) > value(b); }>();
  ops["setp.ge." + type] = lanewise<[](T a, T b) { return value(a) >= value(b); }>();
}

template <typename T>
void addIntegers(LaneOps &ops, const std::string &type) {
  addOrdered<T>(ops, type);
  ops["setp.ne." + type] = lanewise<[](T a, T b) { return a != b; }>();
  if constexpr (std::is_unsigned_v<T>)
    for (auto [alias, name] : {std::pair("lo", "lt"), {"ls", "le"}, {"hi", "gt"}, {"hs", "ge"}})
      ops[std::string("setp.") + alias + "." + type] = ops[std::string("setp.") + name + "." + type];
}

template <typename T>
void addFloats(LaneOps &ops, const std::string &type) {
  addOrdered<T>(ops, type);
  ops["setp.ne." + type] = lanewise<[](T a, T b) {
    return value(a) < value(b) || value(a) > value(b); // false with a NaN
  }>();
  ops["setp.num." + type] = lanewise<[](T a, T b) { return value(a) == value(a) && value(b) == value(b); }>();
  ops["setp.nan." + type] = lanewise<[](T a, T b) { return value(a) != value(a) || value(b) != value(b); }>();
  ops["setp.equ." + type] =
      lanewise<[](T a, T b) { return !(value(a) < value(b) || value(a) > value(b)); }>();
  ops["setp.neu." + type] = lanewise<[](T a, T b) { return !(value(a) == value(b)); }>();
  ops["setp.ltu." + type] = lanewise<[](T a, T b) { return !(value(a) >= value(b)); }>();
  ops["setp.leu." + type] = lanewise<[](T a, T b) { return !(value(a) > value(b)); }>();
  ops["setp.gtu." + type] = lanewise<[](T a, T b) { return !(value(a) <= value(b)); }>();
  ops["setp.geu." + type] = lanewise<[](T a, T b) { return !(value(a) < value(b)); }>();
}

template <typename T>
void addBits(LaneOps &ops, const std::string &type) {
  ops["setp.eq." + type] = lanewise<[](T a, T b) { return a == b; }>();
  ops["setp.ne." + type] = lanewise<[](T a, T b) { return a != b; }>();
}

} // namespace

void addComparisons(LaneOps &ops) {
  addIntegers<uint16_t>(ops, "u16");
  addIntegers<int16_t>(ops, "s16");
  addIntegers<uint32_t>(ops, "u32");
  addIntegers<int32_t>(ops, "s32");
  addIntegers<uint64_t>(ops, "u64");
  addIntegers<int64_t>(ops, "s64");
  addBits<uint16_t>(ops, "b16");
  addBits<uint32_t>(ops, "b32");
  addBits<uint64_t>(ops, "b64");
  addFloats<float>(ops, "f32");
  addFloats<double>(ops, "f64");
  addFloats<F16>(ops, "f16");
  addFloats<BF16>(ops, "bf16");
}

} // namespace halfstep::emulator
