/* See convert.h. Written on bits, since the lowest instruction level has no conversions for the 16-bit types.
 */
#include "convert.h"

#include <string.h>

static uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

size_t hs_dtype_bytes(int32_t dtype) {
  switch (dtype) {
  case HS_F64:
  case HS_I64:
    return 8;
  case HS_F32:
  case HS_I32:
    return 4;
  case HS_F16:
  case HS_BF16:
    return 2;
  case HS_U8:
    return 1;
  default:
    return 0;
  }
}

float hs_f32_from_f16(uint16_t bits) {
  uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
  if (exponent == 31) /* inf, NaN */
    return float_of(sign | 0x7f800000 | fraction << 13 | (fraction ? 0x400000 : 0));
  if (exponent == 0) { /* subnormal: a multiple of 2^-24 */
    float magnitude = (float)fraction * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}

/* Shifts right by shift > 0, rounding to nearest even. */
static uint32_t shift_rounded(uint32_t value, uint32_t shift) {
  return (value + (1u << (shift - 1)) - 1 + (value >> shift & 1)) >> shift;
}

uint16_t hs_f16_from_f32(float value) {
  uint32_t bits = bits_of(value), magnitude = bits & 0x7fffffff;
  uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  if (magnitude > 0x7f800000)
    return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x1ff));
  if (magnitude >= 0x477ff000) /* 65520: half way from the largest finite value to 2^16 */
    return sign | 0x7c00;
  if (magnitude >= 0x38800000) /* 2^-14: the smallest normal; rounding may carry into the exponent */
    return (uint16_t)(sign | shift_rounded(magnitude - (112u << 23), 13));
  if (magnitude < 0x33000000) /* below 2^-25: nearer to 0 than to 2^-24 */
    return sign;
  uint32_t significand = (magnitude & 0x7fffff) | 0x800000;
  return (uint16_t)(sign | shift_rounded(significand, 126 - (magnitude >> 23)));
}

float hs_f32_from_bf16(uint16_t bits) { return float_of((uint32_t)bits << 16); }

uint16_t hs_bf16_from_f32(float value) {
  uint32_t bits = bits_of(value);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* Rounds to f32 towards zero and sets the last bit where that was not exact ("round to odd"): rounding the
 * result to a type with at least two bits fewer then equals rounding the f64 itself. */
static float round_to_odd(double value) {
  float rounded = (float)value;
  if ((double)rounded == value || value != value)
    return rounded;
  uint32_t bits = bits_of(rounded);
  double magnitude = value < 0 ? -value : value, result = rounded < 0 ? -(double)rounded : (double)rounded;
  if (result > magnitude)
    --bits;
  return float_of(bits | 1);
}

double hs_load_element(int32_t dtype, const void *data, int64_t i) {
  switch (dtype) {
  case HS_F32:
    return (double)((const float *)data)[i];
  case HS_F64:
    return ((const double *)data)[i];
  case HS_F16:
    return (double)hs_f32_from_f16(((const uint16_t *)data)[i]);
  case HS_BF16:
    return (double)hs_f32_from_bf16(((const uint16_t *)data)[i]);
  case HS_I64:
    return (double)((const int64_t *)data)[i];
  case HS_I32:
    return ((const int32_t *)data)[i];
  default:
    return ((const uint8_t *)data)[i];
  }
}

void hs_store_element(int32_t dtype, void *data, int64_t i, double value) {
  switch (dtype) {
  case HS_F32:
    ((float *)data)[i] = (float)value;
    break;
  case HS_F64:
    ((double *)data)[i] = value;
    break;
  case HS_F16:
    ((uint16_t *)data)[i] = hs_f16_from_f32(round_to_odd(value));
    break;
  case HS_BF16:
    ((uint16_t *)data)[i] = hs_bf16_from_f32(round_to_odd(value));
    break;
  case HS_I64:
    ((int64_t *)data)[i] = (int64_t)value;
    break;
  case HS_I32:
    ((int32_t *)data)[i] = (int32_t)value;
    break;
  default:
    ((uint8_t *)data)[i] = (uint8_t)value;
    break;
  }
}

void hs_convert(int32_t to, void *out, int32_t from, const void *in, int64_t n) {
  if (to == from) {
    memcpy(out, in, (size_t)n * hs_dtype_bytes(to));
    return;
  }
  if (from == HS_F32 && to == HS_BF16) {
    for (int64_t i = 0; i < n; ++i)
      ((uint16_t *)out)[i] = hs_bf16_from_f32(((const float *)in)[i]);
    return;
  }
  for (int64_t i = 0; i < n; ++i)
    hs_store_element(to, out, i, hs_load_element(from, in, i));
}
