/* Learning rates as functions of the number of updates applied, so that a skipped step leaves them alone and
 * a resumed run goes on where it was. The conventions of halfstep/types.h hold.
 *
 * With n the updates so far, w the warm-up and t = n - w, T = steps - w:
 *
 *   n < w       lr * (s + (1 - s) * n / w), s being warmup_start          torch's LinearLR
 *   constant    lr
 *   step        lr * gamma^(t / every), whole numbers                     StepLR
 *   multistep   lr * gamma^(how many milestones are at most t)            MultiStepLR
 *   cosine      min_lr + (lr - min_lr) * (1 + cos(pi * t / T)) / 2        CosineAnnealingLR
 *   linear      lr + (min_lr - lr) * t / T                                LinearLR
 *   one cycle   from lr / div_factor up to lr at t = pct_start * T - 1, then down to lr / div_factor /
 *               final_div_factor at t = T - 1, both along a half cosine   OneCycleLR, without momentum
 *
 * From T on (T - 1 for one cycle) the last three stay at their end.
 */
#ifndef HALFSTEP_SCHEDULE_H
#define HALFSTEP_SCHEDULE_H

#include "halfstep/types.h"

#ifndef HS_API
#define HS_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum hs_schedule_kind {
  HS_SCHEDULE_CONSTANT = 0,
  HS_SCHEDULE_STEP = 1,
  HS_SCHEDULE_MULTISTEP = 2,
  HS_SCHEDULE_COSINE = 3,
  HS_SCHEDULE_LINEAR = 4,
  HS_SCHEDULE_ONE_CYCLE = 5
} hs_schedule_kind;

typedef struct hs_schedule {
  size_t struct_size;
  int32_t kind;              /* hs_schedule_kind */
  double lr;                 /* the largest */
  int64_t warmup;            /* updates before `kind` begins; its own counts start there */
  double warmup_start;       /* in (0, 1]; 0: 1 / (warmup + 1) */
  int64_t steps;             /* updates in all: cosine, linear, one cycle */
  double min_lr;             /* cosine, linear */
  int64_t every;             /* step; at least 1 */
  double gamma;              /* step, multistep; 0: 0.1 */
  const int64_t *milestones; /* multistep: growing, borrowed */
  size_t milestone_count;
  double pct_start;        /* one cycle; in (0, 1), 0: 0.3 */
  double div_factor;       /* one cycle; 0: 25 */
  double final_div_factor; /* one cycle; 0: 1e4 */
} hs_schedule;
#define HS_SCHEDULE_INIT {sizeof(hs_schedule), 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0, 0, 0}

/* The learning rate of the update after `updates` others. HS_ERROR_USAGE for a null pointer, a negative
 * number, an unknown kind, or a number outside its range. */
HS_API hs_status hs_schedule_lr(const hs_schedule *schedule, int64_t updates, double *lr);

#ifdef __cplusplus
}
#endif
#endif /* HALFSTEP_SCHEDULE_H */
