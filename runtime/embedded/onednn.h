/* oneDNN, opened at run time: the functions of its C interface that halfstep uses. Its headers give the
 * types, nothing is linked. */
#ifndef HALFSTEP_EMBEDDED_ONEDNN_H
#define HALFSTEP_EMBEDDED_ONEDNN_H

#include "error.h"

#include <oneapi/dnnl/dnnl.h>

#define HS_ONEDNN_FUNCTIONS(X)                                                                               \
  X(dnnl_version)                                                                                            \
  X(dnnl_engine_create)                                                                                      \
  X(dnnl_engine_destroy)                                                                                     \
  X(dnnl_stream_create)                                                                                      \
  X(dnnl_stream_destroy)                                                                                     \
  X(dnnl_memory_desc_create_with_strides)                                                                    \
  X(dnnl_memory_desc_destroy)                                                                                \
  X(dnnl_memory_desc_get_size)                                                                               \
  X(dnnl_memory_create)                                                                                      \
  X(dnnl_memory_destroy)                                                                                     \
  X(dnnl_memory_set_data_handle)                                                                             \
  X(dnnl_primitive_attr_create)                                                                              \
  X(dnnl_primitive_attr_destroy)                                                                             \
  X(dnnl_primitive_attr_set_scratchpad_mode)                                                                 \
  X(dnnl_matmul_primitive_desc_create)                                                                       \
  X(dnnl_convolution_forward_primitive_desc_create)                                                          \
  X(dnnl_convolution_backward_data_primitive_desc_create)                                                    \
  X(dnnl_convolution_backward_weights_primitive_desc_create)                                                 \
  X(dnnl_primitive_desc_destroy)                                                                             \
  X(dnnl_primitive_desc_query_md)                                                                            \
  X(dnnl_primitive_create)                                                                                   \
  X(dnnl_primitive_destroy)                                                                                  \
  X(dnnl_primitive_execute)

typedef struct hs_onednn {
#define HS_FIELD(name) __typeof__(&name) name;
  HS_ONEDNN_FUNCTIONS(HS_FIELD)
#undef HS_FIELD
  /* Of the OpenMP library that it uses, or NULL: they act on the calling thread alone. */
  int (*omp_get_max_threads)(void);
  void (*omp_set_num_threads)(int);
} hs_onednn;

/* HS_ERROR_ISA, with a message that says how to get it, when libdnnl.so.3 is not there. */
hs_status hs_onednn_open(hs_onednn *api, const hs_error *error);

/* Between these oneDNN stays on the calling thread: halfstep splits the work itself. Returns what leave
 * needs. */
int hs_onednn_enter(const hs_onednn *api);
void hs_onednn_leave(const hs_onednn *api, int before);

/* The primitive descriptor of `desc`, made for `count` of the things that it is split over, and the
 * descriptions of its operands a, b, bias (NULL without one), out. The caller destroys all of them, also when
 * it fails. */
struct hs_primitive_desc;
int hs_onednn_describe(const hs_onednn *api, dnnl_engine_t engine, const struct hs_primitive_desc *desc,
                       int64_t count, dnnl_memory_desc_t operands[4], dnnl_primitive_desc_t *out);

#endif /* HALFSTEP_EMBEDDED_ONEDNN_H */
