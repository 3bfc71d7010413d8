/**
 * Convolution of maps in two dimensions.
 */
#ifndef LAC_LAYERS_CONVOLUTION_H
#define LAC_LAYERS_CONVOLUTION_H

#include "layers/window.h"

typedef struct lac_convolution_args {
  lac_tensor *x;      /* float32 [n, height, width, channels] */
  lac_tensor *weight; /* float32 [out, channels / groups, window height, window width] */
  lac_tensor *bias;   /* float32 [out], or NULL */
  lac_window window;  /* size is read off the weight */
  uint32_t groups;    /* each group of outputs sees its own channels */
} lac_convolution_args;

/**
 * y[n, i, j, o] = bias[o] + sum over a, b, c of weight[o, c, a, b] x[n, i s + a d - p, j s + b d -
 * p, c] with stride s, dilation d and padding p, x being 0 in the padding.
 *
 * Windows of one pixel are products of x as it lies; with as many groups as channels there are
 * loops over the window; all others are products of gathered patches, some at a time.
 *
 * @param[out] out  new tensor [n, rows, columns, out]; the caller releases it
 * @return LAC_OK; LAC_EINVAL; LAC_ESHAPE; LAC_EUNSUPPORTED; LAC_ENOMEM; LAC_EDEVICE
 *
 * Gradients: to x, weight and bias; the order of additions is fixed.
 */
lac_status lac_convolution(lac_tensor **out, const lac_convolution_args *args);

#endif
