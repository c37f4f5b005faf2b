/* See init.h. */
#include "init.h"

#include "convert.h"
#include "values.h"

#include <math.h>

static const uint64_t GOLDEN =
    0x9e3779b97f4a7c15u; /* 2^64 over the golden ratio, odd: visits every 64-bit state */

/* A bijection in which each input bit changes about half of the output: David Stafford's variant 13 of
 * MurmurHash3's finalizer, as used by SplitMix64. */
static uint64_t mix(uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

static uint64_t random_bits(uint64_t key, uint64_t counter) { return mix(mix(counter * GOLDEN ^ key) + key); }

/* In [0, 1): 53 bits, each value exact in f64. */
static double unit(uint64_t bits) { return (double)(bits >> 11) * 0x1p-53; }

static void fill_uniform(const hs_param_desc *param, char *arena, uint64_t key) {
  for (int64_t i = 0; i < param->info.count; ++i) {
    double value = param->init_a + (param->init_b - param->init_a) * unit(random_bits(key, (uint64_t)i));
    hs_store_value(param, arena, i, value);
  }
}

/* Box and Muller: two uniform numbers give two normal ones. */
static void fill_normal(const hs_param_desc *param, char *arena, uint64_t key) {
  const double two_pi = 6.283185307179586;
  for (int64_t i = 0; i < param->info.count; i += 2) {
    double radius = sqrt(-2.0 * log(1.0 - unit(random_bits(key, (uint64_t)i)))); /* of (0, 1]: finite */
    double angle = two_pi * unit(random_bits(key, (uint64_t)i + 1));
    hs_store_value(param, arena, i, param->init_a + param->init_b * radius * cos(angle));
    if (i + 1 < param->info.count)
      hs_store_value(param, arena, i + 1, param->init_a + param->init_b * radius * sin(angle));
  }
}

static void fill(const hs_param_desc *param, char *arena, uint64_t key) {
  switch (param->init) {
  case HS_INIT_UNIFORM:
    fill_uniform(param, arena, key);
    break;
  case HS_INIT_NORMAL:
    fill_normal(param, arena, key);
    break;
  case HS_INIT_DATA:
    hs_store_values(param, arena, param->init_data);
    return;
  default:
    for (int64_t i = 0; i < param->info.count; ++i)
      hs_store_value(param, arena, i, param->init_a);
    break;
  }
  hs_refresh_copy(param, arena);
}

static void fill_slots(const hs_model *model, const hs_param_desc *param, char *arena) {
  for (int32_t slot = 0; slot < HS_MAX_SLOTS; ++slot)
    for (int64_t i = 0; model->slot_init[slot] != 0 && param->slot_offset[slot] >= 0 && i < param->info.count;
         ++i)
      hs_store_element(param->slot_dtype, arena + param->slot_offset[slot], i, model->slot_init[slot]);
}

void hs_init_state(const hs_model *model, char *arena, uint64_t seed) {
  for (int32_t i = 0; i < model->param_count; ++i) {
    fill(&model->params[i], arena, mix(mix(seed) + GOLDEN * ((uint64_t)i + 1)));
    fill_slots(model, &model->params[i], arena);
  }
}
