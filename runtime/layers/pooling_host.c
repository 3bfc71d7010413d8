/* Forward: a thread takes rows of results. Backward: some channels of a map, so that no other
 * thread adds to the same cells. */
#include "layers/pooling_host.h"

#include "gemm/gemm.h"

enum { X, Y, GX, GY, SLOTS };
enum { UNITS_EACH = 4 }; // per thread, at least, where there are channels enough

/* The cells inside the maps that a window sees. */
typedef struct pool_cells {
  uint64_t row, column; // elements from cell to cell
  uint32_t down, across;
} pool_cells;

typedef struct loops {
  uint32_t lanes;
  void (*forward)(float *y, const float *x, const pool_cells *cells, uint32_t channels);
  void (*backward)(float *gx, const float *gy, const float *y, const float *x,
                   const pool_cells *cells, uint32_t channels);
} loops;

/* What travels through the queue. */
typedef struct pool_job {
  const struct loops *loops;
  lac_workers *workers;
  float *place[SLOTS];
  uint64_t at[SLOTS]; // in elements
  lac_slide slide;
  uint32_t splits; // of the channels, backward
  bool fresh;
} pool_job;

#define BODY "layers/pooling_host.inc"
#include "core/vectors.inc"

bool lac_pooling_on_host(const lac_device *device) {
  return lac_device_is_host(device) && pick_loops();
}

/* The cells of a position, and the element of x at which they start. */
static uint64_t find_cells(const lac_slide *s, pool_cells *cells, uint64_t image, uint32_t row,
                           uint32_t column) {
  const uint64_t c = s->channels;
  uint32_t first, i, j;
  cells->down = lac_slide_taps(s, 0, row, &first, &i);
  cells->across = lac_slide_taps(s, 1, column, &first, &j);
  cells->row = (uint64_t)s->window.dilation[0] * s->in[1] * c;
  cells->column = s->window.dilation[1] * c;
  return ((image * s->in[0] + i) * s->in[1] + j) * c;
}

static void forward_row(void *arg, uint32_t part) {
  const pool_job *job = arg;
  const lac_slide *s = &job->slide;
  float *y = job->place[Y] + (uint64_t)part * s->out[1] * s->channels;
  for (uint32_t column = 0; column < s->out[1]; column++, y += s->channels) {
    pool_cells cells;
    const uint64_t from = find_cells(s, &cells, part / s->out[0], part % s->out[0], column);
    job->loops->forward(y, job->place[X] + from, &cells, s->channels);
  }
}

static void clear(const pool_job *job, uint64_t image, uint32_t channel, uint32_t channels) {
  const lac_slide *s = &job->slide;
  const uint64_t pixels = (uint64_t)s->in[0] * s->in[1];
  float *gx = job->place[GX] + image * pixels * s->channels + channel;
  for (uint64_t i = 0; i < pixels; i++)
    memset(gx + i * s->channels, 0, channels * sizeof *gx);
}

static void backward_part(void *arg, uint32_t part) {
  const pool_job *job = arg;
  const lac_slide *s = &job->slide;
  const uint64_t image = part / job->splits,
                 blocks = (s->channels + job->loops->lanes - 1) / job->loops->lanes;
  const uint32_t split = part % job->splits;
  const uint32_t first = (uint32_t)(blocks * split / job->splits) * job->loops->lanes;
  const uint64_t stop = blocks * (split + 1) / job->splits * job->loops->lanes;
  const uint32_t channels = (uint32_t)(stop < s->channels ? stop : s->channels) - first;
  if (job->fresh) clear(job, image, first, channels);
  uint64_t at = image * s->out[0] * s->out[1] * s->channels + first;
  for (uint32_t row = 0; row < s->out[0]; row++)
    for (uint32_t column = 0; column < s->out[1]; column++, at += s->channels) {
      pool_cells cells;
      const uint64_t from = find_cells(s, &cells, image, row, column) + first;
      job->loops->backward(job->place[GX] + from, job->place[GY] + at, job->place[Y] + at,
                           job->place[X] + from, &cells, channels);
    }
}

static void find_places(pool_job *job) {
  for (int i = 0; i < SLOTS; i++)
    if (job->place[i]) job->place[i] += job->at[i];
}

static void run_forward(void *args) {
  pool_job *job = args;
  find_places(job);
  lac_workers_run(job->workers, forward_row, job, job->slide.n * job->slide.out[0]);
}

static void run_backward(void *args) {
  pool_job *job = args;
  find_places(job);
  lac_workers_run(job->workers, backward_part, job, job->slide.n * job->splits);
}

static lac_status send(pool_job *job, lac_tensor *const tensors[SLOTS], const char *name,
                       void (*run)(void *args)) {
  lac_device *device = lac_tensor_device(tensors[X]);
  lac_buffer *buffers[SLOTS];
  size_t slots[SLOTS];
  uint32_t count = 0;
  for (int i = 0; i < SLOTS; i++) {
    if (!tensors[i]) continue;
    job->at[i] = lac_tensor_offset(tensors[i]);
    buffers[count] = lac_tensor_buffer(tensors[i]);
    slots[count++] = offsetof(pool_job, place) + (size_t)i * sizeof job->place[0];
  }
  return lac_device_native(device, name, run, job, sizeof *job, buffers, slots, count);
}

lac_status lac_max_pool_host_forward(lac_tensor *y, lac_tensor *x, const lac_slide *slide) {
  lac_tensor *const tensors[SLOTS] = {[X] = x, [Y] = y};
  pool_job job = {.loops = pick_loops(), .slide = *slide};
  if (lac_tensor_numel(y) == 0) return LAC_OK;
  LAC_TRY(lac_gemm_workers(lac_tensor_device(x), &job.workers));
  return send(&job, tensors, "max pool", run_forward);
}

lac_status lac_max_pool_host_backward(lac_tensor *gx, lac_tensor *gy, lac_tensor *y, lac_tensor *x,
                                      const lac_slide *slide, bool fresh) {
  lac_tensor *const tensors[SLOTS] = {x, y, gx, gy};
  pool_job job = {.loops = pick_loops(), .slide = *slide, .fresh = fresh};
  if (lac_tensor_numel(gx) == 0) return LAC_OK;
  LAC_TRY(lac_gemm_workers(lac_tensor_device(x), &job.workers));
  const uint32_t wanted = UNITS_EACH * lac_workers_count(job.workers);
  const uint32_t blocks = (slide->channels + job.loops->lanes - 1) / job.loops->lanes;
  job.splits = (wanted + slide->n - 1) / slide->n;
  if (job.splits > blocks) job.splits = blocks;
  return send(&job, tensors, "max pool gradient", run_backward);
}
