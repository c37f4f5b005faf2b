/* Dynamic loss scaling on its own, for programs that have their gradients from elsewhere. Bit for bit the
 * behaviour of torch.amp.GradScaler:
 *
 *   1. loss * scale is what is differentiated;
 *   2. hs_unscale checks each gradient and divides it by the scale;
 *   3. the optimizer runs only if no gradient held an infinity or a NaN;
 *   4. hs_scaler_update shrinks the scale after such a step and lets it grow after `interval` clean ones.
 *
 * Hysteresis, as in DeepSpeed, Megatron and Apex: of every `hysteresis` steps with found_inf only the last
 * shrinks the scale, and once it has, each further one does, until the count is full again.
 *
 * The conventions of halfstep/types.h hold. A generated library does all of this in its training step.
 */
#ifndef HALFSTEP_SCALER_H
#define HALFSTEP_SCALER_H

#include "halfstep/types.h"

#ifndef HS_API
#define HS_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Zero in any field means its default. */
typedef struct hs_scaler_config {
  size_t struct_size;
  float init;                /* first scale; 65536 */
  double growth;             /* factor above 1 after `interval` clean steps; 2 */
  double backoff;            /* factor in (0, 1) after a step with found_inf; 0.5 */
  int32_t interval;          /* 2000 */
  float min, max;            /* bounds of the scale; none, as in torch: it may reach 0 */
  int32_t hysteresis;        /* steps with found_inf that it takes to shrink the scale; 1 */
  int32_t hysteresis_refill; /* what fills that count again: 0: growth of the scale (DeepSpeed, Megatron);
                                1: any step without found_inf (Apex) */
} hs_scaler_config;
#define HS_SCALER_CONFIG_INIT {sizeof(hs_scaler_config), 0, 0, 0, 0, 0, 0, 0, 0}

typedef struct hs_scaler hs_scaler;

/* config may be NULL for all defaults. HS_ERROR_USAGE for a factor or interval out of its range. */
HS_API hs_status hs_scaler_create(const hs_scaler_config *config, hs_scaler **out);
HS_API void hs_scaler_destroy(hs_scaler *scaler); /* NULL is allowed */

HS_API hs_status hs_scaler_scale(const hs_scaler *scaler, float *scale);

/* Once an optimizer step. found_inf other than 0: the step was skipped. */
HS_API hs_status hs_scaler_update(hs_scaler *scaler, int found_inf);

HS_API hs_status hs_scaler_get_state(const hs_scaler *scaler, hs_scaler_state *state);

/* HS_ERROR_USAGE if the scale is negative or not finite or the tracker negative. With hysteresis, the count
 * below is state too: whoever saves the one saves the other. */
HS_API hs_status hs_scaler_set_state(hs_scaler *scaler, const hs_scaler_state *state);

/* Steps with found_inf until the scale shrinks, in [1, hysteresis]: 1 means at the next one. hs_scaler_create
 * begins with hysteresis; hs_scaler_set_state leaves it alone. HS_ERROR_USAGE for a count out of range. */
HS_API hs_status hs_scaler_get_hysteresis(const hs_scaler *scaler, int32_t *left);
HS_API hs_status hs_scaler_set_hysteresis(hs_scaler *scaler, int32_t left);

/* out[i] = in[i] * f32(1 / f64(scale)), computed in f32 and rounded once to the type; in and out may be the
 * same. dtype: HS_F32, HS_F16 or HS_BF16. *found_inf becomes 1 if any in[i] is not finite and is left alone
 * otherwise, so that one variable can collect all gradients: set it to 0 first. */
HS_API hs_status hs_unscale(hs_dtype dtype, const void *in, void *out, size_t n, float scale, int *found_inf);

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_SCALER_H */
