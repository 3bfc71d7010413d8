/* Forward keeps two numbers per column. Sums over rows are sums of parts of EACH rows, in a fixed
 * order. */
#include "layers/batch_norm.h"

#include "ops/elementwise.h"
#include "ops/op.h"

#include <inttypes.h>

enum { X, GAIN, OFFSET, INPUTS }; // of the record
enum { TRAINING, ACTIVATION };    // counts of the record
enum { KEPT };                    // saved
enum { EACH = 64, PER_COLUMN = 2 };

typedef struct sizes {
  uint64_t rows;
  uint32_t n, parts;
} sizes;

static sizes measure(const lac_tensor *x) {
  const lac_shape *shape = lac_tensor_shape(x);
  const uint64_t n = shape->dim[shape->rank - 1], rows = n ? lac_tensor_numel(x) / n : 0;
  return (sizes){rows, (uint32_t)n, (uint32_t)((rows + EACH - 1) / EACH)};
}

static lac_status new_columns(lac_tensor **out, lac_device *device, uint64_t times,
                              const sizes *s) {
  const lac_shape shape = {3, {times, PER_COLUMN, s->n}};
  return lac_tensor_new(out, device, LAC_F32, &shape);
}

static lac_status sum_parts(lac_tensor *part, const lac_node *node, const sizes *s) {
  lac_launch run = lac_launch_new(lac_tensor_device(part), "batch_norm", "bn_bwd_parts");
  lac_arg_tensor(&run, part);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  lac_arg_tensor(&run, node->out[0]);
  lac_arg_tensor(&run, node->in[X]);
  lac_arg_tensor(&run, node->saved[KEPT]);
  lac_arg_u64(&run, s->rows);
  lac_arg_u32(&run, s->n);
  lac_arg_u32(&run, EACH);
  lac_arg_u32(&run, (uint32_t)node->count[ACTIVATION]);
  lac_launch_items2(&run, s->n, s->parts);
  return lac_launch_run(&run);
}

static bool wants(const lac_node *node, int input) {
  return node->in[input] && lac_tensor_requires_grad(node->in[input]);
}

/* sums, and the gradients of gain and offset */
static lac_status add_sums(lac_tensor *sums, const lac_node *node, const sizes *s) {
  lac_tensor *part, *ggain = sums, *goffset = sums;
  if (wants(node, GAIN)) LAC_TRY(lac_tensor_borrow_grad(&ggain, node->in[GAIN]));
  if (wants(node, OFFSET)) LAC_TRY(lac_tensor_borrow_grad(&goffset, node->in[OFFSET]));
  LAC_TRY(new_columns(&part, lac_tensor_device(sums), s->parts, s));
  lac_status status = sum_parts(part, node, s);
  lac_launch run = lac_launch_new(lac_tensor_device(sums), "batch_norm", "bn_bwd_sums");
  lac_arg_tensor(&run, sums);
  lac_arg_tensor(&run, ggain);
  lac_arg_tensor(&run, goffset);
  lac_arg_tensor(&run, part);
  lac_arg_u32(&run, s->parts);
  lac_arg_u32(&run, s->n);
  lac_arg_u32(&run, wants(node, GAIN));
  lac_arg_u32(&run, wants(node, OFFSET));
  lac_launch_items(&run, s->n);
  if (status == LAC_OK) status = lac_launch_run(&run);
  lac_tensor_release(part);
  return status;
}

static lac_status bwd_x(const lac_node *node, lac_tensor *sums, const sizes *s) {
  lac_tensor *gx, *gain = node->in[GAIN];
  bool fresh;
  LAC_TRY(lac_tensor_borrow_fresh_grad(&gx, &fresh, node->in[X]));
  lac_launch run = lac_launch_new(lac_tensor_device(gx), "batch_norm", "bn_bwd_x");
  lac_arg_tensor(&run, gx);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  lac_arg_tensor(&run, node->out[0]);
  lac_arg_tensor(&run, node->in[X]);
  lac_arg_tensor(&run, node->saved[KEPT]);
  lac_arg_tensor(&run, sums);
  lac_arg_tensor(&run, gain ? gain : sums);
  lac_arg_u64(&run, s->rows);
  lac_arg_u32(&run, s->n);
  lac_arg_u32(&run, (uint32_t)node->count[TRAINING]);
  lac_arg_u32(&run, gain != NULL);
  lac_arg_u32(&run, (uint32_t)node->count[ACTIVATION]);
  lac_arg_u32(&run, !fresh);
  lac_launch_items2(&run, s->n, s->rows);
  return lac_launch_run(&run);
}

static lac_status batch_norm_backward(const lac_node *node) {
  const sizes s = measure(node->in[X]);
  lac_tensor *sums;
  lac_status status = LAC_OK;
  LAC_TRY(new_columns(&sums, lac_tensor_device(node->in[X]), 1, &s));
  if (node->count[TRAINING] || wants(node, GAIN) || wants(node, OFFSET))
    status = add_sums(sums, node, &s);
  if (status == LAC_OK && wants(node, X)) status = bwd_x(node, sums, &s);
  lac_tensor_release(sums);
  return status;
}

static lac_status keep_given(lac_tensor *kept, const lac_batch_norm_args *a, const sizes *s) {
  lac_launch run = lac_launch_new(lac_tensor_device(kept), "batch_norm", "bn_kept");
  lac_arg_tensor(&run, kept);
  lac_arg_tensor(&run, a->mean);
  lac_arg_tensor(&run, a->variance);
  lac_arg_u32(&run, s->n);
  lac_arg_f32(&run, a->eps);
  lac_launch_items(&run, s->n);
  return lac_launch_run(&run);
}

static lac_status keep_measured(lac_tensor *kept, lac_tensor *x, const lac_batch_norm_args *a,
                                const sizes *s) {
  lac_tensor *part;
  LAC_TRY(new_columns(&part, lac_tensor_device(x), s->parts, s));
  lac_launch parts = lac_launch_new(lac_tensor_device(x), "batch_norm", "bn_parts");
  lac_arg_tensor(&parts, part);
  lac_arg_tensor(&parts, x);
  lac_arg_u64(&parts, s->rows);
  lac_arg_u32(&parts, s->n);
  lac_arg_u32(&parts, EACH);
  lac_launch_items2(&parts, s->n, s->parts);
  lac_status status = lac_launch_run(&parts);
  lac_launch run = lac_launch_new(lac_tensor_device(x), "batch_norm", "bn_stats");
  lac_arg_tensor(&run, kept);
  lac_arg_tensor(&run, a->mean);
  lac_arg_tensor(&run, a->variance);
  lac_arg_tensor(&run, part);
  lac_arg_u64(&run, s->rows);
  lac_arg_u32(&run, s->n);
  lac_arg_u32(&run, EACH);
  lac_arg_f32(&run, a->eps);
  lac_arg_f32(&run, a->momentum);
  lac_launch_items(&run, s->n);
  if (status == LAC_OK) status = lac_launch_run(&run);
  lac_tensor_release(part);
  return status;
}

static lac_status run_forward(lac_tensor *y, lac_tensor *kept, lac_tensor *const in[INPUTS],
                              const lac_batch_norm_args *a) {
  const sizes s = measure(y);
  LAC_TRY(a->training ? keep_measured(kept, in[X], a, &s) : keep_given(kept, a, &s));
  lac_launch run = lac_launch_new(lac_tensor_device(y), "batch_norm", "bn_fwd");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, in[X]);
  lac_arg_tensor(&run, kept);
  lac_arg_tensor(&run, in[GAIN] ? in[GAIN] : kept);
  lac_arg_tensor(&run, in[OFFSET] ? in[OFFSET] : kept);
  lac_arg_u32(&run, s.n);
  lac_arg_u32(&run, in[GAIN] != NULL);
  lac_arg_u32(&run, in[OFFSET] != NULL);
  lac_arg_u32(&run, a->activation);
  lac_launch_items2(&run, s.n, s.rows);
  return lac_launch_run(&run);
}

static lac_status norm_contiguous(lac_tensor **out, lac_tensor *const in[INPUTS],
                                  const lac_batch_norm_args *a) {
  const sizes s = measure(in[X]);
  lac_tensor *y, *kept;
  LAC_TRY(new_columns(&kept, lac_tensor_device(in[X]), 1, &s));
  lac_status status =
      lac_tensor_new(&y, lac_tensor_device(in[X]), LAC_F32, lac_tensor_shape(in[X]));
  if (status == LAC_OK) {
    const lac_node node = {batch_norm_backward, .in = {in[X], in[GAIN], in[OFFSET]}, .out = {y},
                           .saved = {kept}, .count = {a->training, a->activation}};
    status = lac_op_finish(out, y, run_forward(y, kept, in, a), &node);
  }
  lac_tensor_release(kept);
  return status;
}

static lac_status check(const lac_batch_norm_args *a) {
  lac_tensor *const columns[] = {a->gain, a->offset, a->mean, a->variance};
  static const char *const names[] = {"gain", "offset", "mean", "variance"};
  LAC_TRY(lac_op_check("batch_norm", "x", a->x, LAC_F32, NULL));
  const lac_shape *shape = lac_tensor_shape(a->x);
  if (shape->rank == 0) return lac_fail(LAC_EINVAL, "batch_norm: a scalar has no columns");
  const lac_shape per_column = {1, {shape->dim[shape->rank - 1]}};
  for (int i = 0; i < 4; i++)
    if (columns[i])
      LAC_TRY(lac_op_check_shape("batch_norm", names[i], columns[i], LAC_F32, a->x, &per_column));
  for (int i = 2; i < 4; i++)
    if (!lac_tensor_is_contiguous(columns[i]))
      return lac_fail(LAC_EINVAL, "batch_norm: %s must have no gaps between its elements",
                      names[i]);
  if (!(a->eps > 0))
    return lac_fail(LAC_EINVAL, "batch_norm: eps must be > 0, got %g", (double)a->eps);
  if (!(a->momentum >= 0 && a->momentum <= 1))
    return lac_fail(LAC_EINVAL, "batch_norm: momentum must be 0..1, got %g", (double)a->momentum);
  if (a->training && per_column.dim[0] && measure(a->x).rows < 2)
    return lac_fail(LAC_EINVAL,
                    "batch_norm: training needs 2 or more rows to have a variance, got %" PRIu64,
                    measure(a->x).rows);
  return LAC_OK;
}

lac_status lac_batch_norm(lac_tensor **out, const lac_batch_norm_args *a) {
  LAC_TRY(check(a));
  lac_tensor *const in[INPUTS] = {a->x, a->gain, a->offset};
  lac_tensor *dense[INPUTS] = {NULL};
  lac_status status = LAC_OK;
  for (int i = 0; i < INPUTS && status == LAC_OK; i++)
    if (in[i]) status = lac_contiguous(&dense[i], in[i]);
  if (status == LAC_OK) status = norm_contiguous(out, dense, a);
  for (int i = 0; i < INPUTS; i++)
    lac_tensor_release(dense[i]);
  return status;
}
