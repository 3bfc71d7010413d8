/**
 * lac_max_pool() by the host's vector instructions, on devices that are the host. Backward finds
 * the largest cell again, so forward keeps nothing.
 */
#ifndef LAC_LAYERS_POOLING_HOST_H
#define LAC_LAYERS_POOLING_HOST_H

#include "layers/window.h"

/** Whether the device takes host functions without a wait and the host has the instructions. */
bool lac_pooling_on_host(const lac_device *device);

/**
 * Contiguous y from x. Needs lac_pooling_on_host(), as does the next.
 *
 * @return LAC_OK; LAC_ENOMEM; LAC_EDEVICE
 */
lac_status lac_max_pool_host_forward(lac_tensor *y, lac_tensor *x, const lac_slide *slide);

/** gx, added to what is there unless `fresh`. */
lac_status lac_max_pool_host_backward(lac_tensor *gx, lac_tensor *gy, lac_tensor *y, lac_tensor *x,
                                      const lac_slide *slide, bool fresh);

#endif
