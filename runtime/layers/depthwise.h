/**
 * Convolution in which every channel has a group of its own; see lac_convolution().
 */
#ifndef LAC_LAYERS_DEPTHWISE_H
#define LAC_LAYERS_DEPTHWISE_H

#include "layers/convolution_plan.h"

/** y. */
lac_status lac_depthwise_forward(const lac_conv_tensors *t, const lac_conv_plan *plan);

/** gx, added to what is there unless `fresh`, and gw, which is added to. */
lac_status lac_depthwise_backward(const lac_conv_tensors *t, const lac_conv_plan *plan, bool fresh);

#endif
