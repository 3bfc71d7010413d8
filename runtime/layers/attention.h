/**
 * Attention over a set of regions.
 */
#ifndef LAC_LAYERS_ATTENTION_H
#define LAC_LAYERS_ATTENTION_H

#include "core/rng.h"
#include "tensor/tensor.h"

typedef struct lac_attention_args {
  lac_tensor *query;   /* float32 [batch, size] */
  lac_tensor *keys;    /* float32 [images, regions, size] */
  lac_tensor *values;  /* float32 [images, regions, width] */
  lac_tensor *v;       /* float32 [size]: the scoring vector */
  lac_tensor *mask;    /* float32 [images, regions], 1 for a region that counts, or NULL for all */
  lac_tensor *owners;  /* int32 [at least batch]: the image of each row, from 0; NULL: see below */
  lac_tensor *members; /* int32 [images, each]: the rows of each image, ascending, from 0; what is
                          not below batch does not exist. Given with owners, and only then */
  lac_tensor *place;   /* NULL, or where the result goes, see lac_op_result() */
  float dropout;       /* each w_s becomes 0 with this probability, else is divided by what it
                          leaves; the sum of w is not made 1 again */
  lac_rng *rng; /* with dropout: moves on by lac_rng_span(batch * regions) counters; else it is
                   not looked at and may be NULL */
} lac_attention_args;

/**
 * Additive attention: e_s = v . tanh(keys_s + query), w = softmax of e over the regions that count,
 * y = sum_s w_s values_s.
 *
 * Bahdanau, Cho and Bengio 2015, "Neural machine translation by jointly learning to align and
 * translate". Several rows may look at one image, whose keys and values are never copied: without
 * owners batch is a multiple of images, and the rows of an image lie together. owners and members
 * must say the same; an image that does not exist counts as the last. A constant added to all
 * scores (a bias of the scoring layer) changes nothing and gets a zero gradient, so there is none
 * here.
 *
 * @param[out] out      [batch, width], new or at its place; the caller releases it
 * @param[out] weights  new [batch, regions], w before dropout, without a gradient; NULL where
 * nobody wants them
 * @return LAC_OK; LAC_EINVAL, also for another dropout than 0 <= p < 1, or one without rng;
 * LAC_ESHAPE; LAC_ENOMEM; LAC_EDEVICE. A row none of whose regions counts is NaN. After a failure
 * rng stands where it was.
 *
 * Gradients: to query, keys, values and v.
 */
lac_status lac_attention_additive(lac_tensor **out, lac_tensor **weights,
                                  const lac_attention_args *args);

#endif
