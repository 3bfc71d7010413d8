/* A node keeps p and the three numbers of the generator; that is all backward needs. */
#include "layers/dropout.h"

#include "layers/dropout_host.h"
#include "ops/elementwise.h"
#include "ops/op.h"
#include "ops/random.h"

static lac_status launch(lac_tensor *y, const lac_tensor *x, float p, const lac_rng *rng,
                         uint32_t add) {
  const uint64_t n = lac_tensor_numel(y);
  const lac_dropout_plan plan = {*rng, (uint32_t)((double)p * 4294967296.0), // p < 1, so it fits
                                 1 / (1 - p), add};
  if (lac_dropout_on_host(lac_tensor_device(y))) return lac_dropout_host(y, x, &plan);
  lac_launch run = lac_launch_new(lac_tensor_device(y), "dropout", "dropout");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, x);
  lac_arg_u64(&run, n);
  lac_arg_rng(&run, rng);
  lac_arg_u32(&run, plan.threshold);
  lac_arg_f32(&run, plan.scale);
  lac_arg_u32(&run, plan.add);
  lac_launch_items(&run, lac_rng_span(n));
  return lac_launch_run(&run);
}

static lac_status dropout_backward(const lac_node *node) {
  const lac_rng rng = {node->count[0], node->count[1], node->count[2]};
  lac_tensor *gx;
  bool fresh;
  LAC_TRY(lac_tensor_borrow_fresh_grad(&gx, &fresh, node->in[0]));
  return launch(gx, lac_tensor_grad(node->out[0]), node->attr[0], &rng, !fresh);
}

static lac_status dropout_contiguous(lac_tensor **out, lac_tensor *x, float p, lac_rng *rng) {
  lac_tensor *y;
  LAC_TRY(lac_tensor_new(&y, lac_tensor_device(x), LAC_F32, lac_tensor_shape(x)));
  const lac_node node = {dropout_backward, .in = {x}, .out = {y}, .attr = {p},
                         .count = {rng->seed, rng->stream, rng->counter}};
  LAC_TRY(lac_op_finish(out, y, launch(y, x, p, rng, 0), &node));
  rng->counter += lac_rng_span(lac_tensor_numel(y));
  return LAC_OK;
}

lac_status lac_dropout(lac_tensor **out, lac_tensor *x, float p, lac_rng *rng) {
  lac_tensor *dense;
  LAC_TRY(lac_op_check("dropout", "x", x, LAC_F32, NULL));
  if (!(p >= 0 && p < 1))
    return lac_fail(LAC_EINVAL, "dropout: p must be 0 <= p < 1, got %g", (double)p);
  LAC_TRY(lac_contiguous(&dense, x));
  const lac_status status = dropout_contiguous(out, dense, p, rng);
  lac_tensor_release(dense);
  return status;
}
