/**
 * lac_convolution() by the host's vector instructions, on devices that are the host. Windows are
 * read where they lie, or from a few padded rows at a time; nothing is gathered.
 */
#ifndef LAC_LAYERS_CONVOLUTION_HOST_H
#define LAC_LAYERS_CONVOLUTION_HOST_H

#include "layers/convolution_plan.h"

/** Whether the device takes host functions without a wait and the host has the instructions. */
bool lac_convolution_on_host(const lac_device *device);

/**
 * y. Needs lac_convolution_on_host(), as do the next.
 *
 * @return LAC_OK; LAC_ENOMEM; LAC_EDEVICE
 */
lac_status lac_convolution_host_forward(const lac_conv_tensors *t, const lac_conv_plan *plan);

/** gx, added to what is there unless `fresh`. */
lac_status lac_convolution_host_backward(const lac_conv_tensors *t, const lac_conv_plan *plan,
                                         bool fresh);

/** gw, which is added to: convolution_weights_host.c. */
lac_status lac_convolution_host_weights(const lac_conv_tensors *t, const lac_conv_plan *plan);

#endif
