/**
 * What the ways to convolve share: the sizes, kept from forward to backward.
 */
#ifndef LAC_LAYERS_CONVOLUTION_PLAN_H
#define LAC_LAYERS_CONVOLUTION_PLAN_H

#include "layers/window.h"

typedef struct lac_conv_plan {
  lac_slide slide;
  uint32_t out, groups;      /* outputs in all */
  uint32_t group, group_out; /* channels and outputs of each group */
  uint32_t taps;             /* of the window */
} lac_conv_plan;

/** Contiguous tensors; the gradients are NULL where not wanted. */
typedef struct lac_conv_tensors {
  lac_tensor *y, *x, *w, *bias; /* bias may be NULL */
  lac_tensor *gy, *gx, *gw;
} lac_conv_tensors;

/** Whether every channel has a group of its own. */
static inline bool lac_conv_is_depthwise(const lac_conv_plan *plan) {
  return plan->group == 1 && plan->groups > 1;
}

#endif
