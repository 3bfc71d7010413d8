/*
 * Both losses are a term per row and one average over the rows. What backward needs beside the
 * inputs: what the sum was divided by and, for scores, each row's log-sum-exp.
 */
#include "ops/loss.h"

#include "ops/elementwise.h"
#include "ops/op.h"

#include <inttypes.h>
#include <math.h>

/* The distribution that stands for a target: its probabilities at the target and at each other
 * word, and sum_j q_j ln q_j. */
typedef struct mix {
  float on, off, known;
} mix;

/* What a loss works on, all contiguous. */
typedef struct rows {
  lac_tensor *x, *targets, *weights;
  uint64_t count, vocab;
  mix goal;    // of xent
  float given; // what to divide by, 0 for the sum of the weights
} rows;

static rows read_rows(lac_tensor *x, lac_tensor *targets, lac_tensor *weights, mix goal,
                      float given) {
  const lac_shape *shape = lac_tensor_shape(x);
  return (rows){x, targets, weights, shape->dim[0], shape->dim[1], goal, given};
}

static lac_status launch_average(lac_tensor *y, lac_tensor *total, lac_tensor *term,
                                 const rows *r) {
  lac_launch run = lac_launch_new(lac_tensor_device(y), "loss", "average");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, total);
  lac_arg_tensor(&run, term);
  lac_arg_tensor(&run, r->weights);
  lac_arg_u64(&run, r->count);
  lac_arg_f32(&run, r->given);
  lac_launch_groups(&run, 1, LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

static lac_status launch_xent_terms(lac_tensor *term, lac_tensor *lse, const rows *r) {
  lac_launch run = lac_launch_new(lac_tensor_device(term), "loss", "xent_fwd");
  lac_arg_tensor(&run, term);
  lac_arg_tensor(&run, lse);
  lac_arg_tensor(&run, r->x);
  lac_arg_tensor(&run, r->targets);
  lac_arg_tensor(&run, r->weights);
  lac_arg_u64(&run, r->vocab);
  lac_arg_f32(&run, r->goal.on);
  lac_arg_f32(&run, r->goal.off);
  lac_arg_f32(&run, r->goal.known);
  lac_launch_groups(&run, r->count, LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

/* lse is not used: log-probabilities have it subtracted */
static lac_status launch_nll_terms(lac_tensor *term, lac_tensor *lse, const rows *r) {
  (void)lse;
  lac_launch run = lac_launch_new(lac_tensor_device(term), "loss", "nll_fwd");
  lac_arg_tensor(&run, term);
  lac_arg_tensor(&run, r->x);
  lac_arg_tensor(&run, r->targets);
  lac_arg_tensor(&run, r->weights);
  lac_arg_u64(&run, r->count);
  lac_arg_u64(&run, r->vocab);
  lac_launch_items(&run, r->count);
  return lac_launch_run(&run);
}

/* Of the node: in x; saved targets, weights, total, lse; attr of the goal. */
static lac_status xent_backward(const lac_node *node) {
  const mix goal = {.on = node->attr[0], .off = node->attr[1]};
  const rows r = read_rows(node->in[0], node->saved[0], node->saved[1], goal, 0);
  lac_tensor *gx;
  bool fresh;
  LAC_TRY(lac_tensor_borrow_fresh_grad(&gx, &fresh, r.x));
  lac_launch run = lac_launch_new(lac_tensor_device(gx), "loss", "xent_bwd");
  lac_arg_tensor(&run, gx);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  lac_arg_tensor(&run, r.x);
  lac_arg_tensor(&run, node->saved[3]);
  lac_arg_tensor(&run, r.targets);
  lac_arg_tensor(&run, r.weights);
  lac_arg_tensor(&run, node->saved[2]);
  lac_arg_u64(&run, r.vocab);
  lac_arg_u32(&run, !fresh);
  lac_arg_f32(&run, goal.on);
  lac_arg_f32(&run, goal.off);
  lac_launch_items2(&run, r.vocab, r.count);
  return lac_launch_run(&run);
}

static lac_status nll_backward(const lac_node *node) {
  const rows r = read_rows(node->in[0], node->saved[0], node->saved[1], (mix){0}, 0);
  lac_tensor *gx;
  LAC_TRY(lac_tensor_borrow_grad(&gx, r.x));
  lac_launch run = lac_launch_new(lac_tensor_device(gx), "loss", "nll_bwd");
  lac_arg_tensor(&run, gx);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  lac_arg_tensor(&run, r.targets);
  lac_arg_tensor(&run, r.weights);
  lac_arg_tensor(&run, node->saved[2]);
  lac_arg_u64(&run, r.count);
  lac_arg_u64(&run, r.vocab);
  lac_launch_items(&run, r.count);
  return lac_launch_run(&run);
}

typedef struct loss_op {
  const char *name;
  lac_status (*terms)(lac_tensor *term, lac_tensor *lse, const rows *r);
  lac_status (*backward)(const lac_node *node);
} loss_op;

static lac_status loss_contiguous(lac_tensor **out, const rows *r, const loss_op *op) {
  lac_device *device = lac_tensor_device(r->x);
  const lac_shape scalar = {.rank = 0}, per_row = {.rank = 1, .dim = {r->count}};
  lac_tensor *y = NULL, *total = NULL, *term = NULL, *lse = NULL;
  lac_status status = lac_tensor_new(&total, device, LAC_F32, &scalar);
  if (status == LAC_OK) status = lac_tensor_new(&term, device, LAC_F32, &per_row);
  if (status == LAC_OK) status = lac_tensor_new(&lse, device, LAC_F32, &per_row);
  if (status == LAC_OK) status = lac_tensor_new(&y, device, LAC_F32, &scalar);
  if (status == LAC_OK) {
    const lac_node node = {op->backward, .in = {r->x}, .out = {y},
                           .saved = {r->targets, r->weights, total, lse},
                           .attr = {r->goal.on, r->goal.off}};
    status = op->terms(term, lse, r);
    if (status == LAC_OK) status = launch_average(y, total, term, r);
    status = lac_op_finish(out, y, status, &node);
  }
  lac_tensor_release(total);
  lac_tensor_release(term);
  lac_tensor_release(lse);
  return status;
}

static lac_status find_goal(mix *out, float smoothing, uint64_t vocab) {
  if (!(smoothing >= 0 && smoothing < 1)) // NaN too
    return lac_fail(LAC_EINVAL, "xent: smoothing must be in [0, 1), got %g", smoothing);
  *out = (mix){1, 0, 0};
  if (smoothing == 0) return LAC_OK;
  if (vocab < 2)
    return lac_fail(LAC_EINVAL,
                    "xent: smoothing needs a vocabulary of 2 words or more, got %" PRIu64, vocab);
  const double e = smoothing, off = e / (double)(vocab - 1);
  *out = (mix){(float)(1 - e), (float)off, (float)((1 - e) * log1p(-e) + e * log(off))};
  return LAC_OK;
}

static lac_status loss(lac_tensor **out, lac_tensor *x, lac_tensor *targets, lac_tensor *weights,
                       float smoothing, float given, const loss_op *op) {
  char text[LAC_SHAPE_TEXT];
  const lac_shape *shape = lac_tensor_shape(x);
  LAC_TRY(lac_op_check(op->name, "x", x, LAC_F32, NULL));
  if (shape->rank != 2)
    return lac_fail(LAC_ESHAPE, "%s: x must be [rows, vocab], got %s", op->name,
                    lac_shape_text(text, shape));
  const lac_shape per_row = {.rank = 1, .dim = {shape->dim[0]}};
  LAC_TRY(lac_op_check_shape(op->name, "targets", targets, LAC_I32, x, &per_row));
  LAC_TRY(lac_op_check_shape(op->name, "weights", weights, LAC_F32, x, &per_row));
  mix goal;
  LAC_TRY(find_goal(&goal, smoothing, shape->dim[1]));
  lac_tensor *dx = NULL, *dt = NULL, *dw = NULL;
  lac_status status = lac_contiguous(&dx, x);
  if (status == LAC_OK) status = lac_contiguous(&dt, targets);
  if (status == LAC_OK) status = lac_contiguous(&dw, weights);
  if (status == LAC_OK) {
    const rows r = read_rows(dx, dt, dw, goal, given);
    status = loss_contiguous(out, &r, op);
  }
  lac_tensor_release(dx);
  lac_tensor_release(dt);
  lac_tensor_release(dw);
  return status;
}

lac_status lac_xent(lac_tensor **out, lac_tensor *x, lac_tensor *targets, lac_tensor *weights,
                    float smoothing, float total) {
  static const loss_op op = {"xent", launch_xent_terms, xent_backward};
  if (!(total >= 0) || isinf(total)) // NaN too
    return lac_fail(LAC_EINVAL, "xent: total must be a number > 0, got %g", total);
  return loss(out, x, targets, weights, smoothing, total, &op);
}

lac_status lac_nll(lac_tensor **out, lac_tensor *x, lac_tensor *targets, lac_tensor *weights) {
  static const loss_op op = {"nll", launch_nll_terms, nll_backward};
  return loss(out, x, targets, weights, 0, 0, &op);
}
