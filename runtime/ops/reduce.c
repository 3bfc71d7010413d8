/*
 * A reduction sees x as [outer, n, inner]. Rows longer than PART are cut into parts with a group
 * each, and a second pass joins the parts; where to cut depends on the length alone, so results
 * never depend on the device.
 */
#include "ops/reduce.h"

#include "ops/elementwise.h"
#include "ops/op.h"

enum { PART = 4096 };

typedef struct extent {
  uint64_t outer, n, inner;
} extent;

static extent view_extent(const lac_shape *shape, uint32_t dim) {
  extent e = {1, 1, 1};
  if (dim == LAC_ALL) {
    e.n = lac_shape_numel(shape);
    return e;
  }
  for (uint32_t i = 0; i < dim; i++)
    e.outer *= shape->dim[i];
  e.n = shape->dim[dim];
  for (uint32_t i = dim + 1; i < shape->rank; i++)
    e.inner *= shape->dim[i];
  return e;
}

static lac_shape reduced_shape(const lac_shape *shape, uint32_t dim, bool keep) {
  if (dim != LAC_ALL) return lac_shape_reduced(shape, dim, keep);
  lac_shape out = {.rank = keep ? shape->rank : 0};
  for (uint32_t i = 0; i < out.rank; i++)
    out.dim[i] = 1;
  return out;
}

static lac_status check_reduction(const char *op, const lac_tensor *x, uint32_t dim) {
  char text[LAC_SHAPE_TEXT];
  LAC_TRY(lac_op_check(op, "x", x, LAC_F32, NULL));
  if (dim == LAC_ALL || dim < lac_tensor_shape(x)->rank) return LAC_OK;
  return lac_fail(LAC_EINVAL, "%s: %s has no dimension %u", op,
                  lac_shape_text(text, lac_tensor_shape(x)), dim + 1);
}

static uint64_t count_parts(uint64_t n) {
  return n > PART ? (n + PART - 1) / PART : 1;
}

static lac_status launch_sum_rows(lac_tensor *y, lac_tensor *x, uint64_t rows, uint64_t n,
                                  uint64_t parts, float scale) {
  lac_launch run = lac_launch_new(lac_tensor_device(x), "reduce", "sum_rows");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, x);
  lac_arg_u64(&run, n);
  lac_arg_u64(&run, parts > 1 ? PART : n);
  lac_arg_u64(&run, parts);
  lac_arg_f32(&run, scale);
  lac_launch_groups(&run, rows * parts, LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

static lac_status sum_rows(lac_tensor *y, lac_tensor *x, uint64_t rows, uint64_t n, float scale) {
  const uint64_t parts = count_parts(n);
  const lac_shape shape = {.rank = 2, .dim = {rows, parts}};
  lac_tensor *partial;
  if (parts == 1) return launch_sum_rows(y, x, rows, n, 1, scale);
  LAC_TRY(lac_tensor_new(&partial, lac_tensor_device(x), LAC_F32, &shape));
  lac_status status = launch_sum_rows(partial, x, rows, n, parts, 1);
  if (status == LAC_OK) status = sum_rows(y, partial, rows, parts, scale);
  lac_tensor_release(partial);
  return status;
}

static lac_status sum_columns(lac_tensor *y, lac_tensor *x, const extent *e, float scale) {
  lac_launch run = lac_launch_new(lac_tensor_device(x), "reduce", "sum_columns");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, x);
  lac_arg_u64(&run, e->outer * e->inner);
  lac_arg_u64(&run, e->n);
  lac_arg_u64(&run, e->inner);
  lac_arg_f32(&run, scale);
  lac_launch_items(&run, e->outer * e->inner);
  return lac_launch_run(&run);
}

/* gx += scale * gy, repeated; count[0] is the dimension, attr[0] the scale */
static lac_status sum_backward(const lac_node *node) {
  lac_tensor *x = node->in[0], *gx;
  const extent e = view_extent(lac_tensor_shape(x), (uint32_t)node->count[0]);
  LAC_TRY(lac_tensor_borrow_grad(&gx, x));
  lac_launch run = lac_launch_new(lac_tensor_device(x), "reduce", "sum_bwd");
  lac_arg_tensor(&run, gx);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  lac_arg_u64(&run, lac_tensor_numel(x));
  lac_arg_u64(&run, e.n);
  lac_arg_u64(&run, e.inner);
  lac_arg_f32(&run, node->attr[0]);
  lac_launch_items(&run, lac_tensor_numel(x));
  return lac_launch_run(&run);
}

static lac_status sum_contiguous(lac_tensor **out, lac_tensor *x, uint32_t dim, bool keep,
                                 float scale) {
  lac_device *device = lac_tensor_device(x);
  const extent e = view_extent(lac_tensor_shape(x), dim);
  const lac_shape shape = reduced_shape(lac_tensor_shape(x), dim, keep);
  lac_tensor *y;
  LAC_TRY(lac_tensor_new(&y, device, LAC_F32, &shape));
  const lac_node node = {sum_backward, .in = {x}, .out = {y}, .attr = {scale}, .count = {dim}};
  const lac_status status =
      e.inner == 1 ? sum_rows(y, x, e.outer, e.n, scale) : sum_columns(y, x, &e, scale);
  return lac_op_finish(out, y, status, &node);
}

lac_status lac_sum(lac_tensor **out, lac_tensor *x, uint32_t dim, bool keep) {
  lac_tensor *dense;
  LAC_TRY(check_reduction("sum", x, dim));
  LAC_TRY(lac_contiguous(&dense, x));
  const lac_status status = sum_contiguous(out, dense, dim, keep, 1);
  lac_tensor_release(dense);
  return status;
}

lac_status lac_mean(lac_tensor **out, lac_tensor *x, uint32_t dim, bool keep) {
  lac_tensor *dense;
  LAC_TRY(check_reduction("mean", x, dim));
  const uint64_t n = view_extent(lac_tensor_shape(x), dim).n;
  LAC_TRY(lac_contiguous(&dense, x));
  const lac_status status = sum_contiguous(out, dense, dim, keep, 1 / (float)n);
  lac_tensor_release(dense);
  return status;
}

/* parts: [2, parts], means and squared distances */
static lac_status launch_moments(lac_tensor *mean, lac_tensor *std, lac_tensor *parts,
                                 const lac_tensor *x) {
  const uint64_t n = lac_tensor_numel(x), count = lac_tensor_shape(parts)->dim[1];
  lac_launch run = lac_launch_new(lac_tensor_device(x), "reduce", "moments_parts");
  lac_arg_tensor(&run, parts);
  lac_arg_buffer(&run, lac_tensor_buffer(parts), count);
  lac_arg_tensor(&run, x);
  lac_arg_u64(&run, n);
  lac_arg_u64(&run, PART);
  lac_launch_groups(&run, count, LAC_REDUCE_GROUP);
  LAC_TRY(lac_launch_run(&run));
  run = lac_launch_new(lac_tensor_device(x), "reduce", "moments_join");
  lac_arg_tensor(&run, mean);
  lac_arg_tensor(&run, std);
  lac_arg_tensor(&run, parts);
  lac_arg_buffer(&run, lac_tensor_buffer(parts), count);
  lac_arg_u64(&run, n);
  lac_arg_u64(&run, PART);
  lac_arg_u64(&run, count);
  lac_launch_groups(&run, 1, LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

lac_status lac_moments(lac_tensor **mean, lac_tensor **std, lac_tensor *x) {
  static const lac_shape one = {1, {1}};
  lac_tensor *dense = NULL, *parts = NULL, *y = NULL, *z = NULL;
  LAC_TRY(lac_op_check("moments", "x", x, LAC_F32, NULL));
  lac_device *device = lac_tensor_device(x);
  const lac_shape shape = {2, {2, (lac_tensor_numel(x) + PART - 1) / PART}};
  lac_status status = lac_contiguous(&dense, x);
  if (status == LAC_OK) status = lac_tensor_new(&parts, device, LAC_F32, &shape);
  if (status == LAC_OK) status = lac_tensor_new(&y, device, LAC_F32, &one);
  if (status == LAC_OK) status = lac_tensor_new(&z, device, LAC_F32, &one);
  if (status == LAC_OK) status = launch_moments(y, z, parts, dense);
  if (status == LAC_OK) {
    *mean = lac_tensor_retain(y);
    *std = lac_tensor_retain(z);
  }
  lac_tensor *const all[] = {dense, parts, y, z};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    lac_tensor_release(all[i]);
  return status;
}

static lac_status launch_max_rows(lac_tensor *y, lac_tensor *at, lac_tensor *x, uint64_t rows,
                                  uint64_t n, uint64_t parts) {
  lac_launch run = lac_launch_new(lac_tensor_device(x), "reduce", "max_rows");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, at);
  lac_arg_tensor(&run, x);
  lac_arg_u64(&run, n);
  lac_arg_u64(&run, parts > 1 ? PART : n);
  lac_arg_u64(&run, parts);
  lac_launch_groups(&run, rows * parts, LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

static lac_status launch_max_parts(lac_tensor *y, lac_tensor *at, lac_tensor *x, lac_tensor *from,
                                   uint64_t rows, uint64_t parts) {
  lac_launch run = lac_launch_new(lac_tensor_device(x), "reduce", "max_parts");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, at);
  lac_arg_tensor(&run, x);
  lac_arg_tensor(&run, from);
  lac_arg_u64(&run, rows);
  lac_arg_u64(&run, parts);
  lac_launch_items(&run, rows);
  return lac_launch_run(&run);
}

static lac_status max_rows(lac_tensor *y, lac_tensor *at, lac_tensor *x, uint64_t rows,
                           uint64_t n) {
  lac_device *device = lac_tensor_device(x);
  const uint64_t parts = count_parts(n);
  const lac_shape shape = {.rank = 2, .dim = {rows, parts}};
  lac_tensor *values = NULL, *places = NULL;
  if (parts == 1) return launch_max_rows(y, at, x, rows, n, 1);
  lac_status status = lac_tensor_new(&values, device, LAC_F32, &shape);
  if (status == LAC_OK) status = lac_tensor_new(&places, device, LAC_I32, &shape);
  if (status == LAC_OK) status = launch_max_rows(values, places, x, rows, n, parts);
  if (status == LAC_OK) status = launch_max_parts(y, at, values, places, rows, parts);
  lac_tensor_release(values);
  lac_tensor_release(places);
  return status;
}

static lac_status max_columns(lac_tensor *y, lac_tensor *at, lac_tensor *x, const extent *e) {
  lac_launch run = lac_launch_new(lac_tensor_device(x), "reduce", "max_columns");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, at);
  lac_arg_tensor(&run, x);
  lac_arg_u64(&run, e->outer * e->inner);
  lac_arg_u64(&run, e->n);
  lac_arg_u64(&run, e->inner);
  lac_launch_items(&run, e->outer * e->inner);
  return lac_launch_run(&run);
}

/* Values and places (saved[0]) of [outer, k, inner]; count holds n, k and inner. */
static lac_status max_backward(const lac_node *node) {
  lac_tensor *gy = lac_tensor_grad(node->out[0]), *gx;
  LAC_TRY(lac_tensor_borrow_grad(&gx, node->in[0]));
  lac_launch run = lac_launch_new(lac_tensor_device(gx), "reduce", "max_bwd");
  lac_arg_tensor(&run, gx);
  lac_arg_tensor(&run, gy);
  lac_arg_tensor(&run, node->saved[0]);
  lac_arg_u64(&run, lac_tensor_numel(gy));
  for (int i = 0; i < 3; i++)
    lac_arg_u64(&run, node->count[i]);
  lac_launch_items(&run, lac_tensor_numel(gy));
  return lac_launch_run(&run);
}

/* The two results of a choice, both or neither. */
static lac_status new_pair(lac_tensor **values, lac_tensor **indices, lac_device *device,
                           const lac_shape *shape) {
  lac_tensor *y;
  LAC_TRY(lac_tensor_new(&y, device, LAC_F32, shape));
  const lac_status status = lac_tensor_new(indices, device, LAC_I32, shape);
  if (status == LAC_OK)
    *values = y;
  else
    lac_tensor_release(y);
  return status;
}

static lac_status finish_pair(lac_tensor **values, lac_tensor **indices, lac_tensor *y,
                              lac_tensor *at, lac_status status, const lac_node *node) {
  status = lac_op_finish(values, y, status, node);
  if (status == LAC_OK)
    *indices = at;
  else
    lac_tensor_release(at);
  return status;
}

static lac_status max_contiguous(lac_tensor **values, lac_tensor **indices, lac_tensor *x,
                                 uint32_t dim, bool keep, bool record) {
  const extent e = view_extent(lac_tensor_shape(x), dim);
  const lac_shape shape = reduced_shape(lac_tensor_shape(x), dim, keep);
  lac_tensor *y, *at;
  LAC_TRY(new_pair(&y, &at, lac_tensor_device(x), &shape));
  const lac_status status =
      e.inner == 1 ? max_rows(y, at, x, e.outer, e.n) : max_columns(y, at, x, &e);
  const lac_node node = {max_backward, .in = {record ? x : NULL}, .out = {y}, .saved = {at},
                         .count = {e.n, 1, e.inner}};
  return finish_pair(values, indices, y, at, status, &node);
}

static lac_status max_pair(lac_tensor **values, lac_tensor **indices, lac_tensor *x, uint32_t dim,
                           bool keep, const char *op, bool record) {
  char text[LAC_SHAPE_TEXT];
  lac_tensor *dense;
  LAC_TRY(check_reduction(op, x, dim));
  const uint64_t n = view_extent(lac_tensor_shape(x), dim).n;
  if (n == 0 || n > INT32_MAX)
    return lac_fail(LAC_ESHAPE, "%s: needs 1 to 2^31 - 1 elements to choose from, got shape %s", op,
                    lac_shape_text(text, lac_tensor_shape(x)));
  LAC_TRY(lac_contiguous(&dense, x));
  const lac_status status = max_contiguous(values, indices, dense, dim, keep, record);
  lac_tensor_release(dense);
  return status;
}

lac_status lac_max(lac_tensor **out, lac_tensor *x, uint32_t dim, bool keep) {
  lac_tensor *indices;
  LAC_TRY(max_pair(out, &indices, x, dim, keep, "max", true));
  lac_tensor_release(indices);
  return LAC_OK;
}

lac_status lac_argmax(lac_tensor **out, lac_tensor *x, uint32_t dim, bool keep) {
  lac_tensor *values;
  LAC_TRY(max_pair(&values, out, x, dim, keep, "argmax", false));
  lac_tensor_release(values);
  return LAC_OK;
}

static lac_status topk_contiguous(lac_tensor **values, lac_tensor **indices, lac_tensor *x,
                                  uint64_t k) {
  lac_device *device = lac_tensor_device(x);
  lac_shape shape = *lac_tensor_shape(x);
  const extent e = view_extent(&shape, shape.rank - 1);
  lac_tensor *y, *at;
  shape.dim[shape.rank - 1] = k;
  LAC_TRY(new_pair(&y, &at, device, &shape));
  lac_launch run = lac_launch_new(device, "reduce", "topk_fwd");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, at);
  lac_arg_tensor(&run, x);
  lac_arg_u64(&run, e.n);
  lac_arg_u64(&run, k);
  lac_launch_groups(&run, e.outer, LAC_REDUCE_GROUP);
  const lac_node node = {max_backward, .in = {x}, .out = {y}, .saved = {at}, .count = {e.n, k, 1}};
  return finish_pair(values, indices, y, at, lac_launch_run(&run), &node);
}

lac_status lac_topk(lac_tensor **values, lac_tensor **indices, lac_tensor *x, uint64_t k) {
  lac_tensor *dense;
  LAC_TRY(lac_op_check("topk", "x", x, LAC_F32, NULL));
  const lac_shape *shape = lac_tensor_shape(x);
  const uint64_t n = shape->rank ? shape->dim[shape->rank - 1] : 0;
  const uint64_t most = n < LAC_TOPK_MAX ? n : LAC_TOPK_MAX;
  if (k < 1 || k > most)
    return lac_fail(LAC_EINVAL, "topk: of %llu elements in a row k may be 1 to %llu, got %llu",
                    (unsigned long long)n, (unsigned long long)most, (unsigned long long)k);
  LAC_TRY(lac_contiguous(&dense, x));
  const lac_status status = topk_contiguous(values, indices, dense, k);
  lac_tensor_release(dense);
  return status;
}
