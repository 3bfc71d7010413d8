/**
 * lac_layer_norm() by the host's vector instructions, on devices that are the host: what the
 * kernels of cl/layer_norm.cl compute.
 */
#ifndef LAC_LAYERS_LAYER_NORM_HOST_H
#define LAC_LAYERS_LAYER_NORM_HOST_H

#include "layers/layer_norm.h"

/** Contiguous tensors; the last three of a gradient are NULL where not wanted. */
typedef struct lac_norm_tensors {
  lac_tensor *y, *kept, *x, *gain, *offset; /* forward; kept: see cl/layer_norm.cl */
  lac_tensor *gy, *gx, *ggain, *goffset;
} lac_norm_tensors;

/** Whether the device takes host functions without a wait and the host has the instructions. */
bool lac_layer_norm_on_host(const lac_device *device);

/**
 * y and kept. Needs lac_layer_norm_on_host(), as does the next.
 *
 * @return LAC_OK; LAC_ENOMEM; LAC_EDEVICE
 */
lac_status lac_layer_norm_host_forward(const lac_norm_tensors *t, float eps,
                                       lac_layer_norm_form form);

/** gx, added to what is there unless `fresh`; ggain and goffset are added to. */
lac_status lac_layer_norm_host_backward(const lac_norm_tensors *t, bool fresh);

#endif
