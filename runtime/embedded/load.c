/* Reads checkpoints: see checkpoint.h. The whole file is in memory and proven right before the first byte of
 * the instance changes, so a refused file leaves it as it was. */
#include "checkpoint.h"
#include "device.h"
#include "json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct reader {
  const hs_instance *instance;
  const char *path;
  hs_checkpoint checkpoint;
  int32_t next; /* tensor that is likely to be named next */
  hs_json json;
  char *text, *key; /* as long as the header, so any of its strings fits */
  size_t text_bytes;
  uint64_t numbers[HS_CHECKPOINT_NUMBERS];
  unsigned seen_numbers, seen_identity, seen_metadata; /* bit sets */
} reader;

static hs_status refuse(const reader *r, const char *what) {
  return hs_fail(&r->instance->error, HS_ERROR_CHECKPOINT, "'%s' is no checkpoint of this model: %s", r->path,
                 what);
}

static hs_status refuse_tensor(const reader *r, const char *what, const hs_checkpoint_tensor *t) {
  return hs_fail(&r->instance->error, HS_ERROR_CHECKPOINT,
                 "'%s' is no checkpoint of this model: %s of '%s%s%s%s'", r->path, what, t->prefix, t->slot,
                 *t->slot ? "." : "", t->name);
}

static hs_checkpoint_tensor *find(reader *r, const char *name) {
  for (int32_t i = 0; i < r->checkpoint.count; ++i) {
    int32_t index = (r->next + i) % r->checkpoint.count;
    if (hs_checkpoint_is_named(&r->checkpoint.tensors[index], name)) {
      r->next = index + 1;
      return &r->checkpoint.tensors[index];
    }
  }
  return NULL;
}

static hs_status read_checksum(reader *r, const char *name) {
  hs_checkpoint_tensor *tensor = find(r, name);
  if (!tensor || tensor->has_checksum)
    return refuse(r, "a checksum of no tensor");
  char expected_form[17];
  char *end = NULL;
  tensor->checksum = strtoull(r->text, &end, 16);
  snprintf(expected_form, sizeof expected_form, "%016llx", (unsigned long long)tensor->checksum);
  if (strcmp(expected_form, r->text) != 0)
    return refuse_tensor(r, "a malformed checksum", tensor);
  tensor->has_checksum = 1;
  return HS_OK;
}

/* Compares the metadata that say whose checkpoint it is. */
static hs_status read_identity(reader *r, int index, const char *name, const char *expected) {
  if (r->seen_identity & 1u << index)
    return refuse(r, "its metadata repeat a key");
  r->seen_identity |= 1u << index;
  if (strcmp(r->text, expected) == 0)
    return HS_OK;
  return hs_fail(&r->instance->error, HS_ERROR_CHECKPOINT, "'%s': %s is '%.100s', expected '%.100s'", r->path,
                 name, r->text, expected);
}

enum { IDENTITIES = 4 };

/* One pair of __metadata__: key in r->key, value in r->text. Keys of others are let be. */
static hs_status read_pair(reader *r) {
  const hs_model *model = r->instance->model;
  const char *names[IDENTITIES] = {"halfstep_checkpoint", "model", "recipe_sha256", "precision"};
  const char *values[IDENTITIES] = {HS_CHECKPOINT_VERSION, model->name, model->recipe_sha256,
                                    model->precision};
  for (int i = 0; i < IDENTITIES; ++i)
    if (strcmp(r->key, names[i]) == 0)
      return read_identity(r, i, names[i], values[i]);
  for (int i = 0; i < HS_CHECKPOINT_NUMBERS; ++i)
    if (strcmp(r->key, hs_checkpoint_numbers[i].name) == 0) {
      if (r->seen_numbers & 1u << i || !hs_decimal(r->text, hs_checkpoint_numbers[i].max, &r->numbers[i]))
        return refuse(r, "a number of its metadata is malformed");
      r->seen_numbers |= 1u << i;
      return HS_OK;
    }
  const char prefix[] = "checksum.";
  if (strncmp(r->key, prefix, sizeof prefix - 1) == 0)
    return read_checksum(r, r->key + sizeof prefix - 1);
  return HS_OK;
}

static hs_status read_metadata(reader *r) {
  if (r->seen_metadata || !hs_json_token(&r->json, '{'))
    return refuse(r, "its metadata are malformed");
  r->seen_metadata = 1;
  if (hs_json_token(&r->json, '}'))
    return HS_OK;
  do {
    if (!hs_json_string(&r->json, r->key, r->text_bytes) || !hs_json_token(&r->json, ':') ||
        !hs_json_string(&r->json, r->text, r->text_bytes))
      return refuse(r, "its metadata are malformed");
    hs_status status = read_pair(r);
    if (status)
      return status;
  } while (hs_json_token(&r->json, ','));
  return hs_json_token(&r->json, '}') ? HS_OK : refuse(r, "its metadata are malformed");
}

static int shape_matches(hs_json *json, const hs_checkpoint_tensor *tensor) {
  int64_t extent;
  if (!hs_json_token(json, '['))
    return 0;
  for (int32_t i = 0; i < tensor->rank; ++i)
    if ((i && !hs_json_token(json, ',')) || !hs_json_size(json, &extent) || extent != tensor->shape[i])
      return 0;
  return hs_json_token(json, ']');
}

static int read_place(const reader *r, hs_json *json, hs_checkpoint_tensor *tensor) {
  int64_t begin, end;
  if (!hs_json_token(json, '[') || !hs_json_size(json, &begin) || !hs_json_token(json, ',') ||
      !hs_json_size(json, &end) || !hs_json_token(json, ']'))
    return 0;
  if (begin > end || (uint64_t)end > r->checkpoint.bytes || (uint64_t)(end - begin) != tensor->bytes)
    return 0;
  tensor->begin = (size_t)begin;
  return 1;
}

/* {"dtype": ..., "shape": ..., "data_offsets": ...}, in any order. */
static hs_status read_tensor(reader *r, hs_checkpoint_tensor *tensor) {
  enum { DTYPE = 1, SHAPE = 2, PLACE = 4, ALL = 7 };
  char key[16], dtype[8];
  unsigned seen = 0;
  if (tensor->has_place || !hs_json_token(&r->json, '{'))
    return refuse_tensor(r, "a malformed entry", tensor);
  do {
    unsigned field = 0;
    if (!hs_json_string(&r->json, key, sizeof key) || !hs_json_token(&r->json, ':'))
      return refuse_tensor(r, "a malformed entry", tensor);
    if (strcmp(key, "dtype") == 0) {
      field = DTYPE;
      if (!hs_json_string(&r->json, dtype, sizeof dtype) || strcmp(dtype, tensor->dtype) != 0)
        return refuse_tensor(r, "another dtype", tensor);
    } else if (strcmp(key, "shape") == 0) {
      field = SHAPE;
      if (!shape_matches(&r->json, tensor))
        return refuse_tensor(r, "another shape", tensor);
    } else if (strcmp(key, "data_offsets") == 0) {
      field = PLACE;
      if (!read_place(r, &r->json, tensor))
        return refuse_tensor(r, "wrong data offsets", tensor);
    }
    if (!field || seen & field)
      return refuse_tensor(r, "a malformed entry", tensor);
    seen |= field;
  } while (hs_json_token(&r->json, ','));
  if (seen != ALL || !hs_json_token(&r->json, '}'))
    return refuse_tensor(r, "a malformed entry", tensor);
  tensor->has_place = 1;
  return HS_OK;
}

static hs_status read_entries(reader *r) {
  if (!hs_json_token(&r->json, '{'))
    return refuse(r, "its header is no JSON object");
  do {
    hs_checkpoint_tensor *tensor = NULL;
    if (!hs_json_string(&r->json, r->key, r->text_bytes) || !hs_json_token(&r->json, ':'))
      return refuse(r, "its header is malformed");
    int metadata = strcmp(r->key, "__metadata__") == 0;
    if (!metadata && !(tensor = find(r, r->key)))
      return hs_fail(&r->instance->error, HS_ERROR_CHECKPOINT,
                     "'%s' is no checkpoint of this model: it holds a tensor '%.100s'", r->path, r->key);
    hs_status status = metadata ? read_metadata(r) : read_tensor(r, tensor);
    if (status)
      return status;
  } while (hs_json_token(&r->json, ','));
  if (!hs_json_token(&r->json, '}') || !hs_json_finished(&r->json))
    return refuse(r, "its header is malformed");
  return HS_OK;
}

/* After the header: is everything there, and is the data what the checksums say? */
static hs_status check_contents(const reader *r, const char *data) {
  if (r->seen_identity != (1u << IDENTITIES) - 1 || r->seen_numbers != (1u << HS_CHECKPOINT_NUMBERS) - 1)
    return refuse(r, "its metadata lack a key");
  if (!hs_checkpoint_numbers_valid(r->instance, r->numbers))
    return refuse(r, "a number of its metadata is out of range");
  for (int32_t i = 0; i < r->checkpoint.count; ++i) {
    const hs_checkpoint_tensor *tensor = &r->checkpoint.tensors[i];
    if (!tensor->has_place || !tensor->has_checksum)
      return refuse_tensor(r, "it lacks the data or the checksum", tensor);
    if (hs_checksum(data + tensor->begin, tensor->bytes) != tensor->checksum)
      return refuse_tensor(r, "a wrong checksum", tensor);
  }
  return HS_OK;
}

static hs_status load_contents(hs_instance *instance, reader *r, const char *header, size_t header_bytes) {
  const char *data = header + header_bytes;
  r->json.at = header;
  r->json.end = data;
  r->text_bytes = header_bytes + 1;
  r->text = malloc(2 * r->text_bytes);
  if (!r->text)
    return hs_fail(&instance->error, HS_ERROR_MEMORY, "no memory to read '%s'", r->path);
  r->key = r->text + r->text_bytes;
  hs_status status = read_entries(r);
  if (!status)
    status = check_contents(r, data);
  free(r->text);
  if (status)
    return status;
  for (int32_t i = 0; i < r->checkpoint.count; ++i) {
    const hs_checkpoint_tensor *tensor = &r->checkpoint.tensors[i];
    hs_checkpoint_restore(instance, tensor, data + tensor->begin);
  }
  hs_device_changed(instance);
  hs_checkpoint_set_numbers(instance, r->numbers);
  return HS_OK;
}

/* Fills out, or returns 0; a file that shrinks meanwhile is an error too. */
static int read_all(int file, char *out, size_t bytes) {
  while (bytes) {
    ssize_t got = read(file, out, bytes < ((size_t)1 << 30) ? bytes : (size_t)1 << 30);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return 0;
    out += got;
    bytes -= (size_t)got;
  }
  return 1;
}

static hs_status load_file(hs_instance *instance, reader *r, int file) {
  struct stat status;
  uint64_t length;
  if (fstat(file, &status) || !S_ISREG(status.st_mode))
    return hs_fail(&instance->error, HS_ERROR_IO, "'%s' is not a regular file", r->path);
  uint64_t size = (uint64_t)status.st_size;
  if (size < sizeof length)
    return refuse(r, "it is too short");
  if (!read_all(file, (char *)&length, sizeof length))
    return hs_fail(&instance->error, HS_ERROR_IO, "cannot read '%s'", r->path);
  if (length > HS_CHECKPOINT_MAX_HEADER || length > size - sizeof length)
    return refuse(r, "its header's length is wrong");
  if (size - sizeof length - length != r->checkpoint.bytes)
    return refuse(r, "its data has another size");
  char *contents = malloc(size);
  if (!contents)
    return hs_fail(&instance->error, HS_ERROR_MEMORY, "no memory to read '%s'", r->path);
  hs_status result = read_all(file, contents, size - sizeof length)
                         ? load_contents(instance, r, contents, length)
                         : hs_fail(&instance->error, HS_ERROR_IO, "cannot read '%s'", r->path);
  free(contents);
  return result;
}

hs_status hs_instance_load(hs_instance *instance, const char *path) {
  if (!instance)
    return HS_ERROR_USAGE;
  if (!path || !*path)
    return hs_fail(&instance->error, HS_ERROR_USAGE, "the checkpoint's path is empty");
  hs_status status = hs_device_pull(instance);
  if (status)
    return status;
  reader r;
  memset(&r, 0, sizeof r);
  r.instance = instance;
  r.path = path;
  if (hs_checkpoint_list(instance, &r.checkpoint))
    return hs_fail(&instance->error, HS_ERROR_MEMORY, "no memory to read '%s'", path);
  /* Not blocking: opening a pipe must not wait for its writer. */
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  status = file < 0 ? hs_fail(&instance->error, HS_ERROR_IO, "cannot open '%s'", path)
                    : load_file(instance, &r, file);
  if (file >= 0)
    close(file);
  hs_checkpoint_free(&r.checkpoint);
  return status;
}
