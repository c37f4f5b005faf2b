// Kernels with one fault each, and the same kernels without it: every check catches its fault and nothing
// else.
#include "PtxRun.h"

#include <gtest/gtest.h>

namespace halfstep::emulator::test {
namespace {

using Words = std::vector<uint32_t>;

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}
#define EXPECT_FINDING(text, part) EXPECT_PRED2(contains, text, part)

/// Each thread stores its number in shared memory and reads that of the thread 32 away.
std::string exchange(const std::string &barrier) {
  return kernel(
      1, ".shared .align 4 .b8 buffer[256];\n.reg .b32 %s<4>;\n.reg .b64 %q;",
      "shl.b32 %s0, %t, 2;\nmov.u32 %s1, buffer;\nadd.s32 %s0, %s0, %s1;\nst.shared.b32 [%s0], %t;\n" +
          barrier +
          "xor.b32 %s2, %s0, 128;\nld.shared.b32 %s3, [%s2];\nadd.s64 %q, %p0, %t4;\n"
          "st.global.b32 [%q], %s3;");
}

TEST(Fault, MissingBarrierIsARaceOrAnUninitialisedRead) {
  for (uint64_t seed = 1; seed < 6; ++seed) {
    PtxRun good(exchange("bar.sync 0;\n"), seed), bad(exchange(""), seed);
    EXPECT_EQ(good.run(1, 64, {good.reserve(256)}), "");
    EXPECT_NE(bad.run(1, 64, {bad.reserve(256)}), "");
  }
}

TEST(Fault, ReuseOfABufferNeedsABarrier) {
  const auto twice = [](const std::string &barrier) {
    return kernel(
        1, ".shared .align 4 .b8 buffer[4];\n.reg .b32 %s<4>;\n.reg .pred %c;\n.reg .b64 %q;",
        "mov.u32 %s0, 0;\nsetp.eq.u32 %c, %t, 0;\n$loop:\n@%c st.shared.b32 [buffer], %s0;\nbar.sync 0;\n"
        "ld.shared.b32 %s1, [buffer];\n" +
            barrier + "add.s32 %s0, %s0, 1;\n.reg .pred %d;\nsetp.lt.u32 %d, %s0, 3;\n@%d bra $loop;");
  };
  PtxRun good(twice("bar.sync 0;\n")), bad(twice(""));
  EXPECT_EQ(good.run(1, 64, {good.reserve(4)}), "");
  EXPECT_FINDING(bad.run(1, 64, {bad.reserve(4)}), "race");
}

TEST(Fault, AccessBehindAnAllocation) {
  const std::string body = kernel(1, ".reg .b64 %q;", "add.s64 %q, %p0, %t4;\nst.global.b32 [%q], %t;");
  PtxRun run(body);
  EXPECT_EQ(run.run(1, 32, {run.reserve(128)}), "");
  const std::string finding = run.run(1, 33, {run.reserve(128)});
  EXPECT_FINDING(finding, "kernel 'k', PTX line 13 (st.global.b32), block 0, thread 32: accesses 4 bytes");
  EXPECT_FINDING(finding, "4 bytes behind the end of an allocation of 128");
  EXPECT_FINDING(run.run(1, 1, {0}), "not memory of the device");
}

TEST(Fault, AccessBehindSharedMemory) {
  const auto store = [](int offset) {
    return kernel(0, ".shared .align 4 .b8 buffer[8];",
                  "st.shared.b32 [buffer+" + std::to_string(offset) + "], %t;");
  };
  PtxRun good(store(4)), bad(store(8));
  EXPECT_EQ(good.run(1, 1, {}), "");
  EXPECT_FINDING(bad.run(1, 1, {}), "of 8 bytes of shared memory");
}

TEST(Fault, MisalignedVector) {
  const std::string body = kernel(1, ".reg .b32 %r<4>;", "ld.global.v4.b32 {%r0, %r1, %r2, %r3}, [%p0];");
  PtxRun run(body);
  const uint64_t values = run.put(Words(8));
  EXPECT_EQ(run.run(1, 1, {values}), "");
  EXPECT_FINDING(run.run(1, 1, {values + 8}), "not aligned");
}

TEST(Fault, UninitialisedRegister) {
  const auto store = [](const std::string &guard) {
    return kernel(1, ".reg .b32 %r;\n.reg .pred %c;\n.reg .b64 %q;",
                  "setp.lt.u32 %c, %t, 3;\n" + guard +
                      "mov.b32 %r, 1;\nadd.s64 %q, %p0, %t4;\n"
                      "st.global.b32 [%q], %r;");
  };
  PtxRun good(store("")), bad(store("@%c "));
  EXPECT_EQ(good.run(1, 8, {good.reserve(32)}), "");
  EXPECT_FINDING(bad.run(1, 8, {bad.reserve(32)}), "thread 3: reads a register that it has not written");
}

TEST(Fault, UninitialisedMemory) {
  PtxRun run(kernel(1, ".reg .b32 %r;", "ld.global.b32 %r, [%p0];"));
  EXPECT_EQ(run.run(1, 1, {run.put(Words{1})}), "");
  EXPECT_FINDING(run.run(1, 1, {run.reserve(4)}), "reads byte 0, which nothing has written");
  PtxRun local(kernel(0, ".local .align 4 .b8 depot[4];\n.reg .b32 %r;", "ld.local.b32 %r, [depot];"));
  EXPECT_FINDING(local.run(1, 1, {}), "local memory that nothing has written");
}

TEST(Fault, DivergentBarrierInAWarp) {
  const auto wait = [](const std::string &guard) {
    return kernel(0, ".reg .pred %c;", "setp.lt.u32 %c, %t, 16;\n" + guard + "bra $end;\nbar.sync 0;\n$end:");
  };
  PtxRun bad(wait("@%c ")), good(wait(""));
  EXPECT_EQ(good.run(1, 32, {}), "");
  EXPECT_FINDING(bad.run(1, 32, {}), "divergent barrier");
}

TEST(Fault, BarrierThatOneWarpMisses) {
  PtxRun run(kernel(0, ".reg .pred %c;", "setp.lt.u32 %c, %t, 32;\n@%c bra $end;\nbar.sync 0;\n$end:"));
  EXPECT_EQ(run.run(1, 32, {}), "");
  EXPECT_FINDING(run.run(1, 64, {}), "divergent barrier");
}

TEST(Fault, ShuffleWithoutAllLanes) {
  PtxRun run(kernel(0, ".reg .b32 %r;\n.reg .pred %c;",
                    "setp.lt.u32 %c, %t, 16;\n@%c bra $end;\nshfl.sync.bfly.b32 %r, %t, 1, 31, -1;\n$end:"));
  EXPECT_EQ(run.run(1, 16, {}), "");
  EXPECT_FINDING(run.run(1, 32, {}), "do not come to it");
}

TEST(Fault, BlocksThatWriteTheSamePlace) {
  PtxRun run(kernel(1, ".reg .b64 %q;", "add.s64 %q, %p0, %t4;\nst.global.b32 [%q], %t;"));
  EXPECT_EQ(run.run(1, 32, {run.reserve(128)}), "");
  EXPECT_FINDING(run.run(2, 32, {run.reserve(128)}), "race");
}

TEST(Fault, BlockThatReadsWhatAnotherWrites) {
  // Block 0 writes, all read: a scale that one block moves on while others still need it.
  PtxRun run(kernel(1, ".reg .b32 %r<2>;\n.reg .pred %c;",
                    "ld.global.b32 %r0, [%p0];\nmov.u32 %r1, %ctaid.x;\nsetp.eq.u32 %c, %r1, 0;\n"
                    "@%c st.global.b32 [%p0], %r0;"));
  EXPECT_EQ(run.run(1, 1, {run.put(Words{1})}), "");
  EXPECT_FINDING(run.run(2, 1, {run.put(Words{1})}), "race");
}

TEST(Fault, ThreadsThatShareAPlaceInGlobalMemory) {
  const auto exchanged = [](const std::string &barrier) {
    return kernel(
        1, ".reg .b64 %q;\n.reg .b32 %r;",
        "add.s64 %q, %p0, %t4;\nst.global.b32 [%q], %t;\n" + barrier +
            "xor.b32 %r, %t, 1;\nmul.wide.u32 %q, %r, 4;\nadd.s64 %q, %q, %p0;\nld.global.b32 %r, [%q];");
  };
  PtxRun good(exchanged("bar.sync 0;\n")), bad(exchanged(""));
  EXPECT_EQ(good.run(1, 32, {good.reserve(128)}), "");
  EXPECT_FINDING(bad.run(1, 32, {bad.reserve(128)}), "race");
}

/// Copies 16 bytes to shared memory and reads them behind `wait`.
std::string asyncCopy(const std::string &wait) {
  return kernel(
      2, ".shared .align 16 .b8 buffer[512];\n.reg .b32 %s<3>;\n.reg .b64 %q;",
      "mov.u32 %s0, buffer;\nshl.b32 %s1, %t, 4;\nadd.s32 %s0, %s0, %s1;\nmul.wide.u32 %q, %t, 16;\n"
      "add.s64 %q, %q, %p0;\ncp.async.cg.shared.global [%s0], [%q], 16;\ncp.async.commit_group;\n" +
          wait + "ld.shared.b32 %s2, [%s0+4];\nadd.s64 %q, %p1, %t4;\nst.global.b32 [%q], %s2;");
}

TEST(Fault, AsyncCopyThatIsNotAwaited) {
  Words values(16);
  for (uint32_t i = 0; i < 16; ++i)
    values[i] = i;
  PtxRun good(asyncCopy("cp.async.wait_group 0;\n")), bad(asyncCopy("cp.async.wait_group 1;\n"));
  const uint64_t out = good.reserve(16);
  EXPECT_EQ(good.run(1, 4, {good.put(values), out}), "");
  EXPECT_EQ(good.get<uint32_t>(out, 4), (Words{1, 5, 9, 13}));
  EXPECT_FINDING(bad.run(1, 4, {bad.put(values), bad.reserve(16)}), "a copy is in flight");
}

TEST(Fault, AsyncCopyBehindTheEnd) {
  PtxRun run(asyncCopy("cp.async.wait_all;\n"));
  EXPECT_FINDING(run.run(1, 5, {run.put(Words(16)), run.reserve(64)}), "behind the end");
}

TEST(Fault, Trap) {
  PtxRun run(kernel(0, "", "trap;"));
  EXPECT_FINDING(run.run(1, 1, {}), "traps");
}

} // namespace
} // namespace halfstep::emulator::test
