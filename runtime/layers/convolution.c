/*
 * The product of a group: y [positions, outputs] = patches [positions, taps x channels] w2^T, with
 * the weights in the order of the patches, w2 [out, taps, channels of the group]. Patches are made
 * for some positions at a time, which bounds their memory, and again for the weights' gradient.
 */
#include "layers/convolution.h"

#include "core/memory.h"
#include "gemm/gemm.h"
#include "layers/depthwise.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/op.h"

#include <inttypes.h>
#include <stdlib.h>

enum { X, WEIGHT, BIAS, INPUTS };          // of the record
enum { PATCH_ELEMENTS = 8 * 1024 * 1024 }; // most that are there at a time

/* The patches of some positions and one group, or x itself. */
typedef struct piece {
  const lac_conv_plan *plan;
  lac_tensor *patch;     // NULL where x serves
  uint64_t first, count; // positions
  uint32_t g;            // the group
} piece;

typedef lac_status (*piece_rule)(const piece *p, const lac_conv_tensors *t, lac_tensor *w2);

static lac_status exchange(lac_tensor *to, lac_tensor *from, const lac_conv_plan *plan,
                           bool from_patches) {
  lac_launch run = lac_launch_new(lac_tensor_device(to), "convolution", "conv_exchange");
  lac_arg_tensor(&run, to);
  lac_arg_tensor(&run, from);
  lac_arg_u64(&run, plan->out);
  lac_arg_u32(&run, from_patches ? plan->group : plan->taps);
  lac_arg_u32(&run, from_patches ? plan->taps : plan->group);
  lac_arg_u32(&run, from_patches);
  lac_launch_items(&run, lac_tensor_numel(to));
  return lac_launch_run(&run);
}

/* A tensor with the weights' order in patches; with one tap w has it. */
static lac_status new_ordered(lac_tensor **out, lac_tensor *w, const lac_conv_plan *plan) {
  const lac_shape shape = {2, {plan->out, (uint64_t)plan->taps * plan->group}};
  if (plan->taps == 1) return lac_tensor_reshape(out, w, &shape);
  return lac_tensor_new(out, lac_tensor_device(w), LAC_F32, &shape);
}

static lac_status order_weights(lac_tensor **out, lac_tensor *w, const lac_conv_plan *plan) {
  lac_tensor *w2;
  LAC_TRY(new_ordered(&w2, w, plan));
  const lac_status status = plan->taps == 1 ? LAC_OK : exchange(w2, w, plan, false);
  if (status == LAC_OK)
    *out = w2;
  else
    lac_tensor_release(w2);
  return status;
}

static lac_status gather(const piece *p, lac_tensor *x) {
  const lac_conv_plan *plan = p->plan;
  if (!p->patch) return LAC_OK;
  lac_launch run = lac_launch_new(lac_tensor_device(x), "convolution", "conv_patches");
  lac_arg_tensor(&run, p->patch);
  lac_arg_tensor(&run, x);
  lac_arg_slide(&run, &plan->slide);
  lac_arg_u64(&run, p->first);
  lac_arg_u32(&run, p->g * plan->group);
  lac_arg_u32(&run, plan->group);
  lac_launch_items2(&run, (uint64_t)plan->taps * plan->group, p->count);
  return lac_launch_run(&run);
}

/* Some columns of rows p->first and behind. */
static lac_matrix rows_of(const piece *p, const lac_tensor *maps, uint32_t columns,
                          uint32_t column) {
  return (lac_matrix){lac_tensor_buffer(maps),
                      lac_tensor_offset(maps) + p->first * columns + column, columns};
}

static lac_matrix patches_of(const piece *p, const lac_tensor *x) {
  const lac_conv_plan *plan = p->plan;
  if (!p->patch) return rows_of(p, x, plan->slide.channels, p->g * plan->group);
  return (lac_matrix){lac_tensor_buffer(p->patch), 0, (uint64_t)plan->taps * plan->group};
}

static lac_matrix outputs_of(const piece *p, const lac_tensor *y) {
  return rows_of(p, y, p->plan->out, p->g * p->plan->group_out);
}

static lac_matrix weights_of(const piece *p, const lac_tensor *w2) {
  const uint64_t k = (uint64_t)p->plan->taps * p->plan->group;
  return (lac_matrix){lac_tensor_buffer(w2),
                      lac_tensor_offset(w2) + (uint64_t)p->g * p->plan->group_out * k, k};
}

/* The sizes of a product of patches [m, k] with weights [n, k]. */
static lac_gemm_args start_product(const piece *p) {
  return (lac_gemm_args){.m = p->count,
                         .n = p->plan->group_out,
                         .k = (uint64_t)p->plan->taps * p->plan->group,
                         .alpha = 1,
                         .batch = 1};
}

static lac_status forward_piece(const piece *p, const lac_conv_tensors *t, lac_tensor *w2) {
  lac_gemm_args args = start_product(p);
  LAC_TRY(gather(p, t->x));
  args.trans_b = true;
  args.beta = t->bias ? 1 : 0;
  args.a = patches_of(p, t->x);
  args.b = weights_of(p, w2);
  args.c = outputs_of(p, t->y);
  return lac_gemm(lac_tensor_device(t->y), &args);
}

/* The gradient of the patches, then its sum where they overlap. */
static lac_status bwd_x_piece(const piece *p, const lac_conv_tensors *t, lac_tensor *w2) {
  const lac_conv_plan *plan = p->plan;
  const lac_slide *s = &plan->slide;
  const uint64_t area = (uint64_t)s->out[0] * s->out[1], pixels = (uint64_t)s->in[0] * s->in[1];
  const uint64_t begin = p->first / area * pixels;
  const uint64_t end = (p->first + p->count + area - 1) / area * pixels;
  lac_gemm_args args = start_product(p);
  args.n = args.k;
  args.k = plan->group_out;
  args.a = outputs_of(p, t->gy);
  args.b = weights_of(p, w2);
  args.c = patches_of(p, t->gx);
  args.beta = p->patch ? 0 : 1;
  LAC_TRY(lac_gemm(lac_tensor_device(t->gx), &args));
  if (!p->patch) return LAC_OK;
  lac_launch run = lac_launch_new(lac_tensor_device(t->gx), "convolution", "conv_unpatch");
  lac_arg_tensor(&run, t->gx);
  lac_arg_tensor(&run, p->patch);
  lac_arg_slide(&run, s);
  lac_arg_u64(&run, p->first);
  lac_arg_u64(&run, p->count);
  lac_arg_u64(&run, begin);
  lac_arg_u32(&run, p->g * plan->group);
  lac_arg_u32(&run, plan->group);
  lac_launch_items2(&run, plan->group, end - begin);
  return lac_launch_run(&run);
}

/* w2, here the gradient in the order of patches, += gy^T patches */
static lac_status bwd_w_piece(const piece *p, const lac_conv_tensors *t, lac_tensor *w2) {
  lac_gemm_args args = start_product(p);
  LAC_TRY(gather(p, t->x));
  args.trans_a = true;
  args.beta = 1;
  args.m = p->plan->group_out;
  args.n = args.k;
  args.k = p->count;
  args.a = outputs_of(p, t->gy);
  args.b = patches_of(p, t->x);
  args.c = weights_of(p, w2);
  return lac_gemm(lac_tensor_device(t->gy), &args);
}

/* Apply a rule to all positions and groups. */
static lac_status each_piece(piece_rule rule, const lac_conv_tensors *t, lac_tensor *w2,
                             const lac_conv_plan *plan) {
  const uint64_t k = (uint64_t)plan->taps * plan->group, all = lac_slide_positions(&plan->slide);
  const bool direct = lac_slide_is_pixel(&plan->slide);
  const uint64_t fit = k < PATCH_ELEMENTS ? PATCH_ELEMENTS / k : 1;
  const uint64_t most = direct || all < fit ? all : fit;
  piece p = {.plan = plan};
  lac_status status = LAC_OK;
  if (all == 0 || k == 0 || plan->out == 0) return LAC_OK;
  if (!direct) {
    const lac_shape shape = {2, {most, k}};
    LAC_TRY(lac_tensor_new(&p.patch, lac_tensor_device(w2), LAC_F32, &shape));
  }
  for (; p.first < all && status == LAC_OK; p.first += most) {
    p.count = all - p.first < most ? all - p.first : most;
    for (p.g = 0; p.g < plan->groups && status == LAC_OK; p.g++)
      status = rule(&p, t, w2);
  }
  lac_tensor_release(p.patch);
  return status;
}

static lac_status fill_bias(const lac_conv_tensors *t, const lac_conv_plan *plan) {
  lac_launch run = lac_launch_new(lac_tensor_device(t->y), "convolution", "conv_bias");
  lac_arg_tensor(&run, t->y);
  lac_arg_tensor(&run, t->bias);
  lac_arg_u32(&run, plan->out);
  lac_launch_items2(&run, plan->out, lac_slide_positions(&plan->slide));
  return lac_launch_run(&run);
}

static lac_status patches_forward(const lac_conv_tensors *t, const lac_conv_plan *plan) {
  lac_tensor *w2;
  if (t->bias) LAC_TRY(fill_bias(t, plan));
  LAC_TRY(order_weights(&w2, t->w, plan));
  const lac_status status = each_piece(forward_piece, t, w2, plan);
  lac_tensor_release(w2);
  return status;
}

static lac_status patches_bwd_w(const lac_conv_tensors *t, const lac_conv_plan *plan) {
  static const float zero = 0;
  lac_tensor *gw2;
  LAC_TRY(new_ordered(&gw2, t->gw, plan));
  lac_status status = plan->taps == 1 ? LAC_OK : lac_tensor_fill(gw2, &zero);
  if (status == LAC_OK) status = each_piece(bwd_w_piece, t, gw2, plan);
  if (status == LAC_OK && plan->taps > 1) status = exchange(t->gw, gw2, plan, true);
  lac_tensor_release(gw2);
  return status;
}

static lac_status patches_backward(const lac_conv_tensors *t, const lac_conv_plan *plan) {
  lac_tensor *w2;
  if (t->gx) {
    LAC_TRY(order_weights(&w2, t->w, plan));
    const lac_status status = each_piece(bwd_x_piece, t, w2, plan);
    lac_tensor_release(w2);
    LAC_TRY(status);
  }
  return t->gw ? patches_bwd_w(t, plan) : LAC_OK;
}

static lac_status convolution_backward(const lac_node *node) {
  const lac_conv_plan *plan = node->extra.object;
  lac_tensor *bias = node->in[BIAS], *gbias;
  lac_conv_tensors t = {
      .x = node->in[X], .w = node->in[WEIGHT], .gy = lac_tensor_grad(node->out[0])};
  bool fresh = false;
  if (bias && lac_tensor_requires_grad(bias)) {
    LAC_TRY(lac_tensor_borrow_grad(&gbias, bias));
    LAC_TRY(lac_add_column_sums(gbias, t.gy));
  }
  if (lac_tensor_requires_grad(t.w)) LAC_TRY(lac_tensor_borrow_grad(&t.gw, t.w));
  if (lac_conv_is_depthwise(plan)) {
    if (lac_tensor_requires_grad(t.x)) LAC_TRY(lac_tensor_borrow_fresh_grad(&t.gx, &fresh, t.x));
    return lac_depthwise_backward(&t, plan, fresh);
  }
  if (lac_tensor_requires_grad(t.x)) LAC_TRY(lac_tensor_borrow_grad(&t.gx, t.x));
  return patches_backward(&t, plan);
}

static lac_status convolve_contiguous(lac_tensor **out, lac_tensor *const in[INPUTS],
                                      const lac_conv_plan *plan) {
  const lac_slide *s = &plan->slide;
  const lac_shape shape = {4, {s->n, s->out[0], s->out[1], plan->out}};
  lac_conv_plan *kept;
  lac_tensor *y;
  LAC_TRY(lac_alloc(&kept, 1, sizeof *kept, "the sizes of a convolution"));
  *kept = *plan;
  lac_status status = lac_tensor_new(&y, lac_tensor_device(in[X]), LAC_F32, &shape);
  if (status != LAC_OK) {
    free(kept);
    return status;
  }
  const lac_conv_tensors t = {.y = y, .x = in[X], .w = in[WEIGHT], .bias = in[BIAS]};
  const lac_node node = {convolution_backward, .in = {in[X], in[WEIGHT], in[BIAS]}, .out = {y},
                         .extra = {kept, free}};
  status =
      lac_conv_is_depthwise(plan) ? lac_depthwise_forward(&t, plan) : patches_forward(&t, plan);
  return lac_op_finish(out, y, status, &node);
}

static lac_status check_groups(const lac_convolution_args *a) {
  const uint64_t channels = lac_tensor_shape(a->x)->dim[3];
  const lac_shape *w = lac_tensor_shape(a->weight);
  char got[LAC_SHAPE_TEXT];
  if (a->groups == 0 || channels % a->groups || w->dim[0] % a->groups)
    return lac_fail(LAC_ESHAPE,
                    "conv2d: %u groups do not divide the %" PRIu64 " channels of x and the %" PRIu64
                    " outputs of weight",
                    a->groups, channels, w->dim[0]);
  if (w->dim[1] != channels / a->groups)
    return lac_fail(LAC_ESHAPE,
                    "conv2d: weight must be [out, channels / groups, height, width] with %" PRIu64
                    " / %u channels, got %s",
                    channels, a->groups, lac_shape_text(got, w));
  return LAC_OK;
}

static lac_status make_plan(lac_conv_plan *plan, const lac_convolution_args *a) {
  const lac_shape *w = lac_tensor_shape(a->weight);
  lac_window window = a->window;
  char got[LAC_SHAPE_TEXT];
  if (w->rank != 4)
    return lac_fail(LAC_ESHAPE,
                    "conv2d: weight must be [out, channels / groups, height, width], got %s",
                    lac_shape_text(got, w));
  for (int d = 0; d < 4; d++)
    if (w->dim[d] > INT32_MAX || lac_tensor_numel(a->weight) > INT32_MAX)
      return lac_fail(LAC_EUNSUPPORTED, "conv2d: a weight of 2^31 or more elements: %s",
                      lac_shape_text(got, w));
  for (int d = 0; d < 2; d++)
    window.size[d] = (uint32_t)w->dim[2 + d];
  LAC_TRY(lac_slide_fit(&plan->slide, "conv2d", a->x, &window, false));
  LAC_TRY(check_groups(a));
  plan->out = (uint32_t)w->dim[0];
  plan->groups = a->groups;
  plan->group = (uint32_t)w->dim[1];
  plan->group_out = plan->out / a->groups;
  plan->taps = window.size[0] * window.size[1];
  return LAC_OK;
}

lac_status lac_convolution(lac_tensor **out, const lac_convolution_args *a) {
  lac_conv_plan plan;
  LAC_TRY(lac_op_check("conv2d", "x", a->x, LAC_F32, NULL));
  LAC_TRY(lac_op_check("conv2d", "weight", a->weight, LAC_F32, a->x));
  LAC_TRY(make_plan(&plan, a));
  const lac_shape per_output = {1, {plan.out}};
  if (a->bias) LAC_TRY(lac_op_check_shape("conv2d", "bias", a->bias, LAC_F32, a->x, &per_output));
  lac_tensor *const in[INPUTS] = {a->x, a->weight, a->bias};
  lac_tensor *dense[INPUTS] = {NULL};
  lac_status status = LAC_OK;
  for (int i = 0; i < INPUTS && status == LAC_OK; i++)
    if (in[i]) status = lac_contiguous(&dense[i], in[i]);
  if (status == LAC_OK) status = convolve_contiguous(out, dense, &plan);
  for (int i = 0; i < INPUTS; i++)
    lac_tensor_release(dense[i]);
  return status;
}
