/* A generated library written by hand: y = W x + b as the compiler would lay it out, with plain SGD with
 * momentum and a bf16 working copy of the weight. It stands in for generated code in the tests of the
 * embedded runtime. */
#ifndef HALFSTEP_TESTS_FAKE_MODEL_H
#define HALFSTEP_TESTS_FAKE_MODEL_H

#include "runtime/embedded/contract.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { FAKE_IN = 3, FAKE_OUT = 2, FAKE_BATCH = 4, FAKE_SMALL_BATCH = 2, FAKE_CLASSES = 5 };
enum { FAKE_WEIGHT = 0, FAKE_BIAS = 1, FAKE_COUNT = 2, FAKE_PARAMS = 3 };

/* Inputs: x f32 [N, 3]. Targets: y f32 [N, 2], id i64 [N] in [0, 5) (checked, otherwise unused). Output: [N,
 * 2]. Loss: half the squared error, mean over N. An x[0] of infinity makes the gradient infinite. */
extern const hs_model fake_model;

/* The same with a loss scaler: 1024 at first, doubled after 3 clean steps. */
extern const hs_model fake_scaled_model;

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_TESTS_FAKE_MODEL_H */
