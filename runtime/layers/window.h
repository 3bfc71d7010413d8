/**
 * A window that slides over maps: what convolution and pooling share.
 *
 * Maps are channels-last, [n, height, width, channels].
 */
#ifndef LAC_LAYERS_WINDOW_H
#define LAC_LAYERS_WINDOW_H

#include "tensor/tensor.h"

/** Rows first, then columns. */
typedef struct lac_window {
  uint32_t size[2], stride[2], dilation[2]; /* all >= 1 */
  uint32_t before[2], after[2];             /* padding above and left, below and right */
} lac_window;

/** A window over maps: sizes in and out. */
typedef struct lac_slide {
  lac_window window;
  uint32_t n, in[2], channels, out[2];
} lac_slide;

/**
 * Fit a window to maps: out = (in + padding - span) / stride + 1 with span = dilation (size - 1)
 * + 1.
 *
 * @param op    named in messages
 * @param x     float32 [n, height, width, channels]
 * @param ceil  round up where the window does not end at the edge; the last window starts inside
 * the picture or the padding before it
 * @return LAC_OK; LAC_EINVAL for sizes, strides or dilations of 0; LAC_ESHAPE for x of another rank
 * or a window that is larger than the padded maps; LAC_EUNSUPPORTED beyond 2^31 - 1
 */
lac_status lac_slide_fit(lac_slide *out, const char *op, const lac_tensor *x,
                         const lac_window *window, bool ceil);

/** Positions of the window: n * out[0] * out[1]. */
uint64_t lac_slide_positions(const lac_slide *slide);

/** Whether each position sees just the pixel of its own number: 1 x 1, no stride, no padding. */
bool lac_slide_is_pixel(const lac_slide *slide);

/** SLIDE_ARGS of cl/prelude.cl. */
void lac_arg_slide(lac_launch *run, const lac_slide *slide);

#endif
