/* See json.h. */
#include "json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void skip_space(hs_json *json) {
  while (json->at < json->end &&
         (*json->at == ' ' || *json->at == '\t' || *json->at == '\n' || *json->at == '\r'))
    ++json->at;
}

int hs_json_token(hs_json *json, char token) {
  skip_space(json);
  if (json->at == json->end || *json->at != token)
    return 0;
  ++json->at;
  return 1;
}

int hs_json_finished(hs_json *json) {
  skip_space(json);
  return json->at == json->end;
}

static int hex_unit(hs_json *json, uint32_t *out) {
  *out = 0;
  for (int i = 0; i < 4; ++i, ++json->at) {
    if (json->at == json->end)
      return 0;
    char c = *json->at;
    uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                            : 16;
    if (digit == 16)
      return 0;
    *out = *out << 4 | digit;
  }
  return 1;
}

/* After "\u": one code point, from one or two UTF-16 units. */
static int unicode_escape(hs_json *json, uint32_t *out) {
  uint32_t low;
  if (!hex_unit(json, out) || *out == 0 || (*out >= 0xdc00 && *out <= 0xdfff))
    return 0;
  if (*out < 0xd800 || *out > 0xdbff)
    return 1;
  if (json->end - json->at < 2 || json->at[0] != '\\' || json->at[1] != 'u')
    return 0;
  json->at += 2;
  if (!hex_unit(json, &low) || low < 0xdc00 || low > 0xdfff)
    return 0;
  *out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
  return 1;
}

static size_t encode_utf8(uint32_t point, char *out) {
  if (point < 0x80) {
    out[0] = (char)point;
    return 1;
  }
  if (point < 0x800) {
    out[0] = (char)(0xc0 | point >> 6);
    out[1] = (char)(0x80 | (point & 0x3f));
    return 2;
  }
  if (point < 0x10000) {
    out[0] = (char)(0xe0 | point >> 12);
    out[1] = (char)(0x80 | (point >> 6 & 0x3f));
    out[2] = (char)(0x80 | (point & 0x3f));
    return 3;
  }
  out[0] = (char)(0xf0 | point >> 18);
  out[1] = (char)(0x80 | (point >> 12 & 0x3f));
  out[2] = (char)(0x80 | (point >> 6 & 0x3f));
  out[3] = (char)(0x80 | (point & 0x3f));
  return 4;
}

/* After a backslash: what it stands for, as 1 to 4 bytes; 0 if it is no escape. */
static size_t escape(hs_json *json, char *out) {
  static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  uint32_t point;
  if (json->at == json->end)
    return 0;
  char c = *json->at++;
  if (c == 'u')
    return unicode_escape(json, &point) ? encode_utf8(point, out) : 0;
  const char *found = c ? strchr(names, c) : NULL;
  if (!found)
    return 0;
  out[0] = values[found - names];
  return 1;
}

int hs_json_string(hs_json *json, char *out, size_t capacity) {
  size_t size = 0;
  if (capacity == 0 || !hs_json_token(json, '"'))
    return 0;
  for (;;) {
    char bytes[4];
    size_t count = 1;
    if (json->at == json->end)
      return 0;
    bytes[0] = *json->at++;
    if (bytes[0] == '"')
      break;
    if ((unsigned char)bytes[0] < 0x20)
      return 0;
    if (bytes[0] == '\\')
      count = escape(json, bytes);
    if (count == 0 || capacity - size <= count)
      return 0;
    memcpy(out + size, bytes, count);
    size += count;
  }
  out[size] = 0;
  return hs_utf8_valid(out);
}

/* Digits up to `end`; at least one, no leading zeros, at most max. */
static const char *digits(const char *at, const char *end, uint64_t max, uint64_t *out) {
  const char *begin = at;
  *out = 0;
  for (; at < end && *at >= '0' && *at <= '9'; ++at) {
    uint64_t digit = (uint64_t)(*at - '0');
    if (*out > (max - digit) / 10)
      return NULL;
    *out = *out * 10 + digit;
  }
  if (at == begin || (*begin == '0' && at - begin > 1))
    return NULL;
  return at;
}

int hs_json_size(hs_json *json, int64_t *out) {
  uint64_t value;
  skip_space(json);
  const char *after = digits(json->at, json->end, INT64_MAX, &value);
  if (!after)
    return 0;
  json->at = after;
  *out = (int64_t)value;
  return 1;
}

int hs_decimal(const char *text, uint64_t max, uint64_t *out) {
  const char *end = text + strlen(text);
  return digits(text, end, max, out) == end;
}

int hs_utf8_valid(const char *text) {
  const unsigned char *at = (const unsigned char *)text;
  while (*at) {
    uint32_t first = *at++;
    int more = first < 0x80   ? 0
               : first < 0xc2 ? -1
               : first < 0xe0 ? 1
               : first < 0xf0 ? 2
               : first < 0xf5 ? 3
                              : -1;
    if (more < 0)
      return 0;
    uint32_t point = more ? first & (0x3fu >> more) : first;
    for (int i = 0; i < more; ++i, ++at) {
      if ((*at & 0xc0) != 0x80)
        return 0;
      point = point << 6 | (*at & 0x3f);
    }
    if ((more == 2 && (point < 0x800 || (point >= 0xd800 && point <= 0xdfff))) ||
        (more == 3 && (point < 0x10000 || point > 0x10ffff)))
      return 0;
  }
  return 1;
}

void hs_text_add(hs_text *text, const char *bytes, size_t count) {
  if (text->failed || count == 0)
    return;
  if (text->capacity - text->size < count) {
    size_t capacity = 2 * text->capacity + count + 256;
    char *data = realloc(text->data, capacity);
    if (!data) {
      text->failed = 1;
      return;
    }
    text->data = data;
    text->capacity = capacity;
  }
  memcpy(text->data + text->size, bytes, count);
  text->size += count;
}

void hs_text_format(hs_text *text, const char *format, ...) {
  char piece[128];
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(piece, sizeof piece, format, arguments);
  va_end(arguments);
  if (size < 0 || (size_t)size >= sizeof piece)
    text->failed = 1;
  else
    hs_text_add(text, piece, (size_t)size);
}

static void add_escaped(hs_text *text, const char *value) {
  for (; *value; ++value) {
    if (*value == '"' || *value == '\\')
      hs_text_add(text, "\\", 1);
    if ((unsigned char)*value < 0x20)
      hs_text_format(text, "\\u%04x", (unsigned)*value);
    else
      hs_text_add(text, value, 1);
  }
}

void hs_text_add_string(hs_text *text, const char *prefix, const char *value) {
  hs_text_add(text, "\"", 1);
  add_escaped(text, prefix);
  add_escaped(text, value);
  hs_text_add(text, "\"", 1);
}
