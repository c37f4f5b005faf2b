/* Contractions that oneDNN runs. Each is split into chunks (of rows, matrices or images) that halfstep's own
 * workers run, with primitives made for one thread: two pools on the same cores would fight. */
#include "onednn.h"

#include "contract.h"
#include "convert.h"

#include <stdlib.h>
#include <string.h>

enum {
  OPERANDS = 4,          /* a, b, bias, out */
  SCRATCHPAD = OPERANDS, /* and oneDNN's own, last */
  MEMORIES = OPERANDS + 1,
  ROW_GRAIN = 16,       /* rows that oneDNN's kernels handle at once, at most 14 to 32 by type */
  SPLIT_FLOPS = 1 << 21 /* some 20 us of one core: below, handing out work costs more than it gains */
};

/* A primitive for a number of rows, matrices or images, with a set of memory objects a worker. */
typedef struct part {
  dnnl_memory_desc_t operands[OPERANDS];
  dnnl_primitive_desc_t desc;
  dnnl_primitive_t primitive;
  dnnl_memory_t *memories; /* [worker][MEMORIES] */
} part;

typedef struct contraction {
  int64_t total, chunk, chunks;
  int64_t step[OPERANDS]; /* bytes from one row, matrix or image to the next */
  int arguments[OPERANDS];
  part parts[2]; /* a whole chunk; a shorter last one, if there is one */
} contraction;

typedef struct primitives {
  hs_onednn api;
  dnnl_engine_t engine;
  int32_t threads, count;
  dnnl_stream_t *streams; /* a worker */
  char *scratch;
  size_t scratch_bytes; /* a worker */
  contraction items[];
} primitives;

static void plan_matmul(contraction *item, const hs_primitive_desc *desc, int64_t element) {
  const int64_t *extent = desc->extent, *layout = desc->layout;
  int batched = extent[0] > 1;
  item->total = batched ? extent[0] : extent[1];
  item->step[0] = element * (batched ? layout[0] : layout[1]);
  item->step[1] = element * (batched ? layout[3] : 0);
  item->step[3] = element * (batched ? extent[1] * extent[2] : extent[2]);
}

static void plan_convolution(contraction *item, const hs_primitive_desc *desc, int64_t element) {
  const int64_t *extent = desc->extent;
  int64_t x = element * extent[1] * extent[2] * extent[3], y = element * extent[4] * extent[5] * extent[6];
  int data = desc->kind == HS_PRIMITIVE_CONV_BACKWARD_DATA;
  item->total = extent[0];
  item->step[0] = data ? y : x;
  item->step[3] = data ? x : y;
}

static double flops(const hs_primitive_desc *desc) {
  const int64_t *e = desc->extent;
  if (desc->kind == HS_PRIMITIVE_MATMUL)
    return 2.0 * (double)e[0] * (double)e[1] * (double)e[2] * (double)e[3];
  return 2.0 * (double)e[0] * (double)(e[4] * e[5] * e[6]) * (double)(e[1] / desc->layout[8] * e[7] * e[8]);
}

static void plan(contraction *item, const hs_primitive_desc *desc, int32_t threads) {
  static const int arguments[][OPERANDS] = {
      {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST},
      {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST},
      {DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, 0, DNNL_ARG_DIFF_SRC},
      {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, 0, DNNL_ARG_DIFF_WEIGHTS},
  };
  int64_t element = (int64_t)hs_dtype_bytes(desc->dtype), grain = 1;
  memcpy(item->arguments, arguments[desc->kind], sizeof item->arguments);
  if (desc->kind == HS_PRIMITIVE_MATMUL) {
    plan_matmul(item, desc, element);
    grain = desc->extent[0] > 1 ? 1 : ROW_GRAIN;
  } else {
    plan_convolution(item, desc, element);
  }
  item->chunk = item->total;
  /* A weight gradient sums over the images: splitting them would need a second sum. */
  if (threads > 1 && desc->kind != HS_PRIMITIVE_CONV_BACKWARD_WEIGHTS && flops(desc) >= SPLIT_FLOPS) {
    int64_t share = (item->total + threads - 1) / threads;
    item->chunk = (share + grain - 1) / grain * grain;
    item->chunk = item->chunk < item->total ? item->chunk : item->total;
  }
  item->chunks = (item->total + item->chunk - 1) / item->chunk;
}

static int make_memories(primitives *all, part *part) {
  const hs_onednn *api = &all->api;
  const_dnnl_memory_desc_t scratchpad =
      api->dnnl_primitive_desc_query_md(part->desc, dnnl_query_scratchpad_md, 0);
  size_t bytes = scratchpad ? api->dnnl_memory_desc_get_size(scratchpad) : 0;
  if (bytes > all->scratch_bytes)
    all->scratch_bytes = (bytes + HS_ALIGNMENT - 1) / HS_ALIGNMENT * HS_ALIGNMENT;
  part->memories = calloc((size_t)all->threads * MEMORIES, sizeof *part->memories);
  if (!part->memories)
    return 0;
  for (int32_t worker = 0; worker < all->threads; ++worker)
    for (int i = 0; i < MEMORIES; ++i) {
      const_dnnl_memory_desc_t desc = i == SCRATCHPAD ? scratchpad : part->operands[i];
      if (desc && api->dnnl_memory_create(&part->memories[worker * MEMORIES + i], desc, all->engine, NULL))
        return 0;
    }
  return 1;
}

static int make_part(primitives *all, const hs_primitive_desc *desc, int64_t count, part *part) {
  return hs_onednn_describe(&all->api, all->engine, desc, count, part->operands, &part->desc) &&
         !all->api.dnnl_primitive_create(&part->primitive, part->desc) && make_memories(all, part);
}

static int make_all(primitives *all, const hs_primitive_desc *descs, int32_t count) {
  const hs_onednn *api = &all->api;
  all->streams = calloc((size_t)all->threads, sizeof *all->streams);
  if (!all->streams || api->dnnl_engine_create(&all->engine, dnnl_cpu, 0))
    return 0;
  for (int32_t i = 0; i < all->threads; ++i)
    if (api->dnnl_stream_create(&all->streams[i], all->engine, dnnl_stream_default_flags))
      return 0;
  for (all->count = 0; all->count < count;) {
    contraction *item = &all->items[all->count];
    const hs_primitive_desc *desc = &descs[all->count++];
    plan(item, desc, all->threads);
    int64_t rest = item->total - (item->chunks - 1) * item->chunk;
    if (!make_part(all, desc, item->chunk, &item->parts[0]) ||
        (rest != item->chunk && !make_part(all, desc, rest, &item->parts[1])))
      return 0;
  }
  if (all->scratch_bytes == 0)
    return 1;
  all->scratch = aligned_alloc(HS_ALIGNMENT, all->scratch_bytes * (size_t)all->threads);
  return all->scratch != NULL;
}

static void destroy_part(const primitives *all, part *part) {
  const hs_onednn *api = &all->api;
  for (int32_t i = 0; part->memories && i < all->threads * MEMORIES; ++i)
    if (part->memories[i])
      api->dnnl_memory_destroy(part->memories[i]);
  free(part->memories);
  if (part->primitive)
    api->dnnl_primitive_destroy(part->primitive);
  if (part->desc)
    api->dnnl_primitive_desc_destroy(part->desc);
  for (int i = 0; i < OPERANDS; ++i)
    if (part->operands[i])
      api->dnnl_memory_desc_destroy(part->operands[i]);
}

static void destroy(void *user) {
  primitives *all = user;
  for (int32_t i = 0; i < all->count; ++i) {
    destroy_part(all, &all->items[i].parts[0]);
    destroy_part(all, &all->items[i].parts[1]);
  }
  for (int32_t i = 0; all->streams && i < all->threads; ++i)
    if (all->streams[i])
      all->api.dnnl_stream_destroy(all->streams[i]);
  if (all->engine)
    all->api.dnnl_engine_destroy(all->engine);
  free(all->streams);
  free(all->scratch);
  free(all);
}

static hs_status create(const hs_variant_desc *variant, int32_t threads, void **out, char *error,
                        size_t error_bytes) {
  hs_error message = {error, error_bytes};
  primitives *all = calloc(1, sizeof *all + (size_t)variant->primitive_count * sizeof(contraction));
  if (!all)
    return hs_fail(&message, HS_ERROR_MEMORY, "no memory for oneDNN's primitives");
  all->threads = threads;
  hs_status status = hs_onednn_open(&all->api, &message);
  if (status) {
    free(all);
    return status;
  }
  int before = hs_onednn_enter(&all->api);
  int made = make_all(all, variant->primitives, variant->primitive_count);
  hs_onednn_leave(&all->api, before);
  if (!made) {
    hs_fail(&message, HS_ERROR_UNSUPPORTED, "oneDNN cannot make contraction %d of %d", all->count,
            variant->primitive_count);
    destroy(all);
    return HS_ERROR_UNSUPPORTED;
  }
  *out = all;
  return HS_OK;
}

const hs_primitive_ops hs_onednn_primitive_ops = {create, destroy};

typedef struct job {
  primitives *all;
  contraction *item;
  char *operands[OPERANDS]; /* oneDNN's handles are not const; the inputs are only read */
} job;

static void run_chunk(const job *job, int64_t index, int32_t worker) {
  primitives *all = job->all;
  const contraction *item = job->item;
  const part *part = &item->parts[index == item->chunks - 1 && item->parts[1].primitive ? 1 : 0];
  dnnl_memory_t *memories = part->memories + worker * MEMORIES;
  dnnl_exec_arg_t arguments[MEMORIES];
  int count = 0;
  for (int i = 0; i < MEMORIES; ++i) {
    if (!memories[i])
      continue;
    char *data = i == SCRATCHPAD ? all->scratch + all->scratch_bytes * (size_t)worker
                                 : job->operands[i] + item->step[i] * item->chunk * index;
    all->api.dnnl_memory_set_data_handle(memories[i], data);
    arguments[count].arg = i == SCRATCHPAD ? DNNL_ARG_SCRATCHPAD : item->arguments[i];
    arguments[count++].memory = memories[i];
  }
  if (!all->api.dnnl_primitive_execute(part->primitive, all->streams[worker], count, arguments))
    return;
  /* No way to return an error from here: all bits set is a NaN, which the step's finiteness check reports. */
  memset(job->operands[3] + item->step[3] * item->chunk * index, 0xff,
         all->api.dnnl_memory_desc_get_size(part->operands[3]));
}

static void run_chunks(void *arg, int64_t lo, int64_t hi, int32_t worker) {
  const job *job = arg;
  int before = hs_onednn_enter(&job->all->api);
  for (int64_t i = lo; i < hi; ++i)
    run_chunk(job, i, worker);
  hs_onednn_leave(&job->all->api, before);
}

void hs_primitive_run(const hs_step_args *args, int32_t index, const void *a, const void *b, const void *bias,
                      void *out) {
  primitives *all = args->primitives;
  contraction *item = &all->items[index];
  job job = {all, item, {(char *)(uintptr_t)a, (char *)(uintptr_t)b, (char *)(uintptr_t)bias, out}};
  if (args->parallel_for && item->chunks > 1)
    args->parallel_for(args->parallel_user, run_chunks, &job, item->chunks, 1);
  else
    run_chunks(&job, 0, item->chunks, 0);
}
