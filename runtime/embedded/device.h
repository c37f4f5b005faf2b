/* An instance whose arena lies on a device: the host keeps a mirror of the state (the arena's head), so that
 * parameters and checkpoints are the same code for all targets. Whichever side is older is brought up to date
 * when it is used. */
#ifndef HALFSTEP_EMBEDDED_DEVICE_H
#define HALFSTEP_EMBEDDED_DEVICE_H

#include "instance.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Makes the device's arena; the mirror counts as newer. */
hs_status hs_device_open(hs_instance *instance, const hs_config *config);
void hs_device_close(hs_instance *instance);

/* To call before the mirror is read or changed, and after it was changed. No effect on the CPU. */
hs_status hs_device_pull(const hs_instance *instance);
void hs_device_changed(const hs_instance *instance);

/* Runs a step (hs_device_step) with the mirror's scalars, which come back; outputs may be NULL. */
hs_status hs_device_run(hs_instance *instance, int32_t step, const void *const *inputs,
                        const void *const *targets, void *const *outputs);

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_EMBEDDED_DEVICE_H */
