/* Both forms share everything but their kernels: a row of names each. */
#include "ops/softmax.h"

#include "ops/elementwise.h"
#include "ops/op.h"

typedef struct row_op {
  const char *name, *fwd, *bwd;
} row_op;

static uint64_t row_length(const lac_tensor *x) {
  const lac_shape *shape = lac_tensor_shape(x);
  return shape->dim[shape->rank - 1];
}

static void launch_rows(lac_launch *run, const lac_tensor *x) {
  const uint64_t n = row_length(x);
  lac_arg_u64(run, n);
  lac_launch_groups(run, n ? lac_tensor_numel(x) / n : 0, LAC_REDUCE_GROUP);
}

/* gx += J^T gy, written in the result */
static lac_status row_backward(const lac_node *node) {
  const row_op *op = node->op;
  lac_tensor *x = node->in[0], *gx;
  LAC_TRY(lac_tensor_borrow_grad(&gx, x));
  lac_launch run = lac_launch_new(lac_tensor_device(x), "softmax", op->bwd);
  lac_arg_tensor(&run, gx);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  lac_arg_tensor(&run, node->out[0]);
  launch_rows(&run, x);
  return lac_launch_run(&run);
}

static lac_status row_contiguous(lac_tensor **out, lac_tensor *x, const row_op *op) {
  lac_device *device = lac_tensor_device(x);
  lac_tensor *y;
  LAC_TRY(lac_tensor_new(&y, device, LAC_F32, lac_tensor_shape(x)));
  lac_launch run = lac_launch_new(device, "softmax", op->fwd);
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, x);
  launch_rows(&run, x);
  const lac_node node = {row_backward, op, .in = {x}, .out = {y}};
  return lac_op_finish(out, y, lac_launch_run(&run), &node);
}

static lac_status row_map(lac_tensor **out, lac_tensor *x, const row_op *op) {
  lac_tensor *dense;
  LAC_TRY(lac_op_check(op->name, "x", x, LAC_F32, NULL));
  if (lac_tensor_shape(x)->rank == 0)
    return lac_fail(LAC_EINVAL, "%s: a scalar has no last dimension", op->name);
  LAC_TRY(lac_contiguous(&dense, x));
  const lac_status status = row_contiguous(out, dense, op);
  lac_tensor_release(dense);
  return status;
}

lac_status lac_softmax(lac_tensor **out, lac_tensor *x) {
  static const row_op op = {"softmax", "softmax_fwd", "softmax_bwd"};
  return row_map(out, x, &op);
}

lac_status lac_log_softmax(lac_tensor **out, lac_tensor *x) {
  static const row_op op = {"log_softmax", "log_softmax_fwd", "log_softmax_bwd"};
  return row_map(out, x, &op);
}
