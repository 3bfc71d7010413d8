/*
 * With G_t = gy_t^T x_t for the draw b_t of time step t:
 *
 *     gw += sum_t b_t G_t        glogit += w p (1 - p) sum_t G_t
 *
 * A range's gradients are made tile by tile by lac_tile's series, for which masks cost little more
 * than the product of all steps. gy and x are stacked and packed for it first. A gradient of
 * mask_count() that waits for the logit goes along.
 */
#include "sparse/drawn.h"

#include "core/memory.h"
#include "device/pool.h"
#include "gemm/packed.h"
#include "ops/op.h"
#include "sparse/mask.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
  GROUP = 4,  // panels whose x stays in the second-level cache
  STRIP = 16, // tiles whose gy is packed at a time
  STEPS = 48, // draws that one pass takes
};

typedef struct gradient_job {
  lac_workers *workers;
  const lac_tile *tile;
  uint64_t rows, columns, start, width; // of w, and of the range
  uint32_t steps, row[STEPS + 1];       // draws, and where the rows of each begin in x
  uint64_t panels, tiles, down;         // down: parts that the tiles of a group are cut into
  bool add_w, add_logit, want_w, want_logit, bypass, with_count;
  uint64_t gw_at, glogit_at, w_at, odds_at, gy_at, x_at, count_at; // in elements
  float *gw, *glogit;
  const float *w, *odds, *gy, *x, *count;
  const uint32_t *words[STEPS]; // of each draw
  uint64_t first_word;          // of the range: there at [panel][row]
  float *room;                  // x as [panel][depth][LAC_PANEL], then gy as [tile][depth][height]
} gradient_job;

/* Rows of all x together. */
static uint64_t depth_of(const gradient_job *job) {
  return job->row[job->steps];
}

static uint64_t tile_top(const gradient_job *job, uint64_t tile) {
  return job->rows * tile / job->tiles;
}

static float *packed_x(const gradient_job *job, uint64_t panel) {
  return job->room + panel * depth_of(job) * LAC_PANEL;
}

static float *packed_gy(const gradient_job *job, uint64_t tile) {
  return packed_x(job, job->panels) + tile_top(job, tile) * depth_of(job);
}

static void pack_x(void *arg, uint32_t panel) {
  const gradient_job *job = arg;
  lac_packed_fill(job->room, job->x + job->x_at, 1, job->width, job->width, depth_of(job), panel,
                  panel + 1);
}

/* Several tiles at a time: a row of gy is a page of its own. */
static void pack_gy(void *arg, uint32_t part) {
  const gradient_job *job = arg;
  const uint64_t first = (uint64_t)part * STRIP;
  const uint64_t end = first + STRIP < job->tiles ? first + STRIP : job->tiles;
  for (uint64_t i = 0; i < depth_of(job); i++)
    for (uint64_t tile = first; tile < end; tile++) {
      const uint64_t top = tile_top(job, tile), height = tile_top(job, tile + 1) - top;
      const float *from = job->gy + job->gy_at + i * job->rows + top;
      float *to = packed_gy(job, tile) + i * height;
      uint64_t r = 0;
      for (; r + 4 <= height; r += 4)
        memcpy(to + r, from + r, 4 * sizeof *to);
      for (; r < height; r++)
        to[r] = from[r];
    }
}

/* A row of a tile into the gradients; `columns` is a constant where it matters. */
static inline void store_row(const gradient_job *job, uint64_t at, uint64_t columns,
                             const float *restrict kept, const float *restrict all) {
  const float *restrict w = job->w + job->w_at + at, *restrict odds = job->odds + job->odds_at + at;
  float *restrict gw = job->gw + job->gw_at + at, *restrict glogit =
                                                      job->glogit + job->glogit_at + at;
  if (job->want_w && job->add_w)
    for (uint64_t j = 0; j < columns; j++)
      gw[j] += kept[j];
  else if (job->want_w)
    memcpy(gw, kept, columns * sizeof *gw);
  if (!job->want_logit) return;
  const float count = job->with_count ? job->count[job->count_at] : 0.0f;
  float part[LAC_PANEL];
  for (uint64_t j = 0; j < columns; j++) {
    const float p = 1.0f / odds[j], slope = p * (1.0f - p);
    part[j] = all[j] * w[j] * (job->bypass ? 1.0f : slope) + count * slope;
  }
  if (job->add_logit)
    for (uint64_t j = 0; j < columns; j++)
      glogit[j] += part[j];
  else
    memcpy(glogit, part, columns * sizeof *glogit);
}

static void make_tile(const gradient_job *job, uint64_t tile, uint64_t panel) {
  _Alignas(64) float kept[LAC_TILE_ROWS_MAX * LAC_PANEL], all[LAC_TILE_ROWS_MAX * LAC_PANEL];
  const uint64_t top = tile_top(job, tile), height = tile_top(job, tile + 1) - top;
  const uint64_t left = job->width - panel * LAC_PANEL;
  const uint64_t at = top * job->columns + job->start + panel * LAC_PANEL;
  const lac_series series = {
      .count = job->steps,
      .row = job->row,
      .words = job->words,
      .first_word = job->first_word + panel * job->rows + top,
      .ahead = {job->want_w ? job->gw + job->gw_at + at : NULL,
                job->want_logit ? job->glogit + job->glogit_at + at : NULL,
                job->want_logit ? job->w + job->w_at + at : NULL,
                job->want_logit ? job->odds + job->odds_at + at : NULL},
      .ahead_gap = job->columns,
  };
  job->tile->series((uint32_t)height, &series, packed_gy(job, tile), packed_x(job, panel), kept,
                    all);
  for (uint64_t r = 0; r < height; r++)
    store_row(job, at + r * job->columns, left < LAC_PANEL ? left : LAC_PANEL, kept + r * LAC_PANEL,
              all + r * LAC_PANEL);
}

static void make_part(void *arg, uint32_t part) {
  const gradient_job *job = arg;
  const uint64_t first = part / job->down * GROUP, piece = part % job->down;
  const uint64_t end = first + GROUP < job->panels ? first + GROUP : job->panels;
  for (uint64_t tile = job->tiles * piece / job->down; tile < job->tiles * (piece + 1) / job->down;
       tile++)
    for (uint64_t panel = first; panel < end; panel++)
      make_tile(job, tile, panel);
}

static void run_gradient(void *args) {
  gradient_job *job = args;
  const uint64_t groups = (job->panels + GROUP - 1) / GROUP, wanted = 16;
  lac_workers_run(job->workers, pack_x, job, (uint32_t)job->panels);
  lac_workers_run(job->workers, pack_gy, job, (uint32_t)((job->tiles + STRIP - 1) / STRIP));
  job->down = groups < wanted ? (wanted + groups - 1) / groups : 1;
  lac_workers_run(job->workers, make_part, job, (uint32_t)(groups * job->down));
}

/* Where gradients go, and what goes along. */
typedef struct targets {
  lac_tensor *gw, *glogit; // NULL where none is wanted
  bool add_w, add_logit;
  const lac_tensor *count; // NULL: none
} targets;

/* The parts' masks come in the order of lac_stack_parts(). */
static lac_status enqueue(gradient_job *job, const lac_masked *m, const targets *to,
                          const lac_part *parts, const lac_tensor *gy, const lac_tensor *x,
                          lac_buffer *room) {
  enum { OTHERS = 8 };
  lac_tensor *any = to->gw ? to->gw : to->glogit;
  job->gw_at = lac_tensor_offset(to->gw ? to->gw : any);
  job->glogit_at = lac_tensor_offset(to->glogit ? to->glogit : any);
  job->w_at = lac_tensor_offset(m->w);
  job->odds_at = lac_tensor_offset(m->odds);
  job->gy_at = lac_tensor_offset(gy);
  job->x_at = lac_tensor_offset(x);
  job->count_at = to->count ? lac_tensor_offset(to->count) : 0;
  lac_buffer *buffers[OTHERS + STEPS] = {lac_tensor_buffer(to->gw ? to->gw : any),
                                         lac_tensor_buffer(to->glogit ? to->glogit : any),
                                         lac_tensor_buffer(m->w),
                                         lac_tensor_buffer(m->odds),
                                         lac_tensor_buffer(gy),
                                         lac_tensor_buffer(x),
                                         room,
                                         lac_tensor_buffer(to->count ? to->count : gy)};
  size_t slots[OTHERS + STEPS] = {offsetof(gradient_job, gw),   offsetof(gradient_job, glogit),
                                  offsetof(gradient_job, w),    offsetof(gradient_job, odds),
                                  offsetof(gradient_job, gy),   offsetof(gradient_job, x),
                                  offsetof(gradient_job, room), offsetof(gradient_job, count)};
  for (uint32_t t = 0; t < job->steps; t++) {
    const lac_drawn *drawn = parts[job->steps - 1 - t].extra.object;
    buffers[OTHERS + t] = drawn->back;
    slots[OTHERS + t] = offsetof(gradient_job, words) + t * sizeof *job->words;
  }
  return lac_device_native(lac_tensor_device(m->w), "mask gradient", run_gradient, job, sizeof *job,
                           buffers, slots, OTHERS + job->steps);
}

/* At most STEPS parts of one range. */
static lac_status add_range(const lac_masked *m, uint32_t cut, const targets *to,
                            const lac_part *parts, size_t count) {
  const lac_bits_plan *plan = &m->plan;
  const lac_tile *tile = lac_packed_tile(LAC_PACKED_BEST);
  gradient_job job = {
      .tile = tile,
      .rows = plan->rows,
      .columns = plan->columns,
      .start = plan->start[cut],
      .width = plan->width[cut],
      .steps = (uint32_t)count,
      .first_word = plan->back[cut],
      .panels = lac_packed_panels(plan->width[cut]),
      .tiles = (plan->rows + tile->rows - 1) / tile->rows,
      .add_w = to->add_w,
      .add_logit = to->add_logit,
      .want_w = to->gw != NULL,
      .want_logit = to->glogit != NULL,
      .bypass = m->bypass,
      .with_count = to->count != NULL,
  };
  lac_tensor *gy = NULL, *x = NULL;
  lac_buffer *room = NULL;
  LAC_TRY(lac_gemm_workers(lac_tensor_device(m->w), &job.workers));
  for (size_t i = 0; i < count; i++)
    job.row[i + 1] = job.row[i] + (uint32_t)lac_tensor_shape(parts[count - 1 - i].x)->dim[0];
  const uint64_t floats = depth_of(&job) * (job.panels * LAC_PANEL + job.rows);
  lac_status status = lac_stack_parts(&gy, parts, count, false);
  if (status == LAC_OK) status = lac_stack_parts(&x, parts, count, true);
  if (status == LAC_OK)
    status = lac_buffer_new(&room, lac_tensor_device(m->w), floats * sizeof(float), "gradients");
  if (status == LAC_OK) status = enqueue(&job, m, to, parts, gy, x, room);
  lac_tensor_release(gy);
  lac_tensor_release(x);
  lac_buffer_release(room);
  return status;
}

/* The next parts that go together: of one range of one masked weight. */
static size_t take_range(lac_part *taken, const lac_part *parts, size_t count, bool *done,
                         size_t first) {
  const lac_drawn *lead = parts[first].extra.object;
  size_t n = 0;
  for (size_t i = first; i < count && n < STEPS; i++) {
    const lac_drawn *drawn = parts[i].extra.object;
    if (done[i] || drawn->cut != lead->cut || drawn->of != lead->of) continue;
    done[i] = true;
    taken[n++] = parts[i];
  }
  return n;
}

/* Whether the parts have every range of m, so that nothing of a fresh gradient would be left
 * undefined. */
static bool covers(const lac_masked *m, const lac_part *parts, size_t count) {
  uint32_t seen = 0;
  for (size_t i = 0; i < count; i++) {
    const lac_drawn *drawn = parts[i].extra.object;
    if (drawn->of == m) seen |= 1u << drawn->cut;
  }
  return seen == (1u << m->plan.cuts) - 1;
}

/* A gradient to fill or to add to; one that would not be filled starts as zeros. */
static lac_status begin(lac_tensor **out, bool *add, lac_tensor *x, bool filled) {
  bool fresh = false;
  if (!lac_tensor_requires_grad(x)) return LAC_OK;
  LAC_TRY(filled ? lac_tensor_borrow_fresh_grad(out, &fresh, x) : lac_tensor_borrow_grad(out, x));
  *add = !fresh;
  return LAC_OK;
}

/* The parts of one masked weight, range by range. */
static lac_status add_masked(const lac_masked *m, const lac_part *parts, size_t count, bool *done,
                             lac_part *taken) {
  targets first = {0};
  lac_part along = {0};
  uint32_t seen = 0;
  const bool filled = covers(m, parts, count);
  LAC_TRY(begin(&first.gw, &first.add_w, m->w, filled));
  LAC_TRY(begin(&first.glogit, &first.add_logit, m->logit, filled));
  const bool with =
      first.glogit && filled && lac_tape_take(lac_mask_count_gradient, m->logit, &along);
  lac_status status = LAC_OK;
  for (size_t i = 0; i < count && status == LAC_OK; i++) {
    const lac_drawn *drawn = parts[i].extra.object;
    if (done[i] || drawn->of != m) continue;
    const bool again = seen >> drawn->cut & 1;
    targets to = first;
    to.count = with && !again ? along.gy : NULL;
    to.add_w = to.add_w || again;
    to.add_logit = to.add_logit || again;
    seen |= 1u << drawn->cut;
    status = add_range(m, drawn->cut, &to, taken, take_range(taken, parts, count, done, i));
  }
  if (!with) return status;
  lac_tensor_release(along.gy);
  lac_tensor_release(along.x);
  return status;
}

lac_status lac_drawn_gradient(lac_tensor *w, const lac_part *parts, size_t count) {
  lac_part *taken;
  bool *done;
  (void)w; // the masked weights of the parts have it
  LAC_TRY(lac_alloc(&taken, count, sizeof *taken, "gradients"));
  lac_status status = lac_alloc(&done, count, sizeof *done, "gradients");
  if (status != LAC_OK) {
    free(taken);
    return status;
  }
  for (size_t i = 0; i < count && status == LAC_OK; i++) {
    const lac_drawn *drawn = parts[i].extra.object;
    if (!done[i]) status = add_masked(drawn->of, parts, count, done, taken);
  }
  free(taken);
  free(done);
  return status;
}
