/* See isa.h. Bit positions: Intel SDM volume 2, CPUID. */
#include "isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define BIT(n) (1u << (n))

enum {
  AVX_STATE = 0x6,    /* xmm and ymm */
  AVX512_STATE = 0xe6 /* and the mask and zmm registers */
};

static int has(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

int32_t hs_isa_of(const hs_cpu_words *words) {
  const uint32_t fma = BIT(12), sse41 = BIT(19), sse42 = BIT(20), movbe = BIT(22), popcnt = BIT(23);
  const uint32_t osxsave = BIT(27), avx = BIT(28), f16c = BIT(29);
  const uint32_t bmi1 = BIT(3), avx2 = BIT(5), bmi2 = BIT(8), lzcnt = BIT(5);
  const uint32_t avx512f = BIT(16), avx512dq = BIT(17), avx512cd = BIT(28), avx512bw = BIT(30);
  const uint32_t avx512vl = BIT(31), avx512bf16 = BIT(5);

  if (!has(words->leaf1_ecx, fma | sse41 | sse42 | movbe | popcnt | osxsave | avx | f16c) ||
      !has(words->leaf7_ebx, bmi1 | avx2 | bmi2) || !has(words->extended_ecx, lzcnt) ||
      (words->xcr0 & AVX_STATE) != AVX_STATE)
    return 0;
  if (!has(words->leaf7_ebx, avx512f | avx512dq | avx512cd | avx512bw | avx512vl) ||
      !has(words->leaf7_1_eax, avx512bf16) || (words->xcr0 & AVX512_STATE) != AVX512_STATE)
    return HS_ISA_X86_64_V3;
  return HS_ISA_X86_64_V4_BF16;
}

int32_t hs_isa_of_this_cpu(void) {
#if defined(__x86_64__)
  hs_cpu_words words = {0};
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx))
    return 0;
  words.leaf1_ecx = ecx;
  if (has(ecx, BIT(27))) { /* OSXSAVE: xgetbv may be used */
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    words.xcr0 = (uint64_t)high << 32 | low;
  }
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) {
    unsigned last_subleaf = eax;
    words.leaf7_ebx = ebx;
    if (last_subleaf >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx))
      words.leaf7_1_eax = eax;
  }
  if (__get_cpuid(0x80000001u, &eax, &ebx, &ecx, &edx))
    words.extended_ecx = ecx;
  return hs_isa_of(&words);
#else
  return 0;
#endif
}

static int compiled(const hs_model *model, int32_t level) {
  for (int32_t i = 0; i < model->variant_count; ++i) {
    const hs_variant_desc *variant = &model->variants[i];
    if (variant->train[level - 1] || variant->eval[level - 1] || variant->forward[level - 1])
      return 1;
  }
  return 0;
}

static const char *name(int32_t level) {
  return level == HS_ISA_X86_64_V3        ? "x86-64-v3"
         : level == HS_ISA_X86_64_V4_BF16 ? "x86-64-v4 with avx512bf16"
                                          : "none";
}

hs_status hs_isa_choose(const hs_model *model, int32_t wanted, int32_t cpu, int32_t *out,
                        const hs_error *error) {
  if (wanted < HS_ISA_AUTO || wanted > HS_ISA_LEVELS)
    return hs_fail(error, HS_ERROR_USAGE, "isa is %d, expected 0 to %d", wanted, HS_ISA_LEVELS);
  if (wanted > cpu)
    return hs_fail(error, HS_ERROR_ISA, "instruction level %s was asked for, this CPU has %s", name(wanted),
                   name(cpu));
  if (wanted != HS_ISA_AUTO && !compiled(model, wanted))
    return hs_fail(error, HS_ERROR_ISA, "instruction level %s is not compiled into this library",
                   name(wanted));
  int32_t level = wanted == HS_ISA_AUTO ? cpu : wanted;
  while (level > 0 && !compiled(model, level))
    --level;
  if (level == 0)
    return hs_fail(error, HS_ERROR_ISA, "no instruction level of this library runs on this CPU, which has %s",
                   name(cpu));
  *out = level;
  return HS_OK;
}
