/*
 * Forward keeps y and one number per row and head. Backward goes once over the queries, for q and
 * bias, and once over the keys, for k and v: everything is added in a fixed order.
 */
#include "layers/attend_host.h"

#include "core/memory.h"
#include "ops/elementwise.h"
#include "ops/op.h"
#include "ops/random.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { Q, K, V, BIAS, INPUTS }; // as LAC_ATTEND_Q and so on
static void drop_plan(void *object) {
  lac_attend_plan *plan = object;
  lac_segments_release(plan->segments);
  free(plan);
}

static lac_status check_heads(const lac_attend_args *a) {
  char q[LAC_SHAPE_TEXT], k[LAC_SHAPE_TEXT], v[LAC_SHAPE_TEXT];
  LAC_TRY(lac_op_check("attend", "q", a->q, LAC_F32, NULL));
  LAC_TRY(lac_op_check("attend", "k", a->k, LAC_F32, a->q));
  LAC_TRY(lac_op_check("attend", "v", a->v, LAC_F32, a->q));
  const lac_shape *qs = lac_tensor_shape(a->q), *ks = lac_tensor_shape(a->k);
  const lac_shape *vs = lac_tensor_shape(a->v);
  if (qs->rank != 2 || ks->rank != 2 || vs->rank != 2 || qs->dim[1] != ks->dim[1] ||
      ks->dim[0] != vs->dim[0])
    return lac_fail(LAC_ESHAPE,
                    "attend: q %s, k %s and v %s do not fit (want [queries, d], [keys, d], "
                    "[keys, dv])",
                    lac_shape_text(q, qs), lac_shape_text(k, ks), lac_shape_text(v, vs));
  if (a->heads == 0 || qs->dim[1] == 0 || qs->dim[1] % a->heads || vs->dim[1] % a->heads)
    return lac_fail(LAC_ESHAPE,
                    "attend: %u heads do not divide the %" PRIu64 " channels of q and k and the "
                    "%" PRIu64 " of v",
                    a->heads, qs->dim[1], vs->dim[1]);
  return LAC_OK;
}

static lac_status check_segments(const lac_attend_args *a) {
  const lac_segments *s = a->segments;
  const uint64_t rows = lac_tensor_shape(a->q)->dim[0], keys = lac_tensor_shape(a->k)->dim[0];
  LAC_TRY(lac_op_check("attend", "segments", s->table, LAC_I32, a->q));
  if (s->rows != rows)
    return lac_fail(LAC_ESHAPE, "attend: the segments have %u queries, q has %" PRIu64 " rows",
                    s->rows, rows);
  if (s->key_rows > keys)
    return lac_fail(LAC_ESHAPE,
                    "attend: segment %u looks at keys up to row %u, k has %" PRIu64 " rows",
                    s->farthest + 1, s->key_rows, keys);
  if (a->causal && s->uneven < s->count)
    return lac_fail(LAC_ESHAPE,
                    "attend: causal wants as many keys as queries, segment %u has %u keys for %u "
                    "queries",
                    s->uneven + 1, s->uneven_keys, s->uneven_queries);
  return LAC_OK;
}

static lac_status check_bias(const lac_attend_args *a) {
  char got[LAC_SHAPE_TEXT];
  const lac_segments *s = a->segments;
  LAC_TRY(lac_op_check("attend", "bias", a->bias, LAC_F32, a->q));
  const lac_shape *shape = lac_tensor_shape(a->bias);
  if (shape->rank == 4 && shape->dim[0] == s->count && shape->dim[1] == a->heads &&
      shape->dim[2] >= s->most_queries && shape->dim[3] >= s->most_keys)
    return LAC_OK;
  return lac_fail(LAC_ESHAPE,
                  "attend: bias must be [segments, heads, queries, keys] = [%u, %u, %u or more, %u "
                  "or more], got %s",
                  s->count, a->heads, s->most_queries, s->most_keys, lac_shape_text(got, shape));
}

static lac_status check(const lac_attend_args *a) {
  LAC_TRY(check_heads(a));
  LAC_TRY(check_segments(a));
  if (a->bias) LAC_TRY(check_bias(a));
  if (!(a->dropout >= 0 && a->dropout < 1))
    return lac_fail(LAC_EINVAL, "attend: dropout must be 0 <= p < 1, got %g", (double)a->dropout);
  if (a->dropout > 0 && !a->rng)
    return lac_fail(LAC_EINVAL, "attend: dropout needs a generator in rng");
  return LAC_OK;
}

static uint64_t step_of(const lac_tensor *x) {
  return lac_tensor_stride(x, 0);
}

/* ATTEND_ARGS of cl/attend.cl, in their order */
static void arg_all(lac_launch *run, lac_tensor *const in[INPUTS], const lac_attend_plan *plan) {
  const lac_segments *s = plan->segments;
  const lac_shape *bias = in[BIAS] ? lac_tensor_shape(in[BIAS]) : NULL;
  for (int i = 0; i < INPUTS; i++)
    lac_arg_tensor(run, in[i] ? in[i] : in[Q]);
  lac_arg_tensor(run, s->table);
  lac_arg_u32(run, s->count);
  lac_arg_u32(run, s->groups);
  lac_arg_u32(run, plan->heads);
  lac_arg_u32(run, plan->d);
  lac_arg_u32(run, plan->dv);
  for (int i = Q; i <= V; i++)
    lac_arg_u64(run, step_of(in[i]));
  lac_arg_u32(run, bias ? (uint32_t)bias->dim[2] : 0);
  lac_arg_u32(run, bias ? (uint32_t)bias->dim[3] : 0);
  lac_arg_u32(run, plan->flags);
  lac_arg_f32(run, plan->scale);
  lac_arg_rng(run, &plan->rng);
  lac_arg_u32(run, plan->blocks);
  lac_arg_u32(run, plan->threshold);
  lac_arg_f32(run, plan->keep);
}

/* The gradient of an input where it is wanted, else any tensor. */
static lac_status borrow_wanted(lac_tensor **out, const lac_node *node, int input,
                                const lac_attend_plan *plan, lac_tensor *any) {
  *out = any;
  return plan->flags & (uint32_t)LAC_ATTEND_WANT << input
             ? lac_tensor_borrow_grad(out, node->in[input])
             : LAC_OK;
}

static lac_status bwd_q(lac_tensor *delta, const lac_node *node, const lac_attend_plan *plan) {
  lac_tensor *gq, *gbias;
  LAC_TRY(borrow_wanted(&gq, node, Q, plan, delta));
  LAC_TRY(borrow_wanted(&gbias, node, BIAS, plan, delta));
  lac_launch run = lac_launch_new(lac_tensor_device(delta), "attend", "attend_bwd_q");
  lac_arg_tensor(&run, gq);
  lac_arg_u64(&run, step_of(gq));
  lac_arg_tensor(&run, gbias);
  lac_arg_tensor(&run, delta);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  lac_arg_tensor(&run, node->out[0]);
  lac_arg_tensor(&run, node->saved[0]);
  arg_all(&run, node->in, plan);
  lac_launch_groups(&run, (uint64_t)plan->segments->rows * plan->heads, LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

static lac_status bwd_kv(lac_tensor *delta, const lac_node *node, const lac_attend_plan *plan) {
  lac_tensor *gk, *gv;
  if (!(plan->flags & (LAC_ATTEND_WANT << K | LAC_ATTEND_WANT << V))) return LAC_OK;
  LAC_TRY(borrow_wanted(&gk, node, K, plan, delta));
  LAC_TRY(borrow_wanted(&gv, node, V, plan, delta));
  lac_launch run = lac_launch_new(lac_tensor_device(delta), "attend", "attend_bwd_kv");
  lac_arg_tensor(&run, gk);
  lac_arg_u64(&run, step_of(gk));
  lac_arg_tensor(&run, gv);
  lac_arg_u64(&run, step_of(gv));
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  lac_arg_tensor(&run, delta);
  lac_arg_tensor(&run, node->saved[0]);
  arg_all(&run, node->in, plan);
  lac_launch_groups(&run, (uint64_t)plan->segments->key_rows * plan->heads, LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

static lac_status attend_backward(const lac_node *node) {
  lac_attend_plan plan = *(const lac_attend_plan *)node->extra.object;
  lac_tensor *delta;
  for (int i = 0; i < INPUTS; i++)
    if (node->in[i] && lac_tensor_requires_grad(node->in[i]))
      plan.flags |= (uint32_t)LAC_ATTEND_WANT << i;
  if (lac_attend_on_host(lac_tensor_device(node->in[Q])))
    return lac_attend_host_backward(node, &plan);
  LAC_TRY(lac_tensor_new(&delta, lac_tensor_device(node->in[Q]), LAC_F32,
                         lac_tensor_shape(node->saved[0])));
  lac_status status = bwd_q(delta, node, &plan);
  if (status == LAC_OK) status = bwd_kv(delta, node, &plan);
  lac_tensor_release(delta);
  return status;
}

static lac_status run_forward(lac_tensor *y, lac_tensor *lse, lac_tensor *const in[INPUTS],
                              const lac_attend_plan *plan) {
  if (lac_attend_on_host(lac_tensor_device(y))) return lac_attend_host_forward(y, lse, in, plan);
  lac_launch run = lac_launch_new(lac_tensor_device(y), "attend", "attend_fwd");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, lse);
  arg_all(&run, in, plan);
  lac_launch_groups(&run, (uint64_t)plan->segments->rows * plan->heads, LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

/* Records the plan, or drops it. */
static lac_status attend_dense(lac_tensor **out, lac_tensor *const in[INPUTS],
                               lac_attend_plan *plan) {
  lac_device *device = lac_tensor_device(in[Q]);
  const lac_extra extra = {plan, drop_plan};
  const lac_shape shape = {2, {plan->segments->rows, (uint64_t)plan->heads * plan->dv}};
  const lac_shape per_head = {2, {plan->segments->rows, plan->heads}};
  lac_tensor *y = NULL, *lse = NULL;
  lac_status status = lac_tensor_new(&lse, device, LAC_F32, &per_head);
  if (status == LAC_OK) status = lac_tensor_new(&y, device, LAC_F32, &shape);
  if (status == LAC_OK) {
    const lac_node node = {attend_backward, .in = {in[Q], in[K], in[V], in[BIAS]}, .out = {y},
                           .saved = {lse}, .extra = extra};
    status = lac_op_finish(out, y, run_forward(y, lse, in, plan), &node);
  } else {
    lac_extra_drop(&extra);
  }
  lac_tensor_release(lse);
  return status;
}

static lac_status make_plan(lac_attend_plan **out, const lac_attend_args *a) {
  lac_attend_plan *plan;
  LAC_TRY(lac_alloc(&plan, 1, sizeof *plan, "attention's plan"));
  const uint32_t d = (uint32_t)(lac_tensor_shape(a->q)->dim[1] / a->heads);
  *plan = (lac_attend_plan){
      .segments = lac_segments_retain(a->segments),
      .heads = a->heads,
      .d = d,
      .dv = (uint32_t)(lac_tensor_shape(a->v)->dim[1] / a->heads),
      .flags = (a->causal ? LAC_ATTEND_CAUSAL : 0u) | (a->bias ? LAC_ATTEND_BIASED : 0u) |
               (a->dropout > 0 ? LAC_ATTEND_DROPOUT : 0u),
      .blocks = (uint32_t)lac_rng_span(a->segments->most_keys),
      .threshold = (uint32_t)((double)a->dropout * 4294967296.0), // dropout < 1, so it fits
      .scale = 1 / sqrtf((float)d),
      .keep = 1 / (1 - a->dropout)};
  if (a->dropout > 0) plan->rng = *a->rng;
  *out = plan;
  return LAC_OK;
}

/* Whether the columns of two slices of one tensor meet, without their being the same columns. */
static bool tangled(const lac_tensor *a, const lac_tensor *b) {
  const uint64_t step = step_of(a), wa = lac_tensor_shape(a)->dim[1],
                 wb = lac_tensor_shape(b)->dim[1];
  if (lac_tensor_buffer(a) != lac_tensor_buffer(b)) return false;
  if (lac_tensor_numel(a) == 0 || lac_tensor_numel(b) == 0) return false;
  if (step != step_of(b)) return true;
  const uint64_t at = lac_tensor_offset(a) % step, bt = lac_tensor_offset(b) % step;
  return at == bt ? wa != wb : at < bt ? at + wa > bt : bt + wb > at;
}

/* x with rows of adjacent channels, which may be apart; its own copy where `alone`. */
static lac_status dense_rows(lac_tensor **out, lac_tensor *x, bool alone) {
  if (alone) return lac_clone(out, x);
  if (lac_tensor_stride(x, 1) != 1) return lac_contiguous(out, x);
  *out = lac_tensor_retain(x);
  return LAC_OK;
}

lac_status lac_attend(lac_tensor **out, const lac_attend_args *a) {
  LAC_TRY(check(a));
  lac_tensor *in[INPUTS] = {NULL};
  lac_attend_plan *plan = NULL;
  lac_status status = dense_rows(&in[Q], a->q, false);
  if (status == LAC_OK) status = dense_rows(&in[K], a->k, tangled(a->k, in[Q]));
  if (status == LAC_OK)
    status = dense_rows(&in[V], a->v, tangled(a->v, in[Q]) || tangled(a->v, in[K]));
  if (status == LAC_OK && a->bias) status = lac_contiguous(&in[BIAS], a->bias);
  if (status == LAC_OK) status = make_plan(&plan, a);
  const uint64_t counters =
      status == LAC_OK ? (uint64_t)a->segments->rows * a->heads * plan->blocks : 0;
  if (status == LAC_OK) status = attend_dense(out, in, plan);
  if (status == LAC_OK && a->dropout > 0) a->rng->counter += counters;
  for (int i = 0; i < INPUTS; i++)
    lac_tensor_release(in[i]);
  return status;
}
