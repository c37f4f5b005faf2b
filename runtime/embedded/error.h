/* Error messages: each failing call leaves one in its handle, or where create's caller asked for it. */
#ifndef HALFSTEP_EMBEDDED_ERROR_H
#define HALFSTEP_EMBEDDED_ERROR_H

#include "halfstep/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where a message goes; text may be NULL, then it is dropped. */
typedef struct hs_error {
  char *text;
  size_t bytes;
} hs_error;

/* Writes the message, cut to fit, and returns status: `return hs_fail(...)`. */
hs_status hs_fail(const hs_error *error, hs_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_EMBEDDED_ERROR_H */
