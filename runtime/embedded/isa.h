/* Which of a library's instruction levels this CPU and operating system can run. */
#ifndef HALFSTEP_EMBEDDED_ISA_H
#define HALFSTEP_EMBEDDED_ISA_H

#include "contract.h"
#include "error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The words of cpuid and xgetbv that decide. */
typedef struct hs_cpu_words {
  uint32_t leaf1_ecx, leaf7_ebx, leaf7_1_eax, extended_ecx;
  uint64_t xcr0; /* register state that the operating system saves */
} hs_cpu_words;

/* The highest hs_isa, or 0 when even HS_ISA_X86_64_V3 is missing. */
int32_t hs_isa_of(const hs_cpu_words *words);
int32_t hs_isa_of_this_cpu(void);

/* The level to run: `wanted` (hs_isa), or the highest one that is compiled in and not above `cpu`.
 * HS_ERROR_ISA if there is none. */
hs_status hs_isa_choose(const hs_model *model, int32_t wanted, int32_t cpu, int32_t *out,
                        const hs_error *error);

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_EMBEDDED_ISA_H */
