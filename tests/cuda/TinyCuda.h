// A library for CUDA written by hand, for tests of its host side: y = w * x for each of n values, with a
// plain update of w. Its kernels are PTX text.
#ifndef HALFSTEP_TESTS_CUDA_TINYCUDA_H
#define HALFSTEP_TESTS_CUDA_TINYCUDA_H

#include "runtime/embedded/contract.h"

namespace halfstep::test {

enum { TINY_BATCH = 4, TINY_SMALL_BATCH = 2 };

/// Input x f32 [N], target y f32 [N], output f32 [N]; the parameter w f32 [1] starts at 0.5. Loss: sum of (w
/// x - y). A training step does w -= lr * sum(x), unless x[0] is not finite.
extern const hs_model tinyCuda;

/// The same with other images: machine code that no emulator takes before the PTX, only machine code of
/// sm_90, and PTX that is malformed.
extern const hs_model tinyCudaWithCubin, tinyCudaOnlyCubin, tinyCudaMalformed;
/// The same with a kernel that stores behind its arena.
extern const hs_model tinyCudaFaulty;

} // namespace halfstep::test

#endif // HALFSTEP_TESTS_CUDA_TINYCUDA_H
