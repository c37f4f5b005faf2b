/* The embedded runtime as LLVM bitcode, for the compiler to link into what it generates: library
 * HalfstepEmbeddedBitcode. Its functions have hidden visibility and need libc and libm only. */
#ifndef HALFSTEP_EMBEDDED_BITCODE_H
#define HALFSTEP_EMBEDDED_BITCODE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Everything that an instance needs. */
extern const unsigned char halfstep_embedded_bc[];
extern const size_t halfstep_embedded_bc_size;

/* Besides, for libraries with primitives: hs_primitive_run and hs_onednn_primitive_ops. */
extern const unsigned char halfstep_embedded_onednn_bc[];
extern const size_t halfstep_embedded_onednn_bc_size;

/* Besides, for libraries of target cuda: hs_cuda_device_ops. */
extern const unsigned char halfstep_embedded_cuda_bc[];
extern const size_t halfstep_embedded_cuda_bc_size;

/* The text of halfstep/types.h, which every generated header begins with. */
extern const unsigned char halfstep_types_h[];
extern const size_t halfstep_types_h_size;

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_EMBEDDED_BITCODE_H */
