/* See halfstep/version.h. */
#include "halfstep/version.h"

#include "embedded/contract.h"

const char *hs_version(void) { return HALFSTEP_VERSION; }

int32_t hs_abi(void) { return HS_ABI; }
