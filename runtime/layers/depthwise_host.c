/*
 * Weights are turned to [tap, channel] first. Threads take rows: of results forward, of x backward,
 * and for the weights a fixed number of parts of all rows, whose sums are added in their order.
 */
#include "layers/depthwise_host.h"

#include "gemm/gemm.h"

#include <math.h>

enum { X, Y, W, BIAS, GY, GX, GW, ROOM, SLOTS };
enum { PARTS = 16 }; // of the sum over rows

/* The taps inside the maps that a position sees. */
typedef struct taps {
  uint64_t x_row, x_column, w_row; // elements from tap to tap
  uint32_t down, across, channels;
} taps;

typedef struct loops {
  void (*forward)(float *y, const float *x, const float *w, const float *bias, const taps *t);
  void (*spread)(float *gx, uint64_t step, const float *gy, const float *w, uint32_t channels,
                 uint32_t count);
  void (*gather)(float *sums, const float *gy, const float *x, uint64_t step, uint32_t channels,
                 uint32_t pixels);
} loops;

/* What travels through the queue. */
typedef struct depthwise_job {
  const struct loops *loops;
  lac_workers *workers;
  float *place[SLOTS];
  uint64_t at[SLOTS]; // in elements
  lac_slide slide;
  uint32_t taps, parts;
  bool fresh;
} depthwise_job;

#define BODY "layers/depthwise_host.inc"
#include "core/vectors.inc"

bool lac_depthwise_on_host(const lac_device *device, const lac_conv_plan *plan) {
  return plan->group_out == 1 && lac_device_is_host(device) && pick_loops();
}

static void forward_row(void *arg, uint32_t part) {
  const depthwise_job *job = arg;
  const lac_slide *s = &job->slide;
  const lac_window *w = &s->window;
  const uint64_t c = s->channels, image = part / s->out[0];
  const uint32_t row = part % s->out[0];
  float *y = job->place[Y] + (uint64_t)part * s->out[1] * c;
  taps t = {.x_row = (uint64_t)w->dilation[0] * s->in[1] * c,
            .x_column = w->dilation[1] * c,
            .w_row = w->size[1] * c,
            .channels = s->channels};
  uint32_t a, b, i, j;
  t.down = lac_slide_taps(s, 0, row, &a, &i);
  for (uint32_t column = 0; column < s->out[1]; column++, y += c) {
    t.across = lac_slide_taps(s, 1, column, &b, &j);
    const uint64_t from = ((image * s->in[0] + i) * s->in[1] + j) * c;
    job->loops->forward(y, job->place[X] + from,
                        job->place[ROOM] + ((uint64_t)a * w->size[1] + b) * c, job->place[BIAS],
                        &t);
  }
}

/* One row of gx */
static void backward_row(void *arg, uint32_t part) {
  const depthwise_job *job = arg;
  const lac_slide *s = &job->slide;
  const lac_window *w = &s->window;
  const uint64_t c = s->channels, image = part / s->in[0];
  const uint32_t row = part % s->in[0];
  float *gx = job->place[GX] + (uint64_t)part * s->in[1] * c;
  if (job->fresh) memset(gx, 0, s->in[1] * c * sizeof *gx);
  for (uint32_t a = 0; a < w->size[0]; a++) {
    const int64_t reach = (int64_t)row + w->before[0] - (int64_t)a * w->dilation[0];
    const int64_t seen = reach / w->stride[0];
    if (reach < 0 || reach % w->stride[0] || seen >= s->out[0]) continue;
    const float *gy = job->place[GY] + (image * s->out[0] + (uint64_t)seen) * s->out[1] * c;
    for (uint32_t b = 0; b < w->size[1]; b++) {
      uint32_t first, from;
      const uint32_t count = lac_slide_seen(s, 1, b, &first, &from);
      job->loops->spread(gx + from * c, w->stride[1] * c, gy + first * c,
                         job->place[ROOM] + ((uint64_t)a * w->size[1] + b) * c, s->channels, count);
    }
  }
}

/* The sums of some rows of gy: [tap, channel] */
static void weights_part(void *arg, uint32_t part) {
  const depthwise_job *job = arg;
  const lac_slide *s = &job->slide;
  const lac_window *w = &s->window;
  const uint64_t c = s->channels, rows = (uint64_t)s->n * s->out[0];
  float *sums = job->place[ROOM] + part * job->taps * c;
  memset(sums, 0, job->taps * c * sizeof *sums);
  for (uint64_t r = rows * part / job->parts; r < rows * (part + 1) / job->parts; r++) {
    const uint64_t image = r / s->out[0];
    const uint32_t row = (uint32_t)(r % s->out[0]);
    uint32_t a0, i, first, from;
    const uint32_t down = lac_slide_taps(s, 0, row, &a0, &i);
    for (uint32_t a = a0; a < a0 + down; a++, i += w->dilation[0]) {
      const float *x = job->place[X] + (image * s->in[0] + i) * s->in[1] * c;
      for (uint32_t b = 0; b < w->size[1]; b++) {
        const uint32_t count = lac_slide_seen(s, 1, b, &first, &from);
        job->loops->gather(sums + ((uint64_t)a * w->size[1] + b) * c,
                           job->place[GY] + (r * s->out[1] + first) * c, x + from * c,
                           w->stride[1] * c, s->channels, count);
      }
    }
  }
}

static void find_places(depthwise_job *job) {
  for (int i = 0; i < SLOTS; i++)
    if (job->place[i]) job->place[i] += job->at[i];
}

static void order_weights(const depthwise_job *job) {
  const uint64_t c = job->slide.channels;
  for (uint64_t i = 0; i < c; i++)
    for (uint32_t tap = 0; tap < job->taps; tap++)
      job->place[ROOM][tap * c + i] = job->place[W][i * job->taps + tap];
}

static void run_forward(void *args) {
  depthwise_job *job = args;
  find_places(job);
  order_weights(job);
  lac_workers_run(job->workers, forward_row, job, job->slide.n * job->slide.out[0]);
}

static void run_backward(void *args) {
  depthwise_job *job = args;
  find_places(job);
  order_weights(job);
  lac_workers_run(job->workers, backward_row, job, job->slide.n * job->slide.in[0]);
}

static void run_weights(void *args) {
  depthwise_job *job = args;
  const uint64_t c = job->slide.channels;
  find_places(job);
  lac_workers_run(job->workers, weights_part, job, job->parts);
  for (uint32_t part = 0; part < job->parts; part++)
    for (uint64_t i = 0; i < c; i++)
      for (uint32_t tap = 0; tap < job->taps; tap++)
        job->place[GW][i * job->taps + tap] += job->place[ROOM][(part * job->taps + tap) * c + i];
}

/* `room` matrices [tap, channel] beside the tensors */
static lac_status send(const lac_conv_tensors *t, const lac_conv_plan *plan, depthwise_job *job,
                       const char *name, void (*run)(void *args)) {
  lac_device *device = lac_tensor_device(t->x);
  const lac_shape shape = {3, {job->parts, plan->taps, plan->out}};
  lac_tensor *room;
  lac_buffer *buffers[SLOTS];
  size_t slots[SLOTS];
  uint32_t count = 0;
  if (lac_slide_positions(&plan->slide) == 0) return LAC_OK;
  job->loops = pick_loops();
  job->slide = plan->slide;
  job->taps = plan->taps;
  LAC_TRY(lac_gemm_workers(device, &job->workers));
  LAC_TRY(lac_tensor_new(&room, device, LAC_F32, &shape));
  lac_tensor *const tensors[SLOTS] = {t->x, t->y, t->w, t->bias, t->gy, t->gx, t->gw, room};
  for (int i = 0; i < SLOTS; i++) {
    if (!tensors[i]) continue;
    job->at[i] = lac_tensor_offset(tensors[i]);
    buffers[count] = lac_tensor_buffer(tensors[i]);
    slots[count++] = offsetof(depthwise_job, place) + (size_t)i * sizeof job->place[0];
  }
  const lac_status status =
      lac_device_native(device, name, run, job, sizeof *job, buffers, slots, count);
  lac_tensor_release(room);
  return status;
}

lac_status lac_depthwise_host_forward(const lac_conv_tensors *t, const lac_conv_plan *plan) {
  depthwise_job job = {.parts = 1};
  return send(t, plan, &job, "depthwise", run_forward);
}

lac_status lac_depthwise_host_backward(const lac_conv_tensors *t, const lac_conv_plan *plan,
                                       bool fresh) {
  depthwise_job job = {.parts = 1, .fresh = fresh};
  return send(t, plan, &job, "depthwise gradient", run_backward);
}

lac_status lac_depthwise_host_weights(const lac_conv_tensors *t, const lac_conv_plan *plan) {
  depthwise_job job = {.parts = PARTS};
  return send(t, plan, &job, "depthwise weights", run_weights);
}
