/*
 * All of these are copies between rows of `width` elements. Scatter-adds give every work item a
 * column of its own, so that rows meeting in one place are added in order.
 */
#include "ops/index.h"

#include "ops/elementwise.h"
#include "ops/op.h"

/* Elements in one step of the first dimension. */
static uint64_t row_width(const lac_shape *shape) {
  uint64_t width = 1;
  for (uint32_t i = 1; i < shape->rank; i++)
    width *= shape->dim[i];
  return width;
}

static lac_status embedding_backward(const lac_node *node) {
  lac_tensor *table = node->in[0], *ids = node->saved[0], *gt;
  const uint64_t width = row_width(lac_tensor_shape(table));
  LAC_TRY(lac_tensor_borrow_grad(&gt, table));
  lac_launch run = lac_launch_new(lac_tensor_device(gt), "index", "embedding_bwd");
  lac_arg_tensor(&run, gt);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  lac_arg_tensor(&run, ids);
  lac_arg_u64(&run, lac_tensor_numel(ids));
  lac_arg_u64(&run, width);
  lac_arg_u64(&run, lac_tensor_shape(table)->dim[0]);
  lac_launch_items(&run, width);
  return lac_launch_run(&run);
}

static lac_status embedding_contiguous(lac_tensor **out, lac_tensor *table, lac_tensor *ids,
                                       const lac_shape *shape) {
  lac_device *device = lac_tensor_device(table);
  const uint64_t width = row_width(lac_tensor_shape(table));
  lac_tensor *y;
  LAC_TRY(lac_tensor_new(&y, device, LAC_F32, shape));
  lac_launch run = lac_launch_new(device, "index", "embedding_fwd");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, table);
  lac_arg_tensor(&run, ids);
  lac_arg_u64(&run, width);
  lac_arg_u64(&run, lac_tensor_shape(table)->dim[0]);
  lac_launch_items2(&run, width, lac_tensor_numel(ids));
  const lac_node node = {embedding_backward, .in = {table}, .out = {y}, .saved = {ids}};
  return lac_op_finish(out, y, lac_launch_run(&run), &node);
}

lac_status lac_embedding(lac_tensor **out, lac_tensor *table, lac_tensor *ids) {
  char ta[LAC_SHAPE_TEXT], tb[LAC_SHAPE_TEXT];
  const lac_shape *rows = lac_tensor_shape(table), *at = lac_tensor_shape(ids);
  LAC_TRY(lac_op_check("embedding", "table", table, LAC_F32, NULL));
  LAC_TRY(lac_op_check("embedding", "ids", ids, LAC_I32, table));
  if (rows->rank == 0 || at->rank + rows->rank - 1 > LAC_MAX_RANK)
    return lac_fail(LAC_ESHAPE, "embedding: rows of a table %s at ids %s would have no shape",
                    lac_shape_text(ta, rows), lac_shape_text(tb, at));
  lac_shape shape = *at;
  for (uint32_t i = 1; i < rows->rank; i++)
    shape.dim[shape.rank++] = rows->dim[i];
  lac_tensor *dense = NULL, *dense_ids = NULL;
  lac_status status = lac_contiguous(&dense, table);
  if (status == LAC_OK) status = lac_contiguous(&dense_ids, ids);
  if (status == LAC_OK) status = embedding_contiguous(out, dense, dense_ids, &shape);
  lac_tensor_release(dense);
  lac_tensor_release(dense_ids);
  return status;
}

static void arg_pick(lac_launch *run, const lac_tensor *x, const lac_tensor *at) {
  const lac_shape *shape = lac_tensor_shape(x);
  lac_arg_tensor(run, at);
  lac_arg_u64(run, lac_tensor_numel(at));
  lac_arg_u64(run, shape->dim[shape->rank - 1]);
  lac_launch_items(run, lac_tensor_numel(at));
}

static lac_status pick_backward(const lac_node *node) {
  lac_tensor *x = node->in[0], *gx;
  LAC_TRY(lac_tensor_borrow_grad(&gx, x));
  lac_launch run = lac_launch_new(lac_tensor_device(x), "index", "pick_bwd");
  lac_arg_tensor(&run, gx);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  arg_pick(&run, x, node->saved[0]);
  return lac_launch_run(&run);
}

static lac_status pick_contiguous(lac_tensor **out, lac_tensor *x, lac_tensor *at) {
  lac_device *device = lac_tensor_device(x);
  lac_tensor *y;
  LAC_TRY(lac_tensor_new(&y, device, LAC_F32, lac_tensor_shape(at)));
  lac_launch run = lac_launch_new(device, "index", "pick_fwd");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, x);
  arg_pick(&run, x, at);
  const lac_node node = {pick_backward, .in = {x}, .out = {y}, .saved = {at}};
  return lac_op_finish(out, y, lac_launch_run(&run), &node);
}

lac_status lac_pick(lac_tensor **out, lac_tensor *x, lac_tensor *at) {
  LAC_TRY(lac_op_check("pick", "x", x, LAC_F32, NULL));
  const lac_shape *shape = lac_tensor_shape(x);
  if (shape->rank == 0) return lac_fail(LAC_ESHAPE, "pick: x must have rows, got a scalar");
  const lac_shape per_row = lac_shape_reduced(shape, shape->rank - 1, false);
  LAC_TRY(lac_op_check_shape("pick", "index", at, LAC_I32, x, &per_row));
  lac_tensor *dense = NULL, *dense_at = NULL;
  lac_status status = lac_contiguous(&dense, x);
  if (status == LAC_OK) status = lac_contiguous(&dense_at, at);
  if (status == LAC_OK) status = pick_contiguous(out, dense, dense_at);
  lac_tensor_release(dense);
  lac_tensor_release(dense_at);
  return status;
}

/* Elements from one step of the dimension before dim to the next. */
static uint64_t pitch_of(const lac_tensor *x, uint32_t dim) {
  const lac_shape *shape = lac_tensor_shape(x);
  uint64_t pitch = 1;
  for (uint32_t i = dim; i < shape->rank; i++)
    pitch *= shape->dim[i];
  return pitch;
}

/* The place of a part, `begin` elements into each row of the whole. */
static void arg_place(lac_launch *run, const lac_tensor *whole, uint64_t begin) {
  lac_arg_buffer(run, lac_tensor_buffer(whole), lac_tensor_offset(whole) + begin);
}

static lac_status run_concat(lac_launch *run, const lac_tensor *whole, const lac_tensor *part,
                             uint32_t dim) {
  const uint64_t width = pitch_of(part, dim);
  lac_arg_u64(run, width);
  lac_arg_u64(run, pitch_of(whole, dim));
  lac_launch_items2(run, width, width ? lac_tensor_numel(part) / width : 0);
  return lac_launch_run(run);
}

/* count[0] is the dimension */
static lac_status concat_backward(const lac_node *node) {
  const uint32_t dim = (uint32_t)node->count[0];
  lac_tensor *gy = lac_tensor_grad(node->out[0]), *gx;
  uint64_t begin = 0;
  for (int i = 0; i < LAC_NODE_IN && node->in[i]; i++) {
    lac_tensor *x = node->in[i];
    if (lac_tensor_requires_grad(x)) {
      LAC_TRY(lac_tensor_borrow_grad(&gx, x));
      lac_launch run = lac_launch_new(lac_tensor_device(x), "index", "concat_bwd");
      lac_arg_tensor(&run, gx);
      arg_place(&run, gy, begin);
      LAC_TRY(run_concat(&run, gy, x, dim));
    }
    begin += pitch_of(x, dim);
  }
  return LAC_OK;
}

/* At most LAC_NODE_IN contiguous parts. */
static lac_status concat_contiguous(lac_tensor **out, lac_tensor *const *parts, size_t count,
                                    uint32_t dim) {
  lac_device *device = lac_tensor_device(parts[0]);
  lac_shape shape = *lac_tensor_shape(parts[0]);
  lac_node node = {concat_backward, .count = {dim}};
  shape.dim[dim] = 0;
  for (size_t i = 0; i < count; i++) {
    shape.dim[dim] += lac_tensor_shape(parts[i])->dim[dim];
    node.in[i] = parts[i];
  }
  LAC_TRY(lac_tensor_new(&node.out[0], device, lac_tensor_dtype(parts[0]), &shape));
  lac_status status = LAC_OK;
  uint64_t begin = 0;
  for (size_t i = 0; i < count && status == LAC_OK; i++) {
    lac_launch run = lac_launch_new(device, "index", "concat_fwd");
    arg_place(&run, node.out[0], begin);
    lac_arg_tensor(&run, parts[i]);
    status = run_concat(&run, node.out[0], parts[i], dim);
    begin += pitch_of(parts[i], dim);
  }
  return lac_op_finish(out, node.out[0], status, &node);
}

/* Contiguous forms of up to LAC_NODE_IN parts, joined. */
static lac_status concat_few(lac_tensor **out, lac_tensor *const *parts, size_t count,
                             uint32_t dim) {
  lac_tensor *dense[LAC_NODE_IN] = {NULL};
  lac_status status = LAC_OK;
  for (size_t i = 0; i < count && status == LAC_OK; i++)
    status = lac_contiguous(&dense[i], parts[i]);
  if (status == LAC_OK) status = concat_contiguous(out, dense, count, dim);
  for (size_t i = 0; i < count; i++)
    lac_tensor_release(dense[i]);
  return status;
}

/* A node names few inputs, so many parts are joined as a tree. */
static lac_status concat_tree(lac_tensor **out, lac_tensor *const *parts, size_t count,
                              uint32_t dim) {
  lac_tensor *joined[LAC_NODE_IN] = {NULL};
  if (count <= LAC_NODE_IN) return concat_few(out, parts, count, dim);
  const size_t share = (count + LAC_NODE_IN - 1) / LAC_NODE_IN;
  lac_status status = LAC_OK;
  size_t branches = 0;
  for (size_t i = 0; i < count && status == LAC_OK; i += share)
    status =
        concat_tree(&joined[branches++], parts + i, share < count - i ? share : count - i, dim);
  if (status == LAC_OK) status = concat_few(out, joined, branches, dim);
  for (size_t i = 0; i < branches; i++)
    lac_tensor_release(joined[i]);
  return status;
}

lac_status lac_concat(lac_tensor **out, lac_tensor *const *parts, size_t count, uint32_t dim) {
  char ta[LAC_SHAPE_TEXT], tb[LAC_SHAPE_TEXT];
  if (count == 0) return lac_fail(LAC_EINVAL, "concat: there is nothing to join");
  const lac_shape *first = lac_tensor_shape(parts[0]);
  if (dim >= first->rank)
    return lac_fail(LAC_EINVAL, "concat: %s has no dimension %u", lac_shape_text(ta, first),
                    dim + 1);
  for (size_t i = 0; i < count; i++) {
    LAC_TRY(lac_op_check("concat", "a part", parts[i], lac_tensor_dtype(parts[0]), parts[0]));
    lac_shape shape = *lac_tensor_shape(parts[i]);
    if (shape.rank == first->rank) shape.dim[dim] = first->dim[dim];
    if (!lac_shape_equal(&shape, first))
      return lac_fail(LAC_ESHAPE, "concat: part %zu is %s and cannot follow %s along dimension %u",
                      i + 1, lac_shape_text(ta, lac_tensor_shape(parts[i])),
                      lac_shape_text(tb, first), dim + 1);
  }
  return concat_tree(out, parts, count, dim);
}

/* count[0] is k */
static lac_status repeat_rows_backward(const lac_node *node) {
  lac_tensor *x = node->in[0], *gx;
  const uint64_t width = row_width(lac_tensor_shape(x));
  LAC_TRY(lac_tensor_borrow_grad(&gx, x));
  lac_launch run = lac_launch_new(lac_tensor_device(x), "index", "repeat_rows_bwd");
  lac_arg_tensor(&run, gx);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  lac_arg_u64(&run, width);
  lac_arg_u64(&run, node->count[0]);
  lac_launch_items2(&run, width, lac_tensor_shape(x)->dim[0]);
  return lac_launch_run(&run);
}

static lac_status repeat_rows_contiguous(lac_tensor **out, lac_tensor *x, uint64_t k) {
  lac_device *device = lac_tensor_device(x);
  lac_shape shape = *lac_tensor_shape(x);
  const uint64_t width = row_width(&shape);
  lac_tensor *y;
  shape.dim[0] *= k;
  LAC_TRY(lac_tensor_new(&y, device, lac_tensor_dtype(x), &shape));
  lac_launch run = lac_launch_new(device, "index", "repeat_rows_fwd");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, x);
  lac_arg_u64(&run, width);
  lac_arg_u64(&run, k);
  lac_launch_items2(&run, width, shape.dim[0]);
  const lac_node node = {repeat_rows_backward, .in = {x}, .out = {y}, .count = {k}};
  return lac_op_finish(out, y, lac_launch_run(&run), &node);
}

lac_status lac_repeat_rows(lac_tensor **out, lac_tensor *x, uint64_t k) {
  char text[LAC_SHAPE_TEXT];
  lac_tensor *dense;
  LAC_TRY(lac_op_check("repeat_rows", "x", x, lac_tensor_dtype(x), NULL));
  const lac_shape *shape = lac_tensor_shape(x);
  if (shape->rank == 0 || k == 0 || (shape->dim[0] && k > UINT64_MAX / shape->dim[0]))
    return lac_fail(LAC_EINVAL, "repeat_rows: cannot take the rows of %s %llu times",
                    lac_shape_text(text, shape), (unsigned long long)k);
  LAC_TRY(lac_contiguous(&dense, x));
  const lac_status status = repeat_rows_contiguous(out, dense, k);
  lac_tensor_release(dense);
  return status;
}
