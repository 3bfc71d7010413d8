/* Objects and products; the drawing is bits.c, the gradients drawn_gradient.c. */
#include "sparse/drawn.h"

#include "core/memory.h"
#include "ops/elementwise.h"
#include "ops/op.h"
#include "sparse/mask_host.h"

#include <stddef.h>
#include <stdlib.h>

enum { LIMITS_PART = 16384 }; // elements

/* What travels through the queue for a draw. */
typedef struct draw_job {
  lac_bits_plan plan;
  lac_workers *workers;
  lac_rng rng;
  bool with_noise;
  uint64_t odds_at, noise_at; // in elements
  const float *odds, *noise;
  uint16_t *limits, *quarters;
  uint32_t *forward, *back;
  uint64_t units;
  uint32_t parts;
} draw_job;

static void draw_part(void *arg, uint32_t part) {
  const draw_job *job = arg;
  const uint64_t first = job->units * part / job->parts, end = job->units * (part + 1) / job->parts;
  if (job->with_noise)
    lac_bits_compare(&job->plan, job->quarters, job->noise + job->noise_at,
                     job->odds + job->odds_at, first, end);
  else
    lac_bits_draw(&job->plan, job->quarters, &job->rng, job->odds + job->odds_at, job->limits,
                  first, end);
}

static void limit_part(void *arg, uint32_t part) {
  const draw_job *job = arg;
  const uint64_t count = job->plan.rows * job->plan.columns;
  const uint64_t first = (uint64_t)part * LIMITS_PART, left = count - first;
  lac_bits_limits(job->limits + first, job->odds + job->odds_at + first,
                  left < LIMITS_PART ? left : LIMITS_PART);
}

static void order_part(void *arg, uint32_t part) {
  const draw_job *job = arg;
  const uint64_t first = job->units * part / job->parts, end = job->units * (part + 1) / job->parts;
  lac_bits_order(&job->plan, job->forward, job->back, job->quarters, first, end);
}

static void run_units(draw_job *job, void (*run)(void *arg, uint32_t part), uint64_t units) {
  const uint64_t most = 8 * (uint64_t)lac_workers_count(job->workers);
  job->units = units;
  job->parts = (uint32_t)(units < most ? units : most);
  if (job->parts) lac_workers_run(job->workers, run, job, job->parts);
}

static void run_draw(void *args) {
  draw_job *job = args;
  run_units(job, draw_part, lac_bits_blocks(&job->plan));
  run_units(job, order_part, (job->plan.rows + 31) / 32);
}

static void run_limits(void *args) {
  draw_job *job = args;
  const uint64_t count = job->plan.rows * job->plan.columns;
  lac_workers_run(job->workers, limit_part, job,
                  (uint32_t)((count + LIMITS_PART - 1) / LIMITS_PART));
}

static lac_status make_limits(lac_masked *m) {
  lac_device *device = lac_tensor_device(m->w);
  const uint64_t count = lac_tensor_numel(m->w);
  draw_job job = {.plan = m->plan, .odds_at = lac_tensor_offset(m->odds)};
  static const size_t slots[] = {offsetof(draw_job, odds), offsetof(draw_job, limits)};
  LAC_TRY(lac_gemm_workers(device, &job.workers));
  LAC_TRY(lac_buffer_new(&m->limits, device, count * sizeof *job.limits, "a mask"));
  if (count == 0) return LAC_OK;
  lac_buffer *const buffers[] = {lac_tensor_buffer(m->odds), m->limits};
  const lac_status status =
      lac_device_native(device, "mask limits", run_limits, &job, sizeof job, buffers, slots, 2);
  if (status == LAC_OK) return LAC_OK;
  lac_buffer_release(m->limits);
  m->limits = NULL;
  return status;
}

/* Enqueue a draw into buffers that are there. */
static lac_status enqueue_draw(lac_masked *m, const lac_rng *rng, const lac_tensor *noise,
                               lac_buffer *quarters, lac_buffer *forward, lac_buffer *back) {
  lac_device *device = lac_tensor_device(m->w);
  draw_job job = {.plan = m->plan, .with_noise = noise != NULL};
  if (rng) job.rng = *rng;
  job.odds_at = lac_tensor_offset(m->odds);
  job.noise_at = noise ? lac_tensor_offset(noise) : 0;
  LAC_TRY(lac_gemm_workers(device, &job.workers));
  if (!noise && !m->limits) LAC_TRY(make_limits(m));
  lac_buffer *const buffers[] = {lac_tensor_buffer(m->odds), quarters, forward, back,
                                 noise ? lac_tensor_buffer(noise) : m->limits};
  const size_t slots[] = {offsetof(draw_job, odds), offsetof(draw_job, quarters),
                          offsetof(draw_job, forward), offsetof(draw_job, back),
                          noise ? offsetof(draw_job, noise) : offsetof(draw_job, limits)};
  return lac_device_native(device, "mask draw", run_draw, &job, sizeof job, buffers, slots, 5);
}

static lac_status draw_bits(lac_masked *m, const lac_rng *rng, const lac_tensor *noise,
                            lac_buffer **forward, lac_buffer **back) {
  lac_device *device = lac_tensor_device(m->w);
  lac_buffer *quarters = NULL;
  *forward = *back = NULL;
  lac_status status = lac_buffer_new(&quarters, device, lac_bits_words(&m->plan) * 2, "a mask");
  if (status == LAC_OK)
    status = lac_buffer_new(forward, device, m->plan.forward_words * 4, "a mask");
  if (status == LAC_OK) status = lac_buffer_new(back, device, m->plan.back_words * 4, "a mask");
  if (status == LAC_OK) status = enqueue_draw(m, rng, noise, quarters, *forward, *back);
  lac_buffer_release(quarters);
  if (status != LAC_OK) {
    lac_buffer_release(*forward);
    lac_buffer_release(*back);
  }
  return status;
}

/* y = x w^T + beta y with trans, or y = x w + beta y, or + bias, through the range's packed
 * weights.
 */
static lac_status multiply(lac_weights *weights, lac_tensor *y, float beta, const lac_tensor *bias,
                           lac_tensor *x, bool trans) {
  const lac_drawn *drawn = (const lac_drawn *)weights;
  lac_masked *m = drawn->of;
  lac_prepared **form = trans ? &m->forward[drawn->cut] : &m->back[drawn->cut];
  lac_device *device = lac_tensor_device(y);
  const lac_gemm_args args = {.trans_b = trans,
                              .m = lac_tensor_shape(y)->dim[0],
                              .n = lac_tensor_shape(y)->dim[1],
                              .k = lac_tensor_shape(x)->dim[1],
                              .alpha = 1,
                              .beta = beta,
                              .a = lac_rows_matrix(x),
                              .b = {lac_tensor_buffer(m->w),
                                    lac_tensor_offset(m->w) + m->plan.start[drawn->cut],
                                    m->plan.columns},
                              .c = lac_rows_matrix(y),
                              .batch = 1,
                              .start = lac_bias_row(bias)};
  const lac_words mask = {trans ? drawn->forward : drawn->back,
                          trans ? m->plan.forward[drawn->cut] : m->plan.back[drawn->cut]};
  if (!*form) LAC_TRY(lac_gemm_prepare(form, device, &args.b, trans, args.n, args.k));
  return lac_gemm_masked(device, &args, *form, &mask);
}

static lac_status drawn_apply(lac_weights *weights, lac_tensor *y, float beta,
                              const lac_tensor *bias, lac_tensor *x) {
  return multiply(weights, y, beta, bias, x, true);
}

static lac_status drawn_apply_back(lac_weights *weights, lac_tensor *gx, float beta,
                                   lac_tensor *gy) {
  return multiply(weights, gx, beta, NULL, gy, false);
}

static void drop_drawn(void *object) {
  lac_weights_release(object);
}

static lac_status drawn_add_gradient(lac_weights *weights, lac_tensor *gy, lac_tensor *x) {
  const lac_drawn *drawn = (const lac_drawn *)weights;
  const lac_part part = {gy, x, {lac_weights_retain(weights), drop_drawn}};
  return lac_tape_put_off(lac_drawn_gradient, drawn->of->w, &part);
}

static void drawn_release(lac_weights *weights) {
  lac_drawn *drawn = (lac_drawn *)weights;
  lac_buffer_release(drawn->forward);
  lac_buffer_release(drawn->back);
  lac_tensor_release(weights->w);
  lac_masked_release(drawn->of);
  free(drawn);
}

/* One range's weights; w is a view of what trains, for its shape and for the tape. */
static lac_status new_drawn(lac_weights **out, lac_masked *m, uint32_t cut, lac_buffer *forward,
                            lac_buffer *back) {
  static const lac_weights_kind kind = {drawn_apply, drawn_apply_back, drawn_add_gradient,
                                        drawn_release};
  lac_tensor *leaf = lac_tensor_requires_grad(m->w) ? m->w : m->logit, *view;
  lac_drawn *drawn;
  LAC_TRY(lac_tensor_slice(&view, leaf, 1, m->plan.start[cut], m->plan.width[cut]));
  const lac_status status = lac_alloc(&drawn, 1, sizeof *drawn, "drawn weights");
  if (status != LAC_OK) {
    lac_tensor_release(view);
    return status;
  }
  m->refs++;
  *drawn =
      (lac_drawn){{&kind, 1, view}, m, cut, lac_buffer_retain(forward), lac_buffer_retain(back)};
  *out = &drawn->base;
  return LAC_OK;
}

lac_status lac_masked_draw(lac_weights **out, lac_masked *m, lac_rng *rng, lac_tensor *noise) {
  lac_buffer *forward, *back;
  lac_tensor *dense = NULL;
  if (!rng == !noise) return lac_fail(LAC_EINVAL, "draw: give a generator or noise");
  if (lac_tensor_is_closed(m->w) || lac_tensor_is_closed(m->logit))
    return lac_fail(LAC_EINVAL, "draw: the weights or their logits are closed");
  if (noise) {
    LAC_TRY(lac_op_check_shape("draw", "noise", noise, LAC_F32, m->w, lac_tensor_shape(m->w)));
    LAC_TRY(lac_contiguous(&dense, noise));
  }
  lac_status status = draw_bits(m, rng, dense, &forward, &back);
  lac_tensor_release(dense);
  LAC_TRY(status);
  uint32_t made = 0;
  for (; made < m->plan.cuts && status == LAC_OK; made++)
    status = new_drawn(&out[made], m, made, forward, back);
  for (made -= status != LAC_OK; status != LAC_OK && made > 0;)
    lac_weights_release(out[--made]);
  lac_buffer_release(forward);
  lac_buffer_release(back);
  if (status == LAC_OK && rng) rng->counter += lac_rng_span(lac_tensor_numel(m->w));
  return status;
}

static lac_status check_masked(const lac_masked_args *a) {
  char text[LAC_SHAPE_TEXT];
  LAC_TRY(lac_op_check("masked", "w", a->w, LAC_F32, NULL));
  const lac_shape *shape = lac_tensor_shape(a->w);
  LAC_TRY(lac_op_check_shape("masked", "logit", a->logit, LAC_F32, a->w, shape));
  if (shape->rank != 2 || !lac_tensor_is_contiguous(a->w) || !lac_tensor_is_contiguous(a->logit))
    return lac_fail(LAC_ESHAPE, "masked: w and logit must be contiguous matrices, w is %s",
                    lac_shape_text(text, shape));
  uint64_t columns = 0;
  for (uint32_t i = 0; i < a->cuts; i++)
    columns += a->width[i];
  if (a->cuts == 0 || a->cuts > LAC_BITS_CUTS || columns != shape->dim[1])
    return lac_fail(LAC_ESHAPE, "masked: %u ranges of %llu columns together do not cut %s", a->cuts,
                    (unsigned long long)columns, lac_shape_text(text, shape));
  bool can = false;
  LAC_TRY(lac_gemm_masks(lac_tensor_device(a->w), &can));
  if (!can)
    return lac_fail(LAC_EUNSUPPORTED, "masked: products on %s take no masks",
                    lac_device_caps(lac_tensor_device(a->w))->name);
  return LAC_OK;
}

static lac_status launch_odds(lac_tensor *odds, const lac_tensor *logit) {
  if (lac_mask_on_host(lac_tensor_device(odds))) return lac_mask_odds_host(odds, logit);
  lac_launch run = lac_launch_new(lac_tensor_device(odds), "mask", "mask_odds");
  lac_arg_tensor(&run, odds);
  lac_arg_tensor(&run, logit);
  lac_arg_u64(&run, lac_tensor_numel(odds));
  lac_launch_items(&run, lac_tensor_numel(odds));
  return lac_launch_run(&run);
}

lac_status lac_masked_new(lac_masked **out, const lac_masked_args *a) {
  lac_masked *m;
  LAC_TRY(check_masked(a));
  LAC_TRY(lac_alloc(&m, 1, sizeof *m, "masked weights"));
  m->refs = 1;
  m->w = lac_tensor_retain(a->w);
  m->logit = lac_tensor_retain(a->logit);
  m->bypass = a->bypass;
  m->plan.rows = lac_tensor_shape(a->w)->dim[0];
  m->plan.columns = lac_tensor_shape(a->w)->dim[1];
  m->plan.cuts = a->cuts;
  for (uint32_t i = 0; i < a->cuts; i++)
    m->plan.width[i] = a->width[i];
  lac_bits_lay_out(&m->plan);
  lac_status status =
      lac_tensor_new(&m->odds, lac_tensor_device(a->w), LAC_F32, lac_tensor_shape(a->w));
  if (status == LAC_OK) status = launch_odds(m->odds, m->logit);
  if (status == LAC_OK)
    *out = m;
  else
    lac_masked_release(m);
  return status;
}

void lac_masked_release(lac_masked *m) {
  if (!m || --m->refs) return;
  for (uint32_t i = 0; i < LAC_BITS_CUTS; i++) {
    lac_gemm_release(m->forward[i]);
    lac_gemm_release(m->back[i]);
  }
  lac_tensor_release(m->w);
  lac_tensor_release(m->logit);
  lac_tensor_release(m->odds);
  lac_buffer_release(m->limits);
  free(m);
}

uint32_t lac_masked_cuts(const lac_masked *m) {
  return m->plan.cuts;
}
