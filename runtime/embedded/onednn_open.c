/* Opens oneDNN and describes primitives to it: see onednn.h. */
#include "contract.h"
#include "onednn.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* A function pointer from dlsym, by way of memory since C has no conversion for it. */
static int find(void *library, const char *name, void *function, size_t bytes) {
  void *symbol = dlsym(library, name);
  memcpy(function, &symbol, bytes);
  return symbol != NULL;
}

hs_status hs_onednn_open(hs_onednn *api, const hs_error *error) {
  const char *path = getenv("HALFSTEP_LIBDNNL");
  /* Never unloaded: OpenMP threads of the program may be running its code. */
  void *library = dlopen(path && *path ? path : "libdnnl.so.3", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library)
    return hs_fail(error, HS_ERROR_ISA,
                   "libdnnl.so.3 (oneDNN 3) is missing: install it (PyPI: onednn-cpu-gomp), name its file in "
                   "HALFSTEP_LIBDNNL, or compile with --cpu-gemm=generated");
  int all = 1;
#define HS_FIND(name) all &= find(library, #name, &api->name, sizeof api->name);
  HS_ONEDNN_FUNCTIONS(HS_FIND)
#undef HS_FIND
  int omp = find(library, "omp_get_max_threads", &api->omp_get_max_threads, sizeof api->omp_get_max_threads);
  if (!find(library, "omp_set_num_threads", &api->omp_set_num_threads, sizeof api->omp_set_num_threads) ||
      !omp)
    api->omp_set_num_threads = NULL;
  dlclose(library);
  if (!all || api->dnnl_version()->major != 3)
    return hs_fail(error, HS_ERROR_ISA, "libdnnl.so.3 lacks a function of oneDNN 3");
  return HS_OK;
}

int hs_onednn_enter(const hs_onednn *api) {
  if (!api->omp_set_num_threads)
    return 0;
  int before = api->omp_get_max_threads();
  api->omp_set_num_threads(1);
  return before;
}

void hs_onednn_leave(const hs_onednn *api, int before) {
  if (api->omp_set_num_threads)
    api->omp_set_num_threads(before);
}

/* Row-major memory. */
static int dense(const hs_onednn *api, dnnl_memory_desc_t *out, int32_t dtype, int rank,
                 const dnnl_dims_t dims) {
  dnnl_dims_t strides;
  int64_t stride = 1;
  for (int i = rank - 1; i >= 0; --i) {
    strides[i] = stride;
    stride *= dims[i];
  }
  return !api->dnnl_memory_desc_create_with_strides(out, rank, dims, dtype == HS_BF16 ? dnnl_bf16 : dnnl_f32,
                                                    strides);
}

static int describe_matmul(const hs_onednn *api, dnnl_engine_t engine, const hs_primitive_desc *desc,
                           int64_t count, dnnl_primitive_attr_t attr, dnnl_memory_desc_t *operands,
                           dnnl_primitive_desc_t *out) {
  const int64_t *layout = desc->layout, n = desc->extent[2], k = desc->extent[3];
  int64_t split = desc->extent[0] > 1; /* over the batch, else over the rows */
  int64_t batch = split ? count : 1, m = split ? desc->extent[1] : count;
  int skip = split ? 0 : 1, rank = 3 - skip; /* a batch of one: plain matrices */
  dnnl_data_type_t type = desc->dtype == HS_BF16 ? dnnl_bf16 : dnnl_f32;
  dnnl_dims_t a = {batch, m, k}, a_strides = {layout[0], layout[1], layout[2]};
  dnnl_dims_t b = {layout[3] ? batch : 1, k, n}, b_strides = {layout[3], layout[4], layout[5]};
  dnnl_dims_t c = {batch, m, n}, bias = {1, 1, n};
  if (!layout[3])
    b_strides[0] = k * n; /* one matrix for the whole batch */
  if (api->dnnl_memory_desc_create_with_strides(&operands[0], rank, a + skip, type, a_strides + skip) ||
      api->dnnl_memory_desc_create_with_strides(&operands[1], rank, b + skip, type, b_strides + skip) ||
      (desc->has_bias && !dense(api, &operands[2], desc->dtype, rank, bias + skip)) ||
      !dense(api, &operands[3], desc->dtype, rank, c + skip))
    return 0;
  return !api->dnnl_matmul_primitive_desc_create(out, engine, operands[0], operands[1], operands[2],
                                                 operands[3], attr);
}

/* x, w and y in the places of operands that the kind of convolution gives them. */
static int describe_convolution_memory(const hs_onednn *api, const hs_primitive_desc *desc, int64_t images,
                                       dnnl_memory_desc_t *x, dnnl_memory_desc_t *w, dnnl_memory_desc_t *y) {
  const int64_t *e = desc->extent, groups = desc->layout[8];
  dnnl_dims_t x_dims = {images, e[1], e[2], e[3]}, y_dims = {images, e[4], e[5], e[6]};
  dnnl_dims_t w_dims = {groups, e[4] / groups, e[1] / groups, e[7], e[8]};
  int ungrouped = groups == 1;
  return dense(api, x, desc->dtype, 4, x_dims) &&
         dense(api, w, desc->dtype, 5 - ungrouped, w_dims + ungrouped) &&
         dense(api, y, desc->dtype, 4, y_dims);
}

static int describe_convolution(const hs_onednn *api, dnnl_engine_t engine, const hs_primitive_desc *desc,
                                int64_t images, dnnl_primitive_attr_t attr, dnnl_memory_desc_t *operands,
                                dnnl_primitive_desc_t *out) {
  const int64_t *layout = desc->layout;
  const dnnl_dims_t strides = {layout[0], layout[1]}, dilates = {layout[6] - 1, layout[7] - 1};
  const dnnl_dims_t before = {layout[2], layout[3]}, after = {layout[4], layout[5]};
  const dnnl_alg_kind_t direct = dnnl_convolution_direct;
  int data = desc->kind == HS_PRIMITIVE_CONV_BACKWARD_DATA,
      weights = desc->kind == HS_PRIMITIVE_CONV_BACKWARD_WEIGHTS;
  /* Operands: x, w, bias, y forward; dy, w, -, dx for data; x, dy, -, dw for weights. */
  dnnl_memory_desc_t *x = &operands[data ? 3 : 0], *w = &operands[weights ? 3 : 1];
  dnnl_memory_desc_t *y = &operands[data ? 0 : weights ? 1 : 3];
  dnnl_dims_t bias = {desc->extent[4]};
  dnnl_primitive_desc_t forward = NULL;
  if (!describe_convolution_memory(api, desc, images, x, w, y) ||
      (!data && !weights && desc->has_bias && !dense(api, &operands[2], desc->dtype, 1, bias)))
    return 0;
  if (api->dnnl_convolution_forward_primitive_desc_create(&forward, engine, dnnl_forward_training, direct, *x,
                                                          *w, operands[2], *y, strides, dilates, before,
                                                          after, attr))
    return 0;
  if (!data && !weights) {
    *out = forward;
    return 1;
  }
  dnnl_status_t status =
      data ? api->dnnl_convolution_backward_data_primitive_desc_create(
                 out, engine, direct, *x, *w, *y, strides, dilates, before, after, forward, attr)
           : api->dnnl_convolution_backward_weights_primitive_desc_create(
                 out, engine, direct, *x, *w, NULL, *y, strides, dilates, before, after, forward, attr);
  api->dnnl_primitive_desc_destroy(forward);
  return !status;
}

int hs_onednn_describe(const hs_onednn *api, dnnl_engine_t engine, const hs_primitive_desc *desc,
                       int64_t count, dnnl_memory_desc_t operands[4], dnnl_primitive_desc_t *out) {
  dnnl_primitive_attr_t attr;
  if (api->dnnl_primitive_attr_create(&attr))
    return 0;
  int made = !api->dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user) &&
             (desc->kind == HS_PRIMITIVE_MATMUL
                  ? describe_matmul(api, engine, desc, count, attr, operands, out)
                  : describe_convolution(api, engine, desc, count, attr, operands, out));
  api->dnnl_primitive_attr_destroy(attr);
  return made;
}
