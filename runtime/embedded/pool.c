/* See pool.h. A training step has hundreds of short parallel regions, so a worker that has finished one polls
 * for the next for some microseconds before it sleeps. */
#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
  POLLS =
      4000 /* of some 10 ns each: longer than the serial stretches between kernels, far below a time slice */
};

typedef struct worker {
  hs_pool *pool;
  int32_t index; /* from 1; 0 is the caller */
  pthread_t thread;
} worker;

struct hs_pool {
  /* The region to run; written before `region` is raised, read after. */
  hs_range_fn body;
  void *arg;
  int64_t n, chunk;

  atomic_uint region; /* counts regions; workers wait for it to change */
  atomic_int running; /* workers that have not finished the region */
  atomic_int asleep;  /* workers inside the condition variable */
  atomic_int quit;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  int32_t threads, started;
  worker workers[];
};

static void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

static void run_range(hs_pool *pool, int32_t index) {
  int64_t lo = pool->chunk * index;
  if (lo >= pool->n)
    return;
  int64_t hi = pool->n - lo < pool->chunk ? pool->n : lo + pool->chunk;
  pool->body(pool->arg, lo, hi, index);
}

/* Returns the number of a region after `last`. */
static unsigned wait_for_region(hs_pool *pool, unsigned last) {
  for (int i = 0; i < POLLS; ++i) {
    unsigned region = atomic_load_explicit(&pool->region, memory_order_acquire);
    if (region != last)
      return region;
    pause_briefly();
  }
  pthread_mutex_lock(&pool->mutex);
  atomic_fetch_add(&pool->asleep, 1);
  unsigned region;
  while ((region = atomic_load(&pool->region)) == last)
    pthread_cond_wait(&pool->wake, &pool->mutex);
  atomic_fetch_sub(&pool->asleep, 1);
  pthread_mutex_unlock(&pool->mutex);
  return region;
}

static void start_region(hs_pool *pool) {
  /* Sequentially consistent with the sleeper's increment of `asleep`: either it sees the new region or we see
   * it asleep. */
  atomic_fetch_add(&pool->region, 1);
  if (atomic_load(&pool->asleep) == 0)
    return;
  pthread_mutex_lock(&pool->mutex);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->mutex);
}

static void *worker_main(void *user) {
  worker *self = user;
  hs_pool *pool = self->pool;
  unsigned region = 0;
  for (;;) {
    region = wait_for_region(pool, region);
    if (atomic_load(&pool->quit))
      return NULL;
    run_range(pool, self->index);
    atomic_fetch_sub_explicit(&pool->running, 1, memory_order_release);
  }
}

/* Threads inherit the caller's signal mask: with all blocked, the program's handlers run on its own threads.
 */
static int start_workers(hs_pool *pool) {
  sigset_t all, before;
  sigfillset(&all);
  if (pthread_sigmask(SIG_SETMASK, &all, &before))
    return 0;
  while (pool->started < pool->threads - 1) {
    worker *next = &pool->workers[pool->started];
    next->pool = pool;
    next->index = pool->started + 1;
    if (pthread_create(&next->thread, NULL, worker_main, next))
      break;
    ++pool->started;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return pool->started == pool->threads - 1;
}

hs_pool *hs_pool_create(int32_t threads) {
  hs_pool *pool = calloc(1, sizeof *pool + (size_t)(threads - 1) * sizeof(worker));
  if (!pool)
    return NULL;
  pool->threads = threads;
  if (pthread_mutex_init(&pool->mutex, NULL)) {
    free(pool);
    return NULL;
  }
  if (pthread_cond_init(&pool->wake, NULL)) {
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
    return NULL;
  }
  if (!start_workers(pool)) {
    hs_pool_destroy(pool);
    return NULL;
  }
  return pool;
}

void hs_pool_destroy(hs_pool *pool) {
  if (!pool)
    return;
  atomic_store(&pool->quit, 1);
  start_region(pool);
  for (int32_t i = 0; i < pool->started; ++i)
    pthread_join(pool->workers[i].thread, NULL);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->mutex);
  free(pool);
}

void hs_pool_parallel_for(void *user, hs_range_fn body, void *arg, int64_t n, int64_t grain) {
  hs_pool *pool = user;
  if (n <= 0)
    return;
  if (grain < 1)
    grain = 1;
  if (n <= grain) { /* one range: not worth waking anyone */
    body(arg, 0, n, 0);
    return;
  }
  int64_t grains = n / grain + (n % grain != 0);
  pool->body = body;
  pool->arg = arg;
  pool->n = n;
  pool->chunk = (grains / pool->threads + (grains % pool->threads != 0)) * grain;
  atomic_store(&pool->running, pool->started);
  start_region(pool);
  run_range(pool, 0);
  for (int polls = 0; atomic_load_explicit(&pool->running, memory_order_acquire); ++polls) {
    pause_briefly();
    if (polls >= POLLS) { /* the machine is busy: let the others finish */
      sched_yield();
      polls = 0;
    }
  }
}
