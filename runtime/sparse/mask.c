/* The node of a mask keeps w, the logit and y; which elements were kept is read off y (see
 * cl/mask.cl). */
#include "sparse/mask.h"

#include "ops/elementwise.h"
#include "ops/op.h"
#include "ops/random.h"
#include "ops/reduce.h"

enum { WANT_W = 1, ADD_W = 2, WANT_LOGIT = 4, ADD_LOGIT = 8, BYPASS = 16, PART = 16384 };

/* in: w, logit; count[0]: BYPASS or 0 */
static lac_status mask_backward(const lac_node *node) {
  lac_tensor *w = node->in[0], *logit = node->in[1], *y = node->out[0];
  lac_tensor *gw = w, *glogit = w; // not read unless wanted
  uint32_t flags = (uint32_t)node->count[0];
  bool fresh;
  if (lac_tensor_requires_grad(w)) {
    LAC_TRY(lac_tensor_borrow_fresh_grad(&gw, &fresh, w));
    flags |= WANT_W | (fresh ? 0 : ADD_W);
  }
  if (lac_tensor_requires_grad(logit)) {
    LAC_TRY(lac_tensor_borrow_fresh_grad(&glogit, &fresh, logit));
    flags |= WANT_LOGIT | (fresh ? 0 : ADD_LOGIT);
  }
  lac_launch run = lac_launch_new(lac_tensor_device(w), "mask", "mask_bwd");
  lac_arg_tensor(&run, gw);
  lac_arg_tensor(&run, glogit);
  lac_arg_tensor(&run, lac_tensor_grad(y));
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, w);
  lac_arg_tensor(&run, logit);
  lac_arg_u64(&run, lac_tensor_numel(w));
  lac_arg_u32(&run, flags);
  lac_launch_items(&run, lac_tensor_numel(w));
  return lac_launch_run(&run);
}

static lac_launch begin_mask(lac_tensor *y, const lac_mask_args *m, const char *kernel) {
  lac_launch run = lac_launch_new(lac_tensor_device(y), "mask", kernel);
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, m->w);
  lac_arg_tensor(&run, m->logit);
  return run;
}

static lac_status launch_sample(lac_tensor *y, const lac_mask_args *m) {
  const uint64_t n = lac_tensor_numel(y), part = n / 4;
  if (part) {
    lac_launch run = begin_mask(y, m, "mask_sample");
    lac_arg_u64(&run, part);
    lac_arg_rng(&run, m->rng);
    lac_launch_items(&run, part);
    LAC_TRY(lac_launch_run(&run));
  }
  if (n % 4 == 0) return LAC_OK;
  lac_launch rest = begin_mask(y, m, "mask_sample_rest");
  lac_arg_u64(&rest, part);
  lac_arg_rng(&rest, m->rng);
  lac_arg_u64(&rest, n);
  lac_launch_items(&rest, n % 4);
  return lac_launch_run(&rest);
}

static lac_status launch_mask(lac_tensor *y, const lac_mask_args *m) {
  const uint64_t n = lac_tensor_numel(y);
  if (m->rng) return launch_sample(y, m);
  lac_launch run = begin_mask(y, m, m->noise ? "mask_noise" : "mask_round");
  if (m->noise) lac_arg_tensor(&run, m->noise);
  lac_arg_u64(&run, n);
  lac_launch_items(&run, n);
  return lac_launch_run(&run);
}

static lac_status mask_contiguous(lac_tensor **out, const lac_mask_args *m) {
  lac_tensor *y;
  LAC_TRY(lac_tensor_new(&y, lac_tensor_device(m->w), LAC_F32, lac_tensor_shape(m->w)));
  const lac_node node = {mask_backward, .in = {m->w, m->logit}, .out = {y},
                         .count = {m->bypass ? BYPASS : 0}};
  LAC_TRY(lac_op_finish(out, y, launch_mask(y, m), &node));
  if (m->rng) m->rng->counter += lac_rng_span(lac_tensor_numel(y));
  return LAC_OK;
}

lac_status lac_mask(lac_tensor **out, const lac_mask_args *args) {
  LAC_TRY(lac_op_check("mask", "w", args->w, LAC_F32, NULL));
  const lac_shape *shape = lac_tensor_shape(args->w);
  LAC_TRY(lac_op_check_shape("mask", "logit", args->logit, LAC_F32, args->w, shape));
  if (args->noise)
    LAC_TRY(lac_op_check_shape("mask", "noise", args->noise, LAC_F32, args->w, shape));
  if (args->rng && args->noise)
    return lac_fail(LAC_EINVAL, "mask: give a generator or noise, not both");
  lac_mask_args dense = {.rng = args->rng, .bypass = args->bypass};
  lac_status status = lac_contiguous(&dense.w, args->w);
  if (status == LAC_OK) status = lac_contiguous(&dense.logit, args->logit);
  if (status == LAC_OK && args->noise) status = lac_contiguous(&dense.noise, args->noise);
  if (status == LAC_OK) status = mask_contiguous(out, &dense);
  lac_tensor_release(dense.w);
  lac_tensor_release(dense.logit);
  lac_tensor_release(dense.noise);
  return status;
}

static lac_status count_backward(const lac_node *node) {
  lac_tensor *logit = node->in[0], *glogit;
  bool fresh;
  LAC_TRY(lac_tensor_borrow_fresh_grad(&glogit, &fresh, logit));
  lac_launch run = lac_launch_new(lac_tensor_device(logit), "mask", "mask_count_bwd");
  lac_arg_tensor(&run, glogit);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  lac_arg_tensor(&run, logit);
  lac_arg_u64(&run, lac_tensor_numel(logit));
  lac_arg_u32(&run, !fresh);
  lac_launch_items(&run, lac_tensor_numel(logit));
  return lac_launch_run(&run);
}

static lac_status count_contiguous(lac_tensor **out, lac_tensor *logit) {
  const uint64_t n = lac_tensor_numel(logit);
  const lac_shape shape = {1, {(n + PART - 1) / PART}};
  lac_tensor *partial, *y;
  LAC_TRY(lac_tensor_new(&partial, lac_tensor_device(logit), LAC_F32, &shape));
  lac_launch run = lac_launch_new(lac_tensor_device(logit), "mask", "mask_count");
  lac_arg_tensor(&run, partial);
  lac_arg_tensor(&run, logit);
  lac_arg_u64(&run, n);
  lac_arg_u64(&run, PART);
  lac_launch_groups(&run, shape.dim[0], LAC_REDUCE_GROUP);
  lac_status status = lac_launch_run(&run);
  if (status == LAC_OK) status = lac_sum(&y, partial, LAC_ALL, false);
  lac_tensor_release(partial);
  LAC_TRY(status);
  const lac_node node = {count_backward, .in = {logit}, .out = {y}};
  return lac_op_finish(out, y, LAC_OK, &node);
}

lac_status lac_mask_count(lac_tensor **out, lac_tensor *logit) {
  lac_tensor *dense;
  LAC_TRY(lac_op_check("mask_count", "logit", logit, LAC_F32, NULL));
  LAC_TRY(lac_contiguous(&dense, logit));
  const lac_status status = count_contiguous(out, dense);
  lac_tensor_release(dense);
  return status;
}
