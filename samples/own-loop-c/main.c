/* A training loop of one's own around a generated library, in plain C11 without any framework. run.sh makes
 * digits.h and libdigits.a from samples/digits/cnn.json with batch 32. */
#include "digits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 32, PIXELS = 64, CLASSES = 10, EPOCHS = 12 };
enum { SAMPLES = 1797, TRAIN = 1437, HELD_OUT = SAMPLES - TRAIN };

static float images[SAMPLES][PIXELS], x[BATCH][PIXELS], logits[BATCH][CLASSES];
static int64_t classes[SAMPLES], y[BATCH];

static void fail(const char *what) {
  fprintf(stderr, "error: %s\n", what);
  exit(1);
}

/* Reads tensor `name` of a safetensors file: the JSON header's length in 8 bytes, the header, the data. */
static void read_tensor(const char *path, const char *name, void *out, size_t bytes) {
  char header[4096] = "", key[32];
  uint64_t length = 0;
  size_t begin, end;
  FILE *file = fopen(path, "rb");
  if (!file || fread(&length, sizeof length, 1, file) != 1 || length >= sizeof header ||
      fread(header, 1, length, file) != length)
    fail("cannot read the data file");
  snprintf(key, sizeof key, "\"%s\":{", name);
  const char *entry = strstr(header, key);
  const char *offsets = entry ? strstr(entry, "\"data_offsets\":[") : NULL;
  if (!offsets || sscanf(offsets, "\"data_offsets\":[%zu,%zu]", &begin, &end) != 2 || end - begin != bytes ||
      fseek(file, (long)(8 + length + begin), SEEK_SET) != 0 || fread(out, 1, bytes, file) != bytes)
    fail("the data file lacks a whole tensor of the right size");
  fclose(file);
}

static void shuffle(int *order, int count) {
  for (int i = count - 1; i > 0; --i) {
    int j = rand() % (i + 1), other = order[j];
    order[j] = order[i];
    order[i] = other;
  }
}

/* Fills x and y with the samples order[first..]; beyond `count` it starts again at order[0]. */
static void gather(const int *order, int count, int first) {
  for (int i = 0; i < BATCH; ++i) {
    int from = order[(first + i) % count];
    memcpy(x[i], images[from], sizeof x[i]);
    y[i] = classes[from];
  }
}

static int64_t best_class(const float *logit) {
  int64_t best = 0;
  for (int64_t c = 1; c < CLASSES; ++c)
    best = logit[c] > logit[best] ? c : best;
  return best;
}

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : "digits.safetensors";
  const void *inputs[] = {x}, *targets[] = {y};
  void *outputs[] = {logits};
  int order[SAMPLES], correct = 0;
  digits_config config = HS_CONFIG_INIT;
  digits *model = NULL;

  read_tensor(path, "x", images, sizeof images);
  read_tensor(path, "y", classes, sizeof classes);
  for (int i = 0; i < SAMPLES; ++i)
    order[i] = i;
  if (digits_create(&config, &model) != HS_OK)
    fail("cannot create the model");
  for (int epoch = 0; epoch < EPOCHS; ++epoch) {
    digits_step_result step = HS_STEP_RESULT_INIT;
    shuffle(order, TRAIN);
    for (int first = 0; first + BATCH <= TRAIN; first += BATCH) {
      gather(order, TRAIN, first);
      if (digits_train_step(model, inputs, targets, &step) != HS_OK)
        fail(digits_last_error(model));
    }
    printf("epoch %d: loss %.4f after %lld updates\n", epoch, step.loss, (long long)step.updates);
  }
  for (int first = 0; first < HELD_OUT; first += BATCH) {
    gather(order + TRAIN, HELD_OUT, first);
    if (digits_forward(model, inputs, outputs) != HS_OK)
      fail(digits_last_error(model));
    for (int i = 0; i < BATCH && first + i < HELD_OUT; ++i)
      correct += best_class(logits[i]) == y[i];
  }
  printf("held-out accuracy: %.4f\n", (double)correct / HELD_OUT);
  digits_destroy(model);
}
