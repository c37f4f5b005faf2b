/* torch.amp.GradScaler's arithmetic, without its optimizers: see halfstep/scaler.h. */
#include "convert.h"
#include "scaler_rule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct hs_scaler {
  hs_scaler_config config;
  hs_scaler_state state;
  int32_t left;
};

float hs_scaler_shrunk(const hs_scaler_config *config, const hs_scaler_state *state) {
  return (float)(state->scale * config->backoff);
}

static void shrink(const hs_scaler_config *config, hs_scaler_state *state) {
  state->scale = hs_scaler_shrunk(config, state);
  if (config->min > 0 && state->scale < config->min)
    state->scale = config->min;
}

static void grow(const hs_scaler_config *config, hs_scaler_state *state) {
  float grown = (float)(state->scale * config->growth);
  if (config->max > 0 && grown > config->max)
    grown = config->max;
  if (isfinite(grown))
    state->scale = grown;
}

void hs_scaler_rule_update(const hs_scaler_config *config, hs_scaler_state *state, int32_t *left,
                           int found_inf) {
  if (found_inf) {
    if (*left > 1)
      --*left;
    else
      shrink(config, state);
    state->growth_tracker = 0;
    return;
  }
  if (config->hysteresis_refill)
    *left = config->hysteresis;
  /* Equality, as in torch: a tracker already beyond the interval grows no more. Unsigned, since it may wrap.
   */
  state->growth_tracker = (int32_t)((uint32_t)state->growth_tracker + 1);
  if (state->growth_tracker != config->interval)
    return;
  grow(config, state);
  *left = config->hysteresis;
  state->growth_tracker = 0;
}

int hs_scaler_state_valid(const hs_scaler_state *state) {
  return isfinite(state->scale) && state->scale >= 0 && state->growth_tracker >= 0;
}

float hs_scaler_inverse(float scale) { return (float)(1.0 / (double)scale); }

static hs_scaler_config with_defaults(hs_scaler_config config) {
  config.init = config.init == 0 ? 65536.0f : config.init;
  config.growth = config.growth == 0 ? 2.0 : config.growth;
  config.backoff = config.backoff == 0 ? 0.5 : config.backoff;
  config.interval = config.interval == 0 ? 2000 : config.interval;
  config.hysteresis = config.hysteresis == 0 ? 1 : config.hysteresis;
  return config;
}

static int config_valid(const hs_scaler_config *config) {
  return isfinite(config->init) && config->init > 0 && isfinite(config->growth) && config->growth > 1 &&
         config->backoff > 0 && config->backoff < 1 && config->interval > 0 && config->min >= 0 &&
         config->max >= 0 && config->hysteresis > 0;
}

hs_status hs_scaler_create(const hs_scaler_config *config, hs_scaler **out) {
  if (!out)
    return HS_ERROR_USAGE;
  *out = NULL;
  hs_scaler_config full = HS_SCALER_CONFIG_INIT;
  if (config) {
    if (config->struct_size < sizeof config->struct_size)
      return HS_ERROR_USAGE;
    memcpy(&full, config, config->struct_size < sizeof full ? config->struct_size : sizeof full);
  }
  full = with_defaults(full);
  if (!config_valid(&full))
    return HS_ERROR_USAGE;
  hs_scaler *scaler = malloc(sizeof *scaler);
  if (!scaler)
    return HS_ERROR_MEMORY;
  scaler->config = full;
  scaler->state.scale = full.init;
  scaler->state.growth_tracker = 0;
  scaler->left = full.hysteresis;
  *out = scaler;
  return HS_OK;
}

void hs_scaler_destroy(hs_scaler *scaler) { free(scaler); }

hs_status hs_scaler_scale(const hs_scaler *scaler, float *scale) {
  if (!scaler || !scale)
    return HS_ERROR_USAGE;
  *scale = scaler->state.scale;
  return HS_OK;
}

hs_status hs_scaler_update(hs_scaler *scaler, int found_inf) {
  if (!scaler)
    return HS_ERROR_USAGE;
  hs_scaler_rule_update(&scaler->config, &scaler->state, &scaler->left, found_inf);
  return HS_OK;
}

hs_status hs_scaler_get_state(const hs_scaler *scaler, hs_scaler_state *state) {
  if (!scaler || !state)
    return HS_ERROR_USAGE;
  *state = scaler->state;
  return HS_OK;
}

hs_status hs_scaler_set_state(hs_scaler *scaler, const hs_scaler_state *state) {
  if (!scaler || !state || !hs_scaler_state_valid(state))
    return HS_ERROR_USAGE;
  scaler->state = *state;
  return HS_OK;
}

hs_status hs_scaler_get_hysteresis(const hs_scaler *scaler, int32_t *left) {
  if (!scaler || !left)
    return HS_ERROR_USAGE;
  *left = scaler->left;
  return HS_OK;
}

hs_status hs_scaler_set_hysteresis(hs_scaler *scaler, int32_t left) {
  if (!scaler || left < 1 || left > scaler->config.hysteresis)
    return HS_ERROR_USAGE;
  scaler->left = left;
  return HS_OK;
}

static int unscale_f32(const float *in, float *out, size_t n, float inverse) {
  int found = 0;
  for (size_t i = 0; i < n; ++i) {
    float value = in[i];
    found |= !isfinite(value);
    out[i] = inverse == 1.0f ? value : value * inverse;
  }
  return found;
}

/* A product in a 16-bit type. Torch's bf16 has one NaN only; its f16 keeps sign and payload, as ours. */
static uint16_t narrow(int32_t dtype, float value) {
  if (dtype == HS_F16)
    return hs_f16_from_f32(value);
  return isnan(value) ? 0x7fc0 : hs_bf16_from_f32(value);
}

static int unscale_16(int32_t dtype, const uint16_t *in, uint16_t *out, size_t n, float inverse) {
  int found = 0;
  for (size_t i = 0; i < n; ++i) {
    float value = dtype == HS_F16 ? hs_f32_from_f16(in[i]) : hs_f32_from_bf16(in[i]);
    found |= !isfinite(value);
    out[i] = inverse == 1.0f ? in[i] : narrow(dtype, value * inverse);
  }
  return found;
}

hs_status hs_unscale(hs_dtype dtype, const void *in, void *out, size_t n, float scale, int *found_inf) {
  if (!found_inf || (n && (!in || !out)) || (dtype != HS_F32 && dtype != HS_F16 && dtype != HS_BF16))
    return HS_ERROR_USAGE;
  float inverse = hs_scaler_inverse(scale);
  int found = dtype == HS_F32 ? unscale_f32(in, out, n, inverse) : unscale_16(dtype, in, out, n, inverse);
  if (found)
    *found_inf = 1;
  return HS_OK;
}
