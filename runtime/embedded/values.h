/* A parameter's values in the arena, in whichever form they are kept: as they are, beside a working copy, or
 * split.
 *
 * A split f32 value lies in two arrays: its high half, which is the working copy in bf16, and the 16 bits
 * below. With b the value's bits,
 *   high = (b + 0x8000) >> 16   b rounded to bf16, half away from zero
 *   low  = b & 0xffff
 * Rounding added 1 to the high half where the low one, read as a signed number, is negative, so
 * b = (high << 16) + low without loss. A NaN would round to something else: it becomes quiet and loses bit
 * 15. codegen/cpu/UpdateKernels.cpp does the same in generated code. */
#ifndef HALFSTEP_EMBEDDED_VALUES_H
#define HALFSTEP_EMBEDDED_VALUES_H

#include "contract.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Rounds `value` to the parameter's type and stores it as element i, without the working copy. */
void hs_store_value(const hs_param_desc *param, char *arena, int64_t i, double value);

/* All values from or to an array of the parameter's type; storing writes the working copy too. */
void hs_load_values(const hs_param_desc *param, const char *arena, void *out);
void hs_store_values(const hs_param_desc *param, char *arena, const void *values);

/* Rounds the parameter's values into its working copy, if it has one that is not half of them. */
void hs_refresh_copy(const hs_param_desc *param, char *arena);

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_EMBEDDED_VALUES_H */
