/* Forward keeps what is raised to the power. */
#include "layers/response_norm.h"

#include "ops/elementwise.h"
#include "ops/op.h"

enum { SLOPE, BETA }; // attributes of the record

static uint32_t channels_of(const lac_tensor *x) {
  const lac_shape *shape = lac_tensor_shape(x);
  return (uint32_t)shape->dim[shape->rank - 1];
}

static void launch_over(lac_launch *run, const lac_tensor *x) {
  const uint32_t channels = channels_of(x);
  lac_launch_items2(run, channels, channels ? lac_tensor_numel(x) / channels : 0);
}

/* Channels before and behind, of which there are no more than channels. */
static void arg_reach(lac_launch *run, const lac_tensor *x, uint64_t size) {
  const uint64_t channels = channels_of(x), before = size / 2, behind = (size - 1) / 2;
  lac_arg_u32(run, (uint32_t)channels);
  lac_arg_u32(run, (uint32_t)(before < channels ? before : channels));
  lac_arg_u32(run, (uint32_t)(behind < channels ? behind : channels));
}

static lac_status response_norm_backward(const lac_node *node) {
  lac_tensor *gx;
  bool fresh;
  LAC_TRY(lac_tensor_borrow_fresh_grad(&gx, &fresh, node->in[0]));
  lac_launch run = lac_launch_new(lac_tensor_device(gx), "response_norm", "response_norm_bwd");
  lac_arg_tensor(&run, gx);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  lac_arg_tensor(&run, node->saved[0]);
  lac_arg_tensor(&run, node->in[0]);
  arg_reach(&run, gx, node->count[0]);
  lac_arg_f32(&run, node->attr[SLOPE]);
  lac_arg_f32(&run, node->attr[BETA]);
  lac_arg_u32(&run, !fresh);
  launch_over(&run, gx);
  return lac_launch_run(&run);
}

static lac_status run_forward(lac_tensor *y, lac_tensor *base, lac_tensor *x,
                              const lac_response_norm_args *a) {
  lac_launch run = lac_launch_new(lac_tensor_device(y), "response_norm", "response_norm_fwd");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, base);
  lac_arg_tensor(&run, x);
  arg_reach(&run, x, a->size);
  lac_arg_f32(&run, a->k);
  lac_arg_f32(&run, a->alpha / (float)a->size);
  lac_arg_f32(&run, a->beta);
  launch_over(&run, y);
  return lac_launch_run(&run);
}

static lac_status norm_contiguous(lac_tensor **out, lac_tensor *x,
                                  const lac_response_norm_args *a) {
  lac_tensor *y, *base;
  LAC_TRY(lac_tensor_new(&base, lac_tensor_device(x), LAC_F32, lac_tensor_shape(x)));
  lac_status status = lac_tensor_new(&y, lac_tensor_device(x), LAC_F32, lac_tensor_shape(x));
  if (status == LAC_OK) {
    const lac_node node = {response_norm_backward,
                           .in = {x},
                           .out = {y},
                           .saved = {base},
                           .attr = {a->alpha / (float)a->size, a->beta},
                           .count = {a->size}};
    status = lac_op_finish(out, y, run_forward(y, base, x, a), &node);
  }
  lac_tensor_release(base);
  return status;
}

lac_status lac_response_norm(lac_tensor **out, const lac_response_norm_args *a) {
  lac_tensor *dense;
  LAC_TRY(lac_op_check("local_response_norm", "x", a->x, LAC_F32, NULL));
  if (lac_tensor_shape(a->x)->rank == 0)
    return lac_fail(LAC_EINVAL, "local_response_norm: a scalar has no channels");
  if (a->size == 0 || a->size > INT32_MAX)
    return lac_fail(LAC_EINVAL, "local_response_norm: size must be from 1 to 2^31 - 1, got %u",
                    a->size);
  if (!(a->k > 0) || !(a->alpha >= 0))
    return lac_fail(LAC_EINVAL, "local_response_norm: k must be > 0 and alpha >= 0, got %g and %g",
                    (double)a->k, (double)a->alpha);
  LAC_TRY(lac_contiguous(&dense, a->x));
  const lac_status status = norm_contiguous(out, dense, a);
  lac_tensor_release(dense);
  return status;
}
