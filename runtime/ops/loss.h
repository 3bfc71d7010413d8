/**
 * Cross-entropy over sequences with padding, averaged over the tokens of the whole batch, or
 * divided by a number that the caller knows.
 *
 * A row of weight 0 is padding: its target may be anything, its scores are not looked at and get no
 * gradient. A target outside 0 .. vocab - 1 in a row with a weight makes the loss NaN, and so do
 * weights that add up to 0 where their sum is what to divide by (an average over nothing).
 *
 * Each returns LAC_OK; LAC_EINVAL for a closed tensor, another type or device; LAC_ESHAPE;
 * LAC_ENOMEM; LAC_EDEVICE. There is no gradient with respect to targets or weights.
 */
#ifndef LAC_OPS_LOSS_H
#define LAC_OPS_LOSS_H

#include "tensor/tensor.h"

/**
 * loss = sum_i -w_i log_softmax(x_i)[t_i] / sum_i w_i, without making the matrix of
 * log-probabilities.
 *
 * A total > 0 stands in the place of sum_i w_i: what the sum of the terms is divided by, so that
 * weights may be of either sign and add up to anything. With w_i the advantage of the caption that
 * token i belongs to and the number of tokens as the total this is the loss of self-critical
 * training: Rennie et al. 2017, "Self-critical sequence training for image captioning", section 3.
 *
 * With smoothing e > 0 the target is a distribution, q_ij = 1 - e at j = t_i and e / (vocab - 1)
 * elsewhere, and loss = sum_i w_i sum_j q_ij (ln q_ij - log_softmax(x_i)[j]) / sum_i w_i: the
 * Kullback-Leibler divergence, which is 0 at best. Szegedy et al. 2016, "Rethinking the Inception
 * architecture for computer vision", section 7.
 *
 * @param x          scores float32 [rows, vocab]
 * @param targets    int32 [rows], counted from 0
 * @param weights    float32 [rows]
 * @param smoothing  0 <= e < 1
 * @param total      > 0 and finite, or 0 for the sum of the weights
 * @return as above; LAC_EINVAL for another e or total, or e > 0 with fewer than two words
 *
 * Gradient: gy w_i / (total, or sum w) (softmax(x_i)_j - q_ij).
 */
lac_status lac_xent(lac_tensor **out, lac_tensor *x, lac_tensor *targets, lac_tensor *weights,
                    float smoothing, float total);

/**
 * loss = sum_i -w_i x[i, t_i] / sum_i w_i, for x that is log-probabilities already; otherwise as
 * lac_xent.
 *
 * Gradient: -gy w_i / (sum w) at [i, t_i], 0 elsewhere.
 */
lac_status lac_nll(lac_tensor **out, lac_tensor *x, lac_tensor *targets, lac_tensor *weights);

#endif
