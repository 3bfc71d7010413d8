/**
 * Pooling: the largest value or the mean of what a window over maps sees, channel by channel.
 */
#ifndef LAC_LAYERS_POOLING_H
#define LAC_LAYERS_POOLING_H

#include "layers/window.h"

/**
 * y = the largest of the window's cells inside the maps; 0 where there are none, which a dilated
 * window or one that `ceil` adds may come to. A window that sees NaN gives NaN.
 *
 * @param[out] out  new tensor [n, rows, columns, channels]; the caller releases it
 * @param x         float32 [n, height, width, channels]
 * @param window    its padding is less than its span on every side
 * @param ceil      see lac_slide_fit()
 * @return LAC_OK; LAC_EINVAL; LAC_ESHAPE; LAC_EUNSUPPORTED; LAC_ENOMEM; LAC_EDEVICE
 *
 * Gradient: gy goes to the first of the largest cells, in rows from the top.
 */
lac_status lac_max_pool(lac_tensor **out, lac_tensor *x, const lac_window *window, bool ceil);

/**
 * y = the mean of the window's cells.
 *
 * @param with_padding  the padding counts as cells of 0, but not what lies beyond it, which windows
 * reach with `ceil`; else the mean is over cells inside the maps, 0 where there are none
 *
 * All else as lac_max_pool(). Gradient: gy over the number of cells, to each.
 */
lac_status lac_average_pool(lac_tensor **out, lac_tensor *x, const lac_window *window, bool ceil,
                            bool with_padding);

#endif
