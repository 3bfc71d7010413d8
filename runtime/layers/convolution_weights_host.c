/*
 * The gradient of a weight is a sum over positions of gy[output] * x[channel]. A thread takes some
 * channels of a group and a chunk of up to four vectors of its outputs, and goes through all
 * positions in order: so sums do not depend on the threads. It goes by bands of rows whose part of
 * gy stays in the first-level cache while all taps and channels look at it:
 *
 *   sums [group][chunk][tap][channel][outputs of the chunk]
 */
#include "layers/convolution_host.h"

#include "gemm/gemm.h"

#include <math.h>

enum { VECS = 4, ROWS_MOST = 14 }; // of a tile
enum { BAND = 6 * 1024 };          // elements of gy in a band
enum { UNITS_EACH = 4 };           // per thread, at least
enum { X, GY, GW, SUMS, SLOTS };

/* What a tile is made of. */
typedef struct tile_args {
  const float *x, *gy;
  float *sums;
  uint64_t x_step, gy_step, x_row, gy_row; // from pixel to pixel, from row to row
  uint64_t across;
  uint32_t down, last; // rows; outputs in the last vector
} tile_args;

typedef struct loops {
  uint32_t lanes, most;
  void (*tile[VECS])(uint32_t rows, const tile_args *t);
} loops;

#define BODY "layers/convolution_weights_host.inc"
#include "core/vectors.inc"

/* What travels through the queue. */
typedef struct weights_job {
  const struct loops *loops;
  lac_workers *workers;
  float *place[SLOTS];
  uint64_t at[SLOTS]; // in elements
  lac_conv_plan plan;
  uint32_t chunks, vectors, splits; // of a group's outputs; of its channels
} weights_job;

/* What one thread works on. */
typedef struct unit {
  const weights_job *job;
  uint32_t g, begin, vecs;    // the group; its vectors of outputs
  uint32_t channel, channels; // of the group
  float *sums;                // of the chunk
  uint32_t wide, last;        // outputs in a row of sums; those in the last vector
} unit;

static uint32_t least(uint32_t a, uint32_t b) {
  return a < b ? a : b;
}

/* Tiles of all channels of the unit. */
static void add_channels(const unit *u, tile_args *t, uint32_t tap) {
  const lac_conv_plan *plan = &u->job->plan;
  const uint32_t most = least(u->job->loops->most / u->vecs, ROWS_MOST);
  const uint32_t tiles = (u->channels + most - 1) / most;
  const float *x = t->x;
  for (uint32_t i = 0; i < tiles; i++) {
    const uint32_t from = u->channel + (uint32_t)((uint64_t)u->channels * i / tiles);
    const uint32_t to = u->channel + (uint32_t)((uint64_t)u->channels * (i + 1) / tiles);
    t->x = x + from;
    t->sums = u->sums + ((uint64_t)tap * plan->group + from) * u->wide;
    u->job->loops->tile[u->vecs - 1](to - from, t);
  }
}

/* All taps of rows first .. end - 1 of one map. */
static void add_band(const unit *u, uint32_t image, uint32_t first, uint32_t end) {
  const weights_job *job = u->job;
  const lac_conv_plan *plan = &job->plan;
  const lac_slide *s = &plan->slide;
  const uint64_t c = s->channels, outputs = plan->out;
  const uint32_t *stride = s->window.stride;
  for (uint32_t tap = 0; tap < plan->taps; tap++) {
    const uint32_t a = tap / s->window.size[1], b = tap % s->window.size[1];
    uint32_t top, left, i, j;
    uint32_t bottom = lac_slide_seen(s, 0, a, &top, &i);
    const uint32_t across = lac_slide_seen(s, 1, b, &left, &j);
    bottom = least(top + bottom, end);
    if (top < first) {
      i += (first - top) * stride[0];
      top = first;
    }
    if (top >= bottom || across == 0) continue;
    tile_args t = {.x = job->place[X] + (((uint64_t)image * s->in[0] + i) * s->in[1] + j) * c +
                        (uint64_t)u->g * plan->group,
                   .gy = job->place[GY] +
                         (((uint64_t)image * s->out[0] + top) * s->out[1] + left) * outputs +
                         (uint64_t)u->g * plan->group_out + (uint64_t)u->begin * job->loops->lanes,
                   .x_step = stride[1] * c,
                   .gy_step = outputs,
                   .x_row = (uint64_t)stride[0] * s->in[1] * c,
                   .gy_row = s->out[1] * outputs,
                   .down = bottom - top,
                   .across = across,
                   .last = u->last};
    add_channels(u, &t, tap);
  }
}

/* Pixels of x and gy that belong together lie in the same order. */
static void add_pixels(const unit *u, uint64_t first, uint64_t count) {
  const weights_job *job = u->job;
  const lac_conv_plan *plan = &job->plan;
  tile_args t = {.x = job->place[X] + first * plan->slide.channels + (uint64_t)u->g * plan->group,
                 .gy = job->place[GY] + first * plan->out + (uint64_t)u->g * plan->group_out +
                       (uint64_t)u->begin * job->loops->lanes,
                 .x_step = plan->slide.channels,
                 .gy_step = plan->out,
                 .down = 1,
                 .across = count,
                 .last = u->last};
  add_channels(u, &t, 0);
}

static void add_all(const unit *u) {
  const lac_conv_plan *plan = &u->job->plan;
  const lac_slide *s = &plan->slide;
  const uint32_t pixels = BAND / u->wide, fit = pixels / s->out[1];
  const uint64_t all = lac_slide_positions(s);
  if (lac_slide_is_pixel(s)) {
    for (uint64_t first = 0; first < all; first += pixels)
      add_pixels(u, first, all - first < pixels ? all - first : pixels);
    return;
  }
  const uint32_t band = fit ? fit : 1;
  for (uint32_t image = 0; image < s->n; image++)
    for (uint32_t first = 0; first < s->out[0]; first += band)
      add_band(u, image, first, least(s->out[0] - first, band) + first);
}

static void run_unit(void *arg, uint32_t part) {
  const weights_job *job = arg;
  const lac_conv_plan *plan = &job->plan;
  const uint32_t split = part % job->splits, chunk = part / job->splits % job->chunks;
  const uint32_t cut = (uint32_t)((uint64_t)plan->group * split / job->splits);
  const uint32_t lanes = job->loops->lanes, taps = plan->taps;
  unit u = {.job = job, .g = part / job->splits / job->chunks, .channel = cut};
  u.begin = (uint32_t)((uint64_t)job->vectors * chunk / job->chunks);
  u.vecs = (uint32_t)((uint64_t)job->vectors * (chunk + 1) / job->chunks) - u.begin;
  u.channels = (uint32_t)((uint64_t)plan->group * (split + 1) / job->splits) - cut;
  u.wide = u.vecs * lanes;
  const uint32_t outputs = least(u.wide, plan->group_out - u.begin * lanes);
  u.last = outputs - (u.vecs - 1) * lanes;
  u.sums = job->place[SUMS] + ((uint64_t)u.g * job->vectors + u.begin) * lanes * taps * plan->group;
  for (uint32_t tap = 0; tap < taps; tap++)
    memset(u.sums + ((uint64_t)tap * plan->group + cut) * u.wide, 0,
           (size_t)u.channels * u.wide * sizeof *u.sums);
  add_all(&u);
  const uint64_t first = (uint64_t)u.g * plan->group_out + (uint64_t)u.begin * lanes;
  for (uint32_t o = 0; o < outputs; o++) {
    float *gw = job->place[GW] + ((first + o) * plan->group + cut) * taps;
    for (uint32_t i = 0; i < u.channels; i++)
      for (uint32_t tap = 0; tap < taps; tap++)
        gw[(uint64_t)i * taps + tap] +=
            u.sums[((uint64_t)tap * plan->group + cut + i) * u.wide + o];
  }
}

static void run_weights(void *args) {
  weights_job *job = args;
  for (int i = 0; i < SLOTS; i++)
    job->place[i] += job->at[i];
  lac_workers_run(job->workers, run_unit, job, job->plan.groups * job->chunks * job->splits);
}

static lac_status send(weights_job *job, const lac_conv_tensors *t, lac_tensor *sums) {
  lac_tensor *const tensors[SLOTS] = {t->x, t->gy, t->gw, sums};
  lac_buffer *buffers[SLOTS];
  size_t slots[SLOTS];
  for (int i = 0; i < SLOTS; i++) {
    job->at[i] = lac_tensor_offset(tensors[i]);
    buffers[i] = lac_tensor_buffer(tensors[i]);
    slots[i] = offsetof(weights_job, place) + (size_t)i * sizeof job->place[0];
  }
  return lac_device_native(lac_tensor_device(sums), "convolution weights", run_weights, job,
                           sizeof *job, buffers, slots, SLOTS);
}

lac_status lac_convolution_host_weights(const lac_conv_tensors *t, const lac_conv_plan *plan) {
  weights_job job = {.loops = pick_loops(), .plan = *plan};
  lac_device *device = lac_tensor_device(t->gw);
  lac_tensor *sums;
  if (lac_tensor_numel(t->gw) == 0 || lac_tensor_numel(t->gy) == 0) return LAC_OK;
  LAC_TRY(lac_gemm_workers(device, &job.workers));
  job.vectors = (plan->group_out + job.loops->lanes - 1) / job.loops->lanes;
  job.chunks = (job.vectors + VECS - 1) / VECS;
  const uint32_t units = plan->groups * job.chunks;
  const uint32_t wanted = UNITS_EACH * lac_workers_count(job.workers);
  job.splits = least((wanted + units - 1) / units, plan->group);
  const lac_shape shape = {
      4, {(uint64_t)plan->groups * job.vectors, plan->taps, plan->group, job.loops->lanes}};
  LAC_TRY(lac_tensor_new(&sums, device, LAC_F32, &shape));
  const lac_status status = send(&job, t, sums);
  lac_tensor_release(sums);
  return status;
}
