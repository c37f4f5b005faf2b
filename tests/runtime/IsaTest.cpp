// Which instruction level is chosen, from made-up processors.
#include "FakeModel.h"

#include "runtime/embedded/isa.h"

#include <gtest/gtest.h>
#include <string>

namespace {

// All features, with all register state saved.
const hs_cpu_words everything = {~0u, ~0u, ~0u, ~0u, 0xe7};

TEST(Isa, LevelsFollowFromTheFeatures) {
  EXPECT_EQ(hs_isa_of(&everything), HS_ISA_X86_64_V4_BF16);
  hs_cpu_words words = everything;
  words.leaf7_1_eax = 0; // no avx512_bf16
  EXPECT_EQ(hs_isa_of(&words), HS_ISA_X86_64_V3);
  words = everything;
  words.leaf7_ebx &= ~(1u << 16); // no avx512f
  EXPECT_EQ(hs_isa_of(&words), HS_ISA_X86_64_V3);
  for (int bit : {12, 22, 27, 28, 29}) { // fma, movbe, osxsave, avx, f16c
    words = everything;
    words.leaf1_ecx &= ~(1u << bit);
    EXPECT_EQ(hs_isa_of(&words), 0) << bit;
  }
}

TEST(Isa, RegistersThatTheSystemDoesNotSaveDoNotCount) {
  hs_cpu_words words = everything;
  words.xcr0 = 0x7; // xmm and ymm, not zmm
  EXPECT_EQ(hs_isa_of(&words), HS_ISA_X86_64_V3);
  words.xcr0 = 0x3;
  EXPECT_EQ(hs_isa_of(&words), 0);
}

hs_status choose(int32_t wanted, int32_t cpu, int32_t *level, std::string *message = nullptr) {
  char text[256] = "";
  hs_error error = {text, sizeof text};
  hs_status status = hs_isa_choose(&fake_model, wanted, cpu, level, &error);
  if (message)
    *message = text;
  return status;
}

TEST(Isa, AutomaticChoiceIsTheHighestThatIsCompiledIn) {
  int32_t level = 0;
  EXPECT_EQ(choose(HS_ISA_AUTO, HS_ISA_X86_64_V4_BF16, &level), HS_OK);
  EXPECT_EQ(level, HS_ISA_X86_64_V3); // the fake library has only this one
}

TEST(Isa, WhatTheCpuLacksIsRefused) {
  int32_t level = 0;
  std::string message;
  EXPECT_EQ(choose(HS_ISA_X86_64_V4_BF16, HS_ISA_X86_64_V3, &level, &message), HS_ERROR_ISA);
  EXPECT_EQ(message, "instruction level x86-64-v4 with avx512bf16 was asked for, this CPU has x86-64-v3");
  EXPECT_EQ(choose(HS_ISA_AUTO, 0, &level, &message), HS_ERROR_ISA);
  EXPECT_EQ(message, "no instruction level of this library runs on this CPU, which has none");
}

TEST(Isa, WhatIsNotCompiledInIsRefused) {
  int32_t level = 0;
  EXPECT_EQ(choose(HS_ISA_X86_64_V4_BF16, HS_ISA_X86_64_V4_BF16, &level), HS_ERROR_ISA);
  EXPECT_EQ(choose(3, HS_ISA_X86_64_V4_BF16, &level), HS_ERROR_USAGE);
  EXPECT_EQ(choose(-1, HS_ISA_X86_64_V4_BF16, &level), HS_ERROR_USAGE);
}

} // namespace
