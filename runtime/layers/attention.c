/*
 * Forward is one kernel per row; it keeps the weights, and with dropout what these have become.
 * Backward recomputes tanh, once, rather than
 * keeping [rows, regions, size] of it: first the gradient of the scores, row by row, then what
 * several rows of an image share, image by image, so that nothing needs atomics.
 */
#include "layers/attention.h"

#include "layers/attention_host.h"
#include "ops/elementwise.h"
#include "ops/op.h"
#include "ops/random.h"

enum { QUERY, KEYS, VALUES, V, OWNERS, MEMBERS }; // inputs of the record
enum { WEIGHTS, USED };                           // what it saves; one tensor without dropout
enum { ARGUMENTS = 7 };

typedef lac_attention_sizes sizes;

static lac_status fail_shapes(const lac_attention_args *a) {
  char q[LAC_SHAPE_TEXT], k[LAC_SHAPE_TEXT], u[LAC_SHAPE_TEXT], v[LAC_SHAPE_TEXT];
  return lac_fail(
      LAC_ESHAPE,
      "attention: query %s, keys %s, values %s and v %s do not fit (want [batch, size], "
      "[images, regions, size], [images, regions, width], [size], batch a multiple of "
      "images)",
      lac_shape_text(q, lac_tensor_shape(a->query)), lac_shape_text(k, lac_tensor_shape(a->keys)),
      lac_shape_text(u, lac_tensor_shape(a->values)), lac_shape_text(v, lac_tensor_shape(a->v)));
}

static lac_status check_rows(const lac_attention_args *a) {
  char q[LAC_SHAPE_TEXT], o[LAC_SHAPE_TEXT], m[LAC_SHAPE_TEXT];
  if (!a->members) return lac_fail(LAC_EINVAL, "attention: owners need members beside them");
  LAC_TRY(lac_op_check("attention", "owners", a->owners, LAC_I32, a->query));
  LAC_TRY(lac_op_check("attention", "members", a->members, LAC_I32, a->query));
  const lac_shape *owners = lac_tensor_shape(a->owners), *members = lac_tensor_shape(a->members);
  if (owners->rank == 1 && owners->dim[0] >= lac_tensor_shape(a->query)->dim[0] &&
      members->rank == 2 && members->dim[0] == lac_tensor_shape(a->keys)->dim[0] &&
      members->dim[0] * members->dim[1] >= lac_tensor_shape(a->query)->dim[0])
    return LAC_OK;
  return lac_fail(LAC_ESHAPE,
                  "attention: query %s, owners %s and members %s do not fit (want [batch, size], "
                  "[batch or more], [images, rows of an image])",
                  lac_shape_text(q, lac_tensor_shape(a->query)), lac_shape_text(o, owners),
                  lac_shape_text(m, members));
}

static lac_status check_dropout(const lac_attention_args *a) {
  if (!(a->dropout >= 0 && a->dropout < 1))
    return lac_fail(LAC_EINVAL, "attention: dropout must be 0 <= p < 1, got %g",
                    (double)a->dropout);
  if (a->dropout > 0 && !a->rng)
    return lac_fail(LAC_EINVAL, "attention: dropout needs a generator, rng");
  return LAC_OK;
}

static lac_status plan(sizes *n, const lac_attention_args *a) {
  LAC_TRY(lac_op_check("attention", "query", a->query, LAC_F32, NULL));
  LAC_TRY(lac_op_check("attention", "keys", a->keys, LAC_F32, a->query));
  LAC_TRY(lac_op_check("attention", "values", a->values, LAC_F32, a->query));
  LAC_TRY(lac_op_check("attention", "v", a->v, LAC_F32, a->query));
  LAC_TRY(check_dropout(a));
  const lac_shape *q = lac_tensor_shape(a->query), *k = lac_tensor_shape(a->keys);
  const lac_shape *u = lac_tensor_shape(a->values), *v = lac_tensor_shape(a->v);
  if (q->rank != 2 || k->rank != 3 || u->rank != 3 || v->rank != 1 || v->dim[0] != q->dim[1] ||
      k->dim[2] != q->dim[1] || u->dim[0] != k->dim[0] || u->dim[1] != k->dim[1])
    return fail_shapes(a);
  if (a->owners) LAC_TRY(check_rows(a));
  if (!a->owners && (k->dim[0] == 0 ? q->dim[0] != 0 : q->dim[0] % k->dim[0] != 0))
    return fail_shapes(a);
  if (k->dim[1] == 0 && q->dim[0] > 0)
    return lac_fail(LAC_ESHAPE, "attention: there are no regions to look at");
  const lac_shape mask = {2, {k->dim[0], k->dim[1]}};
  if (a->mask) LAC_TRY(lac_op_check_shape("attention", "mask", a->mask, LAC_F32, a->query, &mask));
  *n = (sizes){.rows = (uint32_t)q->dim[0],
               .images = (uint32_t)k->dim[0],
               .each = a->owners   ? (uint32_t)lac_tensor_shape(a->members)->dim[1]
                       : k->dim[0] ? (uint32_t)(q->dim[0] / k->dim[0])
                                   : 1,
               .regions = (uint32_t)k->dim[1],
               .size = (uint32_t)q->dim[1],
               .width = (uint32_t)u->dim[2]};
  return LAC_OK;
}

/* A table of rows, or a tensor that is not looked at, and whether it is one. */
static void arg_rows(lac_launch *run, lac_tensor *table, lac_tensor *otherwise) {
  lac_arg_tensor(run, table ? table : otherwise);
  lac_arg_u32(run, table != NULL);
}

static bool wants_keys(const lac_node *node) {
  return lac_tensor_requires_grad(node->in[KEYS]) || lac_tensor_requires_grad(node->in[V]);
}

/* ge, gquery where it is wanted, and what bwd_keys wants */
static lac_status bwd_scores(lac_tensor *ge, lac_tensor *tanhs, const lac_node *node,
                             const sizes *n) {
  lac_tensor *gy = lac_tensor_grad(node->out[0]), *gquery = ge;
  const bool with_gquery = lac_tensor_requires_grad(node->in[QUERY]);
  if (with_gquery) LAC_TRY(lac_tensor_borrow_grad(&gquery, node->in[QUERY]));
  lac_launch run = lac_launch_new(lac_tensor_device(ge), "attention", "additive_bwd_scores");
  lac_arg_tensor(&run, ge);
  lac_arg_tensor(&run, tanhs);
  lac_arg_tensor(&run, gquery);
  lac_arg_tensor(&run, gy);
  lac_arg_tensor(&run, node->saved[WEIGHTS]);
  lac_arg_tensor(&run, node->saved[USED]);
  lac_arg_tensor(&run, node->in[QUERY]);
  lac_arg_tensor(&run, node->in[KEYS]);
  lac_arg_tensor(&run, node->in[VALUES]);
  lac_arg_tensor(&run, node->in[V]);
  lac_arg_u32(&run, with_gquery || wants_keys(node));
  lac_arg_u32(&run, with_gquery);
  arg_rows(&run, node->in[OWNERS], node->in[V]);
  lac_arg_u32(&run, n->images);
  lac_arg_u32(&run, n->each);
  lac_arg_u32(&run, n->regions);
  lac_arg_u32(&run, n->size);
  lac_arg_u32(&run, n->width);
  lac_launch_groups(&run, n->rows, LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

/* gkeys, and gv through one partial sum per image */
static lac_status bwd_keys(lac_tensor *ge, lac_tensor *tanhs, const lac_node *node,
                           const sizes *n) {
  lac_device *device = lac_tensor_device(ge);
  const bool with_gkeys = lac_tensor_requires_grad(node->in[KEYS]);
  const bool with_gv = lac_tensor_requires_grad(node->in[V]);
  const lac_shape shape = {2, {n->images, n->size}};
  lac_tensor *gkeys = ge, *gv = NULL, *partial;
  if (!wants_keys(node)) return LAC_OK;
  if (with_gkeys) LAC_TRY(lac_tensor_borrow_grad(&gkeys, node->in[KEYS]));
  if (with_gv) LAC_TRY(lac_tensor_borrow_grad(&gv, node->in[V]));
  LAC_TRY(lac_tensor_new(&partial, device, LAC_F32, &shape));
  lac_launch run = lac_launch_new(device, "attention", "additive_bwd_keys");
  lac_arg_tensor(&run, gkeys);
  lac_arg_tensor(&run, partial);
  lac_arg_tensor(&run, ge);
  lac_arg_tensor(&run, tanhs);
  lac_arg_tensor(&run, node->in[V]);
  lac_arg_u32(&run, with_gkeys);
  arg_rows(&run, node->in[MEMBERS], node->in[V]);
  lac_arg_u32(&run, n->rows);
  lac_arg_u32(&run, n->each);
  lac_arg_u32(&run, n->regions);
  lac_arg_u32(&run, n->size);
  lac_launch_items2(&run, (n->size + 7) / 8, n->images);
  lac_status status = lac_launch_run(&run);
  if (status == LAC_OK && with_gv) {
    lac_launch sum = lac_launch_new(device, "attention", "additive_bwd_v");
    lac_arg_tensor(&sum, gv);
    lac_arg_tensor(&sum, partial);
    lac_arg_u32(&sum, n->images);
    lac_arg_u32(&sum, n->size);
    lac_launch_items(&sum, n->size);
    status = lac_launch_run(&sum);
  }
  lac_tensor_release(partial);
  return status;
}

static lac_status bwd_values(const lac_node *node, const sizes *n) {
  lac_tensor *gvalues;
  if (!lac_tensor_requires_grad(node->in[VALUES])) return LAC_OK;
  LAC_TRY(lac_tensor_borrow_grad(&gvalues, node->in[VALUES]));
  lac_launch run = lac_launch_new(lac_tensor_device(gvalues), "attention", "additive_bwd_values");
  lac_arg_tensor(&run, gvalues);
  lac_arg_tensor(&run, node->saved[USED]);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  arg_rows(&run, node->in[MEMBERS], node->in[V]);
  lac_arg_u32(&run, n->rows);
  lac_arg_u32(&run, n->each);
  lac_arg_u32(&run, n->regions);
  lac_arg_u32(&run, n->width);
  lac_launch_items2(&run, (n->width + 7) / 8, (uint64_t)n->images * n->regions);
  return lac_launch_run(&run);
}

/* Everything at once. */
static lac_status backward_on_host(const lac_node *node, const sizes *n) {
  static const int inputs[] = {QUERY, KEYS, VALUES, V};
  lac_tensor *grad[4] = {NULL};
  for (int i = 0; i < 4; i++)
    if (lac_tensor_requires_grad(node->in[inputs[i]]))
      LAC_TRY(lac_tensor_borrow_grad(&grad[i], node->in[inputs[i]]));
  return lac_attention_host_backward(n,
                                     &(lac_attention_gradients){.query = node->in[QUERY],
                                                                .keys = node->in[KEYS],
                                                                .values = node->in[VALUES],
                                                                .v = node->in[V],
                                                                .owners = node->in[OWNERS],
                                                                .members = node->in[MEMBERS],
                                                                .weights = node->saved[WEIGHTS],
                                                                .used = node->saved[USED],
                                                                .gy = lac_tensor_grad(node->out[0]),
                                                                .gquery = grad[0],
                                                                .gkeys = grad[1],
                                                                .gvalues = grad[2],
                                                                .gv = grad[3]});
}

static lac_status additive_backward(const lac_node *node) {
  const lac_attention_args args = {.query = node->in[QUERY],
                                   .keys = node->in[KEYS],
                                   .values = node->in[VALUES],
                                   .v = node->in[V],
                                   .owners = node->in[OWNERS],
                                   .members = node->in[MEMBERS]};
  sizes n;
  lac_tensor *ge = NULL, *tanhs = NULL;
  lac_device *device = lac_tensor_device(args.query);
  LAC_TRY(plan(&n, &args));
  if (lac_attention_on_host(device)) return backward_on_host(node, &n);
  LAC_TRY(bwd_values(node, &n));
  const lac_shape shape = {3, {n.rows, n.regions, n.size}};
  lac_status status = lac_tensor_new(&ge, device, LAC_F32, lac_tensor_shape(node->saved[WEIGHTS]));
  if (status == LAC_OK) status = lac_tensor_new(&tanhs, device, LAC_F32, &shape);
  if (status == LAC_OK) status = bwd_scores(ge, tanhs, node, &n);
  if (status == LAC_OK) status = bwd_keys(ge, tanhs, node, &n);
  lac_tensor_release(ge);
  lac_tensor_release(tanhs);
  return status;
}

static lac_status launch_forward(lac_tensor *y, lac_tensor *w, lac_tensor *used,
                                 const lac_attention_args *a, const sizes *n) {
  static const lac_rng none = {0};
  lac_device *device = lac_tensor_device(y);
  lac_launch run = lac_launch_new(device, "attention", "additive_fwd");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, w);
  lac_arg_tensor(&run, used);
  lac_arg_tensor(&run, a->query);
  lac_arg_tensor(&run, a->keys);
  lac_arg_tensor(&run, a->values);
  lac_arg_tensor(&run, a->v);
  lac_arg_tensor(&run, a->mask ? a->mask : a->v);
  lac_arg_u32(&run, a->mask != NULL);
  arg_rows(&run, a->owners, a->v);
  lac_arg_u32(&run, n->images);
  lac_arg_u32(&run, n->each);
  lac_arg_u32(&run, n->regions);
  lac_arg_u32(&run, n->size);
  lac_arg_u32(&run, n->width);
  lac_arg_u32(&run, a->dropout > 0);
  lac_arg_rng(&run, a->dropout > 0 ? a->rng : &none);
  lac_arg_u32(&run, (uint32_t)((double)a->dropout * 4294967296.0)); // dropout < 1, so it fits
  lac_arg_f32(&run, 1 / (1 - a->dropout));
  lac_launch_groups(&run, n->rows, LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

static lac_status run_forward(lac_tensor *y, lac_tensor *w, lac_tensor *used,
                              const lac_attention_args *a, const sizes *n) {
  lac_device *device = lac_tensor_device(y);
  const lac_node node = {additive_backward,
                         .in = {a->query, a->keys, a->values, a->v, a->owners, a->members},
                         .out = {y}, .saved = {w, used}};
  LAC_TRY(lac_attention_on_host(device) ? lac_attention_host_forward(y, w, used, a, n)
                                        : launch_forward(y, w, used, a, n));
  return lac_tape_record(device, &node);
}

static lac_status attend(lac_tensor **out, lac_tensor **weights, const lac_attention_args *a,
                         const sizes *n) {
  lac_device *device = lac_tensor_device(a->query);
  const lac_shape shape = {2, {n->rows, n->width}}, weights_shape = {2, {n->rows, n->regions}};
  lac_tensor *y = NULL, *w = NULL, *used = NULL;
  lac_status status = lac_op_result(&y, "attention", "place", a->place, a->query, &shape);
  if (status == LAC_OK) status = lac_tensor_new(&w, device, LAC_F32, &weights_shape);
  if (status == LAC_OK && a->dropout > 0)
    status = lac_tensor_new(&used, device, LAC_F32, &weights_shape);
  if (status == LAC_OK) status = run_forward(y, w, used ? used : w, a, n);
  if (status == LAC_OK) {
    if (used) a->rng->counter += lac_rng_span(lac_tensor_numel(used));
    *out = y;
    if (weights) *weights = lac_tensor_retain(w);
  } else {
    lac_tensor_release(y);
  }
  lac_tensor_release(w);
  lac_tensor_release(used);
  return status;
}

lac_status lac_attention_additive(lac_tensor **out, lac_tensor **weights,
                                  const lac_attention_args *args) {
  sizes n;
  LAC_TRY(plan(&n, args));
  lac_tensor *const in[ARGUMENTS] = {args->query, args->keys,   args->values, args->v,
                                     args->mask,  args->owners, args->members};
  lac_tensor *dense[ARGUMENTS] = {NULL};
  lac_status status = LAC_OK;
  for (int i = 0; i < ARGUMENTS && status == LAC_OK; i++)
    if (in[i]) status = lac_contiguous(&dense[i], in[i]);
  const lac_attention_args flat = {dense[0], dense[1], dense[2],    dense[3],      dense[4],
                                   dense[5], dense[6], args->place, args->dropout, args->rng};
  if (status == LAC_OK) status = attend(out, weights, &flat, &n);
  for (int i = 0; i < ARGUMENTS; i++)
    lac_tensor_release(dense[i]);
  return status;
}
