/**
 * Scaled dot-product attention with several heads, in segments of rows.
 */
#ifndef LAC_LAYERS_ATTEND_H
#define LAC_LAYERS_ATTEND_H

#include "core/rng.h"
#include "layers/segments.h"

typedef struct lac_attend_args {
  lac_tensor *q;  /* float32 [queries, d] */
  lac_tensor *k;  /* float32 [keys, d] */
  lac_tensor *v;  /* float32 [keys, dv]; may be k itself */
  uint32_t heads; /* each has d / heads and dv / heads channels that follow each other */
  lac_segments *segments;
  bool causal;      /* the query at place i of its segment looks at keys 0 .. i alone */
  lac_tensor *bias; /* NULL, or float32 [segments, heads, queries, keys], the last two as many as
                       the largest segments have or more: added to the scaled scores */
  float dropout; /* each probability becomes 0 with this one, else is divided by what it leaves */
  lac_rng *rng;  /* with dropout: moves on by queries * heads * ceil(keys / 4) counters, keys of
                    the largest segment; else it is not looked at and may be NULL */
} lac_attend_args;

/**
 * y_i = sum_j w_ij v_j, w = softmax over j of (q_i . k_j / sqrt(d / heads) + bias_ij), for each
 * head and over the keys of the query's segment.
 *
 * Vaswani et al. 2017, "Attention is all you need", section 3.2. Neither scores nor probabilities
 * are kept: backward makes them again from one number per row and head. Rows of q, k and v may be
 * apart (slices of columns). A bias of -inf leaves a key out; a query that all its keys are left
 * out for becomes NaN.
 *
 * @param[out] out  new [queries, dv]; the caller releases it
 * @return LAC_OK; LAC_EINVAL for another dropout, or one without rng; LAC_ESHAPE where shapes,
 * heads or segments do not fit; LAC_ENOMEM; LAC_EDEVICE. After a failure rng stands where it was.
 *
 * Gradients: to q, k, v and bias.
 */
lac_status lac_attend(lac_tensor **out, const lac_attend_args *args);

#endif
