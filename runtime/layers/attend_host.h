/**
 * lac_attend() by the host's vector instructions, on devices that are the host: what the kernels of
 * cl/attend.cl compute.
 */
#ifndef LAC_LAYERS_ATTEND_HOST_H
#define LAC_LAYERS_ATTEND_HOST_H

#include "layers/attend_plan.h"

/** Whether the device takes host functions without a wait and the host has the instructions. */
bool lac_attend_on_host(const lac_device *device);

/**
 * y and lse, see cl/attend.cl. Needs lac_attend_on_host(), as does the next.
 *
 * @return LAC_OK; LAC_ENOMEM; LAC_EDEVICE
 */
lac_status lac_attend_host_forward(lac_tensor *y, lac_tensor *lse,
                                   lac_tensor *const in[LAC_ATTEND_INPUTS],
                                   const lac_attend_plan *plan);

/** All gradients that the plan's flags want. */
lac_status lac_attend_host_backward(const lac_node *node, const lac_attend_plan *plan);

#endif
