// What instructions compute, against values worked out by hand from the PTX ISA description: ties, NaN,
// subnormal values, overflow, shifts by too much.
#include "PtxRun.h"

#include <gtest/gtest.h>
#include <limits>

namespace halfstep::emulator::test {
namespace {

/// A type as PTX spells its registers and its loads.
template <typename T>
std::string width() {
  return std::to_string(sizeof(T) * 8);
}

/// One value of each operand a thread; all through memory, so that nothing is folded.
template <typename R, typename A, typename B = A, typename C = A>
std::vector<R> evaluate(const std::string &opcode, const std::vector<A> &a, const std::vector<B> &b = {},
                        const std::vector<C> &c = {}) {
  std::string declarations = ".reg .b" + width<R>() + " %r;\n.reg .b" + width<A>() + " %a;\n.reg .b" +
                             width<B>() + " %b;\n.reg .b" + width<C>() + " %c;\n.reg .b64 %q;\n";
  auto place = [](unsigned pointer, const std::string &bits) {
    return "mul.wide.u32 %q, %t, " + std::to_string(std::stoul(bits) / 8) + ";\nadd.s64 %q, %q, %p" +
           std::to_string(pointer) + ";\n";
  };
  std::string body = place(0, width<A>()) + "ld.global.b" + width<A>() + " %a, [%q];\n", operands = "%r, %a";
  if (!b.empty()) {
    body += place(1, width<B>()) + "ld.global.b" + width<B>() + " %b, [%q];\n";
    operands += ", %b";
  }
  if (!c.empty()) {
    body += place(2, width<C>()) + "ld.global.b" + width<C>() + " %c, [%q];\n";
    operands += ", %c";
  }
  body += opcode + " " + operands + ";\n" + place(3, width<R>()) + "st.global.b" + width<R>() + " [%q], %r;";
  PtxRun run(kernel(4, declarations, body));
  const uint64_t out = run.reserve(a.size() * sizeof(R));
  const auto none = [&](auto &values) { return values.empty() ? out : run.put(values); };
  EXPECT_EQ(run.run(1, static_cast<uint32_t>(a.size()), {run.put(a), none(b), none(c), out}), "") << opcode;
  return run.get<R>(out, a.size());
}

uint32_t bits(float value) {
  uint32_t out;
  std::memcpy(&out, &value, sizeof out);
  return out;
}
using Words = std::vector<uint32_t>;
using Halves = std::vector<uint16_t>;
using Doubles = std::vector<double>;
using Floats = std::vector<float>;

constexpr uint32_t kNan = 0x7FFFFFFF;
constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(Arithmetic, AddsFloatsRoundedToEven) {
  // 2^24 + 1 and 2^24 + 3 lie halfway between two floats.
  EXPECT_EQ(evaluate<float>("add.rn.f32", Floats{16777216.f, 16777218.f, 1.f}, Floats{1.f, 1.f, 2.f}),
            (Floats{16777216.f, 16777220.f, 3.f}));
}

TEST(Arithmetic, KeepsSubnormalFloats) {
  EXPECT_EQ(evaluate<uint32_t>("mul.rn.f32", Words{0x00800000, 1}, Words{bits(0.5f), bits(1.f)}),
            (Words{0x00400000, 1}));
}

TEST(Arithmetic, GivesOneNan) {
  EXPECT_EQ(evaluate<uint32_t>("sub.rn.f32", Words{bits(kInf), 0xFFC12345}, Words{bits(kInf), 0}),
            (Words{kNan, kNan}));
}

TEST(Arithmetic, FmaRoundsOnce) {
  // (1 + 2^-12)^2 - 1 - 2^-11 = 2^-24, lost when the product is rounded first.
  const float a = 1.f + 0x1p-12f;
  EXPECT_EQ(evaluate<float>("fma.rn.f32", Floats{a}, Floats{a}, Floats{-1.f - 0x1p-11f}), (Floats{0x1p-24f}));
}

TEST(Arithmetic, DividesAndTakesRoots) {
  EXPECT_EQ(evaluate<uint32_t>("div.rn.f32", Words{bits(1.f), bits(1.f)}, Words{bits(3.f), 0}),
            (Words{0x3EAAAAAB, bits(kInf)}));
  EXPECT_EQ(evaluate<uint32_t>("sqrt.rn.f32", Words{bits(2.f), bits(-1.f)}), (Words{0x3FB504F3, kNan}));
  EXPECT_EQ(evaluate<double>("sqrt.rn.f64", Doubles{2}), (Doubles{0x1.6a09e667f3bcdp+0}));
}

TEST(Arithmetic, MinimumPrefersNumbersAndNegativeZero) {
  EXPECT_EQ(evaluate<uint32_t>("min.f32", Words{kNan, 0, bits(2.f)}, Words{bits(1.f), 0x80000000, bits(1.f)}),
            (Words{bits(1.f), 0x80000000, bits(1.f)}));
  EXPECT_EQ(evaluate<uint32_t>("max.NaN.f32", Words{kNan, bits(2.f)}, Words{bits(1.f), bits(1.f)}),
            (Words{kNan, bits(2.f)}));
}

TEST(Arithmetic, MultipliesHighAndWide) {
  EXPECT_EQ(evaluate<uint32_t>("mul.hi.u32", Words{0xFFFFFFFF}, Words{0xFFFFFFFF}), (Words{0xFFFFFFFE}));
  EXPECT_EQ(evaluate<uint32_t>("mul.hi.s32", Words{0xFFFFFFFF}, Words{2}), (Words{0xFFFFFFFF}));
  EXPECT_EQ(evaluate<uint32_t>("mul.lo.s32", Words{0x80000000}, Words{0xFFFFFFFF}), (Words{0x80000000}));
  EXPECT_EQ((evaluate<uint64_t, uint32_t>("mul.wide.s32", Words{0xFFFFFFFF}, Words{3})),
            (std::vector<uint64_t>{0xFFFFFFFFFFFFFFFD}));
}

TEST(Arithmetic, ShiftsByTooMuchGiveZeroOrTheSign) {
  EXPECT_EQ(evaluate<uint32_t>("shl.b32", Words{1, 1, 1}, Words{31, 32, 77}), (Words{0x80000000, 0, 0}));
  EXPECT_EQ(evaluate<uint32_t>("shr.u32", Words{0x80000000, 0x80000000}, Words{31, 32}), (Words{1, 0}));
  EXPECT_EQ(evaluate<uint32_t>("shr.s32", Words{0x80000000, 0x40000000}, Words{40, 40}),
            (Words{0xFFFFFFFF, 0}));
}

TEST(Arithmetic, ExtractsBitFields) {
  EXPECT_EQ(evaluate<uint32_t>("bfe.u32", Words{0xABCD1234, 0xF0000000, 1}, Words{8, 28, 0}, Words{8, 8, 0}),
            (Words{0x12, 0xF, 0}));
  // Signed: from the field's last bit, or the word's when the field passes its end.
  EXPECT_EQ(evaluate<uint32_t>("bfe.s32", Words{0x00000F00, 0x80000000}, Words{8, 28}, Words{4, 8}),
            (Words{0xFFFFFFFF, 0xFFFFFFF8}));
}

TEST(Arithmetic, PermutesBytes) {
  EXPECT_EQ(
      evaluate<uint32_t>("prmt.b32", Words{0x33221100, 0x80}, Words{0x77665544, 0}, Words{0x7531, 0x8888}),
      (Words{0x77553311, 0xFFFFFFFF}));
}

TEST(Arithmetic, RoundsFloatsToHalves) {
  // Ties to even, the largest finite value, overflow, subnormal values and their ties.
  EXPECT_EQ((evaluate<uint16_t, uint32_t>("cvt.rn.f16.f32",
                                          Words{bits(1.f + 0x1p-11f), bits(1.f + 3 * 0x1p-11f), bits(65519.f),
                                                bits(65520.f), bits(0x1p-24f), bits(0x1p-25f),
                                                bits(3 * 0x1p-25f), 0x7F800001, bits(-0.f)})),
            (Halves{0x3C00, 0x3C02, 0x7BFF, 0x7C00, 1, 0, 2, 0x7FFF, 0x8000}));
  EXPECT_EQ((evaluate<uint16_t, uint32_t>("cvt.rn.bf16.f32", Words{0x3F808000, 0x3F818000, 0x3F808001,
                                                                   0x7F7FFFFF, 0xFF800001, 0x00008000})),
            (Halves{0x3F80, 0x3F82, 0x3F81, 0x7F80, 0x7FFF, 0}));
}

TEST(Arithmetic, RoundsDoublesToHalvesOnce) {
  // Above the tie by less than a float's last place: a way through f32 would round to even.
  EXPECT_EQ((evaluate<uint16_t, double>("cvt.rn.f16.f64", Doubles{1 + 0x1p-11 + 0x1p-40, 1 + 0x1p-11})),
            (Halves{0x3C01, 0x3C00}));
}

TEST(Arithmetic, WidensHalves) {
  EXPECT_EQ((evaluate<uint32_t, uint16_t>("cvt.f32.f16", Halves{0x3C00, 1, 0x7BFF, 0x7C00, 0xFE00, 0x8000})),
            (Words{bits(1.f), bits(0x1p-24f), bits(65504.f), bits(kInf), kNan, 0x80000000}));
}

TEST(Arithmetic, PacksTwoHalvesHighFirst) {
  EXPECT_EQ(evaluate<uint32_t>("cvt.rn.f16x2.f32", Words{bits(2.f)}, Words{bits(1.f)}), (Words{0x40003C00}));
  EXPECT_EQ(evaluate<uint32_t>("cvt.rn.bf16x2.f32", Words{bits(2.f)}, Words{bits(1.f)}), (Words{0x40003F80}));
}

TEST(Arithmetic, HalfFmaRoundsOnce) {
  // 2048 * 1 + (1 + 2^-10) lies above the tie at 2049; the f16 sum of 2048 and 1 would be a tie to even.
  EXPECT_EQ(evaluate<uint16_t>("fma.rn.f16", Halves{0x6800}, Halves{0x3C00}, Halves{0x3C01}),
            (Halves{0x6801}));
  // The product 2^-24 is far below the last place of 1 and still decides the tie 1 + 2^-11.
  EXPECT_EQ(evaluate<uint16_t>("fma.rn.f16", Halves{0x0C00}, Halves{0x0C00}, Halves{0x3C00}),
            (Halves{0x3C00}));
  EXPECT_EQ(evaluate<uint16_t>("fma.rn.bf16", Halves{0x3F81}, Halves{0x3F81}, Halves{0xBF82}),
            (Halves{0x3880}));
}

TEST(Arithmetic, AddsPackedHalves) {
  EXPECT_EQ(evaluate<uint32_t>("add.rn.f16x2", Words{0x3C007BFF}, Words{0x3C007BFF}), (Words{0x40007C00}));
  EXPECT_EQ(evaluate<uint32_t>("max.NaN.f16x2", Words{0x3C007E00}, Words{0x40003C00}), (Words{0x40007FFF}));
}

TEST(Arithmetic, ConvertsFloatsToIntegersTowardsTheRange) {
  EXPECT_EQ((evaluate<uint32_t, float>("cvt.rzi.s32.f32", Floats{-1.9f, 3e9f, -3e9f, NAN})),
            (Words{0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0}));
  EXPECT_EQ((evaluate<uint32_t, float>("cvt.rni.u32.f32", Floats{2.5f, 3.5f, -1.f})), (Words{2, 4, 0}));
  EXPECT_EQ((evaluate<uint64_t, double>("cvt.rzi.s64.f64", Doubles{-1.5, 1e30, NAN})),
            (std::vector<uint64_t>{0xFFFFFFFFFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000}));
  EXPECT_EQ(evaluate<float>("cvt.rmi.f32.f32", Floats{-1.5f, 1.5f}), (Floats{-2.f, 1.f}));
}

TEST(Arithmetic, ExtendsNarrowIntegers) {
  EXPECT_EQ(evaluate<uint32_t>("cvt.s32.s16", Words{0x1234FFFE}), (Words{0xFFFFFFFE}));
  EXPECT_EQ(evaluate<uint32_t>("cvt.u32.u8", Words{0x123456FE}), (Words{0xFE}));
  EXPECT_EQ(
      (evaluate<float, uint64_t>("cvt.rn.f32.u64", std::vector<uint64_t>{(1ull << 63) + (1ull << 39) + 1})),
      (Floats{0x1.000002p63f}));
}

TEST(Arithmetic, PredicatesTakeLiterals) {
  PtxRun run(
      kernel(1, ".reg .pred %c<2>;\n.reg .b32 %r<2>;",
             "mov.pred %c0, -1;\nmov.pred %c1, 0;\nselp.b32 %r0, 1, 2, %c0;\nselp.b32 %r1, 1, 2, %c1;\n"
             "st.global.v2.b32 [%p0], {%r0, %r1};"));
  const uint64_t out = run.reserve(8);
  EXPECT_EQ(run.run(1, 1, {out}), "");
  EXPECT_EQ(run.get<uint32_t>(out, 2), (Words{1, 2}));
}

TEST(Arithmetic, ComparisonsWithNan) {
  const auto compare = [](const std::string &which) {
    PtxRun run(kernel(2, ".reg .b32 %a, %r;\n.reg .b64 %q;\n.reg .pred %c;",
                      "add.s64 %q, %p0, %t4;\nld.global.b32 %a, [%q];\nsetp." + which +
                          ".f32 %c, %a, 0f3F800000;\nselp.b32 %r, 1, 0, %c;\nadd.s64 %q, %p1, %t4;\n"
                          "st.global.b32 [%q], %r;"));
    const uint64_t out = run.reserve(12);
    EXPECT_EQ(run.run(1, 3, {run.put(Words{kNan, bits(1.f), bits(2.f)}), out}), "");
    return run.get<uint32_t>(out, 3);
  };
  EXPECT_EQ(compare("lt"), (Words{0, 0, 0}));
  EXPECT_EQ(compare("ltu"), (Words{1, 0, 0}));
  EXPECT_EQ(compare("ne"), (Words{0, 0, 1}));
  EXPECT_EQ(compare("neu"), (Words{1, 0, 1}));
  EXPECT_EQ(compare("geu"), (Words{1, 1, 1}));
  EXPECT_EQ(compare("nan"), (Words{1, 0, 0}));
}

} // namespace
} // namespace halfstep::emulator::test
