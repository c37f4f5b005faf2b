/* See values.h. */
#include "values.h"

#include "convert.h"

#include <string.h>

static int is_split(const hs_param_desc *param) { return param->low_offset >= 0; }

static size_t value_bytes(const hs_param_desc *param) {
  return (size_t)param->info.count * hs_dtype_bytes(param->info.dtype);
}

static void split(const hs_param_desc *param, char *arena, int64_t i, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffff) > 0x7f800000) /* NaN */
    bits = (bits | 0x400000) & ~0x8000u;
  ((uint16_t *)(void *)(arena + param->copy_offset))[i] = (uint16_t)((bits + 0x8000) >> 16);
  ((uint16_t *)(void *)(arena + param->low_offset))[i] = (uint16_t)bits;
}

static float merged(const hs_param_desc *param, const char *arena, int64_t i) {
  uint32_t high = ((const uint16_t *)(const void *)(arena + param->copy_offset))[i],
           low = ((const uint16_t *)(const void *)(arena + param->low_offset))[i];
  uint32_t bits = (high << 16) + low - (low & 0x8000 ? 0x10000 : 0);
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

void hs_store_value(const hs_param_desc *param, char *arena, int64_t i, double value) {
  if (is_split(param))
    split(param, arena, i, (float)value);
  else
    hs_store_element(param->info.dtype, arena + param->offset, i, value);
}

void hs_load_values(const hs_param_desc *param, const char *arena, void *out) {
  if (!is_split(param)) {
    memcpy(out, arena + param->offset, value_bytes(param));
    return;
  }
  for (int64_t i = 0; i < param->info.count; ++i)
    ((float *)out)[i] = merged(param, arena, i);
}

void hs_store_values(const hs_param_desc *param, char *arena, const void *values) {
  if (is_split(param)) {
    for (int64_t i = 0; i < param->info.count; ++i)
      split(param, arena, i, ((const float *)values)[i]);
    return;
  }
  memcpy(arena + param->offset, values, value_bytes(param));
  hs_refresh_copy(param, arena);
}

void hs_refresh_copy(const hs_param_desc *param, char *arena) {
  if (param->copy_offset >= 0 && !is_split(param))
    hs_convert(param->copy_dtype, arena + param->copy_offset, param->info.dtype, arena + param->offset,
               param->info.count);
}
