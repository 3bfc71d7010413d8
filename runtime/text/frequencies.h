/**
 * Document frequencies: how many images have an n-gram in one of their captions. CIDEr weighs by
 * them (Vedantam et al. 2015, "CIDEr", section 4), and self-critical training counts them once,
 * over its training images.
 *
 * Counted for an image are the n-grams of its captions, each followed by the word "<eos>", where
 * words that are not known have become "UNK": that is what the published tables hold.
 */
#ifndef LAC_TEXT_FREQUENCIES_H
#define LAC_TEXT_FREQUENCIES_H

#include "text/ngrams.h"

#include <stdbool.h>

typedef struct lac_frequencies lac_frequencies;

/** A table without images and n-grams. @return LAC_OK; LAC_ENOMEM */
lac_status lac_frequencies_new(lac_frequencies **out);

/** One more owner; the owners share one thread. */
lac_frequencies *lac_frequencies_retain(lac_frequencies *self);

/** NULL does nothing. */
void lac_frequencies_release(lac_frequencies *self);

/** From now on words are "UNK" unless lac_frequencies_know() names them. @return LAC_OK; LAC_ENOMEM
 */
lac_status lac_frequencies_restrict(lac_frequencies *self);

/** A word that stays what it is, in a restricted table. @return LAC_OK; LAC_ENOMEM */
lac_status lac_frequencies_know(lac_frequencies *self, const char *word, size_t bytes);

/** The captions that follow are those of the next image. @return LAC_OK; LAC_ENOMEM */
lac_status lac_frequencies_next_image(lac_frequencies *self);

/** Count a caption of the image that was begun last. @return LAC_OK; LAC_ENOMEM */
lac_status lac_frequencies_count(lac_frequencies *self, const char *text, size_t bytes);

/** Say how many images an n-gram has. @return LAC_OK; LAC_EINVAL for a text that has no word or
 * more than LAC_NGRAMS_MOST, and for images that are negative or NaN; LAC_ENOMEM */
lac_status lac_frequencies_set(lac_frequencies *self, const char *text, size_t bytes,
                               double images);

/** Say how many images there are. @return LAC_OK; LAC_EINVAL unless it is finite and at least 1 */
lac_status lac_frequencies_set_total(lac_frequencies *self, double images);

/** Images there are. */
double lac_frequencies_total(const lac_frequencies *self);

/** The n-grams of the table, borrowed; among them beginnings and words of others, with no image. */
const lac_ngrams *lac_frequencies_borrow_ngrams(const lac_frequencies *self);

/** Images that have an n-gram, by its number. */
double lac_frequencies_images(const lac_frequencies *self, uint32_t number);

/**
 * The images that have the n-grams of another table, for lac_corpus_weigh(). Any threads may ask at
 * once.
 *
 * @param[out] images  by the number in `of`; 0 for what is unknown
 * @return LAC_OK; LAC_ENOMEM
 */
lac_status lac_frequencies_find(const lac_frequencies *self, double *images, const lac_ngrams *of);

/**
 * The table as text: a line with the number of images, and one for each n-gram that at least two
 * have, "images word word ...", in the order of the texts. What one image has weighs as much as
 * what none has, so the rest makes no difference.
 *
 * @param[out] out  freed with free()
 * @return LAC_OK; LAC_ENOMEM
 */
lac_status lac_frequencies_text(const lac_frequencies *self, char **out, size_t *out_bytes);

/** Read what lac_frequencies_text() wrote into an empty table. @return LAC_OK; LAC_EINVAL with the
 * number of the line; LAC_ENOMEM */
lac_status lac_frequencies_parse(lac_frequencies *self, const char *text, size_t bytes);

#endif
