/* The little JSON that a safetensors header needs: a reader that a caller leads through the shape it expects
 * (so nothing nests deeper than that), and a writer. */
#ifndef HALFSTEP_EMBEDDED_JSON_H
#define HALFSTEP_EMBEDDED_JSON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where the reader stands. Each hs_json_ function below returns 1 and moves on, or 0 if what it expects is
 * not there; after a 0 the place is undefined, except for hs_json_token. */
typedef struct hs_json {
  const char *at, *end;
} hs_json;

/* Skips white space, then the one character `token`, if it is next. */
int hs_json_token(hs_json *json, char token);

/* Only white space is left. */
int hs_json_finished(hs_json *json);

/* A string, decoded to valid UTF-8 and ended by NUL in out (capacity bytes, NUL included). NUL inside it,
 * lone surrogates and invalid UTF-8 are refused. */
int hs_json_string(hs_json *json, char *out, size_t capacity);

/* A whole number in [0, 2^63) without sign, fraction or exponent. */
int hs_json_size(hs_json *json, int64_t *out);

/* The decimal digits of text, all of it, as a number up to max. */
int hs_decimal(const char *text, uint64_t max, uint64_t *out);

/* 1 if text, which ends in NUL, is valid UTF-8. */
int hs_utf8_valid(const char *text);

/* A growing text. After a failed allocation `failed` stays set and additions do nothing. */
typedef struct hs_text {
  char *data;
  size_t size, capacity;
  int failed;
} hs_text;

void hs_text_add(hs_text *text, const char *bytes, size_t count);
void hs_text_format(hs_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The characters of prefix and value as one JSON string. */
void hs_text_add_string(hs_text *text, const char *prefix, const char *value);

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_EMBEDDED_JSON_H */
