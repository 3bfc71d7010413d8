/* Forward keeps three numbers per row; backward needs nothing else but x and gain. */
#include "layers/layer_norm_host.h"

#include "ops/elementwise.h"
#include "ops/op.h"

enum { X, GAIN, OFFSET, INPUTS }; // of the record
enum { KEPT = 3, EACH = 16 };     // numbers per row; rows per part of a sum over rows

typedef struct sizes {
  uint64_t rows;
  uint32_t n;
} sizes;

static sizes measure(const lac_tensor *x) {
  const lac_shape *shape = lac_tensor_shape(x);
  const uint64_t n = shape->dim[shape->rank - 1];
  return (sizes){n ? lac_tensor_numel(x) / n : 0, (uint32_t)n};
}

static lac_status bwd_x(const lac_node *node, const sizes *s) {
  lac_tensor *gx;
  bool fresh;
  if (!lac_tensor_requires_grad(node->in[X])) return LAC_OK;
  LAC_TRY(lac_tensor_borrow_fresh_grad(&gx, &fresh, node->in[X]));
  lac_launch run = lac_launch_new(lac_tensor_device(gx), "layer_norm", "layer_norm_bwd_x");
  lac_arg_tensor(&run, gx);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  lac_arg_tensor(&run, node->in[X]);
  lac_arg_tensor(&run, node->in[GAIN]);
  lac_arg_tensor(&run, node->saved[0]);
  lac_arg_u32(&run, s->n);
  lac_arg_u32(&run, !fresh);
  lac_launch_groups(&run, s->rows, LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

static lac_status sum_parts(lac_tensor *part, const lac_node *node, uint32_t parts,
                            const sizes *s) {
  lac_tensor *ggain = part, *goffset = part;
  const bool with_gain = lac_tensor_requires_grad(node->in[GAIN]);
  const bool with_offset = lac_tensor_requires_grad(node->in[OFFSET]);
  if (with_gain) LAC_TRY(lac_tensor_borrow_grad(&ggain, node->in[GAIN]));
  if (with_offset) LAC_TRY(lac_tensor_borrow_grad(&goffset, node->in[OFFSET]));
  lac_launch run = lac_launch_new(lac_tensor_device(part), "layer_norm", "layer_norm_bwd_sums");
  lac_arg_tensor(&run, ggain);
  lac_arg_tensor(&run, goffset);
  lac_arg_tensor(&run, part);
  lac_arg_u32(&run, parts);
  lac_arg_u32(&run, s->n);
  lac_arg_u32(&run, with_gain);
  lac_arg_u32(&run, with_offset);
  lac_launch_items(&run, s->n);
  return lac_launch_run(&run);
}

/* ggain and goffset, through sums over EACH rows */
static lac_status bwd_gain(const lac_node *node, const sizes *s) {
  lac_device *device = lac_tensor_device(node->in[X]);
  const uint32_t parts = (uint32_t)((s->rows + EACH - 1) / EACH);
  const lac_shape shape = {3, {parts, 2, s->n}};
  lac_tensor *part;
  if (!lac_tensor_requires_grad(node->in[GAIN]) && !lac_tensor_requires_grad(node->in[OFFSET]))
    return LAC_OK;
  LAC_TRY(lac_tensor_new(&part, device, LAC_F32, &shape));
  lac_launch run = lac_launch_new(device, "layer_norm", "layer_norm_bwd_parts");
  lac_arg_tensor(&run, part);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  lac_arg_tensor(&run, node->in[X]);
  lac_arg_tensor(&run, node->saved[0]);
  lac_arg_u64(&run, s->rows);
  lac_arg_u32(&run, s->n);
  lac_arg_u32(&run, EACH);
  lac_launch_items2(&run, s->n, parts);
  lac_status status = lac_launch_run(&run);
  if (status == LAC_OK) status = sum_parts(part, node, parts, s);
  lac_tensor_release(part);
  return status;
}

static lac_status bwd_on_host(const lac_node *node) {
  lac_norm_tensors t = {.kept = node->saved[0],
                        .x = node->in[X],
                        .gain = node->in[GAIN],
                        .gy = lac_tensor_grad(node->out[0])};
  bool fresh = false;
  if (lac_tensor_requires_grad(t.x)) LAC_TRY(lac_tensor_borrow_fresh_grad(&t.gx, &fresh, t.x));
  if (lac_tensor_requires_grad(t.gain)) LAC_TRY(lac_tensor_borrow_grad(&t.ggain, t.gain));
  if (lac_tensor_requires_grad(node->in[OFFSET]))
    LAC_TRY(lac_tensor_borrow_grad(&t.goffset, node->in[OFFSET]));
  return lac_layer_norm_host_backward(&t, fresh);
}

static lac_status layer_norm_backward(const lac_node *node) {
  const sizes s = measure(node->in[X]);
  if (lac_layer_norm_on_host(lac_tensor_device(node->in[X]))) return bwd_on_host(node);
  LAC_TRY(bwd_x(node, &s));
  return bwd_gain(node, &s);
}

static lac_status run_forward(lac_tensor *y, lac_tensor *kept, lac_tensor *const in[INPUTS],
                              float eps, lac_layer_norm_form form) {
  const sizes s = measure(y);
  if (lac_layer_norm_on_host(lac_tensor_device(y))) {
    const lac_norm_tensors t = {
        .y = y, .kept = kept, .x = in[X], .gain = in[GAIN], .offset = in[OFFSET]};
    return lac_layer_norm_host_forward(&t, eps, form);
  }
  lac_launch run = lac_launch_new(lac_tensor_device(y), "layer_norm", "layer_norm_fwd");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, kept);
  for (int i = 0; i < INPUTS; i++)
    lac_arg_tensor(&run, in[i]);
  lac_arg_u32(&run, s.n);
  lac_arg_f32(&run, eps);
  lac_arg_u32(&run, form == LAC_NORM_PUBLISHED);
  lac_launch_groups(&run, s.rows, LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

static lac_status norm_contiguous(lac_tensor **out, lac_tensor *const in[INPUTS], float eps,
                                  lac_layer_norm_form form) {
  lac_device *device = lac_tensor_device(in[X]);
  const lac_shape shape = {2, {measure(in[X]).rows, KEPT}};
  lac_tensor *y, *kept;
  LAC_TRY(lac_tensor_new(&kept, device, LAC_F32, &shape));
  lac_status status = lac_tensor_new(&y, device, LAC_F32, lac_tensor_shape(in[X]));
  if (status == LAC_OK) {
    const lac_node node = {layer_norm_backward, .in = {in[X], in[GAIN], in[OFFSET]}, .out = {y},
                           .saved = {kept}};
    status = lac_op_finish(out, y, run_forward(y, kept, in, eps, form), &node);
  }
  lac_tensor_release(kept);
  return status;
}

lac_status lac_layer_norm(lac_tensor **out, lac_tensor *x, lac_tensor *gain, lac_tensor *offset,
                          float eps, lac_layer_norm_form form) {
  LAC_TRY(lac_op_check("layer_norm", "x", x, LAC_F32, NULL));
  const lac_shape *shape = lac_tensor_shape(x);
  if (shape->rank == 0) return lac_fail(LAC_EINVAL, "layer_norm: a scalar has no last dimension");
  const lac_shape per_channel = {1, {shape->dim[shape->rank - 1]}};
  LAC_TRY(lac_op_check_shape("layer_norm", "gain", gain, LAC_F32, x, &per_channel));
  LAC_TRY(lac_op_check_shape("layer_norm", "offset", offset, LAC_F32, x, &per_channel));
  if (!(eps > 0)) return lac_fail(LAC_EINVAL, "layer_norm: eps must be > 0, got %g", (double)eps);
  if (form == LAC_NORM_PUBLISHED && per_channel.dim[0] == 1)
    return lac_fail(LAC_EINVAL, "layer_norm: the published form divides by the number of channels "
                                "less one, so it needs 2 or more, got 1");
  lac_tensor *const in[INPUTS] = {x, gain, offset};
  lac_tensor *dense[INPUTS] = {NULL};
  lac_status status = LAC_OK;
  for (int i = 0; i < INPUTS && status == LAC_OK; i++)
    status = lac_contiguous(&dense[i], in[i]);
  if (status == LAC_OK) status = norm_contiguous(out, dense, eps, form);
  for (int i = 0; i < INPUTS; i++)
    lac_tensor_release(dense[i]);
  return status;
}
