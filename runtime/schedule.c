/* See halfstep/schedule.h. */
#include "halfstep/schedule.h"

#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

static double or_default(double value, double fallback) { return value == 0 ? fallback : value; }

/* From `from` at 0 to `to` at 1, along half a cosine. */
static double half_cosine(double from, double to, double share) {
  return to + (from - to) / 2 * (1 + cos(pi * share));
}

static double step_lr(const hs_schedule *s, int64_t t) {
  double passed = (double)(t / s->every);
  if (s->kind == HS_SCHEDULE_MULTISTEP) {
    passed = 0;
    for (size_t i = 0; i < s->milestone_count && s->milestones[i] <= t; ++i)
      ++passed;
  }
  return s->lr * pow(or_default(s->gamma, 0.1), passed);
}

static double one_cycle_lr(const hs_schedule *s, double t, double length) {
  double initial = s->lr / or_default(s->div_factor, 25);
  double least = initial / or_default(s->final_div_factor, 1e4);
  double top = or_default(s->pct_start, 0.3) * length - 1, end = length - 1;
  if (t <= top)
    return half_cosine(initial, s->lr, t / top);
  return t < end ? half_cosine(s->lr, least, (t - top) / (end - top)) : least;
}

static int is_valid(const hs_schedule *s) {
  int needs_length =
      s->kind == HS_SCHEDULE_COSINE || s->kind == HS_SCHEDULE_LINEAR || s->kind == HS_SCHEDULE_ONE_CYCLE;
  return s->kind >= HS_SCHEDULE_CONSTANT && s->kind <= HS_SCHEDULE_ONE_CYCLE && isfinite(s->lr) &&
         s->lr >= 0 && s->warmup >= 0 && s->warmup_start >= 0 && s->warmup_start <= 1 &&
         isfinite(s->min_lr) && (!needs_length || s->steps > s->warmup) &&
         (s->kind != HS_SCHEDULE_STEP || s->every >= 1) &&
         (s->kind != HS_SCHEDULE_MULTISTEP || !s->milestone_count || s->milestones) && s->pct_start >= 0 &&
         s->pct_start < 1 && s->div_factor >= 0 && s->final_div_factor >= 0 && s->gamma >= 0;
}

hs_status hs_schedule_lr(const hs_schedule *schedule, int64_t updates, double *lr) {
  hs_schedule s = HS_SCHEDULE_INIT;
  if (!schedule || !lr || updates < 0 || schedule->struct_size < sizeof s.struct_size)
    return HS_ERROR_USAGE;
  memcpy(&s, schedule, schedule->struct_size < sizeof s ? schedule->struct_size : sizeof s);
  if (s.kind != HS_SCHEDULE_STEP)
    s.every = 1;
  if (!is_valid(&s))
    return HS_ERROR_USAGE;
  double start = or_default(s.warmup_start, 1.0 / ((double)s.warmup + 1));
  double t = (double)(updates - s.warmup), length = (double)(s.steps - s.warmup);
  double share = t < length ? t / length : 1;
  if (updates < s.warmup)
    *lr = s.lr * (start + (1 - start) * (double)updates / (double)s.warmup);
  else if (s.kind == HS_SCHEDULE_STEP || s.kind == HS_SCHEDULE_MULTISTEP)
    *lr = step_lr(&s, updates - s.warmup);
  else if (s.kind == HS_SCHEDULE_COSINE)
    *lr = half_cosine(s.lr, s.min_lr, share);
  else if (s.kind == HS_SCHEDULE_LINEAR)
    *lr = s.lr + (s.min_lr - s.lr) * share;
  else if (s.kind == HS_SCHEDULE_ONE_CYCLE)
    *lr = one_cycle_lr(&s, t, length);
  else
    *lr = s.lr;
  return HS_OK;
}
