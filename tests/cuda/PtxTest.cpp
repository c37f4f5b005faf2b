// Reading PTX, and the instructions that move values: each form as LLVM prints it.
#include "PtxRun.h"

#include <gtest/gtest.h>

namespace halfstep::emulator::test {
namespace {

using Words = std::vector<uint32_t>;

/// The message of what parsing or decoding throws.
std::string refusal(const std::string &body) {
  try {
    PtxRun run(body);
    return "";
  } catch (const PtxError &error) {
    return error.what();
  }
}

TEST(Ptx, RefusesUnknownOpcodesByName) {
  EXPECT_EQ(refusal(kernel(0, ".reg .b32 %r;", "ex2.approx.f32 %r, 0f3F800000;")),
            "line 11: 'ex2.approx.f32' is not emulated, in kernel 'k'");
  EXPECT_NE(refusal(kernel(0, "", "wgmma.fence.sync.aligned;")), "");
}

TEST(Ptx, RefusesUnknownModifiersAndWidths) {
  EXPECT_NE(refusal(kernel(0, ".reg .b32 %r;", "add.rn.ftz.f32 %r, %r, %r;")), "");
  EXPECT_NE(refusal(kernel(1, ".reg .b32 %r;", "ld.global.unheard.b32 %r, [%p0];")), "");
  EXPECT_NE(refusal(kernel(0, ".reg .b64 %r;", "add.s32 %r, %r, %r;")), "");
}

TEST(Ptx, RefusesWhatIsNotDeclared) {
  EXPECT_NE(refusal(kernel(0, "", "mov.b32 %r1, 0;")), "");
  EXPECT_NE(refusal(kernel(0, "", "bra $nowhere;")), "");
  EXPECT_NE(refusal(".func f() { ret; }"), "");
}

TEST(Ptx, ReportsWhereTheTextEnds) {
  EXPECT_EQ(refusal(".visible .entry k()\n{\nret;"), "line 6: kernel 'k' does not end");
}

TEST(Ptx, ScopesHideRegisters) {
  PtxRun run(kernel(1, ".reg .b32 %r;",
                    "mov.u32 %r, 7;\n{\n.reg .b32 %r;\nmov.u32 %r, 9;\n}\n"
                    "st.global.b32 [%p0], %r;"));
  const uint64_t out = run.reserve(4);
  EXPECT_EQ(run.run(1, 1, {out}), "");
  EXPECT_EQ(run.get<uint32_t>(out, 1), Words{7});
}

TEST(Ptx, PacksAndUnpacks) {
  PtxRun run(kernel(1, ".reg .b32 %r<3>;\n.reg .b16 %h<3>;\n.reg .b64 %d;",
                    "mov.u32 %r0, 0x12345678;\nmov.b32 {%h0, %h1}, %r0;\nmov.b32 %r1, {%h1, %h0};\n"
                    "mov.b64 %d, {%r0, %r1};\nmov.b64 {_, %r2}, %d;\nst.global.v2.b32 [%p0], {%r1, %r2};"));
  const uint64_t out = run.reserve(8);
  EXPECT_EQ(run.run(1, 1, {out}), "");
  EXPECT_EQ(run.get<uint32_t>(out, 2), (Words{0x56781234, 0x56781234}));
}

TEST(Ptx, LoadsOfNarrowTypesExtend) {
  PtxRun run(kernel(2, ".reg .b32 %r<3>;",
                    "ld.global.s16 %r0, [%p0];\nld.global.u8 %r1, [%p0+1];\n"
                    "st.global.v2.b32 [%p1], {%r0, %r1};\nst.global.b16 [%p1+8], %r0;"));
  const uint64_t out = run.reserve(12);
  EXPECT_EQ(run.run(1, 1, {run.put(std::vector<uint16_t>{0x80FE}), out}), "");
  EXPECT_EQ(run.get<uint32_t>(out, 2), (Words{0xFFFF80FE, 0x80}));
  EXPECT_EQ(run.get<uint16_t>(out + 8, 1), (std::vector<uint16_t>{0x80FE}));
}

TEST(Ptx, ThreadsKnowTheirPlace) {
  PtxRun run(kernel(1, ".reg .b32 %r<4>;\n.reg .b64 %q;",
                    "mov.u32 %r0, %ctaid.x;\nmov.u32 %r1, %ntid.x;\nmad.lo.s32 %r2, %r0, %r1, %t;\n"
                    "mul.wide.u32 %q, %r2, 4;\nadd.s64 %q, %q, %p0;\nst.global.b32 [%q], %r2;"));
  const uint64_t out = run.reserve(3 * 40 * 4);
  EXPECT_EQ(run.run(3, 40, {out}), "");
  const auto values = run.get<uint32_t>(out, 120);
  for (uint32_t i = 0; i < 120; ++i)
    EXPECT_EQ(values[i], i);
}

TEST(Ptx, DivergedLanesJoinAgain) {
  // Even lanes loop t times, odd ones not; then all shuffle, which needs all of them.
  PtxRun run(
      kernel(1, ".reg .b32 %r<5>;\n.reg .pred %c<3>;\n.reg .b64 %q;",
             "mov.u32 %r0, 0;\nand.b32 %r1, %t, 1;\nsetp.ne.b32 %c0, %r1, 0;\n@%c0 bra $join;\n$loop:\n"
             "add.s32 %r0, %r0, 1;\nsetp.lt.u32 %c1, %r0, %t;\n@%c1 bra $loop;\n$join:\n"
             "shfl.sync.bfly.b32 %r2, %r0, 1, 31, -1;\nadd.s64 %q, %p0, %t4;\nst.global.b32 [%q], %r2;"));
  const uint64_t out = run.reserve(128);
  EXPECT_EQ(run.run(1, 32, {out}), "");
  const auto values = run.get<uint32_t>(out, 32);
  for (uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(values[lane], lane % 2 ? std::max(lane - 1, 1u) : 0u) << lane;
}

TEST(Ptx, ShufflesStayInTheirSegments) {
  const auto shuffle = [](const std::string &how) {
    PtxRun run(kernel(1, ".reg .b32 %r<3>;\n.reg .pred %c;\n.reg .b64 %q;",
                      "shfl.sync." + how +
                          ";\n@!%c add.s32 %r0, %r0, 100;\nadd.s64 %q, %p0, %t4;\n"
                          "st.global.b32 [%q], %r0;"));
    const uint64_t out = run.reserve(128);
    EXPECT_EQ(run.run(1, 32, {out}), "");
    const auto all = run.get<uint32_t>(out, 32);
    return Words(all.begin(), all.begin() + 9);
  };
  // Segments of 8 lanes: the mask 24 in bits 8 to 12; 31 clamps at a segment's end, 0 at its start.
  EXPECT_EQ(shuffle("down.b32 %r0|%c, %t, 3, 0x181F, -1"), (Words{3, 4, 5, 6, 7, 105, 106, 107, 11}));
  EXPECT_EQ(shuffle("up.b32 %r0|%c, %t, 3, 0x1800, -1"), (Words{100, 101, 102, 0, 1, 2, 3, 4, 108}));
  EXPECT_EQ(shuffle("idx.b32 %r0|%c, %t, 1, 0x181F, -1"), (Words{1, 1, 1, 1, 1, 1, 1, 1, 9}));
  EXPECT_EQ(shuffle("bfly.b32 %r0|%c, %t, 16, 0x1F, -1"), (Words{16, 17, 18, 19, 20, 21, 22, 23, 24}));
}

TEST(Ptx, LocalMemoryIsEachThreadsOwn) {
  PtxRun run(kernel(1, ".local .align 4 .b8 depot[16];\n.reg .b64 %l, %q;\n.reg .b32 %r;",
                    "mov.b64 %l, depot;\ncvta.local.u64 %l, %l;\nst.b32 [%l+8], %t;\nld.b32 %r, [%l+8];\n"
                    "add.s64 %q, %p0, %t4;\nst.global.b32 [%q], %r;"));
  const uint64_t out = run.reserve(8);
  EXPECT_EQ(run.run(1, 2, {out}), "");
  EXPECT_EQ(run.get<uint32_t>(out, 2), (Words{0, 1}));
}

TEST(Ptx, AtomicsOfAllBlocksCount) {
  PtxRun run(kernel(1, ".reg .b32 %r;", "atom.global.add.u32 %r, [%p0], 1;"), 3);
  const uint64_t out = run.put(Words{5});
  EXPECT_EQ(run.run(3, 33, {out}), "");
  EXPECT_EQ(run.get<uint32_t>(out, 1), Words{5 + 99});
}

} // namespace
} // namespace halfstep::emulator::test
