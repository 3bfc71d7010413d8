/*
 * Packed weights have a form for y = x w^T and, made when backward first asks, one for gx = gy w.
 * A node keeps the forms that its products went through.
 *
 * The first product starts from the bias, or the result starts as add + bias; then every product
 * adds to it in place. Inputs with more than two dimensions are seen as [rows, k]; their views
 * share memory and gradient.
 */
#include "ops/linear.h"

#include "core/memory.h"
#include "device/pool.h"
#include "ops/elementwise.h"
#include "ops/matmul.h"
#include "ops/op.h"

#include <stdlib.h>

enum { BIAS = 2 * LAC_LINEAR_PAIRS, ADD = BIAS + 1 };

/* Of sums over columns: rows added up at a time, and columns of a work item (cl/linear.cl). */
enum { ROWS_EACH = 64, SUM_ACROSS = 16 };

typedef struct packed_weights {
  lac_weights base;
  lac_prepared *forward, *back; /* NULL where not made, or where the provider has no such form */
} packed_weights;

lac_matrix lac_rows_matrix(const lac_tensor *x) {
  const uint64_t width = lac_tensor_shape(x)->dim[1], stride = lac_tensor_stride(x, 0);
  return (lac_matrix){lac_tensor_buffer(x), lac_tensor_offset(x), stride < width ? width : stride};
}

lac_row lac_bias_row(const lac_tensor *bias) {
  return bias ? (lac_row){lac_tensor_buffer(bias), lac_tensor_offset(bias)} : (lac_row){NULL, 0};
}

static bool has_whole_rows(const lac_tensor *x) {
  const lac_shape *shape = lac_tensor_shape(x);
  return shape->rank == 2 && lac_tensor_stride(x, 1) == 1 &&
         (shape->dim[0] <= 1 || lac_tensor_stride(x, 0) >= shape->dim[1]);
}

lac_status lac_add_column_sums(lac_tensor *gbias, const lac_tensor *gy) {
  lac_device *device = lac_tensor_device(gy);
  const uint64_t n = lac_tensor_numel(gbias), rows = n ? lac_tensor_numel(gy) / n : 0;
  const lac_shape shape = {2, {(rows + ROWS_EACH - 1) / ROWS_EACH, n}};
  lac_tensor *partial;
  if (rows == 0) return LAC_OK;
  LAC_TRY(lac_tensor_new(&partial, device, LAC_F32, &shape));
  lac_launch run = lac_launch_new(device, "linear", "column_sum_parts");
  lac_arg_tensor(&run, partial);
  lac_arg_tensor(&run, gy);
  lac_arg_u64(&run, rows);
  lac_arg_u64(&run, n);
  lac_arg_u64(&run, ROWS_EACH);
  lac_launch_items2(&run, (n + SUM_ACROSS - 1) / SUM_ACROSS, shape.dim[0]);
  lac_status status = lac_launch_run(&run);
  if (status == LAC_OK) {
    lac_launch add = lac_launch_new(device, "linear", "column_sum_add");
    lac_arg_tensor(&add, gbias);
    lac_arg_tensor(&add, partial);
    lac_arg_u64(&add, shape.dim[0]);
    lac_arg_u64(&add, n);
    lac_launch_items(&add, n);
    status = lac_launch_run(&add);
  }
  lac_tensor_release(partial);
  return status;
}

static lac_status add_product_to_grad(lac_tensor *side, lac_tensor *p, lac_tensor *q) {
  lac_tensor *gside;
  bool fresh;
  LAC_TRY(lac_tensor_borrow_fresh_grad(&gside, &fresh, side));
  return lac_product(gside, fresh ? 0.0f : 1.0f, p, q);
}

/* gw += gy^T x */
static lac_status add_weight_part(lac_tensor *w, lac_tensor *gy, lac_tensor *x) {
  lac_tensor *gyt;
  LAC_TRY(lac_tensor_transpose(&gyt, gy, 0, 1));
  const lac_status status = add_product_to_grad(w, gyt, x);
  lac_tensor_release(gyt);
  return status;
}

/* The tensor of a part; backward comes to the last of several steps first. */
static lac_tensor *nth_part(const lac_part *parts, size_t count, size_t i, bool of_x) {
  const lac_part *part = &parts[count - 1 - i];
  return of_x ? part->x : part->gy;
}

/* Dense parts where they lie, or copied. */
static lac_status join_or_copy(lac_tensor **out, lac_tensor *const *dense, size_t count) {
  lac_shape shape = *lac_tensor_shape(dense[0]);
  lac_tensor *stack;
  lac_piece *pieces;
  if (lac_tensor_join(out, dense, count)) return LAC_OK;
  LAC_TRY(lac_alloc(&pieces, count, sizeof *pieces, "a list of gradients"));
  shape.dim[0] = 0;
  for (size_t i = 0; i < count; i++) {
    shape.dim[0] += lac_tensor_shape(dense[i])->dim[0];
    pieces[i] =
        (lac_piece){lac_tensor_buffer(dense[i]), lac_tensor_offset(dense[i]) * LAC_ELEMENT_BYTES,
                    lac_tensor_numel(dense[i]) * LAC_ELEMENT_BYTES};
  }
  lac_status status = lac_tensor_new(&stack, lac_tensor_device(dense[0]), LAC_F32, &shape);
  if (status == LAC_OK) {
    status = lac_buffer_gather(lac_tensor_buffer(stack), pieces, count);
    if (status == LAC_OK)
      *out = stack;
    else
      lac_tensor_release(stack);
  }
  free(pieces);
  return status;
}

lac_status lac_stack_parts(lac_tensor **out, const lac_part *parts, size_t count, bool of_x) {
  lac_tensor **dense;
  size_t made = 0;
  lac_status status = LAC_OK;
  LAC_TRY(lac_alloc(&dense, count, sizeof(lac_tensor *), "a list of gradients"));
  for (; made < count && status == LAC_OK; made += status == LAC_OK)
    status = lac_contiguous(&dense[made], nth_part(parts, count, made, of_x));
  if (status == LAC_OK) status = join_or_copy(out, dense, count);
  while (made > 0)
    lac_tensor_release(dense[--made]);
  free(dense);
  return status;
}

/* gw += sum of gy_i^T x_i, as one product over the rows of all: a weight that served many time
 * steps is then read and written once. */
static lac_status add_weight_parts(lac_tensor *w, const lac_part *parts, size_t count) {
  if (count == 1) return add_weight_part(w, parts[0].gy, parts[0].x);
  lac_tensor *gy = NULL, *x = NULL;
  lac_status status = lac_stack_parts(&gy, parts, count, false);
  if (status == LAC_OK) status = lac_stack_parts(&x, parts, count, true);
  if (status == LAC_OK) status = add_weight_part(w, gy, x);
  lac_tensor_release(gy);
  lac_tensor_release(x);
  return status;
}

/* c = a w^T + beta c (trans) or a w + beta c, or + bias, through a packed form */
static lac_status multiply_packed(lac_tensor *c, float beta, const lac_tensor *bias,
                                  const lac_tensor *a, const lac_tensor *w, bool trans,
                                  const lac_prepared *form) {
  const lac_gemm_args args = {.trans_b = trans,
                              .m = lac_tensor_shape(c)->dim[0],
                              .n = lac_tensor_shape(c)->dim[1],
                              .k = lac_tensor_shape(w)->dim[trans],
                              .alpha = 1,
                              .beta = beta,
                              .a = lac_rows_matrix(a),
                              .b = lac_rows_matrix(w),
                              .c = lac_rows_matrix(c),
                              .batch = 1,
                              .start = lac_bias_row(bias)};
  return lac_gemm_prepared(lac_tensor_device(c), &args, form);
}

static lac_status packed_apply(lac_weights *weights, lac_tensor *y, float beta,
                               const lac_tensor *bias, lac_tensor *x) {
  const packed_weights *packed = (const packed_weights *)weights;
  return multiply_packed(y, beta, bias, x, weights->w, true, packed->forward);
}

static lac_status packed_apply_back(lac_weights *weights, lac_tensor *gx, float beta,
                                    lac_tensor *gy) {
  packed_weights *packed = (packed_weights *)weights;
  lac_tensor *w = weights->w;
  const lac_shape *shape = lac_tensor_shape(w);
  const lac_matrix matrix = lac_rows_matrix(w);
  if (!packed->back)
    LAC_TRY(lac_gemm_prepare(&packed->back, lac_tensor_device(w), &matrix, false, shape->dim[1],
                             shape->dim[0]));
  return multiply_packed(gx, beta, NULL, gy, w, false, packed->back);
}

static lac_status packed_add_gradient(lac_weights *weights, lac_tensor *gy, lac_tensor *x) {
  const lac_part part = {.gy = gy, .x = x};
  return lac_tape_put_off(add_weight_parts, weights->w, &part);
}

static void packed_release(lac_weights *weights) {
  packed_weights *packed = (packed_weights *)weights;
  lac_gemm_release(packed->forward);
  lac_gemm_release(packed->back);
  lac_tensor_release(weights->w);
  free(packed);
}

lac_status lac_weights_prepare(lac_weights **out, lac_tensor *w) {
  static const lac_weights_kind kind = {packed_apply, packed_apply_back, packed_add_gradient,
                                        packed_release};
  packed_weights *packed;
  LAC_TRY(lac_op_check("prepare", "w", w, LAC_F32, NULL));
  if (!has_whole_rows(w))
    return lac_fail(LAC_ESHAPE, "prepare: weights must be [n, k] with whole rows");
  LAC_TRY(lac_alloc(&packed, 1, sizeof *packed, "prepared weights"));
  const lac_matrix matrix = lac_rows_matrix(w);
  const lac_shape *shape = lac_tensor_shape(w);
  const lac_status status = lac_gemm_prepare(&packed->forward, lac_tensor_device(w), &matrix, true,
                                             shape->dim[0], shape->dim[1]);
  if (status != LAC_OK) {
    free(packed);
    return status;
  }
  packed->base = (lac_weights){&kind, 1, lac_tensor_retain(w)};
  *out = &packed->base;
  return LAC_OK;
}

lac_weights *lac_weights_retain(lac_weights *weights) {
  weights->refs++;
  return weights;
}

void lac_weights_release(lac_weights *weights) {
  if (weights && --weights->refs == 0) weights->kind->release(weights);
}

/* One pair's gradients; weights may be NULL. */
static lac_status pair_backward(lac_weights *weights, lac_tensor *gy, lac_tensor *x,
                                lac_tensor *w) {
  if (lac_tensor_requires_grad(x)) {
    lac_tensor *gx;
    bool fresh;
    LAC_TRY(lac_tensor_borrow_fresh_grad(&gx, &fresh, x));
    const float beta = fresh ? 0.0f : 1.0f;
    LAC_TRY(weights ? weights->kind->apply_back(weights, gx, beta, gy)
                    : lac_product(gx, beta, gy, w));
  }
  if (!lac_tensor_requires_grad(w)) return LAC_OK;
  if (weights) return weights->kind->add_gradient(weights, gy, x);
  const lac_part part = {.gy = gy, .x = x};
  return lac_tape_put_off(add_weight_parts, w, &part);
}

/* extra: an array of LAC_LINEAR_PAIRS lac_weights, each may be NULL; or nothing */
static lac_status linear_backward(const lac_node *node) {
  lac_tensor *gy = lac_tensor_grad(node->out[0]), *gbias, *gadd;
  lac_weights *const *weights = node->extra.object;
  for (uint32_t i = 0; i < node->count[0]; i++)
    LAC_TRY(pair_backward(weights ? weights[i] : NULL, gy, node->in[2 * i], node->in[2 * i + 1]));
  if (node->in[BIAS] && lac_tensor_requires_grad(node->in[BIAS])) {
    LAC_TRY(lac_tensor_borrow_grad(&gbias, node->in[BIAS]));
    LAC_TRY(lac_add_column_sums(gbias, gy));
  }
  if (node->in[ADD] && lac_tensor_requires_grad(node->in[ADD])) {
    LAC_TRY(lac_tensor_borrow_grad(&gadd, node->in[ADD]));
    LAC_TRY(lac_accumulate(gadd, gy));
  }
  return LAC_OK;
}

/* y = add + bias, which may be NULL. */
static lac_status launch_start(lac_tensor *y, lac_tensor *bias, lac_tensor *add) {
  const uint64_t n = lac_tensor_shape(y)->dim[1];
  lac_launch run = lac_launch_new(lac_tensor_device(y), "linear", "linear_start");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, bias ? bias : y);
  lac_arg_tensor(&run, add);
  lac_arg_u64(&run, n);
  lac_arg_u32(&run, bias != NULL);
  lac_launch_items2(&run, n, lac_tensor_shape(y)->dim[0]);
  return lac_launch_run(&run);
}

/* y = x_i w_i^T + beta y, or + bias */
static lac_status multiply_pair(lac_tensor *y, float beta, const lac_tensor *bias,
                                const lac_linear_args *m, uint32_t i) {
  lac_tensor *wt;
  if (m->weights[i]) return m->weights[i]->kind->apply(m->weights[i], y, beta, bias, m->x[i]);
  LAC_TRY(lac_tensor_transpose(&wt, m->w[i], 0, 1));
  const lac_status status =
      bias ? lac_product_from(y, bias, m->x[i], wt) : lac_product(y, beta, m->x[i], wt);
  lac_tensor_release(wt);
  return status;
}

static void drop_weights(void *object) {
  lac_weights **weights = object;
  for (int i = 0; i < LAC_LINEAR_PAIRS; i++)
    lac_weights_release(weights[i]);
  free(weights);
}

/* What backward needs of the forms, or nothing where there are none. */
static lac_status keep_weights(lac_extra *out, const lac_linear_args *m) {
  lac_weights **kept;
  bool any = false;
  for (uint32_t i = 0; i < m->pairs; i++)
    any = any || m->weights[i];
  if (!any) return LAC_OK;
  LAC_TRY(lac_alloc(&kept, LAC_LINEAR_PAIRS, sizeof *kept, "a linear map's record"));
  for (uint32_t i = 0; i < m->pairs; i++)
    kept[i] = m->weights[i] ? lac_weights_retain(m->weights[i]) : NULL;
  *out = (lac_extra){kept, drop_weights};
  return LAC_OK;
}

/* All inputs as matrices: y = sum x_i w_i^T + bias + add, recorded. */
static lac_status apply(lac_tensor **out, const lac_linear_args *m, const lac_shape *shape) {
  lac_node node = {linear_backward, .count = {m->pairs}};
  lac_tensor *y;
  LAC_TRY(lac_op_result(&y, "linear", "onto", m->onto, m->x[0], shape));
  node.out[0] = y;
  node.in[BIAS] = m->bias;
  node.in[ADD] = m->add;
  float beta = m->onto ? 1 : 0;
  lac_status status = LAC_OK;
  const lac_tensor *bias = m->bias;
  if (m->add) {
    status = launch_start(y, m->bias, m->add);
    beta = 1;
    bias = NULL;
  }
  for (uint32_t i = 0; i < m->pairs && status == LAC_OK; i++, beta = 1, bias = NULL) {
    node.in[2 * i] = m->x[i];
    node.in[2 * i + 1] = m->w[i];
    status = multiply_pair(y, beta, bias, m, i);
  }
  if (status == LAC_OK) status = keep_weights(&node.extra, m);
  return lac_op_finish(out, y, status, &node);
}

/* Check everything and find the shape of the result. */
static lac_status plan(const lac_linear_args *args, lac_shape *shape) {
  char tx[LAC_SHAPE_TEXT], tw[LAC_SHAPE_TEXT];
  const lac_tensor *first = args->x[0];
  if (args->pairs == 0 || args->pairs > LAC_LINEAR_PAIRS)
    return lac_fail(LAC_EINVAL, "linear: wants 1 to %d pairs, got %u", LAC_LINEAR_PAIRS,
                    args->pairs);
  for (uint32_t i = 0; i < args->pairs; i++) {
    LAC_TRY(lac_op_check("linear", "x", args->x[i], LAC_F32, first));
    LAC_TRY(lac_op_check("linear", "w", args->w[i], LAC_F32, first));
    const lac_shape *x = lac_tensor_shape(args->x[i]), *w = lac_tensor_shape(args->w[i]);
    if (x->rank == 0 || w->rank != 2 || x->dim[x->rank - 1] != w->dim[1])
      return lac_fail(LAC_ESHAPE, "linear: x %s does not fit weights %s ([out, in])",
                      lac_shape_text(tx, x), lac_shape_text(tw, w));
    lac_shape y = *x;
    y.dim[y.rank - 1] = w->dim[0];
    if (i > 0 && !lac_shape_equal(&y, shape))
      return lac_fail(LAC_ESHAPE, "linear: pair %u gives %s, the first gives %s", i + 1,
                      lac_shape_text(tx, &y), lac_shape_text(tw, shape));
    *shape = y;
  }
  if (args->onto && (args->bias || args->add || shape->rank != 2))
    return lac_fail(LAC_EINVAL, "linear: onto goes with neither bias nor add, and holds [rows, n]");
  const lac_shape row = {1, {shape->dim[shape->rank - 1]}};
  if (args->bias) LAC_TRY(lac_op_check_shape("linear", "bias", args->bias, LAC_F32, first, &row));
  if (args->add) LAC_TRY(lac_op_check_shape("linear", "add", args->add, LAC_F32, first, shape));
  return LAC_OK;
}

/* x seen as [rows, k], with its own record where it has to be copied; forms of weights want whole
 * rows. */
static lac_status flatten(lac_tensor **out, lac_tensor *x, uint64_t rows, uint64_t cols,
                          bool whole_rows) {
  const lac_shape flat = {2, {rows, cols}};
  if (lac_tensor_shape(x)->rank == 2 && (!whole_rows || has_whole_rows(x)))
    return lac_as_matrix(out, x);
  lac_tensor *dense;
  LAC_TRY(lac_contiguous(&dense, x));
  const lac_status status = lac_tensor_reshape(out, dense, &flat);
  lac_tensor_release(dense);
  return status;
}

static lac_status flatten_all(lac_linear_args *flat, const lac_linear_args *args, uint64_t rows,
                              uint64_t n) {
  flat->pairs = args->pairs;
  flat->onto = args->onto;
  for (uint32_t i = 0; i < args->pairs; i++) {
    const uint64_t k = lac_tensor_shape(args->w[i])->dim[1];
    LAC_TRY(flatten(&flat->x[i], args->x[i], rows, k, args->weights[i] != NULL));
    LAC_TRY(lac_as_matrix(&flat->w[i], args->w[i]));
    flat->weights[i] = args->weights[i];
  }
  if (args->bias) LAC_TRY(lac_contiguous(&flat->bias, args->bias));
  if (args->add) {
    lac_tensor *dense;
    const lac_shape shape = {2, {rows, n}};
    LAC_TRY(lac_contiguous(&dense, args->add));
    const lac_status status = lac_tensor_reshape(&flat->add, dense, &shape);
    lac_tensor_release(dense);
    LAC_TRY(status);
  }
  return LAC_OK;
}

lac_status lac_linear(lac_tensor **out, const lac_linear_args *args) {
  lac_shape shape;
  LAC_TRY(plan(args, &shape));
  const uint64_t n = shape.dim[shape.rank - 1];
  uint64_t rows = 1;
  for (uint32_t i = 0; i + 1 < shape.rank; i++)
    rows *= shape.dim[i];
  const lac_shape matrix = {2, {rows, n}};
  lac_linear_args flat = {0};
  lac_tensor *y = NULL;
  lac_status status = flatten_all(&flat, args, rows, n);
  if (status == LAC_OK) status = apply(&y, &flat, &matrix);
  if (status == LAC_OK && shape.rank != 2)
    status = lac_tensor_reshape(out, y, &shape);
  else if (status == LAC_OK)
    *out = lac_tensor_retain(y);
  lac_tensor_release(y);
  for (uint32_t i = 0; i < LAC_LINEAR_PAIRS; i++) {
    lac_tensor_release(flat.x[i]);
    lac_tensor_release(flat.w[i]);
  }
  lac_tensor_release(flat.bias);
  lac_tensor_release(flat.add);
  return status;
}
