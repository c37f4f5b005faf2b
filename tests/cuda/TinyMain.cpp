// Three steps of the hand-written CUDA library, its values checked, for mutants of the host side. A wrong
// value ends it with 1, the emulator's findings with 86.
#include "TinyCuda.h"

#include <cstdio>

using namespace halfstep::test;

static bool step(hs_instance *instance, float x, double loss) {
  const float in[TINY_BATCH] = {x, x, 0, 0}, target[TINY_BATCH] = {};
  const void *inputs[] = {in}, *targets[] = {target};
  hs_step_result result = HS_STEP_RESULT_INIT;
  return hs_instance_train_step(instance, inputs, targets, &result) == HS_OK && result.loss == loss;
}

int main() {
  hs_instance *instance = nullptr;
  if (hs_instance_create(&tinyCuda, nullptr, &instance) != HS_OK)
    return 2;
  float weight = 0;
  const bool right = step(instance, 1, 1) && step(instance, 2, 0.25 * 4) && step(instance, 1, -0.25 * 2) &&
                     hs_instance_param_get(instance, 0, &weight, sizeof weight) == HS_OK && weight == -0.5f;
  hs_instance_destroy(instance);
  if (!right)
    std::fprintf(stderr, "wrong values\n");
  return right ? 0 : 1;
}
