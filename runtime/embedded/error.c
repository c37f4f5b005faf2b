/* See error.h. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

hs_status hs_fail(const hs_error *error, hs_status status, const char *format, ...) {
  if (error && error->text && error->bytes) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, error->bytes, format, arguments);
    va_end(arguments);
  }
  return status;
}
