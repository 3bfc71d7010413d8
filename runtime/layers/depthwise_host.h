/**
 * Depthwise convolution with one output for each channel, by the host's vector instructions, on
 * devices that are the host: what the kernels of cl/convolution.cl compute.
 */
#ifndef LAC_LAYERS_DEPTHWISE_HOST_H
#define LAC_LAYERS_DEPTHWISE_HOST_H

#include "layers/convolution_plan.h"

/** Whether the host does this one: the device takes host functions without a wait, the host has
 * the instructions, and each channel has one output. */
bool lac_depthwise_on_host(const lac_device *device, const lac_conv_plan *plan);

/**
 * y. Needs lac_depthwise_on_host(), as do the next.
 *
 * @return LAC_OK; LAC_ENOMEM; LAC_EDEVICE
 */
lac_status lac_depthwise_host_forward(const lac_conv_tensors *t, const lac_conv_plan *plan);

/** gx, added to what is there unless `fresh`. */
lac_status lac_depthwise_host_backward(const lac_conv_tensors *t, const lac_conv_plan *plan,
                                       bool fresh);

/** gw, which is added to. */
lac_status lac_depthwise_host_weights(const lac_conv_tensors *t, const lac_conv_plan *plan);

#endif
