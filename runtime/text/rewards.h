/**
 * Rewards of self-critical training: a weighted sum of CIDEr-D and BLEU-1 to BLEU-4, of each
 * caption by itself (Rennie et al. 2017, "Self-critical sequence training for image captioning";
 * the formulas are those of lua/metrics/cider.lua and lua/metrics/bleu.lua).
 *
 * References are kept as texts, a few megabytes for MS-COCO; those of the images that are asked for
 * are counted with the captions, which costs less than looking a caption's n-grams up in a table of
 * all references. The work is done in the background, on a pool of threads of its own.
 */
#ifndef LAC_TEXT_REWARDS_H
#define LAC_TEXT_REWARDS_H

#include "text/frequencies.h"

typedef struct lac_rewards lac_rewards;

/** What a score is made of. */
typedef struct lac_rewards_weights {
  double cider, bleu[LAC_NGRAMS_MOST];
} lac_rewards_weights;

/**
 * Without an image; no thread runs before the first request.
 *
 * @param frequencies  kept, retained; they may grow until the first request, not later
 * @return LAC_OK; LAC_EINVAL where a weight is not finite or all are 0; LAC_ENOMEM
 */
lac_status lac_rewards_new(lac_rewards **out, const lac_rewards_weights *weights,
                           lac_frequencies *frequencies);

/** Ends a request that is running; NULL does nothing. */
void lac_rewards_release(lac_rewards *self);

/** The references that follow are those of the next image. @return LAC_OK; LAC_ENOMEM */
lac_status lac_rewards_next_image(lac_rewards *self);

/** A reference of the image that was begun last; tokens between white space. @return LAC_OK;
 * LAC_ENOMEM */
lac_status lac_rewards_reference(lac_rewards *self, const char *text, size_t bytes);

/** How many images there are. */
size_t lac_rewards_images(const lac_rewards *self);

/** How many references an image has. */
size_t lac_rewards_references(const lac_rewards *self, size_t image);

/** Begin a request; one that was begun and not started is forgotten. @return LAC_OK; LAC_EINVAL
 * where one is running whose scores were not taken */
lac_status lac_rewards_begin(lac_rewards *self);

/**
 * Add a caption to the request. Captions of one image are best added one after the other.
 *
 * @param image  from 0; it must have a reference
 * @param text   copied
 * @return LAC_OK; LAC_ENOMEM
 */
lac_status lac_rewards_caption(lac_rewards *self, size_t image, const char *text, size_t bytes);

/** Start the request. @return LAC_OK; LAC_EINVAL without images in the frequencies; LAC_ENOMEM */
lac_status lac_rewards_start(lac_rewards *self);

/**
 * Wait for the scores of the request that was started.
 *
 * @param[out] scores  of the captions, in the order they were added; borrowed until the next
 *                     request begins
 * @return LAC_OK; LAC_EINVAL where none was started; LAC_ENOMEM
 */
lac_status lac_rewards_take(lac_rewards *self, const double **scores, size_t *count);

#endif
