/**
 * lac_batch_norm() by the host's vector instructions, on devices that are the host: what the
 * kernels of cl/batch_norm.cl compute.
 */
#ifndef LAC_LAYERS_BATCH_NORM_HOST_H
#define LAC_LAYERS_BATCH_NORM_HOST_H

#include "layers/batch_norm.h"

/** Contiguous tensors; gain, offset and the gradients are NULL where there is none or none is
 * wanted. */
typedef struct lac_bn_tensors {
  lac_tensor *y, *kept, *x, *gain, *offset; /* kept: see cl/batch_norm.cl */
  lac_tensor *mean, *variance;              /* forward */
  lac_tensor *gy, *gx, *ggain, *goffset;    /* backward */
} lac_bn_tensors;

/** Whether the device takes host functions without a wait and the host has the instructions. */
bool lac_batch_norm_on_host(const lac_device *device);

/**
 * y and kept, and in training the moved statistics. Needs lac_batch_norm_on_host(), as does the
 * next.
 *
 * @param args  its numbers; its tensors are not looked at
 * @return LAC_OK; LAC_ENOMEM; LAC_EDEVICE
 */
lac_status lac_batch_norm_host_forward(const lac_bn_tensors *t, const lac_batch_norm_args *args);

/** gx, added to what is there unless `fresh`; ggain and goffset are added to. */
lac_status lac_batch_norm_host_backward(const lac_bn_tensors *t, bool training,
                                        lac_activation activation, bool fresh);

#endif
