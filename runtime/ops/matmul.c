/*
 * Tensors become what gemm/ wants: a leading dimension, a transpose flag, a batch stride. A result
 * that lies transposed is computed as c^T = b^T a^T.
 */
#include "ops/matmul.h"

#include "gemm/gemm.h"
#include "ops/elementwise.h"
#include "ops/op.h"

/* A tensor's last two dimensions as gemm sees them. */
typedef struct operand {
  lac_matrix matrix;
  bool trans;
  uint64_t rows, cols, batch, stride;
} operand;

static operand read_operand(const lac_tensor *x) {
  const lac_shape *shape = lac_tensor_shape(x);
  const uint32_t r = shape->rank - 2, c = shape->rank - 1;
  operand o = {.rows = shape->dim[r], .cols = shape->dim[c], .batch = 1};
  const bool row_major = lac_tensor_stride(x, c) == 1 || o.cols == 1;
  o.trans = !row_major;
  uint64_t ld = lac_tensor_stride(x, row_major ? r : c);
  // With a single row the stride is never walked, but gemm wants ld >= columns.
  const uint64_t width = row_major ? o.cols : o.rows, height = row_major ? o.rows : o.cols;
  if (height <= 1 && ld < width) ld = width;
  if (o.cols == 1 && lac_tensor_stride(x, c) != 1 && lac_tensor_stride(x, r) == 1) {
    o.trans = true; // a column lying as a row
    ld = o.rows;
  }
  o.matrix = (lac_matrix){lac_tensor_buffer(x), lac_tensor_offset(x), ld ? ld : 1};
  if (shape->rank == 3) {
    o.batch = shape->dim[0];
    o.stride = lac_tensor_stride(x, 0);
  }
  return o;
}

static bool usable_stride(uint64_t stride, uint64_t least, uint64_t count) {
  return count <= 1 || stride >= least;
}

bool lac_is_matrix(const lac_tensor *x) {
  const lac_shape *shape = lac_tensor_shape(x);
  const uint32_t r = shape->rank - 2, c = shape->rank - 1;
  const uint64_t sr = lac_tensor_stride(x, r), sc = lac_tensor_stride(x, c);
  return (sc == 1 && usable_stride(sr, shape->dim[c], shape->dim[r])) ||
         (sr == 1 && usable_stride(sc, shape->dim[r], shape->dim[c]));
}

lac_status lac_as_matrix(lac_tensor **out, lac_tensor *x) {
  if (!lac_is_matrix(x)) return lac_clone(out, x);
  *out = lac_tensor_retain(x);
  return LAC_OK;
}

static lac_gemm_args product_args(const lac_tensor *c, float beta, const lac_tensor *a,
                                  const lac_tensor *b) {
  operand oa = read_operand(a), ob = read_operand(b), oc = read_operand(c);
  if (oc.trans) {
    const operand swap = oa;
    oa = ob;
    ob = swap;
    oa.trans = !oa.trans;
    ob.trans = !ob.trans;
  }
  const uint64_t rows = oc.trans ? oc.cols : oc.rows, cols = oc.trans ? oc.rows : oc.cols;
  const uint64_t inner = lac_tensor_shape(a)->dim[lac_tensor_shape(a)->rank - 1];
  return (lac_gemm_args){.trans_a = oa.trans,
                         .trans_b = ob.trans,
                         .m = rows,
                         .n = cols,
                         .k = inner,
                         .alpha = 1,
                         .beta = beta,
                         .a = oa.matrix,
                         .b = ob.matrix,
                         .c = oc.matrix,
                         .batch = oc.batch,
                         .stride_a = oa.stride,
                         .stride_b = ob.stride,
                         .stride_c = oc.stride};
}

lac_status lac_product(lac_tensor *c, float beta, lac_tensor *a, lac_tensor *b) {
  const lac_gemm_args args = product_args(c, beta, a, b);
  return lac_gemm(lac_tensor_device(c), &args);
}

lac_status lac_product_from(lac_tensor *c, const lac_tensor *start, lac_tensor *a, lac_tensor *b) {
  lac_gemm_args args = product_args(c, 0, a, b);
  args.start = (lac_row){lac_tensor_buffer(start), lac_tensor_offset(start)};
  return lac_gemm(lac_tensor_device(c), &args);
}

/* side += p q, where side may serve a whole batch with two dimensions: then product after product
 */
static lac_status add_product(lac_tensor *side, lac_tensor *p, lac_tensor *q) {
  lac_tensor *gside;
  bool fresh;
  LAC_TRY(lac_tensor_borrow_fresh_grad(&gside, &fresh, side));
  const uint32_t rank = lac_tensor_shape(gside)->rank;
  lac_tensor *const part[2] = {p, q};
  const lac_tensor *batched = lac_tensor_shape(p)->rank == 3 ? p : q;
  if (rank == 3 || lac_tensor_shape(batched)->rank == 2)
    return lac_product(gside, fresh ? 0.0f : 1.0f, p, q);
  const uint64_t batch = lac_tensor_shape(batched)->dim[0];
  const float zero = 0;
  if (batch == 0 && fresh) return lac_tensor_fill(gside, &zero);
  lac_status status = LAC_OK;
  for (uint64_t i = 0; i < batch && status == LAC_OK; i++) {
    lac_tensor *one[2] = {NULL, NULL};
    for (int s = 0; s < 2 && status == LAC_OK; s++) {
      if (lac_tensor_shape(part[s])->rank == 3)
        status = lac_tensor_select(&one[s], part[s], 0, i);
      else
        one[s] = lac_tensor_retain(part[s]);
    }
    if (status == LAC_OK)
      status = lac_product(gside, i == 0 && fresh ? 0.0f : 1.0f, one[0], one[1]);
    lac_tensor_release(one[0]);
    lac_tensor_release(one[1]);
  }
  return status;
}

static lac_status transposed(lac_tensor **out, lac_tensor *x) {
  const uint32_t rank = lac_tensor_shape(x)->rank;
  return lac_tensor_transpose(out, x, rank - 2, rank - 1);
}

static lac_status matmul_backward(const lac_node *node) {
  lac_tensor *gy = lac_tensor_grad(node->out[0]), *a = node->in[0], *b = node->in[1];
  lac_tensor *at = NULL, *bt = NULL;
  lac_status status = transposed(&at, a);
  if (status == LAC_OK) status = transposed(&bt, b);
  if (status == LAC_OK && lac_tensor_requires_grad(a)) status = add_product(a, gy, bt);
  if (status == LAC_OK && lac_tensor_requires_grad(b)) status = add_product(b, at, gy);
  lac_tensor_release(at);
  lac_tensor_release(bt);
  return status;
}

static lac_status result_shape(lac_shape *out, const lac_tensor *a, const lac_tensor *b) {
  const lac_shape *sa = lac_tensor_shape(a), *sb = lac_tensor_shape(b);
  char ta[LAC_SHAPE_TEXT], tb[LAC_SHAPE_TEXT];
  const bool ranks = (sa->rank == 2 || sa->rank == 3) && (sb->rank == 2 || sb->rank == 3);
  if (!ranks || sa->dim[sa->rank - 1] != sb->dim[sb->rank - 2] ||
      (sa->rank == 3 && sb->rank == 3 && sa->dim[0] != sb->dim[0]))
    return lac_fail(LAC_ESHAPE, "matmul: %s and %s cannot be multiplied", lac_shape_text(ta, sa),
                    lac_shape_text(tb, sb));
  lac_shape shape = {.rank = 0};
  if (sa->rank == 3 || sb->rank == 3)
    shape.dim[shape.rank++] = sa->rank == 3 ? sa->dim[0] : sb->dim[0];
  shape.dim[shape.rank++] = sa->dim[sa->rank - 2];
  shape.dim[shape.rank++] = sb->dim[sb->rank - 1];
  *out = shape;
  return LAC_OK;
}

static lac_status multiply(lac_tensor **out, const lac_shape *shape, lac_tensor *a, lac_tensor *b) {
  lac_tensor *y;
  LAC_TRY(lac_tensor_new(&y, lac_tensor_device(a), LAC_F32, shape));
  const lac_node node = {matmul_backward, .in = {a, b}, .out = {y}};
  return lac_op_finish(out, y, lac_product(y, 0, a, b), &node);
}

lac_status lac_matmul(lac_tensor **out, lac_tensor *a, lac_tensor *b) {
  lac_shape shape;
  lac_tensor *da = NULL, *db = NULL;
  LAC_TRY(lac_op_check("matmul", "a", a, LAC_F32, NULL));
  LAC_TRY(lac_op_check("matmul", "b", b, LAC_F32, a));
  LAC_TRY(result_shape(&shape, a, b));
  lac_status status = lac_as_matrix(&da, a);
  if (status == LAC_OK) status = lac_as_matrix(&db, b);
  if (status == LAC_OK) status = multiply(out, &shape, da, db);
  lac_tensor_release(da);
  lac_tensor_release(db);
  return status;
}
