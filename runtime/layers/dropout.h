/**
 * Dropout of the inverted kind.
 */
#ifndef LAC_LAYERS_DROPOUT_H
#define LAC_LAYERS_DROPOUT_H

#include "core/rng.h"
#include "tensor/tensor.h"

/**
 * y = x / (1 - p) with probability 1 - p, else 0, independently for each element.
 *
 * Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting",
 * section 10. Which elements are kept follows from the generator's counters alone; nothing is
 * stored, backward draws them again.
 *
 * @param x    float32 of any shape; a dropped NaN becomes 0
 * @param p    0 <= p < 1; 0 keeps every value as it is
 * @param rng  moves on by lac_rng_span(n) counters, whatever p; by none when it fails
 * @return LAC_OK; LAC_EINVAL for another p, a closed tensor or another type; LAC_ENOMEM;
 * LAC_EDEVICE
 *
 * Gradient: gy / (1 - p) where x was kept, else 0.
 */
lac_status lac_dropout(lac_tensor **out, lac_tensor *x, float p, lac_rng *rng);

#endif
