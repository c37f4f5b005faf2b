// ldmatrix and mma.sync against a product in double: a warp multiplies A[16][16] by B[16][8].
#include "PtxRun.h"
#include "emulator/HalfFormats.h"

#include <gtest/gtest.h>

namespace halfstep::emulator::test {
namespace {

/// A lies row-major behind parameter 0; B behind 1, as rows of k when transposed, else of n. Lane l gives
/// ldmatrix the address of row l % 16 (and of its upper half, for A's l >= 16).
std::string product(const std::string &type, bool transposed) {
  const std::string body =
      "mov.u32 %s0, a;\nmov.u32 %s1, b;\n"
      // 16 bytes of A a lane: row l / 2, half l % 2; B has 16 x 8 elements: the first 16 lanes.
      "shl.b32 %s2, %t, 4;\nadd.s32 %s3, %s0, %s2;\nmul.wide.u32 %q, %t, 16;\nadd.s64 %q, %q, %p0;\n"
      "cp.async.cg.shared.global [%s3], [%q], 16;\nsetp.lt.u32 %c, %t, 16;\nmul.wide.u32 %q, %t, 16;\n"
      "add.s64 %q, %q, %p1;\nadd.s32 %s3, %s1, %s2;\n@%c cp.async.cg.shared.global [%s3], [%q], 16;\n"
      "cp.async.commit_group;\ncp.async.wait_group 0;\nbar.sync 0;\n"
      "and.b32 %s2, %t, 15;\nshl.b32 %s2, %s2, 5;\nshr.u32 %s3, %t, 4;\nshl.b32 %s3, %s3, 4;\n"
      "add.s32 %s2, %s2, %s3;\nadd.s32 %s2, %s2, %s0;\n"
      "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%a0, %a1, %a2, %a3}, [%s2];\n";
  const std::string loadB =
      transposed ? "and.b32 %s2, %t, 15;\nshl.b32 %s2, %s2, 4;\nadd.s32 %s2, %s2, %s1;\n"
                   "ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%b0, %b1}, [%s2];\n"
                 : "and.b32 %s2, %t, 7;\nshl.b32 %s2, %s2, 5;\nshr.u32 %s3, %t, 3;\nand.b32 %s3, %s3, 1;\n"
                   "shl.b32 %s3, %s3, 4;\nadd.s32 %s2, %s2, %s3;\nadd.s32 %s2, %s2, %s1;\n"
                   "ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%b0, %b1}, [%s2];\n";
  const std::string multiply = "mov.b32 %d0, 0f3F800000;\nmma.sync.aligned.m16n8k16.row.col.f32." + type +
                               "." + type +
                               ".f32\n  {%d0, %d1, %d2, %d3},\n  {%a0, %a1, %a2, %a3},\n  {%b0, %b1},\n"
                               "  {%d0, %d0, %d0, %d0};\n";
  // d0, d1: row l / 4, columns 2 * (l % 4) and the next; d2, d3: 8 rows below.
  const std::string store =
      "shr.u32 %s2, %t, 2;\nand.b32 %s3, %t, 3;\nshl.b32 %s2, %s2, 5;\nshl.b32 %s3, %s3, 3;\n"
      "add.s32 %s2, %s2, %s3;\ncvt.u64.u32 %q, %s2;\nadd.s64 %q, %q, %p2;\n"
      "st.global.v2.b32 [%q], {%d0, %d1};\nst.global.v2.b32 [%q+256], {%d2, %d3};";
  return kernel(
      3,
      ".shared .align 128 .b8 a[512];\n.shared .align 128 .b8 b[256];\n.reg .b32 %s<4>, %a<4>, %b<2>, "
      "%d<4>;\n.reg .b64 %q;\n.reg .pred %c;",
      body + loadB + multiply + store);
}

template <typename T>
void checkProduct(const std::string &type, bool transposed) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<uint16_t> a(256), b(128);
  for (uint16_t &value : a)
    value = fromFloat<T>(uniform(random)).bits;
  for (uint16_t &value : b)
    value = fromFloat<T>(uniform(random)).bits;
  PtxRun run(product(type, transposed));
  const uint64_t out = run.reserve(512);
  ASSERT_EQ(run.run(1, 32, {run.put(a), run.put(b), out}), "");
  const auto values = run.get<float>(out, 128);
  for (size_t m = 0; m < 16; ++m)
    for (size_t n = 0; n < 8; ++n) {
      double sum = 1;
      for (size_t k = 0; k < 16; ++k)
        sum += double(toFloat(T{a[m * 16 + k]})) * toFloat(T{b[transposed ? k * 8 + n : n * 16 + k]});
      EXPECT_NEAR(values[m * 8 + n], sum, 17 * 0x1p-24 * 17) << m << " " << n; // 17 sums of at most 17
    }
}

TEST(Matrix, MultipliesHalves) { checkProduct<F16>("f16", false); }
TEST(Matrix, MultipliesHalvesTransposed) { checkProduct<F16>("f16", true); }
TEST(Matrix, MultipliesBfloats) { checkProduct<BF16>("bf16", false); }
TEST(Matrix, MultipliesBfloatsTransposed) { checkProduct<BF16>("bf16", true); }

TEST(Matrix, NeedsAWholeWarp) {
  PtxRun run(product("f16", false));
  EXPECT_NE(
      run.run(1, 31,
              {run.put(std::vector<uint16_t>(256)), run.put(std::vector<uint16_t>(128)), run.reserve(512)}),
      "");
}

} // namespace
} // namespace halfstep::emulator::test
