/* Which halfstep a program runs with. The conventions of halfstep/types.h hold. */
#ifndef HALFSTEP_VERSION_H
#define HALFSTEP_VERSION_H

#include <stdint.h>

#ifndef HS_API
#define HS_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this runtime, as in "0.1.0". */
HS_API const char *hs_version(void);

/* Number of the interface between generated code and the runtime; a generated library's manifest has its own.
 */
HS_API int32_t hs_abi(void);

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_VERSION_H */
