/**
 * METEOR 1.5 for English: how well a caption agrees with its references in words, stems, synonyms
 * and paraphrases (Denkowski & Lavie 2014, "Meteor Universal: language specific translation
 * evaluation for any target language"). Equal to the published program as coco-caption runs it.
 */
#ifndef LAC_TEXT_METEOR_H
#define LAC_TEXT_METEOR_H

#include "text/meteor_stats.h"

/** What it knows of English. */
typedef struct lac_meteor lac_meteor;

/** Captions of images and their references. */
typedef struct lac_meteor_batch lac_meteor_batch;

/** Words of the longest caption. */
enum { LAC_METEOR_WORDS_MOST = 1000 };

/**
 * Read the resources.
 *
 * @param wordnet      folder of WordNet 3.0; NULL: no word is another's synonym
 * @param paraphrases  table, see lac_paraphrases_open(); NULL: there are none
 * @return LAC_OK; LAC_EIO or LAC_EINVAL with the file; LAC_ENOMEM; LAC_EUNSUPPORTED in a build
 *         without the Snowball library
 */
lac_status lac_meteor_new(lac_meteor **out, const char *wordnet, const char *paraphrases);

/** NULL is fine. */
void lac_meteor_release(lac_meteor *self);

/** @param meteor  borrowed as long as the batch lives @return LAC_OK; LAC_ENOMEM;
 * LAC_EUNSUPPORTED */
lac_status lac_meteor_batch_new(lac_meteor_batch **out, const lac_meteor *meteor);

/** NULL is fine. */
void lac_meteor_batch_release(lac_meteor_batch *self);

/**
 * Add a caption: the hypothesis of a new image, or a reference of the latest one.
 *
 * @param text  as lac_text_ptb() gives it
 * @return LAC_OK; LAC_EINVAL for invalid UTF-8 and for more than LAC_METEOR_WORDS_MOST words;
 *         LAC_ENOMEM
 */
lac_status lac_meteor_batch_add(lac_meteor_batch *self, bool hypothesis, const char *text,
                                size_t bytes);

/**
 * The pairs that are chosen between an image's hypothesis and one of its references.
 *
 * @param[in,out] pairs  replaced
 * @param reference      counted from 0
 * @return LAC_OK; LAC_ENOMEM
 */
lac_status lac_meteor_batch_align(const lac_meteor_batch *self, lac_meteor_pairs *pairs,
                                  uint32_t *chunks, size_t image, size_t reference);

/**
 * The statistics of every image with the reference that scores best, the first where several do;
 * computed on all cores.
 *
 * @param[out] stats  one for each image
 * @return LAC_OK; LAC_EINVAL where an image has no reference; LAC_ENOMEM
 */
lac_status lac_meteor_batch_score(const lac_meteor_batch *self, lac_meteor_stats *stats);

#endif
