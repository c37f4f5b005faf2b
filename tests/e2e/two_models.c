/* Two generated libraries in one program: each is stepped in turn, and the losses are printed exactly. */
#include "cnn.h"
#include "mlp.h"

#include <stdio.h>

enum { STEPS = 3, BATCH = 4, PIXELS = 64 };

static float x[BATCH][PIXELS];
static int64_t y[BATCH];

int main(void) {
  const void *inputs[] = {x};
  const void *targets[] = {y};
  mlp_step_result a = HS_STEP_RESULT_INIT;
  cnn_step_result b = HS_STEP_RESULT_INIT;
  mlp *first = NULL;
  cnn *second = NULL;
  int i;

  for (i = 0; i < BATCH * PIXELS; ++i)
    x[i / PIXELS][i % PIXELS] = (float)(i % 17 - 8) / 8;
  for (i = 0; i < BATCH; ++i)
    y[i] = i % 10;
  if (mlp_create(NULL, &first) != HS_OK || cnn_create(NULL, &second) != HS_OK)
    return 1;
  for (i = 0; i < STEPS; ++i) {
    if (mlp_train_step(first, inputs, targets, &a) != HS_OK)
      return 2;
    if (cnn_train_step(second, inputs, targets, &b) != HS_OK)
      return 3;
    printf("%.17g %.17g\n", a.loss, b.loss);
  }
  mlp_destroy(first);
  cnn_destroy(second);
  return 0;
}
