/*
 * One table row per map; map1 and map2 are written once. A binary map whose shapes differ walks up
 * to four dimensions with strides; its gradient is formed at full size and summed over what was
 * stretched.
 */
#include "ops/elementwise.h"

#include "ops/op.h"

#include <math.h>
#include <string.h>

typedef struct map1_op {
  const char *name, *fwd, *bwd; /* bwd NULL: no gradient */
  bool saves_result;            /* the derivative is written in the result, not the input */
} map1_op;

/* gx += f'(saved) * gy */
static lac_status map1_backward(const lac_node *node) {
  const map1_op *op = node->op;
  lac_tensor *x = node->in[0], *gx;
  bool fresh;
  LAC_TRY(lac_tensor_borrow_fresh_grad(&gx, &fresh, x));
  lac_launch run = lac_launch_new(lac_tensor_device(x), "elementwise", op->bwd);
  lac_arg_tensor(&run, gx);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  lac_arg_tensor(&run, op->saves_result ? node->out[0] : x);
  lac_arg_u64(&run, lac_tensor_numel(x));
  lac_arg_f32(&run, node->attr[0]);
  lac_arg_f32(&run, node->attr[1]);
  lac_arg_u32(&run, !fresh);
  lac_launch_items(&run, lac_tensor_numel(x));
  return lac_launch_run(&run);
}

static lac_status map1_contiguous(lac_tensor **out, lac_tensor *x, const map1_op *op, float a,
                                  float b) {
  lac_device *device = lac_tensor_device(x);
  lac_tensor *y;
  LAC_TRY(lac_tensor_new(&y, device, LAC_F32, lac_tensor_shape(x)));
  lac_launch run = lac_launch_new(device, "elementwise", op->fwd);
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, x);
  lac_arg_u64(&run, lac_tensor_numel(x));
  lac_arg_f32(&run, a);
  lac_arg_f32(&run, b);
  lac_launch_items(&run, lac_tensor_numel(x));
  const lac_node node = {map1_backward, op, .in = {op->bwd ? x : NULL}, .out = {y}, .attr = {a, b}};
  return lac_op_finish(out, y, lac_launch_run(&run), &node);
}

static lac_status map1(lac_tensor **out, lac_tensor *x, const map1_op *op, float a, float b) {
  lac_tensor *dense;
  LAC_TRY(lac_op_check(op->name, "x", x, LAC_F32, NULL));
  LAC_TRY(lac_contiguous(&dense, x));
  const lac_status status = map1_contiguous(out, dense, op, a, b);
  lac_tensor_release(dense);
  return status;
}

lac_status lac_neg(lac_tensor **out, lac_tensor *x) {
  static const map1_op op = {"neg", "neg_fwd", "neg_bwd", false};
  return map1(out, x, &op, 0, 0);
}

lac_status lac_exp(lac_tensor **out, lac_tensor *x) {
  static const map1_op op = {"exp", "exp_fwd", "exp_bwd", true};
  return map1(out, x, &op, 0, 0);
}

lac_status lac_log(lac_tensor **out, lac_tensor *x) {
  static const map1_op op = {"log", "log_fwd", "log_bwd", false};
  return map1(out, x, &op, 0, 0);
}

lac_status lac_sqrt(lac_tensor **out, lac_tensor *x) {
  static const map1_op op = {"sqrt", "sqrt_fwd", "sqrt_bwd", true};
  return map1(out, x, &op, 0, 0);
}

lac_status lac_square(lac_tensor **out, lac_tensor *x) {
  static const map1_op op = {"square", "square_fwd", "square_bwd", false};
  return map1(out, x, &op, 0, 0);
}

lac_status lac_abs(lac_tensor **out, lac_tensor *x) {
  static const map1_op op = {"abs", "abs_fwd", "abs_bwd", false};
  return map1(out, x, &op, 0, 0);
}

lac_status lac_reciprocal(lac_tensor **out, lac_tensor *x) {
  static const map1_op op = {"reciprocal", "reciprocal_fwd", "reciprocal_bwd", true};
  return map1(out, x, &op, 0, 0);
}

lac_status lac_relu(lac_tensor **out, lac_tensor *x) {
  static const map1_op op = {"relu", "relu_fwd", "relu_bwd", true};
  return map1(out, x, &op, 0, 0);
}

lac_status lac_tanh(lac_tensor **out, lac_tensor *x) {
  static const map1_op op = {"tanh", "tanh_fwd", "tanh_bwd", true};
  return map1(out, x, &op, 0, 0);
}

lac_status lac_sigmoid(lac_tensor **out, lac_tensor *x) {
  static const map1_op op = {"sigmoid", "sigmoid_fwd", "sigmoid_bwd", true};
  return map1(out, x, &op, 0, 0);
}

lac_status lac_gelu(lac_tensor **out, lac_tensor *x) {
  static const map1_op op = {"gelu", "gelu_fwd", "gelu_bwd", false};
  return map1(out, x, &op, 0, 0);
}

lac_status lac_scale(lac_tensor **out, lac_tensor *x, float a, float b) {
  static const map1_op op = {"scale", "scale_fwd", "scale_bwd", false};
  return map1(out, x, &op, a, b);
}

lac_status lac_clamp(lac_tensor **out, lac_tensor *x, float low, float high) {
  static const map1_op op = {"clamp", "clamp_fwd", "clamp_bwd", false};
  if (!(low <= high))
    return lac_fail(LAC_EINVAL, "clamp: low must be <= high, got %g and %g", (double)low,
                    (double)high);
  return map1(out, x, &op, low, high);
}

lac_status lac_greater(lac_tensor **out, lac_tensor *x, float a) {
  static const map1_op op = {"greater", "greater_fwd", NULL, false};
  return map1(out, x, &op, a, 0);
}

enum { WALK = 4 };

/* Two sides joined over at most four dimensions, missing ones 1; strides are 0 where a side is
 * stretched. */
typedef struct walk {
  uint64_t dim[WALK];
  uint64_t stride[2][WALK];
  bool stretched[2]; /* whether a side is smaller than the result */
} walk;

static lac_status plan_walk(walk *plan, const char *op, const lac_shape *joint, lac_tensor *a,
                            lac_tensor *b) {
  char text[LAC_SHAPE_TEXT];
  lac_tensor *const side[2] = {a, b};
  if (joint->rank > WALK)
    return lac_fail(LAC_EUNSUPPORTED, "%s: broadcasting takes at most four dimensions, got %s", op,
                    lac_shape_text(text, joint));
  *plan = (walk){.dim = {1, 1, 1, 1}};
  for (uint32_t i = 0; i < joint->rank; i++)
    plan->dim[WALK - 1 - i] = joint->dim[joint->rank - 1 - i];
  for (int s = 0; s < 2; s++) {
    const lac_shape *shape = lac_tensor_shape(side[s]);
    uint64_t step = 1;
    for (uint32_t i = 0; i < shape->rank; i++) {
      const uint64_t n = shape->dim[shape->rank - 1 - i];
      plan->stride[s][WALK - 1 - i] = n == 1 ? 0 : step;
      step *= n;
    }
    plan->stretched[s] = step != lac_shape_numel(joint);
  }
  return LAC_OK;
}

static void arg_walk(lac_launch *run, const walk *plan) {
  for (int i = 1; i < WALK; i++)
    lac_arg_u64(run, plan->dim[i]);
  for (int s = 0; s < 2; s++)
    for (int i = 0; i < WALK; i++)
      lac_arg_u64(run, plan->stride[s][i]);
}

typedef struct map2_op {
  const char *name, *fwd, *walk, *bwd[2];
} map2_op;

/* gside[j] += sum of t over what was stretched */
static lac_status unstretch(lac_tensor *gside, lac_tensor *t, const walk *plan, int s) {
  const uint64_t n = lac_tensor_numel(gside);
  uint64_t full[WALK], step = 1;
  for (int i = WALK; i-- > 0;) {
    full[i] = step;
    step *= plan->dim[i];
  }
  lac_launch run = lac_launch_new(lac_tensor_device(t), "elementwise", "unstretch");
  lac_arg_tensor(&run, gside);
  lac_arg_tensor(&run, t);
  lac_arg_u64(&run, n);
  for (int i = 1; i < WALK; i++)
    lac_arg_u64(&run, plan->stride[s][i] ? plan->dim[i] : 1);
  for (int i = 0; i < WALK; i++)
    lac_arg_u64(&run, plan->stride[s][i] ? 1 : plan->dim[i]);
  for (int i = 0; i < WALK; i++)
    lac_arg_u64(&run, full[i]);
  lac_launch_items(&run, n);
  return lac_launch_run(&run);
}

/* t = gy * (d f / d side), or t += where add says so */
static lac_status launch_map2_bwd(lac_tensor *t, const lac_node *node, const walk *plan, int s,
                                  bool add) {
  const map2_op *op = node->op;
  const uint64_t n = lac_tensor_numel(node->out[0]);
  lac_launch run = lac_launch_new(lac_tensor_device(t), "elementwise", op->bwd[s]);
  lac_arg_tensor(&run, t);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  lac_arg_tensor(&run, node->in[0]);
  lac_arg_tensor(&run, node->in[1]);
  lac_arg_u64(&run, n);
  lac_arg_u32(&run, add);
  arg_walk(&run, plan);
  lac_launch_items(&run, n);
  return lac_launch_run(&run);
}

static lac_status map2_side_backward(const lac_node *node, const walk *plan, int s) {
  lac_tensor *side = node->in[s], *gside, *t;
  if (!plan->stretched[s]) {
    bool fresh;
    LAC_TRY(lac_tensor_borrow_fresh_grad(&gside, &fresh, side));
    return launch_map2_bwd(gside, node, plan, s, !fresh);
  }
  LAC_TRY(lac_tensor_borrow_grad(&gside, side));
  LAC_TRY(lac_tensor_new(&t, lac_tensor_device(side), LAC_F32, lac_tensor_shape(node->out[0])));
  lac_status status = launch_map2_bwd(t, node, plan, s, false);
  if (status == LAC_OK) status = unstretch(gside, t, plan, s);
  lac_tensor_release(t);
  return status;
}

static lac_status map2_backward(const lac_node *node) {
  const map2_op *op = node->op;
  walk plan;
  LAC_TRY(plan_walk(&plan, op->name, lac_tensor_shape(node->out[0]), node->in[0], node->in[1]));
  for (int s = 0; s < 2; s++)
    if (lac_tensor_requires_grad(node->in[s])) LAC_TRY(map2_side_backward(node, &plan, s));
  return LAC_OK;
}

static lac_status map2_contiguous(lac_tensor **out, lac_tensor *a, lac_tensor *b,
                                  const map2_op *op) {
  lac_device *device = lac_tensor_device(a);
  const bool equal = lac_shape_equal(lac_tensor_shape(a), lac_tensor_shape(b));
  lac_shape joint;
  walk plan;
  lac_tensor *y;
  LAC_TRY(lac_shape_broadcast(&joint, op->name, lac_tensor_shape(a), lac_tensor_shape(b)));
  LAC_TRY(plan_walk(&plan, op->name, &joint, a, b));
  LAC_TRY(lac_tensor_new(&y, device, LAC_F32, &joint));
  const uint64_t n = lac_tensor_numel(y);
  lac_launch run = lac_launch_new(device, "elementwise", equal ? op->fwd : op->walk);
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, a);
  lac_arg_tensor(&run, b);
  lac_arg_u64(&run, n);
  if (!equal) arg_walk(&run, &plan);
  lac_launch_items(&run, n);
  const lac_node node = {map2_backward, op, .in = {a, b}, .out = {y}};
  return lac_op_finish(out, y, lac_launch_run(&run), &node);
}

static lac_status map2(lac_tensor **out, lac_tensor *a, lac_tensor *b, const map2_op *op) {
  lac_tensor *da = NULL, *db = NULL;
  LAC_TRY(lac_op_check(op->name, "a", a, LAC_F32, NULL));
  LAC_TRY(lac_op_check(op->name, "b", b, LAC_F32, a));
  lac_status status = lac_contiguous(&da, a);
  if (status == LAC_OK) status = lac_contiguous(&db, b);
  if (status == LAC_OK) status = map2_contiguous(out, da, db, op);
  lac_tensor_release(da);
  lac_tensor_release(db);
  return status;
}

lac_status lac_add(lac_tensor **out, lac_tensor *a, lac_tensor *b) {
  static const map2_op op = {"add", "add_fwd", "add_walk", {"add_bwd_a", "add_bwd_b"}};
  return map2(out, a, b, &op);
}

lac_status lac_sub(lac_tensor **out, lac_tensor *a, lac_tensor *b) {
  static const map2_op op = {"sub", "sub_fwd", "sub_walk", {"sub_bwd_a", "sub_bwd_b"}};
  return map2(out, a, b, &op);
}

lac_status lac_mul(lac_tensor **out, lac_tensor *a, lac_tensor *b) {
  static const map2_op op = {"mul", "mul_fwd", "mul_walk", {"mul_bwd_a", "mul_bwd_b"}};
  return map2(out, a, b, &op);
}

lac_status lac_div(lac_tensor **out, lac_tensor *a, lac_tensor *b) {
  static const map2_op op = {"div", "div_fwd", "div_walk", {"div_bwd_a", "div_bwd_b"}};
  return map2(out, a, b, &op);
}

lac_status lac_maximum(lac_tensor **out, lac_tensor *a, lac_tensor *b) {
  static const map2_op op = {
      "maximum", "maximum_fwd", "maximum_walk", {"maximum_bwd_a", "maximum_bwd_b"}};
  return map2(out, a, b, &op);
}

lac_status lac_minimum(lac_tensor **out, lac_tensor *a, lac_tensor *b) {
  static const map2_op op = {
      "minimum", "minimum_fwd", "minimum_walk", {"minimum_bwd_a", "minimum_bwd_b"}};
  return map2(out, a, b, &op);
}

/* Dimensions and strides of a strided tensor as the contiguous kernels take them: d1..d5, s0..s5.
 */
static void arg_geometry(lac_launch *run, const lac_tensor *x) {
  uint64_t dim[LAC_MAX_RANK], stride[LAC_MAX_RANK];
  const lac_shape *shape = lac_tensor_shape(x);
  const uint32_t missing = LAC_MAX_RANK - shape->rank;
  for (uint32_t i = 0; i < LAC_MAX_RANK; i++) {
    dim[i] = i < missing ? 1 : shape->dim[i - missing];
    stride[i] = i < missing ? 0 : lac_tensor_stride(x, i - missing);
  }
  for (uint32_t i = 1; i < LAC_MAX_RANK; i++)
    lac_arg_u64(run, dim[i]);
  for (uint32_t i = 0; i < LAC_MAX_RANK; i++)
    lac_arg_u64(run, stride[i]);
}

static lac_status contiguous_backward(const lac_node *node) {
  lac_tensor *x = node->in[0], *gx;
  LAC_TRY(lac_tensor_borrow_grad(&gx, x));
  lac_launch run = lac_launch_new(lac_tensor_device(x), "elementwise", "contiguous_bwd");
  lac_arg_tensor(&run, gx);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  lac_arg_u64(&run, lac_tensor_numel(x));
  arg_geometry(&run, gx);
  lac_launch_items(&run, lac_tensor_numel(x));
  return lac_launch_run(&run);
}

lac_status lac_clone(lac_tensor **out, lac_tensor *x) {
  lac_device *device = lac_tensor_device(x);
  lac_tensor *y;
  LAC_TRY(lac_op_check("clone", "x", x, lac_tensor_dtype(x), NULL));
  LAC_TRY(lac_tensor_new(&y, device, lac_tensor_dtype(x), lac_tensor_shape(x)));
  const lac_node node = {contiguous_backward, .in = {x}, .out = {y}};
  if (lac_tensor_is_contiguous(x)) return lac_op_finish(out, y, lac_tensor_copy(y, x), &node);
  lac_launch run = lac_launch_new(device, "elementwise", "contiguous_fwd");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, x);
  lac_arg_u64(&run, lac_tensor_numel(x));
  arg_geometry(&run, x);
  lac_launch_items(&run, lac_tensor_numel(x));
  return lac_op_finish(out, y, lac_launch_run(&run), &node);
}

lac_status lac_contiguous(lac_tensor **out, lac_tensor *x) {
  LAC_TRY(lac_op_check("contiguous", "x", x, lac_tensor_dtype(x), NULL));
  if (!lac_tensor_is_contiguous(x)) return lac_clone(out, x);
  *out = lac_tensor_retain(x);
  return LAC_OK;
}

static lac_status convert(lac_tensor **out, lac_tensor *x, lac_dtype to, const char *kernel) {
  lac_tensor *dense, *y;
  LAC_TRY(lac_contiguous(&dense, x));
  lac_status status = lac_tensor_new(&y, lac_tensor_device(x), to, lac_tensor_shape(x));
  if (status == LAC_OK) {
    lac_launch run = lac_launch_new(lac_tensor_device(x), "elementwise", kernel);
    lac_arg_tensor(&run, y);
    lac_arg_tensor(&run, dense);
    lac_arg_u64(&run, lac_tensor_numel(x));
    lac_launch_items(&run, lac_tensor_numel(x));
    const lac_node none = {.out = {y}};
    status = lac_op_finish(out, y, lac_launch_run(&run), &none);
  }
  lac_tensor_release(dense);
  return status;
}

lac_status lac_to_f32(lac_tensor **out, lac_tensor *x) {
  LAC_TRY(lac_op_check("to_f32", "x", x, LAC_I32, NULL));
  return convert(out, x, LAC_F32, "to_f32_fwd");
}

lac_status lac_to_i32(lac_tensor **out, lac_tensor *x) {
  LAC_TRY(lac_op_check("to_i32", "x", x, LAC_F32, NULL));
  return convert(out, x, LAC_I32, "to_i32_fwd");
}

lac_status lac_accumulate(lac_tensor *y, const lac_tensor *x) {
  lac_launch run = lac_launch_new(lac_tensor_device(y), "elementwise", "accumulate");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, x);
  lac_arg_u64(&run, lac_tensor_numel(y));
  lac_launch_items(&run, lac_tensor_numel(y));
  return lac_launch_run(&run);
}
