/* The largest cell's place is kept for backward; means need nothing but sizes. */
#include "layers/pooling.h"

#include "core/memory.h"
#include "ops/elementwise.h"
#include "ops/op.h"

#include <inttypes.h>
#include <stdlib.h>

/* What backward needs of forward. */
typedef struct pool_plan {
  lac_slide slide;
  bool with_padding; // of a mean
} pool_plan;

static lac_status bwd(const lac_node *node, const char *kernel) {
  const pool_plan *plan = node->extra.object;
  const lac_slide *s = &plan->slide;
  lac_tensor *gx;
  bool fresh;
  LAC_TRY(lac_tensor_borrow_fresh_grad(&gx, &fresh, node->in[0]));
  lac_launch run = lac_launch_new(lac_tensor_device(gx), "pooling", kernel);
  lac_arg_tensor(&run, gx);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  if (node->saved[0]) lac_arg_tensor(&run, node->saved[0]);
  lac_arg_slide(&run, s);
  if (!node->saved[0]) lac_arg_u32(&run, plan->with_padding);
  lac_arg_u32(&run, !fresh);
  lac_launch_items2(&run, s->channels, (uint64_t)s->n * s->in[0] * s->in[1]);
  return lac_launch_run(&run);
}

static lac_status max_pool_backward(const lac_node *node) {
  return bwd(node, "max_pool_bwd");
}

static lac_status average_pool_backward(const lac_node *node) {
  return bwd(node, "average_pool_bwd");
}

/* y, and in *at the places of the largest cells unless `at` is NULL: then means */
static lac_status fwd(lac_tensor *y, lac_tensor **at, lac_tensor *x, const pool_plan *plan) {
  lac_device *device = lac_tensor_device(x);
  if (at) LAC_TRY(lac_tensor_new(at, device, LAC_I32, lac_tensor_shape(y)));
  lac_launch run = lac_launch_new(device, "pooling", at ? "max_pool_fwd" : "average_pool_fwd");
  lac_arg_tensor(&run, y);
  if (at) lac_arg_tensor(&run, *at);
  lac_arg_tensor(&run, x);
  lac_arg_slide(&run, &plan->slide);
  if (!at) lac_arg_u32(&run, plan->with_padding);
  lac_launch_items2(&run, plan->slide.channels, lac_slide_positions(&plan->slide));
  return lac_launch_run(&run);
}

static lac_status pool_contiguous(lac_tensor **out, lac_tensor *x, const pool_plan *plan,
                                  bool largest) {
  const lac_slide *s = &plan->slide;
  const lac_shape shape = {4, {s->n, s->out[0], s->out[1], s->channels}};
  lac_tensor *y, *at = NULL;
  pool_plan *kept;
  LAC_TRY(lac_alloc(&kept, 1, sizeof *kept, "the sizes of a pooling"));
  *kept = *plan;
  lac_status status = lac_tensor_new(&y, lac_tensor_device(x), LAC_F32, &shape);
  if (status != LAC_OK) {
    free(kept);
    return status;
  }
  status = fwd(y, largest ? &at : NULL, x, plan);
  const lac_node node = {largest ? max_pool_backward : average_pool_backward, .in = {x}, .out = {y},
                         .saved = {at}, .extra = {kept, free}};
  status = lac_op_finish(out, y, status, &node);
  lac_tensor_release(at);
  return status;
}

static lac_status pool(lac_tensor **out, const char *op, lac_tensor *x, const lac_window *w,
                       bool ceil, bool largest, bool with_padding) {
  pool_plan plan = {.with_padding = with_padding};
  lac_tensor *dense;
  LAC_TRY(lac_op_check(op, "x", x, LAC_F32, NULL));
  LAC_TRY(lac_slide_fit(&plan.slide, op, x, w, ceil));
  for (int d = 0; d < 2; d++) {
    const uint64_t span = (uint64_t)w->dilation[d] * (w->size[d] - 1) + 1;
    if (w->before[d] >= span || w->after[d] >= span)
      return lac_fail(LAC_EINVAL,
                      "%s: padding must be less than the window's %" PRIu64
                      " %s, or it would see nothing else; got %u and %u",
                      op, span, d ? "columns" : "rows", w->before[d], w->after[d]);
  }
  LAC_TRY(lac_contiguous(&dense, x));
  const lac_status status = pool_contiguous(out, dense, &plan, largest);
  lac_tensor_release(dense);
  return status;
}

lac_status lac_max_pool(lac_tensor **out, lac_tensor *x, const lac_window *window, bool ceil) {
  return pool(out, "max_pool", x, window, ceil, true, false);
}

lac_status lac_average_pool(lac_tensor **out, lac_tensor *x, const lac_window *window, bool ceil,
                            bool with_padding) {
  return pool(out, "average_pool", x, window, ceil, false, with_padding);
}
