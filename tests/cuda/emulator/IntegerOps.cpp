// Integer arithmetic, logic, shifts, bit fields, selections and moves. Meanings after the PTX ISA
// description, chapters 9.7.1 and 9.7.8.
#include "Lanewise.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace halfstep::emulator {
namespace {

template <typename T>
struct Wider;
template <>
struct Wider<uint16_t> {
  using Type = uint32_t;
};
template <>
struct Wider<int16_t> {
  using Type = int32_t;
};
template <>
struct Wider<uint32_t> {
  using Type = uint64_t;
};
template <>
struct Wider<int32_t> {
  using Type = int64_t;
};
template <>
struct Wider<uint64_t> {
  using Type = unsigned __int128;
};
template <>
struct Wider<int64_t> {
  using Type = __int128;
};
template <typename T>
using WiderT = typename Wider<T>::Type;
template <typename T>
using Unsigned = std::make_unsigned_t<T>;

/// PTX wraps around where C++ leaves signed overflow undefined.
template <typename T>
T wrap(WiderT<Unsigned<T>> value) {
  return static_cast<T>(value);
}
template <typename T>
T sum(T a, T b) {
  return static_cast<T>(Unsigned<T>(a) + Unsigned<T>(b));
}
template <typename T>
T low(T a, T b) {
  return wrap<T>(WiderT<Unsigned<T>>(Unsigned<T>(a)) * Unsigned<T>(b));
}
template <typename T>
T high(T a, T b) {
  return static_cast<T>((WiderT<T>(a) * WiderT<T>(b)) >> (sizeof(T) * 8));
}

/// PTX leaves a division by zero open; all bits set is what NVIDIA's devices give.
template <typename T>
T quotient(T a, T b) {
  if (b == 0)
    return static_cast<T>(~T(0));
  if (std::is_signed_v<T> && a == std::numeric_limits<T>::min() && b == T(-1))
    return a;
  return static_cast<T>(a / b);
}
template <typename T>
T remainder(T a, T b) {
  return b == 0 ? a : std::is_signed_v<T> && b == T(-1) ? T(0) : static_cast<T>(a % b);
}

template <typename T>
void addArithmetic(LaneOps &ops, const std::string &type) {
  ops["add." + type] = lanewise<[](T a, T b) { return sum(a, b); }>();
  ops["sub." + type] = lanewise<[](T a, T b) { return static_cast<T>(Unsigned<T>(a) - Unsigned<T>(b)); }>();
  ops["mul.lo." + type] = lanewise<[](T a, T b) { return low(a, b); }>();
  ops["mul.hi." + type] = lanewise<[](T a, T b) { return high(a, b); }>();
  ops["mad.lo." + type] = lanewise<[](T a, T b, T c) { return sum(low(a, b), c); }>();
  ops["mad.hi." + type] = lanewise<[](T a, T b, T c) { return sum(high(a, b), c); }>();
  ops["div." + type] = lanewise<[](T a, T b) { return quotient(a, b); }>();
  ops["rem." + type] = lanewise<[](T a, T b) { return remainder(a, b); }>();
  ops["min." + type] = lanewise<[](T a, T b) { return std::min(a, b); }>();
  ops["max." + type] = lanewise<[](T a, T b) { return std::max(a, b); }>();
  ops["shr." + type] = lanewise<[](T a, uint32_t by) {
    constexpr uint32_t bits = sizeof(T) * 8;
    if (by >= bits)
      return std::is_signed_v<T> && a < 0 ? T(-1) : T(0);
    return static_cast<T>(a >> by);
  }>();
  if constexpr (std::is_signed_v<T>) {
    ops["neg." + type] = lanewise<[](T a) { return static_cast<T>(-Unsigned<T>(a)); }>();
    ops["abs." + type] = lanewise<[](T a) { return a < 0 ? static_cast<T>(-Unsigned<T>(a)) : a; }>();
  }
}

template <typename T>
void addWide(LaneOps &ops, const std::string &type) {
  using Wide = WiderT<T>;
  ops["mul.wide." + type] = lanewise<[](T a, T b) { return static_cast<Wide>(Wide(a) * Wide(b)); }>();
  ops["mad.wide." + type] = lanewise<[](T a, T b, Wide c) { return sum<Wide>(Wide(a) * Wide(b), c); }>();
}

template <typename T>
void addBits(LaneOps &ops, const std::string &width) {
  ops["and.b" + width] = lanewise<[](T a, T b) { return static_cast<T>(a & b); }>();
  ops["or.b" + width] = lanewise<[](T a, T b) { return static_cast<T>(a | b); }>();
  ops["xor.b" + width] = lanewise<[](T a, T b) { return static_cast<T>(a ^ b); }>();
  ops["not.b" + width] = lanewise<[](T a) { return static_cast<T>(~a); }>();
  ops["cnot.b" + width] = lanewise<[](T a) { return static_cast<T>(a == 0); }>();
  ops["shl.b" + width] =
      lanewise<[](T a, uint32_t by) { return by >= sizeof(T) * 8 ? T(0) : static_cast<T>(a << by); }>();
  ops["shr.b" + width] =
      lanewise<[](T a, uint32_t by) { return by >= sizeof(T) * 8 ? T(0) : static_cast<T>(a >> by); }>();
  const LaneOp select = lanewise<[](T a, T b, bool which) { return which ? a : b; }>();
  const LaneOp move = lanewise<[](T a) { return a; }>();
  for (const char *letter : {"b", "u", "s", "f"}) {
    ops["selp." + (letter + width)] = select;
    ops["mov." + (letter + width)] = move;
  }
}

/// Bits [position, position + count) of a, extended by their sign or with zeros; positions and counts are a
/// byte.
template <typename T>
T extractField(T a, uint32_t position, uint32_t count) {
  constexpr uint32_t bits = sizeof(T) * 8;
  position &= 0xFF;
  count &= 0xFF;
  Unsigned<T> result = 0;
  const bool sign =
      std::is_signed_v<T> && count > 0 && (Unsigned<T>(a) >> std::min(position + count - 1, bits - 1) & 1);
  for (uint32_t i = 0; i < bits; ++i) {
    const bool bit = i < count && position + i < bits ? Unsigned<T>(a) >> (position + i) & 1 : sign;
    result |= Unsigned<T>(bit) << i;
  }
  return static_cast<T>(result);
}

uint32_t permuteBytes(uint32_t a, uint32_t b, uint32_t selector) {
  const uint64_t bytes = uint64_t(b) << 32 | a;
  uint32_t result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const uint32_t pick = selector >> (4 * i) & 0xF;
    uint32_t byte = bytes >> (8 * (pick & 7)) & 0xFF;
    if (pick & 8) // the byte's sign in all its bits
      byte = byte & 0x80 ? 0xFF : 0;
    result |= byte << (8 * i);
  }
  return result;
}

/// The upper word of hi:lo shifted left, or the lower one of it shifted right.
uint32_t funnelLeft(uint32_t lo, uint32_t hi, uint32_t by) {
  return static_cast<uint32_t>((uint64_t(hi) << 32 | lo) << by >> 32);
}
uint32_t funnelRight(uint32_t lo, uint32_t hi, uint32_t by) {
  return static_cast<uint32_t>((uint64_t(hi) << 32 | lo) >> by);
}

void addBitFields(LaneOps &ops) {
  ops["bfe.u32"] = lanewise<extractField<uint32_t>>();
  ops["bfe.s32"] = lanewise<extractField<int32_t>>();
  ops["bfe.u64"] = lanewise<extractField<uint64_t>>();
  ops["bfe.s64"] = lanewise<extractField<int64_t>>();
  ops["prmt.b32"] = lanewise<permuteBytes>();
  ops["shf.l.wrap.b32"] =
      lanewise<[](uint32_t a, uint32_t b, uint32_t by) { return funnelLeft(a, b, by & 31); }>();
  ops["shf.r.wrap.b32"] =
      lanewise<[](uint32_t a, uint32_t b, uint32_t by) { return funnelRight(a, b, by & 31); }>();
  ops["shf.l.clamp.b32"] =
      lanewise<[](uint32_t a, uint32_t b, uint32_t by) { return funnelLeft(a, b, std::min(by, 32u)); }>();
  ops["shf.r.clamp.b32"] =
      lanewise<[](uint32_t a, uint32_t b, uint32_t by) { return funnelRight(a, b, std::min(by, 32u)); }>();
  ops["popc.b32"] = lanewise<[](uint32_t a) { return static_cast<uint32_t>(std::popcount(a)); }>();
  ops["popc.b64"] = lanewise<[](uint64_t a) { return static_cast<uint32_t>(std::popcount(a)); }>();
  ops["clz.b32"] = lanewise<[](uint32_t a) { return static_cast<uint32_t>(std::countl_zero(a)); }>();
  ops["clz.b64"] = lanewise<[](uint64_t a) { return static_cast<uint32_t>(std::countl_zero(a)); }>();
  ops["brev.b32"] = lanewise<[](uint32_t a) { return __builtin_bitreverse32(a); }>();
}

void addPredicates(LaneOps &ops) {
  ops["and.pred"] = lanewise<[](bool a, bool b) { return a && b; }>();
  ops["or.pred"] = lanewise<[](bool a, bool b) { return a || b; }>();
  ops["xor.pred"] = lanewise<[](bool a, bool b) { return a != b; }>();
  ops["not.pred"] = lanewise<[](bool a) { return !a; }>();
  ops["mov.pred"] = lanewise<[](bool a) { return a; }>();
}

} // namespace

void addIntegerOps(LaneOps &ops) {
  addArithmetic<uint16_t>(ops, "u16");
  addArithmetic<int16_t>(ops, "s16");
  addArithmetic<uint32_t>(ops, "u32");
  addArithmetic<int32_t>(ops, "s32");
  addArithmetic<uint64_t>(ops, "u64");
  addArithmetic<int64_t>(ops, "s64");
  addWide<uint16_t>(ops, "u16");
  addWide<int16_t>(ops, "s16");
  addWide<uint32_t>(ops, "u32");
  addWide<int32_t>(ops, "s32");
  addBits<uint16_t>(ops, "16");
  addBits<uint32_t>(ops, "32");
  addBits<uint64_t>(ops, "64");
  addBitFields(ops);
  addPredicates(ops);
}

} // namespace halfstep::emulator
