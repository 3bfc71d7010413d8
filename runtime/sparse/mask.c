/* The node of a mask keeps w, the logit and y; which elements were kept is read off y (see
 * cl/mask.cl). */
#include "sparse/mask.h"

#include "ops/elementwise.h"
#include "ops/op.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "sparse/mask_host.h"

enum { PART = 16384 };

static lac_status launch_gradient(const lac_mask_gradient *g) {
  if (lac_mask_on_host(lac_tensor_device(g->w))) return lac_mask_host_gradient(g);
  lac_launch run = lac_launch_new(lac_tensor_device(g->w), "mask", "mask_bwd");
  lac_arg_tensor(&run, g->gw);
  lac_arg_tensor(&run, g->glogit);
  lac_arg_tensor(&run, g->gy);
  lac_arg_tensor(&run, g->y);
  lac_arg_tensor(&run, g->w);
  lac_arg_tensor(&run, g->logit);
  lac_arg_tensor(&run, g->count);
  lac_arg_u64(&run, lac_tensor_numel(g->w));
  lac_arg_u32(&run, g->flags);
  lac_launch_items(&run, lac_tensor_numel(g->w));
  return lac_launch_run(&run);
}

/* in: w, logit; count[0]: LAC_MASK_BYPASS or 0 */
static lac_status mask_backward(const lac_node *node) {
  lac_tensor *w = node->in[0], *logit = node->in[1], *y = node->out[0];
  lac_mask_gradient g = {w, w, lac_tensor_grad(y), y, w, logit, w, (uint32_t)node->count[0]};
  bool fresh = false;
  if (lac_tensor_requires_grad(w) && lac_tensor_inherit_grad(w, y)) {
    g.gw = lac_tensor_grad(w); // masked in place
    g.flags |= LAC_MASK_WANT_W;
  } else if (lac_tensor_requires_grad(w)) {
    LAC_TRY(lac_tensor_borrow_fresh_grad(&g.gw, &fresh, w));
    g.flags |= LAC_MASK_WANT_W | (fresh ? 0 : LAC_MASK_ADD_W);
  }
  if (lac_tensor_requires_grad(logit)) {
    LAC_TRY(lac_tensor_borrow_fresh_grad(&g.glogit, &fresh, logit));
    g.flags |= LAC_MASK_WANT_LOGIT | (fresh ? 0 : LAC_MASK_ADD_LOGIT);
  }
  lac_part along = {0};
  if (g.flags & LAC_MASK_WANT_LOGIT && lac_tape_take(lac_mask_count_gradient, logit, &along)) {
    g.flags |= LAC_MASK_COUNT;
    g.count = along.gy;
  }
  const lac_status status = launch_gradient(&g);
  lac_tensor_release(along.gy);
  lac_tensor_release(along.x);
  return status;
}

static lac_launch begin_mask(lac_tensor *y, const lac_mask_args *m, const char *kernel) {
  lac_launch run = lac_launch_new(lac_tensor_device(y), "mask", kernel);
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, m->w);
  lac_arg_tensor(&run, m->logit);
  return run;
}

static lac_status launch_sample(lac_tensor *y, const lac_mask_args *m) {
  const uint64_t n = lac_tensor_numel(y), counters = n / 8;
  if (lac_mask_on_host(lac_tensor_device(y))) return lac_mask_host_draw(y, m->w, m->logit, m->rng);
  if (counters) {
    lac_launch run = begin_mask(y, m, "mask_sample");
    lac_arg_u64(&run, counters);
    lac_arg_rng(&run, m->rng);
    lac_launch_items(&run, counters);
    LAC_TRY(lac_launch_run(&run));
  }
  if (n % 8 == 0) return LAC_OK;
  lac_launch rest = begin_mask(y, m, "mask_sample_rest");
  lac_arg_u64(&rest, counters);
  lac_arg_rng(&rest, m->rng);
  lac_arg_u64(&rest, n);
  lac_launch_items(&rest, n % 8);
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
                         .count = {m->bypass ? LAC_MASK_BYPASS : 0}};
  LAC_TRY(lac_op_finish(out, y, launch_mask(y, m), &node));
  if (m->rng) m->rng->counter += lac_rng_span(lac_tensor_numel(y));
  return LAC_OK;
}

static lac_status check_args(const char *op, const lac_mask_args *args) {
  LAC_TRY(lac_op_check(op, "w", args->w, LAC_F32, NULL));
  const lac_shape *shape = lac_tensor_shape(args->w);
  LAC_TRY(lac_op_check_shape(op, "logit", args->logit, LAC_F32, args->w, shape));
  if (args->noise) LAC_TRY(lac_op_check_shape(op, "noise", args->noise, LAC_F32, args->w, shape));
  if (args->rng && args->noise)
    return lac_fail(LAC_EINVAL, "%s: give a generator or noise, not both", op);
  return LAC_OK;
}

static void release_dense(lac_mask_args *dense) {
  lac_tensor_release(dense->w);
  lac_tensor_release(dense->logit);
  lac_tensor_release(dense->noise);
}

/* The same with contiguous tensors; to be released, also after a failure. */
static lac_status make_dense(lac_mask_args *dense, const lac_mask_args *args) {
  *dense = (lac_mask_args){.rng = args->rng, .bypass = args->bypass};
  LAC_TRY(lac_contiguous(&dense->w, args->w));
  LAC_TRY(lac_contiguous(&dense->logit, args->logit));
  return args->noise ? lac_contiguous(&dense->noise, args->noise) : LAC_OK;
}

lac_status lac_mask(lac_tensor **out, const lac_mask_args *args) {
  lac_mask_args dense;
  LAC_TRY(check_args("mask", args));
  lac_status status = make_dense(&dense, args);
  if (status == LAC_OK) status = mask_contiguous(out, &dense);
  release_dense(&dense);
  return status;
}

/* in: w, logit; saved: ids; count[0]: LAC_MASK_BYPASS or 0. A row may be asked for twice, so a work
 * item owns a column. */
static lac_status rows_backward(const lac_node *node) {
  lac_tensor *w = node->in[0], *logit = node->in[1], *y = node->out[0], *ids = node->saved[0];
  lac_tensor *gw = w, *glogit = w;
  uint32_t flags = (uint32_t)node->count[0];
  if (lac_tensor_requires_grad(w)) {
    LAC_TRY(lac_tensor_borrow_grad(&gw, w));
    flags |= LAC_MASK_WANT_W;
  }
  if (lac_tensor_requires_grad(logit)) {
    LAC_TRY(lac_tensor_borrow_grad(&glogit, logit));
    flags |= LAC_MASK_WANT_LOGIT;
  }
  lac_launch run = lac_launch_new(lac_tensor_device(w), "mask", "mask_rows_bwd");
  lac_arg_tensor(&run, gw);
  lac_arg_tensor(&run, glogit);
  lac_arg_tensor(&run, lac_tensor_grad(y));
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, w);
  lac_arg_tensor(&run, logit);
  lac_arg_tensor(&run, ids);
  lac_arg_u64(&run, lac_tensor_numel(ids));
  lac_arg_u64(&run, lac_tensor_shape(w)->dim[1]);
  lac_arg_u64(&run, lac_tensor_shape(w)->dim[0]);
  lac_arg_u32(&run, flags);
  lac_launch_items(&run, lac_tensor_shape(w)->dim[1]);
  return lac_launch_run(&run);
}

static lac_status launch_rows(lac_tensor *y, const lac_mask_args *m, lac_tensor *ids) {
  const lac_shape *table = lac_tensor_shape(m->w);
  lac_launch run = begin_mask(y, m, m->noise ? "mask_rows_noise" : "mask_rows");
  if (m->noise) lac_arg_tensor(&run, m->noise);
  lac_arg_tensor(&run, ids);
  lac_arg_u64(&run, table->dim[1]);
  lac_arg_u64(&run, table->dim[0]);
  if (m->rng) {
    lac_arg_u64(&run, lac_tensor_numel(m->w) / 8);
    lac_arg_rng(&run, m->rng);
  }
  lac_launch_items2(&run, table->dim[1], lac_tensor_numel(ids));
  return lac_launch_run(&run);
}

static lac_status rows_contiguous(lac_tensor **out, const lac_mask_args *m, lac_tensor *ids) {
  lac_shape shape = *lac_tensor_shape(ids);
  shape.dim[shape.rank++] = lac_tensor_shape(m->w)->dim[1];
  lac_tensor *y;
  LAC_TRY(lac_tensor_new(&y, lac_tensor_device(m->w), LAC_F32, &shape));
  const lac_node node = {rows_backward, .in = {m->w, m->logit}, .out = {y}, .saved = {ids},
                         .count = {m->bypass ? LAC_MASK_BYPASS : 0}};
  LAC_TRY(lac_op_finish(out, y, launch_rows(y, m, ids), &node));
  if (m->rng) m->rng->counter += lac_rng_span(lac_tensor_numel(m->w));
  return LAC_OK;
}

lac_status lac_mask_rows(lac_tensor **out, const lac_mask_args *args, lac_tensor *ids) {
  lac_mask_args dense;
  lac_tensor *dense_ids = NULL;
  LAC_TRY(check_args("mask_rows", args));
  LAC_TRY(lac_op_check("mask_rows", "ids", ids, LAC_I32, args->w));
  if (lac_tensor_shape(args->w)->rank != 2 || lac_tensor_shape(ids)->rank >= LAC_MAX_RANK)
    return lac_fail(LAC_ESHAPE, "mask_rows: w must be a matrix, and ids of less than %d dimensions",
                    LAC_MAX_RANK);
  if (!args->rng == !args->noise)
    return lac_fail(LAC_EINVAL, "mask_rows: give a generator or noise");
  lac_status status = make_dense(&dense, args);
  if (status == LAC_OK) status = lac_contiguous(&dense_ids, ids);
  if (status == LAC_OK) status = rows_contiguous(out, &dense, dense_ids);
  release_dense(&dense);
  lac_tensor_release(dense_ids);
  return status;
}

lac_status lac_mask_count_gradient(lac_tensor *logit, const lac_part *parts, size_t count) {
  lac_tensor *glogit;
  bool fresh;
  LAC_TRY(lac_tensor_borrow_fresh_grad(&glogit, &fresh, logit));
  for (size_t i = 0; i < count; i++) {
    lac_launch run = lac_launch_new(lac_tensor_device(logit), "mask", "mask_count_bwd");
    lac_arg_tensor(&run, glogit);
    lac_arg_tensor(&run, parts[i].gy);
    lac_arg_tensor(&run, logit);
    lac_arg_u64(&run, lac_tensor_numel(logit));
    lac_arg_u32(&run, i > 0 || !fresh);
    lac_launch_items(&run, lac_tensor_numel(logit));
    LAC_TRY(lac_launch_run(&run));
  }
  return LAC_OK;
}

/* Put off, since the logit's mask will add to the same gradient. */
static lac_status count_backward(const lac_node *node) {
  lac_tensor *logit = node->in[0];
  const lac_part part = {.gy = lac_tensor_grad(node->out[0]), .x = logit};
  return lac_tape_put_off(lac_mask_count_gradient, logit, &part);
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
