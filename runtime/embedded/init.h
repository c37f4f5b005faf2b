/* First values of the parameters. */
#ifndef HALFSTEP_EMBEDDED_INIT_H
#define HALFSTEP_EMBEDDED_INIT_H

#include "contract.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fills every parameter's values and working copy in an arena whose state is zero. Each value depends on the
 * seed, the parameter's index and the element's index alone. Random values are rounded to nearest in the
 * parameter's type, so that an upper bound may be reached in a 16-bit type. */
void hs_init_state(const hs_model *model, char *arena, uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_EMBEDDED_INIT_H */
