/* Writes checkpoints: see checkpoint.h. The file appears under its name only when it is complete and on disk.
 */
#include "checkpoint.h"
#include "json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void add_pair(hs_text *text, const char *key, const char *value) {
  hs_text_add_string(text, "", key);
  hs_text_add(text, ":", 1);
  hs_text_add_string(text, "", value);
  hs_text_add(text, ",", 1);
}

/* The tensor's name after `lead`, as a JSON string. */
static void add_name(hs_text *text, const char *lead, const hs_checkpoint_tensor *tensor) {
  hs_text name = {0};
  hs_text_add(&name, lead, strlen(lead));
  hs_text_add(&name, tensor->prefix, strlen(tensor->prefix));
  if (*tensor->slot) {
    hs_text_add(&name, tensor->slot, strlen(tensor->slot));
    hs_text_add(&name, ".", 1);
  }
  hs_text_add(&name, "", 1);
  if (name.failed)
    text->failed = 1;
  else
    hs_text_add_string(text, name.data, tensor->name);
  free(name.data);
}

static void add_metadata(hs_text *text, const hs_instance *instance, const hs_checkpoint *checkpoint,
                         const char *user) {
  uint64_t numbers[HS_CHECKPOINT_NUMBERS];
  hs_checkpoint_get_numbers(instance, numbers);
  hs_text_format(text, "\"__metadata__\":{");
  add_pair(text, "halfstep_checkpoint", HS_CHECKPOINT_VERSION);
  add_pair(text, "model", instance->model->name);
  add_pair(text, "recipe_sha256", instance->model->recipe_sha256);
  add_pair(text, "precision", instance->model->precision);
  for (int i = 0; i < HS_CHECKPOINT_NUMBERS; ++i)
    hs_text_format(text, "\"%s\":\"%llu\",", hs_checkpoint_numbers[i].name, (unsigned long long)numbers[i]);
  for (int32_t i = 0; i < checkpoint->count; ++i) {
    const hs_checkpoint_tensor *tensor = &checkpoint->tensors[i];
    add_name(text, "checksum.", tensor);
    hs_text_format(text, ":\"%016llx\",", (unsigned long long)hs_checksum(tensor->data, tensor->bytes));
  }
  hs_text_format(text, "\"user\":");
  hs_text_add_string(text, "", user ? user : "");
  hs_text_add(text, "}", 1);
}

static void add_tensor(hs_text *text, const hs_checkpoint_tensor *tensor, size_t begin) {
  hs_text_add(text, ",", 1);
  add_name(text, "", tensor);
  hs_text_format(text, ":{\"dtype\":\"%s\",\"shape\":[", tensor->dtype);
  for (int32_t i = 0; i < tensor->rank; ++i)
    hs_text_format(text, "%s%lld", i ? "," : "", (long long)tensor->shape[i]);
  hs_text_format(text, "],\"data_offsets\":[%zu,%zu]}", begin, begin + tensor->bytes);
}

/* The length and the JSON, padded so that the data begins at a multiple of 8. */
static void add_header(hs_text *text, const hs_instance *instance, const hs_checkpoint *checkpoint,
                       const char *user) {
  uint64_t length = 0;
  size_t begin = 0;
  hs_text_add(text, (const char *)&length, sizeof length);
  hs_text_add(text, "{", 1);
  add_metadata(text, instance, checkpoint, user);
  for (int32_t i = 0; i < checkpoint->count; ++i) {
    add_tensor(text, &checkpoint->tensors[i], begin);
    begin += checkpoint->tensors[i].bytes;
  }
  hs_text_add(text, "}", 1);
  while (text->size % 8 && !text->failed)
    hs_text_add(text, " ", 1);
  if (text->failed)
    return;
  length = text->size - sizeof length;
  memcpy(text->data, &length, sizeof length);
}

static int write_all(int file, const char *data, size_t bytes) {
  const size_t most = (size_t)1 << 30; /* Linux writes at most 2 GiB a call */
  while (bytes) {
    ssize_t written = write(file, data, bytes < most ? bytes : most);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return 0;
    data += written;
    bytes -= (size_t)written;
  }
  return 1;
}

/* A new file beside path: two writers, or one that was killed, never meet. Its name goes into `name`. */
static int open_temporary(const char *path, char *name, size_t bytes) {
  for (int i = 0; i < 100; ++i) {
    snprintf(name, bytes, "%s.tmp-%ld-%d", path, (long)getpid(), i);
    int file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file >= 0 || errno != EEXIST)
      return file;
  }
  return -1;
}

static int sync_folder(const char *path) {
  const char *slash = strrchr(path, '/');
  size_t size = slash ? (size_t)(slash - path) + (slash == path) : 1;
  char *folder = malloc(size + 1);
  if (!folder)
    return 0;
  memcpy(folder, slash ? path : ".", size);
  folder[size] = 0;
  int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  free(folder);
  if (file < 0)
    return 0;
  int synced = fsync(file) == 0;
  close(file);
  return synced;
}

static int write_file(int file, const hs_text *header, const hs_checkpoint *checkpoint) {
  int written = write_all(file, header->data, header->size);
  for (int32_t i = 0; i < checkpoint->count && written; ++i)
    written = write_all(file, checkpoint->tensors[i].data, checkpoint->tensors[i].bytes);
  return written && fsync(file) == 0;
}

static hs_status replace_file(const hs_instance *instance, const char *path, const hs_text *header,
                              const hs_checkpoint *checkpoint) {
  size_t bytes = strlen(path) + 64;
  char *temporary = malloc(bytes);
  if (!temporary)
    return hs_fail(&instance->error, HS_ERROR_MEMORY, "no memory for the checkpoint");
  int file = open_temporary(path, temporary, bytes);
  int written = file >= 0 && write_file(file, header, checkpoint);
  int reason = errno;
  if (file >= 0 && close(file) && written) {
    written = 0;
    reason = errno;
  }
  if (written && rename(temporary, path)) {
    written = 0;
    reason = errno;
  }
  if (file >= 0 && !written)
    unlink(temporary);
  if (written && !sync_folder(path)) {
    written = 0;
    reason = errno;
  }
  free(temporary);
  char text[128] = "";
  if (!written && strerror_r(reason, text, sizeof text))
    snprintf(text, sizeof text, "error %d", reason);
  return written ? HS_OK : hs_fail(&instance->error, HS_ERROR_IO, "cannot write '%s': %s", path, text);
}

hs_status hs_instance_save(const hs_instance *instance, const char *path, const char *metadata) {
  if (!instance)
    return HS_ERROR_USAGE;
  if (!path || !*path)
    return hs_fail(&instance->error, HS_ERROR_USAGE, "the checkpoint's path is empty");
  if (metadata && !hs_utf8_valid(metadata))
    return hs_fail(&instance->error, HS_ERROR_USAGE, "the metadata is not valid UTF-8");
  if (instance->accumulated)
    return hs_fail(
        &instance->error, HS_ERROR_USAGE,
        "gradients of %lld batches wait for an update, and checkpoints do not hold them; save after "
        "a training step",
        (long long)instance->accumulated);
  hs_checkpoint checkpoint;
  hs_text header = {0};
  if (hs_checkpoint_list(instance, &checkpoint))
    return hs_fail(&instance->error, HS_ERROR_MEMORY, "no memory for the checkpoint");
  add_header(&header, instance, &checkpoint, metadata);
  hs_status status;
  if (header.failed)
    status = hs_fail(&instance->error, HS_ERROR_MEMORY, "no memory for the checkpoint's header");
  else if (header.size - 8 > HS_CHECKPOINT_MAX_HEADER)
    status = hs_fail(&instance->error, HS_ERROR_USAGE, "the metadata is too long for a checkpoint's header");
  else
    status = replace_file(instance, path, &header, &checkpoint);
  free(header.data);
  hs_checkpoint_free(&checkpoint);
  return status;
}
