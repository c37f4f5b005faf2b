/* Conversions between element types, rounding to nearest, ties to even. A NaN stays a NaN: it keeps its sign
 * and the upper bits of its payload and becomes quiet. */
#ifndef HALFSTEP_EMBEDDED_CONVERT_H
#define HALFSTEP_EMBEDDED_CONVERT_H

#include "halfstep/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of an element of an hs_dtype; 0 for an unknown one. */
size_t hs_dtype_bytes(int32_t dtype);

float hs_f32_from_f16(uint16_t bits);
uint16_t hs_f16_from_f32(float value);
float hs_f32_from_bf16(uint16_t bits);
uint16_t hs_bf16_from_f32(float value);

/* Element i of data, whose type is dtype. Integers beyond 2^53 are rounded. */
double hs_load_element(int32_t dtype, const void *data, int64_t i);

/* Rounds value once to dtype and writes it. Integers are truncated. */
void hs_store_element(int32_t dtype, void *data, int64_t i, double value);

/* n elements from one type to another; the ranges must not overlap. */
void hs_convert(int32_t to, void *out, int32_t from, const void *in, int64_t n);

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_EMBEDDED_CONVERT_H */
