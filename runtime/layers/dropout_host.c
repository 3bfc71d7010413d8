/* Threads take PART elements at a time; who takes which says nothing about the words they get. */
#include "layers/dropout_host.h"

#include "gemm/gemm.h"

enum { PART = 32768 }; // a multiple of what a vector of counters serves

typedef struct loops {
  /* y = or += dropout of n elements, the first of which takes word 0 at the plan's counter */
  void (*apply)(float *y, const float *x, uint64_t n, const lac_dropout_plan *plan);
} loops;

#define BODY "layers/dropout_host.inc"
#include "core/vectors.inc"

/* What travels through the queue. */
typedef struct dropout_job {
  const loops *loops;
  lac_workers *workers;
  lac_dropout_plan plan;
  uint64_t n, y_at, x_at; // in elements
  float *y;
  const float *x;
} dropout_job;

bool lac_dropout_on_host(const lac_device *device) {
  return lac_device_is_host(device) && pick_loops();
}

static void apply_part(void *arg, uint32_t part) {
  const dropout_job *job = arg;
  const uint64_t first = (uint64_t)part * PART, left = job->n - first;
  lac_dropout_plan plan = job->plan;
  plan.rng.counter += first / 4;
  job->loops->apply(job->y + job->y_at + first, job->x + job->x_at + first,
                    left < PART ? left : PART, &plan);
}

static void run(void *args) {
  dropout_job *job = args;
  lac_workers_run(job->workers, apply_part, job, (uint32_t)((job->n + PART - 1) / PART));
}

lac_status lac_dropout_host(lac_tensor *y, const lac_tensor *x, const lac_dropout_plan *plan) {
  lac_device *device = lac_tensor_device(y);
  dropout_job job = {.loops = pick_loops(),
                     .plan = *plan,
                     .n = lac_tensor_numel(y),
                     .y_at = lac_tensor_offset(y),
                     .x_at = lac_tensor_offset(x)};
  lac_buffer *const buffers[] = {lac_tensor_buffer(y), lac_tensor_buffer(x)};
  static const size_t slots[] = {offsetof(dropout_job, y), offsetof(dropout_job, x)};
  if (job.n == 0) return LAC_OK;
  LAC_TRY(lac_gemm_workers(device, &job.workers));
  return lac_device_native(device, "dropout", run, &job, sizeof job, buffers, slots, 2);
}
