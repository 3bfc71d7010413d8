/**
 * Weights under masks that are drawn again and again while weights and logits keep their values, as
 * at every step of a time loop. Results and gradients are those of lac_mask() followed by products,
 * but no masked weights are made: a draw is a bit per weight, products take weights and bits
 * together, and the gradients of all draws are worked out in one pass at the end.
 *
 * Only for devices whose products can be masked, see lac_gemm_masks().
 */
#ifndef LAC_SPARSE_DRAWN_H
#define LAC_SPARSE_DRAWN_H

#include "core/rng.h"
#include "ops/linear.h"
#include "sparse/bits.h"

/** What the draws of a pass share. Counted; draws hold it. */
typedef struct lac_masked lac_masked;

typedef struct lac_masked_args {
  lac_tensor *w;     /* float32 [rows, columns], contiguous */
  lac_tensor *logit; /* the same */
  bool bypass;       /* leave the sigmoid's slope out of the logit's gradient */
  uint32_t cuts;     /* ranges of columns that meet different inputs, 1..LAC_BITS_CUTS */
  uint64_t width[LAC_BITS_CUTS];
} lac_masked_args;

/**
 * @return LAC_OK; LAC_EINVAL; LAC_ESHAPE, also when the widths are not the columns;
 * LAC_EUNSUPPORTED on a device without masked products; LAC_ENOMEM; LAC_EDEVICE
 */
lac_status lac_masked_new(lac_masked **out, const lac_masked_args *args);
void lac_masked_release(lac_masked *masked);
uint32_t lac_masked_cuts(const lac_masked *masked);

/**
 * Draw a mask; its weights for lac_linear, one for each range.
 *
 * @param rng    moves on by lac_rng_span(rows * columns), by none on failure; or NULL for
 * @param noise  float32, the shape of w: kept where noise < sigmoid(logit)
 * @param[out] out  as many as there are ranges; each is the caller's to release
 * @return LAC_OK; LAC_EINVAL; LAC_ESHAPE; LAC_ENOMEM; LAC_EDEVICE
 *
 * A NaN logit drops its weight. Gradients as of lac_mask().
 */
lac_status lac_masked_draw(lac_weights **out, lac_masked *masked, lac_rng *rng, lac_tensor *noise);

/** For the gradients: an item of lac_masked_draw(), and its mask in the order of gx = gy W. */
typedef struct lac_drawn {
  lac_weights base;
  lac_masked *of;
  uint32_t cut;
  lac_buffer *forward, *back; /* of all ranges */
} lac_drawn;

struct lac_masked {
  uint64_t refs;
  lac_tensor *w, *logit, *odds; /* odds = 1 / sigmoid(logit) */
  lac_buffer *limits;           /* of the odds; NULL until a generator draws */
  bool bypass;
  lac_bits_plan plan;
  lac_prepared *forward[LAC_BITS_CUTS], *back[LAC_BITS_CUTS]; /* NULL until needed */
};

/** The rule of parts whose extra is a lac_drawn: adds to the gradients of w and logit
 * (drawn_gradient.c). */
lac_status lac_drawn_gradient(lac_tensor *w, const lac_part *parts, size_t count);

#endif
