/* The scaler's update rule, shared by hs_scaler and the training step. */
#ifndef HALFSTEP_EMBEDDED_SCALER_RULE_H
#define HALFSTEP_EMBEDDED_SCALER_RULE_H

#include "halfstep/scaler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* config without zeros where zero means a default. left: as hs_scaler_get_hysteresis gives it. */
void hs_scaler_rule_update(const hs_scaler_config *config, hs_scaler_state *state, int32_t *left,
                           int found_inf);
/* The scale after one that shrinks, before it is held at its minimum. */
float hs_scaler_shrunk(const hs_scaler_config *config, const hs_scaler_state *state);
int hs_scaler_state_valid(const hs_scaler_state *state);

/* f32(1 / f64(scale)): torch's reciprocal. */
float hs_scaler_inverse(float scale);

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_EMBEDDED_SCALER_RULE_H */
