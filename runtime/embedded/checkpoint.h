/* What a checkpoint of an instance holds; shared by its writer (save.c) and its reader (load.c).
 *
 * A checkpoint is a safetensors file: the header's length as 8 little-endian bytes, a JSON header, the data.
 *   model.NAME     parameter or buffer as the forward pass sees it
 *   master.NAME    its full-precision values, where model.NAME is a rounded copy of them; split ones are put
 *                  together, so that a file does not show how values lie in memory
 *   opt.SLOT.NAME  optimizer state
 * __metadata__ (strings): halfstep_checkpoint (format version), model, recipe_sha256, precision, the numbers
 * of hs_checkpoint_numbers, checksum.TENSOR (16 hex digits) a tensor, and user: the caller's own text.
 */
#ifndef HALFSTEP_EMBEDDED_CHECKPOINT_H
#define HALFSTEP_EMBEDDED_CHECKPOINT_H

#include "instance.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HS_CHECKPOINT_VERSION "2"

enum { HS_CHECKPOINT_MAX_HEADER = 100000000 /* safetensors' own limit */ };

typedef struct hs_checkpoint_tensor {
  const char *prefix; /* "model.", "master.", "opt." */
  const char *slot;   /* "", or the name of the optimizer slot */
  const char *name;   /* the parameter's */
  const char *dtype;  /* safetensors' name */
  int32_t rank;
  const int64_t *shape;
  size_t bytes;
  char *data;                 /* in the arena, or in hs_checkpoint.merged */
  const hs_param_desc *split; /* whose split values data holds; NULL for what lies in the arena */
  /* The reader's: */
  size_t begin; /* in the file's data */
  uint64_t checksum;
  int has_place, has_checksum;
} hs_checkpoint_tensor;

typedef struct hs_checkpoint {
  hs_checkpoint_tensor *tensors; /* in the order in which they are written */
  int32_t count;
  size_t bytes; /* of all */
  char *merged; /* the values that are split in the arena, as they are now */
} hs_checkpoint;

/* HS_ERROR_MEMORY, or HS_OK and a list to be freed. */
hs_status hs_checkpoint_list(const hs_instance *instance, hs_checkpoint *checkpoint);
/* Copies a tensor from `data` into the instance. Masters follow the copies that they determine. */
void hs_checkpoint_restore(hs_instance *instance, const hs_checkpoint_tensor *tensor, const char *data);
void hs_checkpoint_free(hs_checkpoint *checkpoint);

/* 1 if `text` is the tensor's full name. */
int hs_checkpoint_is_named(const hs_checkpoint_tensor *tensor, const char *text);

/* The numbers of an instance, in decimal under these names. */
enum { HS_CHECKPOINT_NUMBERS = 7 };
typedef struct hs_checkpoint_number {
  const char *name;
  uint64_t max;
} hs_checkpoint_number;
extern const hs_checkpoint_number hs_checkpoint_numbers[HS_CHECKPOINT_NUMBERS];
void hs_checkpoint_get_numbers(const hs_instance *instance, uint64_t *numbers);
int hs_checkpoint_numbers_valid(const hs_instance *instance, const uint64_t *numbers);
void hs_checkpoint_set_numbers(hs_instance *instance, const uint64_t *numbers);

/* FNV-1a's step on 8 bytes at a time, each followed by a fold of the upper half: every step is a bijection,
 * so a change within one word is always seen. */
uint64_t hs_checksum(const void *data, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_EMBEDDED_CHECKPOINT_H */
