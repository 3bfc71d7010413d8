/**
 * Sines and cosines as features: of positions, and of how pairs of boxes lie to each other.
 */
#ifndef LAC_LAYERS_TRIGONOMETRIC_H
#define LAC_LAYERS_TRIGONOMETRIC_H

#include "tensor/tensor.h"

/**
 * y[t, 2 i] = sin(t f_i), y[t, 2 i + 1] = cos(t f_i), f_i = 10000^(-2 i / d), t from 0.
 *
 * Vaswani et al. 2017, "Attention is all you need", section 3.5.
 *
 * @param[out] out  new [count, d] without a gradient; the caller releases it
 * @return LAC_OK; LAC_ESHAPE; LAC_ENOMEM; LAC_EDEVICE
 */
lac_status lac_positions(lac_tensor **out, lac_device *device, uint64_t count, uint64_t d);

/**
 * For each pair of boxes of a set, four logarithms of ratios or the sines and cosines of their
 * multiples.
 *
 * With box i's centre (cx, cy), width w = x1 - x0 + 1 and height h = y1 - y0 + 1 (the 1 stands in
 * the published formula and is added to relative coordinates as well):
 *   p = (ln max(|cx_i - cx_j| / w_i, 0.001), ln max(|cy_i - cy_j| / h_i, 0.001), ln w_i / w_j,
 *        ln h_i / h_j),
 *   u_(8 m + k) = 100 p_m 1000^(-k / 8) for m = 0..3, k = 0..7; result (sin u, cos u).
 * Hu et al. 2018, "Relation networks for object detection", section 3; Herdade et al. 2019, "Image
 * captioning: transforming objects into words", section 3.2.
 *
 * @param[out] out       new [.., boxes, boxes, 64], or 4 for p itself, without a gradient
 * @param boxes          float32 [.., boxes, 4]: x0, y0, x1, y1. A width or height of -1 or less
 * gives NaN
 * @param trigonometric  whether the sines and cosines are wanted
 * @return LAC_OK; LAC_EINVAL; LAC_ESHAPE; LAC_ENOMEM; LAC_EDEVICE
 */
lac_status lac_box_embedding(lac_tensor **out, lac_tensor *boxes, bool trigonometric);

#endif
