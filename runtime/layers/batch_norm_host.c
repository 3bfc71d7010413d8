/* Threads take ROWS_EACH rows at a time, whatever their number, so sums over rows are always the
 * same. What depends on the column alone is worked out once, in `columns`. */
#include "layers/batch_norm_host.h"

#include "gemm/gemm.h"

#include <math.h>

enum { ROWS_EACH = 128 };
enum { Y, KEPT, X, GAIN, OFFSET, MEAN, VARIANCE, GY, GX, GGAIN, GOFFSET, PARTS, COLUMNS, SLOTS };
enum { SLOPE, SHIFT, BEND, COLUMN_KINDS }; // rows of `columns`; forward keeps offsets in SHIFT

typedef struct loops {
  void (*forward)(float *y, const float *x, const float *mean, const float *slope,
                  const float *offset, uint32_t n, uint64_t rows, float high, bool active);
  void (*measure)(float *mean, float *squares, const float *x, uint32_t n, uint64_t rows);
  void (*gather)(float *sum, float *along, const float *gy, const float *y, const float *x,
                 const float *mean, const float *scale, uint32_t n, uint64_t rows, float high,
                 bool active);
  void (*backward)(float *gx, const float *gy, const float *y, const float *x, const float *mean,
                   const float *slope, const float *shift, const float *bend, uint32_t n,
                   uint64_t rows, float high, bool active, bool fresh);
} loops;

/* What travels through the queue. */
typedef struct bn_job {
  const struct loops *loops;
  lac_workers *workers;
  float *place[SLOTS];
  uint64_t at[SLOTS]; // in elements
  uint64_t rows;
  uint32_t n, parts;
  float eps, momentum, high; // of relu6, or infinity
  bool training, active, fresh;
} bn_job;

#define BODY "layers/batch_norm_host.inc"
#include "core/vectors.inc"

bool lac_batch_norm_on_host(const lac_device *device) {
  return lac_device_is_host(device) && pick_loops();
}

static uint64_t rows_of(const bn_job *job, uint32_t part) {
  const uint64_t left = job->rows - (uint64_t)part * ROWS_EACH;
  return left < ROWS_EACH ? left : ROWS_EACH;
}

/* Where a part's rows start in a tensor, or NULL. */
static float *rows_at(const bn_job *job, int slot, uint32_t part) {
  return job->place[slot] ? job->place[slot] + (uint64_t)part * ROWS_EACH * job->n : NULL;
}

static float *column(const bn_job *job, int kind) {
  return job->place[COLUMNS] + (uint64_t)kind * job->n;
}

static float *sums_of(const bn_job *job, uint32_t part) {
  return job->place[PARTS] + (uint64_t)part * 2 * job->n;
}

static void forward_part(void *arg, uint32_t part) {
  const bn_job *job = arg;
  job->loops->forward(rows_at(job, Y, part), rows_at(job, X, part), job->place[KEPT],
                      column(job, SLOPE), column(job, SHIFT), job->n, rows_of(job, part), job->high,
                      job->active);
}

static void measure_part(void *arg, uint32_t part) {
  const bn_job *job = arg;
  float *sums = sums_of(job, part);
  job->loops->measure(sums, sums + job->n, rows_at(job, X, part), job->n, rows_of(job, part));
}

static void gather_part(void *arg, uint32_t part) {
  const bn_job *job = arg;
  float *sums = sums_of(job, part);
  job->loops->gather(sums, sums + job->n, rows_at(job, GY, part), rows_at(job, Y, part),
                     rows_at(job, X, part), job->place[KEPT], job->place[KEPT] + job->n, job->n,
                     rows_of(job, part), job->high, job->active);
}

static void backward_part(void *arg, uint32_t part) {
  const bn_job *job = arg;
  job->loops->backward(rows_at(job, GX, part), rows_at(job, GY, part), rows_at(job, Y, part),
                       rows_at(job, X, part), job->place[KEPT], column(job, SLOPE),
                       job->training ? column(job, SHIFT) : NULL, column(job, BEND), job->n,
                       rows_of(job, part), job->high, job->active, job->fresh);
}

/* Mean and scale from the parts (Chan, Golub and LeVeque 1979), and the moved statistics. */
static void join_parts(const bn_job *job) {
  float *mean = job->place[KEPT], *squares = mean + job->n;
  memset(mean, 0, 2 * (size_t)job->n * sizeof *mean);
  for (uint32_t p = 0; p < job->parts; p++) {
    const float *part = sums_of(job, p), *part_squares = part + job->n;
    const float count = (float)rows_of(job, p), so_far = (float)((uint64_t)p * ROWS_EACH);
    const float share = count / (so_far + count);
    for (uint32_t i = 0; i < job->n; i++) {
      const float delta = part[i] - mean[i];
      mean[i] += delta * share;
      squares[i] += part_squares[i] + delta * delta * so_far * share;
    }
  }
  float *running = job->place[MEAN], *variance = job->place[VARIANCE];
  for (uint32_t i = 0; i < job->n; i++) {
    running[i] += job->momentum * (mean[i] - running[i]);
    variance[i] += job->momentum * (squares[i] / (float)(job->rows - 1) - variance[i]);
    squares[i] = 1.0f / sqrtf(squares[i] / (float)job->rows + job->eps);
  }
}

static void keep_given(const bn_job *job) {
  for (uint32_t i = 0; i < job->n; i++) {
    job->place[KEPT][i] = job->place[MEAN][i];
    job->place[KEPT][job->n + i] = 1.0f / sqrtf(job->place[VARIANCE][i] + job->eps);
  }
}

static float gain_of(const bn_job *job, uint32_t i) {
  return job->place[KEPT][job->n + i] * (job->place[GAIN] ? job->place[GAIN][i] : 1.0f);
}

static void find_places(bn_job *job) {
  for (int i = 0; i < SLOTS; i++)
    if (job->place[i]) job->place[i] += job->at[i];
}

static void run_forward(void *args) {
  bn_job *job = args;
  find_places(job);
  if (job->training) {
    lac_workers_run(job->workers, measure_part, job, job->parts);
    join_parts(job);
  } else {
    keep_given(job);
  }
  for (uint32_t i = 0; i < job->n; i++) {
    column(job, SLOPE)[i] = gain_of(job, i);
    column(job, SHIFT)[i] = job->place[OFFSET] ? job->place[OFFSET][i] : 0;
  }
  lac_workers_run(job->workers, forward_part, job, job->parts);
}

/* ggain and goffset, and what they mean for gx */
static void add_sums(const bn_job *job) {
  float *sum = column(job, SHIFT), *along = column(job, BEND);
  memset(sum, 0, 2 * (size_t)job->n * sizeof *sum); // BEND follows SHIFT
  for (uint32_t p = 0; p < job->parts; p++) {
    const float *part = sums_of(job, p);
    for (uint32_t i = 0; i < job->n; i++) {
      sum[i] += part[i];
      along[i] += part[job->n + i];
    }
  }
  for (uint32_t i = 0; i < job->n; i++) {
    if (job->place[GGAIN]) job->place[GGAIN][i] += along[i];
    if (job->place[GOFFSET]) job->place[GOFFSET][i] += sum[i];
    const float each = gain_of(job, i) / (float)job->rows;
    sum[i] *= each;
    along[i] *= each * job->place[KEPT][job->n + i];
  }
}

static void run_backward(void *args) {
  bn_job *job = args;
  find_places(job);
  for (uint32_t i = 0; i < job->n; i++)
    column(job, SLOPE)[i] = gain_of(job, i);
  if (job->training || job->place[GGAIN] || job->place[GOFFSET]) {
    lac_workers_run(job->workers, gather_part, job, job->parts);
    add_sums(job);
  }
  if (job->place[GX]) lac_workers_run(job->workers, backward_part, job, job->parts);
}

static bn_job make_job(const lac_tensor *x, lac_activation activation) {
  const lac_shape *shape = lac_tensor_shape(x);
  const uint64_t n = shape->dim[shape->rank - 1], rows = n ? lac_tensor_numel(x) / n : 0;
  return (bn_job){.loops = pick_loops(),
                  .rows = rows,
                  .n = (uint32_t)n,
                  .parts = (uint32_t)((rows + ROWS_EACH - 1) / ROWS_EACH),
                  .high = activation == LAC_ACT_RELU6 ? 6 : INFINITY,
                  .active = activation != LAC_ACT_NONE};
}

static lac_status send(bn_job *job, const lac_bn_tensors *t, const char *name,
                       void (*run)(void *args)) {
  lac_device *device = lac_tensor_device(t->x);
  lac_tensor *room = NULL;
  lac_buffer *buffers[SLOTS];
  size_t slots[SLOTS];
  uint32_t count = 0;
  if (job->n == 0) return LAC_OK;
  LAC_TRY(lac_gemm_workers(device, &job->workers));
  const lac_shape shape = {2, {2 * (uint64_t)job->parts + COLUMN_KINDS, job->n}};
  LAC_TRY(lac_tensor_new(&room, device, LAC_F32, &shape));
  lac_tensor *const all[SLOTS] = {t->y,       t->kept,     t->x,  t->gain, t->offset,
                                  t->mean,    t->variance, t->gy, t->gx,   t->ggain,
                                  t->goffset, room,        room};
  for (int i = 0; i < SLOTS; i++) {
    if (!all[i]) continue;
    job->at[i] = lac_tensor_offset(all[i]);
    buffers[count] = lac_tensor_buffer(all[i]);
    slots[count++] = offsetof(bn_job, place) + (size_t)i * sizeof job->place[0];
  }
  job->at[COLUMNS] = 2 * (uint64_t)job->parts * job->n;
  const lac_status status =
      lac_device_native(device, name, run, job, sizeof *job, buffers, slots, count);
  lac_tensor_release(room);
  return status;
}

lac_status lac_batch_norm_host_forward(const lac_bn_tensors *t, const lac_batch_norm_args *args) {
  bn_job job = make_job(t->x, args->activation);
  job.eps = args->eps;
  job.momentum = args->momentum;
  job.training = args->training;
  return send(&job, t, "batch norm", run_forward);
}

lac_status lac_batch_norm_host_backward(const lac_bn_tensors *t, bool training,
                                        lac_activation activation, bool fresh) {
  bn_job job = make_job(t->x, activation);
  job.training = training;
  job.fresh = fresh;
  return send(&job, t, "batch norm gradient", run_backward);
}
