/*
 * Forward goes row by row. Backward has first the gradients of the scores, row by row; then, column
 * by column of an image, everything that its rows share, so that tanh is worked out once and used
 * while it is in a register.
 */
#include "layers/attention_host.h"

#include "device/pool.h"
#include "gemm/gemm.h"

#include <math.h>

enum {
  ROWS_AT_ONCE = 4, // of what goes row by row
  STRIP = 64,       // columns at a time of what goes by columns, a multiple of every vector
};

/* The tensors that either direction has. */
enum {
  QUERY,
  KEYS,
  VALUES,
  V,
  MASK,
  OWNERS,
  MEMBERS,
  WEIGHTS,
  USED,
  Y,
  GQUERY,
  GKEYS,
  GVALUES,
  GV,
  TENSORS
};

/* What travels through the queue; of tensors that are not there, data and pointer are NULL. */
typedef struct attention_job {
  const struct loops *loops;
  lac_workers *workers;
  lac_attention_sizes n;
  void *data[TENSORS];
  uint64_t offset[TENSORS]; // in elements
  float *room;
  const float *query, *keys, *values, *v, *mask;
  const int32_t *owners, *members;
  float *weights, *used, *y; // y: backward its gradient
  float *gquery, *gkeys, *gvalues, *gv;
  float *ge;                         // [rows, regions]: the gradient of the scores
  float *partial;                    // [images, size]: an image's part of gv
  uint32_t key_strips, value_strips; // of an image
  bool drops;
  lac_rng rng;
  uint32_t threshold; // words below drop
  float scale;
} attention_job;

/* The r-th row of an image; the number of rows or more where there is none. */
static inline uint64_t member_of(const attention_job *job, uint32_t image, uint32_t r) {
  const uint64_t at = (uint64_t)image * job->n.each + r;
  return job->members ? (uint64_t)(uint32_t)job->members[at] : at;
}

typedef struct loops {
  uint32_t lanes;
  float (*score)(const float *v, const float *key, const float *q, uint32_t n);
  void (*mix)(float *y, const float *used, const float *values, uint32_t regions, uint32_t width);
  float (*dot)(const float *a, const float *b, uint32_t n);
  void (*columns)(const attention_job *job, uint32_t image, uint32_t c, uint32_t few);
  void (*values)(const attention_job *job, uint32_t image, uint32_t c, uint32_t few);
} loops;

#define BODY "layers/attention_host.inc"
#include "core/vectors.inc"

bool lac_attention_on_host(const lac_device *device) {
  return lac_device_is_host(device) && pick_loops();
}

static float *data_of(const attention_job *job, int tensor) {
  float *data = job->data[tensor];
  return data ? data + job->offset[tensor] : NULL;
}

/* Once the buffers have their addresses. */
static void find_data(attention_job *job) {
  job->query = data_of(job, QUERY);
  job->keys = data_of(job, KEYS);
  job->values = data_of(job, VALUES);
  job->v = data_of(job, V);
  job->mask = data_of(job, MASK);
  job->owners = (const int32_t *)data_of(job, OWNERS);
  job->members = (const int32_t *)data_of(job, MEMBERS);
  job->weights = data_of(job, WEIGHTS);
  job->used = data_of(job, USED);
  job->y = data_of(job, Y);
  job->gquery = data_of(job, GQUERY);
  job->gkeys = data_of(job, GKEYS);
  job->gvalues = data_of(job, GVALUES);
  job->gv = data_of(job, GV);
  job->ge = job->room;
  job->partial = job->room + (uint64_t)job->n.rows * job->n.regions;
}

/* An image that does not exist counts as the last. */
static uint64_t image_of(const attention_job *job, uint64_t row) {
  if (!job->owners) return row / job->n.each;
  const uint32_t owner = (uint32_t)job->owners[row];
  return owner < job->n.images ? owner : job->n.images - 1;
}

/* Scores that become weights; a row of which none counts is NaN. */
static void weigh(float *w, uint32_t regions) {
  float top = -INFINITY, total = 0;
  for (uint32_t s = 0; s < regions; s++)
    top = fmaxf(top, w[s]);
  for (uint32_t s = 0; s < regions; s++) {
    w[s] = expf(w[s] - top);
    total += w[s];
  }
  for (uint32_t s = 0; s < regions; s++)
    w[s] /= total;
}

/* Element i of all takes word i % 4 at counter + i / 4. */
static void drop_weights(const attention_job *job, float *used, const float *w, uint64_t i) {
  uint32_t words[4];
  for (uint32_t s = 0; s < job->n.regions; s++, i++) {
    lac_rng at = {job->rng.seed, job->rng.stream, job->rng.counter + i / 4};
    if (s == 0 || i % 4 == 0) lac_rng_draw(&at, words);
    used[s] = words[i % 4] >= job->threshold ? w[s] * job->scale : 0;
  }
}

static void forward_row(const attention_job *job, uint64_t row) {
  const lac_attention_sizes *n = &job->n;
  const uint64_t first = image_of(job, row) * n->regions;
  float *w = job->weights + row * n->regions, *used = job->used + row * n->regions;
  for (uint32_t s = 0; s < n->regions; s++)
    w[s] = job->mask && job->mask[first + s] == 0
               ? -INFINITY
               : job->loops->score(job->v, job->keys + (first + s) * n->size,
                                   job->query + row * n->size, n->size);
  weigh(w, n->regions);
  if (job->drops) drop_weights(job, used, w, row * n->regions);
  job->loops->mix(job->y + row * n->width, used, job->values + first * n->width, n->regions,
                  n->width);
}

static void forward_rows(void *arg, uint32_t part) {
  const attention_job *job = arg;
  const uint64_t first = (uint64_t)part * ROWS_AT_ONCE, limit = first + ROWS_AT_ONCE;
  for (uint64_t row = first; row < job->n.rows && row < limit; row++)
    forward_row(job, row);
}

static void run_forward(void *args) {
  attention_job *job = args;
  find_data(job);
  lac_workers_run(job->workers, forward_rows, job, (job->n.rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE);
}

/* ge = used_s a_s - w_s sum_r used_r a_r with a_s = gy . value_s */
static void score_row(const attention_job *job, uint64_t row) {
  const lac_attention_sizes *n = &job->n;
  const uint64_t image = image_of(job, row);
  const float *values = job->values + image * n->regions * n->width;
  const float *w = job->weights + row * n->regions, *used = job->used + row * n->regions;
  float *ge = job->ge + row * n->regions, dot = 0;
  for (uint32_t s = 0; s < n->regions; s++) {
    ge[s] = used[s] *
            job->loops->dot(job->y + row * n->width, values + (uint64_t)s * n->width, n->width);
    dot += ge[s];
  }
  for (uint32_t s = 0; s < n->regions; s++)
    ge[s] -= w[s] * dot;
}

static void score_rows(void *arg, uint32_t part) {
  const attention_job *job = arg;
  const uint64_t first = (uint64_t)part * ROWS_AT_ONCE, limit = first + ROWS_AT_ONCE;
  for (uint64_t row = first; row < job->n.rows && row < limit; row++)
    score_row(job, row);
}

/* A strip of columns of one image. */
static void share_strip(void *arg, uint32_t part) {
  const attention_job *job = arg;
  const uint32_t strips = job->key_strips + job->value_strips, lanes = job->loops->lanes;
  const uint32_t image = part / strips, strip = part % strips;
  const bool of_keys = strip < job->key_strips;
  const uint32_t first = (of_keys ? strip : strip - job->key_strips) * STRIP;
  const uint32_t all = of_keys ? job->n.size : job->n.width;
  const uint32_t end = first + STRIP < all ? first + STRIP : all;
  for (uint32_t c = first; c < end; c += lanes)
    (of_keys ? job->loops->columns : job->loops->values)(job, image, c,
                                                         end - c < lanes ? end - c : lanes);
}

static void run_backward(void *args) {
  attention_job *job = args;
  const lac_attention_sizes *n = &job->n;
  find_data(job);
  const bool with_keys = job->gquery || job->gkeys || job->gv;
  job->key_strips = with_keys ? (n->size + STRIP - 1) / STRIP : 0;
  job->value_strips = job->gvalues ? (n->width + STRIP - 1) / STRIP : 0;
  if (with_keys)
    lac_workers_run(job->workers, score_rows, job, (n->rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE);
  lac_workers_run(job->workers, share_strip, job,
                  n->images * (job->key_strips + job->value_strips));
  for (uint32_t image = 0; job->gv && image < n->images; image++)
    for (uint32_t c = 0; c < n->size; c++)
      job->gv[c] += job->partial[(uint64_t)image * n->size + c];
}

/* With `floats` of room, or none for 0. */
static lac_status enqueue(const char *name, void (*run)(void *args), attention_job *job,
                          const lac_tensor *const tensors[], uint64_t floats) {
  lac_device *device = lac_tensor_device(tensors[QUERY]);
  lac_buffer *buffers[TENSORS + 1], *room = NULL;
  size_t slots[TENSORS + 1];
  uint32_t count = 0;
  if (job->n.rows == 0) return LAC_OK;
  for (size_t i = 0; i < TENSORS; i++) {
    if (!tensors[i]) continue;
    job->offset[i] = lac_tensor_offset(tensors[i]);
    buffers[count] = lac_tensor_buffer(tensors[i]);
    slots[count++] = offsetof(attention_job, data) + i * sizeof *job->data;
  }
  job->loops = pick_loops();
  LAC_TRY(lac_gemm_workers(device, &job->workers));
  if (floats) {
    LAC_TRY(lac_buffer_new(&room, device, floats * sizeof(float), "attention"));
    buffers[count] = room;
    slots[count++] = offsetof(attention_job, room);
  }
  const lac_status status =
      lac_device_native(device, name, run, job, sizeof *job, buffers, slots, count);
  lac_buffer_release(room);
  return status;
}

lac_status lac_attention_host_forward(lac_tensor *y, lac_tensor *w, lac_tensor *used,
                                      const lac_attention_args *a, const lac_attention_sizes *n) {
  const lac_tensor *const tensors[TENSORS] = {[QUERY] = a->query,     [KEYS] = a->keys,
                                              [VALUES] = a->values,   [V] = a->v,
                                              [MASK] = a->mask,       [OWNERS] = a->owners,
                                              [MEMBERS] = a->members, [WEIGHTS] = w,
                                              [USED] = used,          [Y] = y};
  attention_job job = {.n = *n, .drops = a->dropout > 0};
  if (job.drops) {
    job.rng = *a->rng;
    job.threshold = (uint32_t)((double)a->dropout * 4294967296.0); // dropout < 1, so it fits
    job.scale = 1 / (1 - a->dropout);
  }
  return enqueue("additive_fwd", run_forward, &job, tensors, 0);
}

lac_status lac_attention_host_backward(const lac_attention_sizes *n,
                                       const lac_attention_gradients *g) {
  const lac_tensor *const tensors[TENSORS] = {
      [QUERY] = g->query,   [KEYS] = g->keys,       [VALUES] = g->values,   [V] = g->v,
      [OWNERS] = g->owners, [MEMBERS] = g->members, [WEIGHTS] = g->weights, [USED] = g->used,
      [Y] = g->gy,          [GQUERY] = g->gquery,   [GKEYS] = g->gkeys,     [GVALUES] = g->gvalues,
      [GV] = g->gv};
  attention_job job = {.n = *n};
  return enqueue("additive_bwd", run_backward, &job, tensors,
                 (uint64_t)n->rows * n->regions + (uint64_t)n->images * n->size);
}
