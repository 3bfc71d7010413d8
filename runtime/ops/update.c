/* Checks, one launch per rule, and Adam's bias corrections, which are formed in double on the host.
 */
#include "ops/update.h"

#include "ops/op.h"

#include <math.h>

/* A tensor of the parameter's shape that is written or read in place. */
static lac_status check_part(const char *op, const char *name, const lac_tensor *x,
                             const lac_tensor *w) {
  LAC_TRY(lac_op_check_shape(op, name, x, LAC_F32, w, lac_tensor_shape(w)));
  if (lac_tensor_is_contiguous(x)) return LAC_OK;
  return lac_fail(LAC_EINVAL, "%s: %s must be contiguous", op, name);
}

static lac_status check_step(const char *op, const lac_tensor *w, const lac_step *step) {
  LAC_TRY(check_part(op, "w", w, w));
  if (!lac_tensor_grad(w))
    return lac_fail(LAC_EINVAL, "%s: the parameter has no gradient; run backward first", op);
  LAC_TRY(check_part(op, "the gradient", lac_tensor_grad(w), w));
  if (step->mask) LAC_TRY(check_part(op, "mask", step->mask, w));
  if (!(step->rate >= 0 && step->decay >= 0))
    return lac_fail(LAC_EINVAL, "%s: rate and decay must be >= 0, got %g and %g", op,
                    (double)step->rate, (double)step->decay);
  return LAC_OK;
}

static void arg_step(lac_launch *run, const lac_tensor *w, const lac_step *step) {
  lac_arg_tensor(run, lac_tensor_grad(w));
  lac_arg_tensor(run, step->mask ? step->mask : w);
  lac_arg_u64(run, lac_tensor_numel(w));
  lac_arg_u32(run, step->mask != NULL);
  lac_arg_f32(run, step->decay);
  lac_arg_f32(run, step->clip);
  lac_launch_items(run, lac_tensor_numel(w));
}

lac_status lac_sgd_step(lac_tensor *w, lac_tensor *v, float momentum, const lac_step *step) {
  LAC_TRY(check_step("sgd_step", w, step));
  if (!(momentum >= 0 && momentum < 1) || (momentum > 0 && !v))
    return lac_fail(LAC_EINVAL, "sgd_step: momentum must be 0 <= momentum < 1 and needs v, got %g",
                    (double)momentum);
  if (v) LAC_TRY(check_part("sgd_step", "v", v, w));
  lac_launch run = lac_launch_new(lac_tensor_device(w), "update", "sgd_step");
  lac_arg_tensor(&run, w);
  lac_arg_tensor(&run, v ? v : w);
  arg_step(&run, w, step);
  lac_arg_f32(&run, step->rate);
  lac_arg_f32(&run, momentum);
  return lac_launch_run(&run);
}

static bool is_beta(double beta) {
  return beta >= 0 && beta < 1;
}

lac_status lac_adam_step(lac_tensor *w, lac_tensor *m, lac_tensor *v, const lac_adam *adam,
                         const lac_step *step) {
  LAC_TRY(check_step("adam_step", w, step));
  LAC_TRY(check_part("adam_step", "m", m, w));
  LAC_TRY(check_part("adam_step", "v", v, w));
  if (!is_beta(adam->beta1) || !is_beta(adam->beta2) || !(adam->epsilon > 0) || adam->count == 0)
    return lac_fail(
        LAC_EINVAL,
        "adam_step: needs 0 <= beta < 1, epsilon > 0 and count >= 1, got %g, %g, %g, %llu",
        adam->beta1, adam->beta2, (double)adam->epsilon, (unsigned long long)adam->count);
  const double t = (double)adam->count;
  const double root = sqrt(1 - pow(adam->beta2, t));
  const double rate = step->rate / (1 - pow(adam->beta1, t));
  lac_launch run = lac_launch_new(lac_tensor_device(w), "update", "adam_step");
  lac_arg_tensor(&run, w);
  lac_arg_tensor(&run, m);
  lac_arg_tensor(&run, v);
  arg_step(&run, w, step);
  lac_arg_f32(&run, (float)(adam->tensorflow ? rate * root : rate));
  lac_arg_f32(&run, (float)adam->beta1);
  lac_arg_f32(&run, (float)(1 - adam->beta1)); // 1 - (float)0.999 would be off by 1e-5 of itself
  lac_arg_f32(&run, (float)adam->beta2);
  lac_arg_f32(&run, (float)(1 - adam->beta2));
  lac_arg_f32(&run, (float)(adam->tensorflow ? 1 : 1 / root));
  lac_arg_f32(&run, adam->epsilon);
  return lac_launch_run(&run);
}
