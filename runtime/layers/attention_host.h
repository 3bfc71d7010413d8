/**
 * Additive attention on a device whose memory and instructions are the host's: the results of
 * cl/attention.cl, and its gradients without tanh of every row, region and column in memory.
 */
#ifndef LAC_LAYERS_ATTENTION_HOST_H
#define LAC_LAYERS_ATTENTION_HOST_H

#include "layers/attention.h"

/** Whether this device is one, with instructions that pay. */
bool lac_attention_on_host(const lac_device *device);

/** each: most rows of an image. */
typedef struct lac_attention_sizes {
  uint32_t rows, images, each, regions, size, width;
} lac_attention_sizes;

/**
 * y and w of attention, and used, which is w or what dropout makes of it; all tensors contiguous.
 * Needs lac_attention_on_host(). The generator of `a` stays where it is.
 *
 * @return LAC_OK; LAC_ENOMEM; LAC_EDEVICE
 */
lac_status lac_attention_host_forward(lac_tensor *y, lac_tensor *w, lac_tensor *used,
                                      const lac_attention_args *a, const lac_attention_sizes *n);

/** As lac_attention_args has them, contiguous; what gradients are added to is NULL where none is
 * wanted. */
typedef struct lac_attention_gradients {
  const lac_tensor *query, *keys, *values, *v;
  const lac_tensor *owners, *members; /* both or neither */
  const lac_tensor *weights, *used;   /* used: what dropout has made of weights */
  const lac_tensor *gy;
  lac_tensor *gquery, *gkeys, *gvalues, *gv;
} lac_attention_gradients;

/**
 * Needs lac_attention_on_host().
 *
 * @return LAC_OK; LAC_ENOMEM; LAC_EDEVICE
 */
lac_status lac_attention_host_backward(const lac_attention_sizes *n,
                                       const lac_attention_gradients *g);

#endif
