/* Loops over the taps of the window, which see the weights as [tap, output]: kernels of
 * cl/convolution.cl. */
#include "layers/depthwise.h"

enum { PARTS = 64 }; // of a sum over positions

/* w2 [taps, out] = w [out, taps] */
static lac_status order_weights(lac_tensor **out, const lac_conv_tensors *t,
                                const lac_conv_plan *plan) {
  const lac_shape shape = {2, {plan->taps, plan->out}};
  lac_tensor *w2;
  LAC_TRY(lac_tensor_new(&w2, lac_tensor_device(t->w), LAC_F32, &shape));
  lac_launch run = lac_launch_new(lac_tensor_device(t->w), "convolution", "conv_exchange");
  lac_arg_tensor(&run, w2);
  lac_arg_tensor(&run, t->w);
  lac_arg_u64(&run, 1);
  lac_arg_u32(&run, plan->taps);
  lac_arg_u32(&run, plan->out);
  lac_arg_u32(&run, false);
  lac_launch_items(&run, lac_tensor_numel(w2));
  const lac_status status = lac_launch_run(&run);
  if (status != LAC_OK) {
    lac_tensor_release(w2);
    return status;
  }
  *out = w2;
  return LAC_OK;
}

static lac_status run_forward(const lac_conv_tensors *t, lac_tensor *w2,
                              const lac_conv_plan *plan) {
  lac_launch run = lac_launch_new(lac_tensor_device(t->y), "convolution", "depthwise_fwd");
  lac_arg_tensor(&run, t->y);
  lac_arg_tensor(&run, t->x);
  lac_arg_tensor(&run, w2);
  lac_arg_tensor(&run, t->bias ? t->bias : w2);
  lac_arg_slide(&run, &plan->slide);
  lac_arg_u32(&run, plan->group_out);
  lac_arg_u32(&run, t->bias != NULL);
  lac_launch_items2(&run, plan->out, lac_slide_positions(&plan->slide));
  return lac_launch_run(&run);
}

lac_status lac_depthwise_forward(const lac_conv_tensors *t, const lac_conv_plan *plan) {
  lac_tensor *w2;
  LAC_TRY(order_weights(&w2, t, plan));
  const lac_status status = run_forward(t, w2, plan);
  lac_tensor_release(w2);
  return status;
}

static lac_status bwd_x(const lac_conv_tensors *t, const lac_conv_plan *plan, bool fresh) {
  const lac_slide *s = &plan->slide;
  lac_tensor *w2;
  LAC_TRY(order_weights(&w2, t, plan));
  lac_launch run = lac_launch_new(lac_tensor_device(t->gx), "convolution", "depthwise_bwd_x");
  lac_arg_tensor(&run, t->gx);
  lac_arg_tensor(&run, t->gy);
  lac_arg_tensor(&run, w2);
  lac_arg_slide(&run, s);
  lac_arg_u32(&run, plan->group_out);
  lac_arg_u32(&run, !fresh);
  lac_launch_items2(&run, s->channels, (uint64_t)s->n * s->in[0] * s->in[1]);
  const lac_status status = lac_launch_run(&run);
  lac_tensor_release(w2);
  return status;
}

static lac_status add_parts(const lac_conv_tensors *t, lac_tensor *part, const lac_conv_plan *plan,
                            uint32_t parts) {
  lac_launch run = lac_launch_new(lac_tensor_device(part), "convolution", "depthwise_add");
  lac_arg_tensor(&run, t->gw);
  lac_arg_tensor(&run, part);
  lac_arg_u32(&run, plan->out);
  lac_arg_u32(&run, plan->taps);
  lac_arg_u32(&run, parts);
  lac_launch_items2(&run, plan->out, plan->taps);
  return lac_launch_run(&run);
}

static lac_status bwd_w(const lac_conv_tensors *t, const lac_conv_plan *plan) {
  const lac_slide *s = &plan->slide;
  const uint64_t rows = (uint64_t)s->n * s->out[0];
  const uint32_t parts = rows < PARTS ? (uint32_t)rows : PARTS;
  const lac_shape shape = {3, {parts, plan->taps, plan->out}};
  lac_tensor *part;
  LAC_TRY(lac_tensor_new(&part, lac_tensor_device(t->gw), LAC_F32, &shape));
  lac_launch run = lac_launch_new(lac_tensor_device(t->gw), "convolution", "depthwise_bwd_w");
  lac_arg_tensor(&run, part);
  lac_arg_tensor(&run, t->gy);
  lac_arg_tensor(&run, t->x);
  lac_arg_slide(&run, s);
  lac_arg_u32(&run, plan->group_out);
  lac_arg_u32(&run, parts);
  lac_launch_items2(&run, plan->out, (uint64_t)parts * plan->taps);
  lac_status status = lac_launch_run(&run);
  if (status == LAC_OK) status = add_parts(t, part, plan, parts);
  lac_tensor_release(part);
  return status;
}

lac_status lac_depthwise_backward(const lac_conv_tensors *t, const lac_conv_plan *plan,
                                  bool fresh) {
  if (t->gx) LAC_TRY(bwd_x(t, plan, fresh));
  return t->gw ? bwd_w(t, plan) : LAC_OK;
}
