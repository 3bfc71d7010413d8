/*
 * A rule is a name and a function that sets its scalars; the walk over the list is one. Parameters
 * of ALONE elements and more have a launch of their own, the others wait until ROWS of them fill
 * one. Adam's bias corrections depend on a parameter's count and are formed in double, so only
 * equal counts share a launch.
 */
#include "ops/update.h"

#include "ops/op.h"

#include <math.h>

enum { ROWS = 6, ALONE = 32768, PART = 16384 };

typedef struct rule {
  const char *op, *one, *rows; /* the kernels' names */
  void (*arg)(lac_launch *run, const void *settings, const lac_step *step, uint64_t count);
  const void *settings;
  bool needs_s, needs_t, counts;
  float decay; /* what is part of g */
} rule;

/* A tensor of the parameter's shape that is written or read in place. */
static lac_status check_part(const char *op, const char *name, const lac_tensor *x,
                             const lac_tensor *w) {
  LAC_TRY(lac_op_check_shape(op, name, x, LAC_F32, w, lac_tensor_shape(w)));
  if (lac_tensor_is_contiguous(x)) return LAC_OK;
  return lac_fail(LAC_EINVAL, "%s: %s must be contiguous", op, name);
}

static lac_status check_parameter(const char *op, const lac_tensor *w) {
  LAC_TRY(check_part(op, "w", w, w));
  if (!lac_tensor_grad(w))
    return lac_fail(LAC_EINVAL, "%s: the parameter has no gradient; run backward first", op);
  return check_part(op, "the gradient", lac_tensor_grad(w), w);
}

static lac_status check_state(const char *op, const char *name, bool needed, const lac_tensor *x,
                              const lac_tensor *w) {
  if (needed && !x) return lac_fail(LAC_EINVAL, "%s: needs %s", op, name);
  return needed ? check_part(op, name, x, w) : LAC_OK;
}

static lac_status check_update(const rule *r, const lac_update *u) {
  LAC_TRY(check_parameter(r->op, u->w));
  LAC_TRY(check_state(r->op, "s", r->needs_s, u->s, u->w));
  LAC_TRY(check_state(r->op, "t", r->needs_t, u->t, u->w));
  if (u->mask) LAC_TRY(check_part(r->op, "mask", u->mask, u->w));
  if (r->counts && u->count == 0)
    return lac_fail(LAC_EINVAL, "%s: count must be at least 1", r->op);
  return LAC_OK;
}

static lac_status check_step(const char *op, const lac_step *step) {
  if (!(step->rate >= 0 && step->decay >= 0))
    return lac_fail(LAC_EINVAL, "%s: rate and decay must be >= 0, got %g and %g", op,
                    (double)step->rate, (double)step->decay);
  if (step->max_norm > 0 && !step->norm)
    return lac_fail(LAC_EINVAL, "%s: max_norm needs the norm", op);
  if (!(step->max_norm > 0)) return LAC_OK;
  const lac_shape scalar = {.rank = 0};
  return lac_op_check_shape(op, "norm", step->norm, LAC_F32, NULL, &scalar);
}

/* One parameter's arguments; n = 0 fills an unused row. */
static void arg_parameter(lac_launch *run, const rule *r, const lac_update *u, uint64_t n) {
  lac_arg_tensor(run, u->w);
  lac_arg_tensor(run, lac_tensor_grad(u->w));
  lac_arg_tensor(run, r->needs_s ? u->s : u->w);
  lac_arg_tensor(run, r->needs_t ? u->t : u->w);
  lac_arg_tensor(run, u->mask ? u->mask : u->w);
  lac_arg_u64(run, n);
}

static lac_status launch(const rule *r, const lac_update *const *row, size_t count,
                         const lac_step *step) {
  const lac_tensor *w = row[0]->w;
  const bool one = count == 1;
  uint64_t longest = 0;
  uint32_t masked = 0;
  if (count == 0) return LAC_OK;
  lac_launch run = lac_launch_new(lac_tensor_device(w), "update", one ? r->one : r->rows);
  for (size_t i = 0; i < (one ? 1 : ROWS); i++) {
    const lac_update *u = row[i < count ? i : 0];
    const uint64_t n = i < count ? lac_tensor_numel(u->w) : 0;
    arg_parameter(&run, r, u, n);
    if (i < count && u->mask) masked |= 1u << i;
    if (n > longest) longest = n;
  }
  lac_arg_tensor(&run, step->max_norm > 0 ? step->norm : w);
  lac_arg_f32(&run, step->max_norm);
  lac_arg_u32(&run, masked);
  lac_arg_f32(&run, r->decay);
  lac_arg_f32(&run, step->clip);
  r->arg(&run, r->settings, step, row[0]->count);
  if (one)
    lac_launch_items(&run, longest);
  else
    lac_launch_items2(&run, longest, count);
  return lac_launch_run(&run);
}

static lac_status step_all(const rule *r, const lac_update *list, size_t n, const lac_step *step) {
  const lac_update *row[ROWS];
  size_t waiting = 0;
  if (n == 0) return lac_fail(LAC_EINVAL, "%s: needs at least one parameter", r->op);
  LAC_TRY(check_step(r->op, step));
  for (size_t i = 0; i < n; i++) {
    const lac_update *u = &list[i];
    LAC_TRY(check_update(r, u));
    if (lac_tensor_numel(u->w) >= ALONE) {
      LAC_TRY(launch(r, &u, 1, step));
      continue;
    }
    const bool other = waiting && r->counts && row[0]->count != u->count;
    if (waiting == ROWS || other) {
      LAC_TRY(launch(r, row, waiting, step));
      waiting = 0;
    }
    row[waiting++] = u;
  }
  return launch(r, row, waiting, step);
}

static void arg_sgd(lac_launch *run, const void *settings, const lac_step *step, uint64_t count) {
  const lac_sgd *sgd = settings;
  (void)count;
  lac_arg_f32(run, step->rate);
  lac_arg_f32(run, sgd->momentum);
  lac_arg_u32(run, sgd->nesterov);
}

lac_status lac_sgd_step(const lac_update *list, size_t n, const lac_sgd *sgd,
                        const lac_step *step) {
  if (!(sgd->momentum >= 0 && sgd->momentum < 1) || (sgd->nesterov && sgd->momentum == 0))
    return lac_fail(LAC_EINVAL,
                    "sgd_step: momentum must be 0 <= momentum < 1, above 0 with nesterov, got %g",
                    (double)sgd->momentum);
  const rule r = {
      "sgd_step",          "sgd_step", "sgd_step_rows", arg_sgd, sgd, .needs_s = sgd->momentum > 0,
      .decay = step->decay};
  return step_all(&r, list, n, step);
}

static void arg_adam(lac_launch *run, const void *settings, const lac_step *step, uint64_t count) {
  const lac_adam *adam = settings;
  const double k = (double)count, root = sqrt(1 - pow(adam->beta2, k));
  const double rate = step->rate / (1 - pow(adam->beta1, k));
  lac_arg_f32(run, (float)(adam->tensorflow ? rate * root : rate));
  lac_arg_f32(run, (float)adam->beta1);
  lac_arg_f32(run, (float)(1 - adam->beta1)); // 1 - (float)0.999 would be off by 1e-5 of itself
  lac_arg_f32(run, (float)adam->beta2);
  lac_arg_f32(run, (float)(1 - adam->beta2));
  lac_arg_f32(run, (float)(adam->tensorflow ? 1 : 1 / root));
  lac_arg_f32(run, adam->epsilon);
  lac_arg_f32(run, adam->decoupled ? (float)((double)step->rate * step->decay) : 0);
}

static bool is_share(double x) {
  return x >= 0 && x < 1;
}

lac_status lac_adam_step(const lac_update *list, size_t n, const lac_adam *adam,
                         const lac_step *step) {
  if (!is_share(adam->beta1) || !is_share(adam->beta2) || !(adam->epsilon > 0))
    return lac_fail(LAC_EINVAL, "adam_step: needs 0 <= beta < 1 and epsilon > 0, got %g, %g, %g",
                    adam->beta1, adam->beta2, (double)adam->epsilon);
  const rule r = {"adam_step", "adam_step", "adam_step_rows",
                  arg_adam,    adam,        true,
                  true,        true,        adam->decoupled ? 0 : step->decay};
  return step_all(&r, list, n, step);
}

static void arg_rmsprop(lac_launch *run, const void *settings, const lac_step *step,
                        uint64_t count) {
  const lac_rmsprop *rmsprop = settings;
  (void)count;
  lac_arg_f32(run, step->rate);
  lac_arg_f32(run, (float)rmsprop->alpha);
  lac_arg_f32(run, (float)(1 - rmsprop->alpha));
  lac_arg_f32(run, rmsprop->epsilon);
  lac_arg_f32(run, rmsprop->momentum);
}

lac_status lac_rmsprop_step(const lac_update *list, size_t n, const lac_rmsprop *rmsprop,
                            const lac_step *step) {
  if (!is_share(rmsprop->alpha) || !is_share(rmsprop->momentum) || !(rmsprop->epsilon > 0))
    return lac_fail(LAC_EINVAL,
                    "rmsprop_step: needs 0 <= alpha, momentum < 1 and epsilon > 0, got %g, %g, %g",
                    rmsprop->alpha, (double)rmsprop->momentum, (double)rmsprop->epsilon);
  const rule r = {"rmsprop_step",        "rmsprop_step", "rmsprop_step_rows",
                  arg_rmsprop,           rmsprop,        true,
                  rmsprop->momentum > 0, false,          step->decay};
  return step_all(&r, list, n, step);
}

static uint64_t count_parts(const lac_tensor *w) {
  return (lac_tensor_numel(w) + PART - 1) / PART;
}

/* The parts of one parameter's sum of squares, from element `at` of partial on. */
static lac_status launch_squares(const lac_tensor *partial, uint64_t at, const lac_tensor *w) {
  if (count_parts(w) == 0) return LAC_OK;
  lac_launch run = lac_launch_new(lac_tensor_device(w), "update", "square_parts");
  lac_arg_buffer(&run, lac_tensor_buffer(partial), lac_tensor_offset(partial) + at);
  lac_arg_tensor(&run, lac_tensor_grad(w));
  lac_arg_u64(&run, lac_tensor_numel(w));
  lac_arg_u64(&run, PART);
  lac_launch_groups(&run, count_parts(w), LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

static lac_status launch_norm(lac_tensor *y, const lac_tensor *partial) {
  lac_launch run = lac_launch_new(lac_tensor_device(y), "update", "norm_of_parts");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, partial);
  lac_arg_u64(&run, lac_tensor_numel(partial));
  lac_launch_groups(&run, 1, LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

lac_status lac_grad_norm(lac_tensor **out, lac_tensor *const *w, size_t n) {
  lac_shape parts = {1, {0}};
  const lac_shape scalar = {.rank = 0};
  lac_tensor *partial = NULL, *y = NULL;
  if (n == 0) return lac_fail(LAC_EINVAL, "grad_norm: needs at least one parameter");
  for (size_t i = 0; i < n; i++) {
    LAC_TRY(check_parameter("grad_norm", w[i]));
    parts.dim[0] += count_parts(w[i]);
  }
  lac_device *device = lac_tensor_device(w[0]);
  lac_status status = lac_tensor_new(&partial, device, LAC_F32, &parts);
  uint64_t at = 0;
  for (size_t i = 0; i < n && status == LAC_OK; i++) {
    status = launch_squares(partial, at, w[i]);
    at += count_parts(w[i]);
  }
  if (status == LAC_OK) status = lac_tensor_new(&y, device, LAC_F32, &scalar);
  if (status == LAC_OK) status = launch_norm(y, partial);
  lac_tensor_release(partial);
  if (status == LAC_OK)
    *out = y;
  else
    lac_tensor_release(y);
  return status;
}
