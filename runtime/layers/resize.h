/**
 * Maps in another size.
 */
#ifndef LAC_LAYERS_RESIZE_H
#define LAC_LAYERS_RESIZE_H

#include "tensor/tensor.h"

/** Where position i of the result lies among the positions of x, with scale = in / out. */
typedef enum lac_resize_grid {
  LAC_GRID_HALF_PIXEL, /* (i + 1/2) scale - 1/2: cells have an extent, whose edges agree */
  LAC_GRID_LEGACY,     /* i scale: as early TensorFlow */
  LAC_GRID_CORNERS     /* i (in - 1) / (out - 1): the middles of the outer cells agree */
} lac_resize_grid;

/**
 * y = x in another height and width, linear between the cells, constant beyond the outer ones.
 * Nothing is smoothed where it becomes smaller.
 *
 * @param[out] out  new tensor [n, height, width, channels]; the caller releases it
 * @param x         float32 [n, rows, columns, channels]
 * @return LAC_OK; LAC_EINVAL for a height or width of 0; LAC_ESHAPE; LAC_EUNSUPPORTED beyond 2^24
 * rows or columns; LAC_ENOMEM; LAC_EDEVICE
 *
 * Gradient: to each cell its share.
 */
lac_status lac_resize(lac_tensor **out, lac_tensor *x, uint64_t height, uint64_t width,
                      lac_resize_grid grid);

#endif
