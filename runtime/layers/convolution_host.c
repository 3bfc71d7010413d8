/*
 * A sweep: every position of a result sees some taps of a source, all of whose channels are
 * multiplied by packed weights. Forward is one sweep over x. The gradient of x is one over gy with
 * the taps reversed; with a stride, pixels that differ by less than the stride see different taps,
 * so each such residue is a sweep of its own.
 *
 * Weights are packed by chunks of up to four vectors of outputs: a row of biases, then a row for
 * each tap and channel. A tile of a few pixels of a row and a chunk lives in registers:
 *
 *   for each tap row, for each run of channels without gaps (all taps of a row, or one):
 *     sum[pixel][output] += source[pixel][channel] * packed[channel][output]
 *
 * Threads take bands of rows. Where taps reach into the padding a thread first copies the rows that
 * its band sees, with zeros around them, to a place of its own.
 */
#include "layers/convolution_host.h"

#include "gemm/gemm.h"

#include <math.h>
#include <stdatomic.h>

enum { VECS = 4, ROWS_MOST = 14 }; // of a tile
enum { BAND = 64 * 1024 };         // elements of a source that a band may see
enum { LINE = 98 };                // pixels of a row where rows do not matter
enum { SRC, DST, W, BIAS, PACKED, ROOM, SLOTS };

/* What a tile is made of. */
typedef struct tile_args {
  const float *x, *w;
  float *y;
  uint64_t step, y_step;        // from pixel to pixel
  uint64_t x_row, x_column;     // from tap row to tap row, from run to run
  uint32_t down, across, depth; // tap rows, runs, channels of a run
  uint32_t last;                // outputs in the last vector
  bool add;
} tile_args;

typedef struct loops {
  uint32_t lanes, most;
  void (*tile[VECS])(uint32_t rows, const tile_args *t);
} loops;

#define BODY "layers/convolution_host.inc"
#include "core/vectors.inc"

/* One side of a sweep: position t sees the source at t * stride + first + a * step for a < count,
 * through tap `tap + a * tap_step` of the weights. */
typedef struct side {
  int64_t first, step, tap, tap_step;
  uint32_t count, stride, in, out;
} side;

typedef struct sweep {
  const struct loops *loops;
  lac_workers *workers;
  float *place[SLOTS];
  uint64_t at[SLOTS]; // in elements
  side side[2];
  uint64_t dst_image, dst_row, dst_pixel;
  uint64_t w_out, w_in, taps, pixels; // strides and taps of weights; pixels of a flat sweep
  uint32_t n, channels, width;        // of the source; columns of the window
  uint32_t groups, group, group_out;  // channels in and out of each
  uint32_t band;                      // rows
  uint64_t room;                      // elements per thread
  bool add, flat, copies, with_bias;
  _Atomic uint64_t next; // band to take
} sweep;

bool lac_convolution_on_host(const lac_device *device) {
  return lac_device_is_host(device) && pick_loops();
}

static uint64_t depth_of(const sweep *s) {
  return (uint64_t)s->side[0].count * s->side[1].count * s->group;
}

static uint32_t vectors_of(const sweep *s) {
  return (s->group_out + s->loops->lanes - 1) / s->loops->lanes;
}

static uint32_t chunks_of(const sweep *s) {
  return (vectors_of(s) + VECS - 1) / VECS;
}

/* The vector of outputs at which a chunk starts. */
static uint32_t chunk_cut(const sweep *s, uint32_t chunk) {
  return (uint32_t)((uint64_t)vectors_of(s) * chunk / chunks_of(s));
}

static float *packed_chunk(const sweep *s, uint32_t g, uint32_t chunk) {
  const uint64_t vector = (uint64_t)g * vectors_of(s) + chunk_cut(s, chunk);
  return s->place[PACKED] + vector * s->loops->lanes * (depth_of(s) + 1);
}

/* One output's column of a chunk `wide` outputs wide. */
static void pack_output(const sweep *s, float *to, uint32_t wide, const float *w) {
  const side *y = &s->side[0], *x = &s->side[1];
  for (uint32_t a = 0; a < y->count; a++)
    for (uint32_t b = 0; b < x->count; b++) {
      const int64_t tap = (y->tap + a * y->tap_step) * s->width + x->tap + b * x->tap_step;
      const float *from = w + tap;
      for (uint32_t i = 0; i < s->group; i++, to += wide)
        *to = from[i * s->w_in];
    }
}

static void pack_part(void *arg, uint32_t part) {
  const sweep *s = arg;
  const uint32_t chunks = chunks_of(s), g = part / chunks, chunk = part % chunks;
  const uint32_t lanes = s->loops->lanes, first = chunk_cut(s, chunk) * lanes;
  const uint32_t wide = chunk_cut(s, chunk + 1) * lanes - first;
  float *to = packed_chunk(s, g, chunk);
  const float *w = s->place[W] + (uint64_t)g * s->group_out * s->group * s->taps;
  for (uint32_t o = 0; o < wide; o++) {
    const bool there = first + o < s->group_out;
    to[o] = there && s->with_bias ? s->place[BIAS][g * s->group_out + first + o] : 0;
    if (there)
      pack_output(s, to + wide + o, wide, w + (first + o) * s->w_out);
    else
      for (uint64_t i = 1; i <= depth_of(s); i++)
        to[i * wide + o] = 0;
  }
}

/* The rows of the source that rows first .. end - 1 see, with zeros where it has none. */
static void copy_band(const sweep *s, float *to, const float *image, uint32_t first, uint32_t end) {
  const side *y = &s->side[0], *x = &s->side[1];
  const int64_t top = (int64_t)first * y->stride + y->first;
  const int64_t bottom = (int64_t)(end - 1) * y->stride + y->first + (y->count - 1) * y->step;
  const int64_t right = (int64_t)(x->out - 1) * x->stride + x->first + (x->count - 1) * x->step;
  const int64_t begin = x->first > 0 ? x->first : 0, stop = right < x->in ? right + 1 : x->in;
  const size_t pixel = s->channels, row = (size_t)(right - x->first + 1) * pixel;
  const size_t before = (size_t)(begin - x->first) * pixel;
  const size_t inside = stop > begin ? (size_t)(stop - begin) * pixel : 0;
  for (int64_t i = top; i <= bottom; i++, to += row) {
    if (i < 0 || i >= y->in || inside == 0) {
      memset(to, 0, row * sizeof *to);
      continue;
    }
    memset(to, 0, before * sizeof *to);
    memcpy(to + before, image + ((size_t)i * x->in + (size_t)begin) * pixel, inside * sizeof *to);
    memset(to + before + inside, 0, (row - before - inside) * sizeof *to);
  }
}

/* `count` pixels of a row, one chunk */
static void sweep_row(const sweep *s, tile_args *t, uint32_t vecs, uint32_t count) {
  const uint32_t fit = s->loops->most / vecs, most = fit < ROWS_MOST ? fit : ROWS_MOST;
  const uint32_t tiles = (count + most - 1) / most;
  const float *x = t->x;
  float *y = t->y;
  for (uint32_t i = 0; i < tiles; i++) {
    const uint32_t from = (uint32_t)((uint64_t)count * i / tiles);
    const uint32_t to = (uint32_t)((uint64_t)count * (i + 1) / tiles);
    t->x = x + from * t->step;
    t->y = y + from * t->y_step;
    s->loops->tile[vecs - 1](to - from, t);
  }
}

/* Where the source of row `first` starts, and the elements from row to row. */
static const float *find_source(const sweep *s, float *room, uint32_t image, uint32_t first,
                                uint32_t end, uint64_t *pitch) {
  const side *y = &s->side[0], *x = &s->side[1];
  const float *from = s->place[SRC] + (uint64_t)image * y->in * x->in * s->channels;
  *pitch = (uint64_t)x->in * s->channels;
  if (s->flat) return from + (uint64_t)first * LINE * s->channels;
  if (!s->copies)
    return from + ((uint64_t)(first * (int64_t)y->stride + y->first) * x->in + (uint64_t)x->first) *
                      s->channels;
  const int64_t right = (int64_t)(x->out - 1) * x->stride + (x->count - 1) * x->step;
  *pitch = (uint64_t)(right + 1) * s->channels;
  copy_band(s, room, from, first, end);
  return room;
}

static void sweep_band(const sweep *s, float *room, uint32_t image, uint32_t first, uint32_t end) {
  const side *y = &s->side[0], *x = &s->side[1];
  const uint32_t chunks = chunks_of(s), lanes = s->loops->lanes;
  const bool run = s->groups == 1 && x->step == 1; // the taps of a row lie without gaps
  uint64_t pitch;
  const float *from = find_source(s, room, image, first, end, &pitch);
  const uint64_t next_row = s->flat ? LINE * (uint64_t)s->channels : pitch * y->stride;
  float *to = s->place[DST] + image * s->dst_image;
  for (uint32_t g = 0; g < s->groups; g++)
    for (uint32_t chunk = 0; chunk < chunks; chunk++) {
      const uint32_t begin = chunk_cut(s, chunk), vecs = chunk_cut(s, chunk + 1) - begin;
      const uint32_t left = s->group_out - (begin + vecs - 1) * lanes;
      tile_args t = {.w = packed_chunk(s, g, chunk),
                     .step = (uint64_t)x->stride * s->channels,
                     .y_step = s->dst_pixel,
                     .x_row = (uint64_t)y->step * pitch,
                     .x_column = (uint64_t)x->step * s->channels,
                     .down = y->count,
                     .across = run ? 1 : x->count,
                     .depth = run ? x->count * s->group : s->group,
                     .last = left < lanes ? left : lanes,
                     .add = s->add};
      for (uint32_t row = first; row < end; row++) {
        const uint64_t rest = s->flat ? s->pixels - (uint64_t)row * LINE : x->out;
        t.x = from + (row - first) * next_row + (uint64_t)g * s->group;
        t.y = to + row * s->dst_row + (uint64_t)g * s->group_out + (uint64_t)begin * lanes;
        sweep_row(s, &t, vecs, (uint32_t)(s->flat && rest > LINE ? LINE : rest));
      }
    }
}

static uint32_t bands_of(const sweep *s) {
  return (s->side[0].out + s->band - 1) / s->band;
}

/* Each thread takes bands while there are any. */
static void sweep_part(void *arg, uint32_t part) {
  sweep *s = arg;
  const uint32_t bands = bands_of(s);
  const uint64_t units = (uint64_t)s->n * bands;
  uint64_t unit;
  while ((unit = atomic_fetch_add_explicit(&s->next, 1, memory_order_relaxed)) < units) {
    const uint32_t first = (uint32_t)(unit % bands) * s->band, left = s->side[0].out - first;
    sweep_band(s, s->copies ? s->place[ROOM] + part * s->room : NULL, (uint32_t)(unit / bands),
               first, first + (left < s->band ? left : s->band));
  }
}

static void run_sweep(void *args) {
  sweep *s = args;
  for (int i = 0; i < SLOTS; i++)
    if (s->place[i]) s->place[i] += s->at[i];
  lac_workers_run(s->workers, pack_part, s, s->groups * chunks_of(s));
  lac_workers_run(s->workers, sweep_part, s, lac_workers_count(s->workers));
}

static bool reaches_out(const side *d) {
  return d->first < 0 ||
         (int64_t)(d->out - 1) * d->stride + d->first + (d->count - 1) * d->step >= d->in;
}

/* Rows that the band of `rows` rows of results sees. */
static uint64_t rows_seen(const sweep *s, uint64_t rows) {
  const side *y = &s->side[0];
  return (rows - 1) * y->stride + (uint64_t)((y->count - 1) * y->step) + 1;
}

/* How the rows are shared out, and the elements that a copied band needs. */
static void choose_bands(sweep *s) {
  const side *x = &s->side[1];
  const uint64_t columns =
      s->flat ? LINE
              : (uint64_t)(x->out - 1) * x->stride + (uint64_t)((x->count - 1) * x->step) + 1;
  const uint64_t width = columns * s->channels;
  const uint32_t wanted = 4 * lac_workers_count(s->workers);
  s->band = s->side[0].out;
  while (s->band > 1 &&
         (rows_seen(s, s->band) * width > BAND || (uint64_t)s->n * bands_of(s) < wanted))
    s->band = (s->band + 1) / 2;
  if (s->copies) s->room = rows_seen(s, s->band) * width;
}

/* Rows do not matter where each position sees its own pixel. */
static void flatten(sweep *s) {
  side *y = &s->side[0], *x = &s->side[1];
  s->pixels = (uint64_t)s->n * y->out * x->out;
  s->n = 1;
  s->flat = true;
  y->in = y->out = (uint32_t)((s->pixels + LINE - 1) / LINE);
  x->in = x->out = LINE;
  s->dst_row = LINE * s->dst_pixel;
}

/* Whether the outputs are those of single pixels, which lie one after the other, images too: what
 * strided gradients write has gaps. */
static bool is_pixel(const sweep *s) {
  bool is = true;
  for (int d = 0; d < 2; d++) {
    const side *one = &s->side[d];
    is = is && one->count == 1 && one->stride == 1 && one->first == 0 && one->in == one->out;
  }
  return is && s->dst_row == s->side[1].out * s->dst_pixel &&
         (s->n == 1 || s->dst_image == s->side[0].out * s->dst_row);
}

static lac_status send(sweep *s, lac_tensor *const tensors[SLOTS], lac_tensor *packed,
                       lac_tensor *room, const char *name) {
  lac_buffer *buffers[SLOTS];
  size_t slots[SLOTS];
  uint32_t count = 0;
  for (int i = 0; i < SLOTS; i++) {
    lac_tensor *one = i == PACKED ? packed : i == ROOM ? room : tensors[i];
    if (!one) continue;
    s->at[i] += lac_tensor_offset(one);
    buffers[count] = lac_tensor_buffer(one);
    slots[count++] = offsetof(sweep, place) + (size_t)i * sizeof s->place[0];
  }
  return lac_device_native(lac_tensor_device(packed), name, run_sweep, s, sizeof *s, buffers, slots,
                           count);
}

static lac_status start(sweep *s, lac_tensor *const tensors[SLOTS], const char *name) {
  lac_device *device = lac_tensor_device(tensors[DST]);
  lac_tensor *packed, *room = NULL;
  if (lac_tensor_numel(tensors[DST]) == 0) return LAC_OK;
  s->loops = pick_loops();
  LAC_TRY(lac_gemm_workers(device, &s->workers));
  if (is_pixel(s)) flatten(s);
  s->copies = reaches_out(&s->side[0]) || reaches_out(&s->side[1]);
  choose_bands(s);
  const lac_shape panels = {
      3, {(uint64_t)s->groups * vectors_of(s), depth_of(s) + 1, s->loops->lanes}};
  const lac_shape rooms = {2, {lac_workers_count(s->workers), s->room}};
  LAC_TRY(lac_tensor_new(&packed, device, LAC_F32, &panels));
  lac_status status = s->copies ? lac_tensor_new(&room, device, LAC_F32, &rooms) : LAC_OK;
  if (status == LAC_OK) status = send(s, tensors, packed, room, name);
  lac_tensor_release(packed);
  lac_tensor_release(room);
  return status;
}

lac_status lac_convolution_host_forward(const lac_conv_tensors *t, const lac_conv_plan *plan) {
  const lac_slide *slide = &plan->slide;
  lac_tensor *const tensors[SLOTS] = {[SRC] = t->x, [DST] = t->y, [W] = t->w, [BIAS] = t->bias};
  sweep s = {.dst_pixel = plan->out,
             .dst_row = (uint64_t)slide->out[1] * plan->out,
             .dst_image = (uint64_t)slide->out[0] * slide->out[1] * plan->out,
             .w_out = (uint64_t)plan->group * plan->taps,
             .w_in = plan->taps,
             .taps = plan->taps,
             .n = slide->n,
             .channels = slide->channels,
             .width = slide->window.size[1],
             .groups = plan->groups,
             .group = plan->group,
             .group_out = plan->group_out,
             .with_bias = t->bias != NULL};
  for (int d = 0; d < 2; d++)
    s.side[d] = (side){.first = -(int64_t)slide->window.before[d],
                       .step = slide->window.dilation[d],
                       .tap_step = 1,
                       .count = slide->window.size[d],
                       .stride = slide->window.stride[d],
                       .in = slide->in[d],
                       .out = slide->out[d]};
  return start(&s, tensors, "convolution");
}

/* The taps through which pixels `residue` + t * stride of x see gy, from the last to the first. */
static side reversed_side(const lac_slide *slide, int d, uint32_t residue) {
  const int64_t stride = slide->window.stride[d], step = slide->window.dilation[d];
  const int64_t from = (int64_t)residue + slide->window.before[d];
  side found = {.stride = 1,
                .step = 1,
                .in = slide->out[d],
                .out = (uint32_t)((slide->in[d] - residue + stride - 1) / stride)};
  int64_t before = -1; // the tap found before
  for (int64_t tap = 0; tap < slide->window.size[d]; tap++) {
    if ((from - tap * step) % stride) continue;
    found.first = (from - tap * step) / stride;
    if (before >= 0) {
      found.step = (tap - before) * step / stride;
      found.tap_step = before - tap;
    }
    found.tap = before = tap;
    found.count++;
  }
  return found;
}

static lac_status bwd_residue(const lac_conv_tensors *t, const lac_conv_plan *plan, bool fresh,
                              uint32_t i, uint32_t j) {
  const lac_slide *slide = &plan->slide;
  const lac_window *window = &slide->window;
  lac_tensor *const tensors[SLOTS] = {[SRC] = t->gy, [DST] = t->gx, [W] = t->w};
  const uint64_t row = (uint64_t)slide->in[1] * slide->channels;
  sweep s = {.side = {reversed_side(slide, 0, i), reversed_side(slide, 1, j)},
             .dst_pixel = (uint64_t)slide->channels * window->stride[1],
             .dst_row = row * window->stride[0],
             .dst_image = row * slide->in[0],
             .w_out = plan->taps,
             .w_in = (uint64_t)plan->group * plan->taps,
             .taps = plan->taps,
             .n = slide->n,
             .channels = plan->out,
             .width = window->size[1],
             .groups = plan->groups,
             .group = plan->group_out,
             .group_out = plan->group,
             .add = !fresh};
  s.at[DST] = i * row + (uint64_t)j * slide->channels;
  if (s.side[0].count == 0 || s.side[1].count == 0) {
    if (!fresh) return LAC_OK;
    s.group = 0; // nothing is seen: sums without terms
    for (int d = 0; d < 2; d++)
      s.side[d] = (side){.count = 1, .stride = 1, .in = s.side[d].out, .out = s.side[d].out};
  }
  return start(&s, tensors, "convolution gradient");
}

lac_status lac_convolution_host_backward(const lac_conv_tensors *t, const lac_conv_plan *plan,
                                         bool fresh) {
  const lac_slide *slide = &plan->slide;
  for (uint32_t i = 0; i < slide->window.stride[0] && i < slide->in[0]; i++)
    for (uint32_t j = 0; j < slide->window.stride[1] && j < slide->in[1]; j++)
      LAC_TRY(bwd_residue(t, plan, fresh, i, j));
  return LAC_OK;
}
