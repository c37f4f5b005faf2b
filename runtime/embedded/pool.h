/* The instance's own threads, for callers that give no parallel_for. */
#ifndef HALFSTEP_EMBEDDED_POOL_H
#define HALFSTEP_EMBEDDED_POOL_H

#include "halfstep/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hs_pool hs_pool;

/* threads >= 2, the calling one included. NULL if a thread or its memory cannot be had. */
hs_pool *hs_pool_create(int32_t threads);

/* Joins the threads. No parallel_for may be running. NULL is allowed. */
void hs_pool_destroy(hs_pool *pool);

/* An hs_parallel_for_fn; user is the pool. Splits [0, n) into at most `threads` ranges whose bounds are
 * multiples of grain and depend on n, grain and threads alone: range i is worker i's, range 0 the caller's.
 * body must not call it again. */
void hs_pool_parallel_for(void *user, hs_range_fn body, void *arg, int64_t n, int64_t grain);

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_EMBEDDED_POOL_H */
