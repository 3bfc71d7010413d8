/**
 * What lac_attend() and its parts agree on; not for others.
 */
#ifndef LAC_LAYERS_ATTEND_PLAN_H
#define LAC_LAYERS_ATTEND_PLAN_H

#include "autograd/tape.h"
#include "layers/attend.h"

/** The inputs of a record; the bias may be NULL. saved[0] is lse. */
enum { LAC_ATTEND_Q, LAC_ATTEND_K, LAC_ATTEND_V, LAC_ATTEND_BIAS, LAC_ATTEND_INPUTS };

/** As in cl/attend.cl. */
enum {
  LAC_ATTEND_CAUSAL = 1,
  LAC_ATTEND_BIASED = 2,
  LAC_ATTEND_DROPOUT = 4,
  LAC_ATTEND_WANT = 8 /* shifted left by the input's number */
};

/** What a record keeps beside its tensors. */
typedef struct lac_attend_plan {
  lac_segments *segments;
  uint32_t heads, d, dv; /* channels of one head */
  uint32_t flags;
  uint32_t blocks;    /* counters that a row and head draw their dropout from */
  uint32_t threshold; /* a word below it drops */
  float scale, keep;  /* of scores; of what is not dropped */
  lac_rng rng;
} lac_attend_plan;

#endif
