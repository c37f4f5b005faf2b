/* Counts what a generated library allocates while it runs. Linked with --wrap, so that each of these names in
 * the library's archive means the function below. Exits with 0 if steps after the first allocate nothing. */
#include "cnn.h"

#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 20, BATCH = 4, PIXELS = 64, CLASSES = 10 };

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
int __real_posix_memalign(void **out, size_t alignment, size_t bytes);

static int allocations;

void *__wrap_malloc(size_t bytes) {
  ++allocations;
  return __real_malloc(bytes);
}
void *__wrap_calloc(size_t count, size_t bytes) {
  ++allocations;
  return __real_calloc(count, bytes);
}
void *__wrap_realloc(void *memory, size_t bytes) {
  ++allocations;
  return __real_realloc(memory, bytes);
}
void *__wrap_aligned_alloc(size_t alignment, size_t bytes) {
  ++allocations;
  return __real_aligned_alloc(alignment, bytes);
}
int __wrap_posix_memalign(void **out, size_t alignment, size_t bytes) {
  ++allocations;
  return __real_posix_memalign(out, alignment, bytes);
}

static float x[BATCH][PIXELS], logits[BATCH][CLASSES];
static int64_t y[BATCH];

int main(void) {
  const void *inputs[] = {x};
  const void *targets[] = {y};
  void *outputs[] = {logits};
  cnn_config config = HS_CONFIG_INIT;
  cnn *model = NULL;
  double loss;
  int i, made;

  config.threads = 2;
  if (cnn_create(&config, &model) != HS_OK || cnn_train_step(model, inputs, targets, NULL) != HS_OK)
    return 1;
  made = allocations;
  for (i = 0; i < STEPS; ++i)
    if (cnn_train_step(model, inputs, targets, NULL) != HS_OK ||
        cnn_eval_step(model, inputs, targets, outputs, &loss) != HS_OK ||
        cnn_forward(model, inputs, outputs) != HS_OK || cnn_set_lr(model, 0.5F) != HS_OK)
      return 2;
  printf("%d allocations to create, %d in %d steps\n", made, allocations - made, (int)STEPS);
  cnn_destroy(model);
  return made > 0 && allocations == made ? 0 : 3;
}
