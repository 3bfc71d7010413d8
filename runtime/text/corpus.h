/**
 * Captions of images with their references, and what the metrics count in them.
 *
 * The formulas are in lua/metrics; here is only what is done for every n-gram.
 */
#ifndef LAC_TEXT_CORPUS_H
#define LAC_TEXT_CORPUS_H

#include "text/ngrams.h"

#include <stdbool.h>

typedef struct lac_corpus lac_corpus;

/** @return LAC_OK; LAC_ENOMEM */
lac_status lac_corpus_new(lac_corpus **out);

void lac_corpus_release(lac_corpus *self);

/**
 * Add a caption: the hypothesis of a new image, or a reference of the latest one. Captions are
 * numbered from 0 in the order they come.
 *
 * @param text  tokens between white space, as Unicode has it
 * @return LAC_OK; LAC_ENOMEM
 */
lac_status lac_corpus_add(lac_corpus *self, bool hypothesis, const char *text, size_t bytes);

size_t lac_corpus_images(const lac_corpus *self);

/** The caption that is the hypothesis of an image; its references follow it. */
size_t lac_corpus_hypothesis(const lac_corpus *self, size_t image);

/** How many references an image has. */
size_t lac_corpus_references(const lac_corpus *self, size_t image);

/** Words of a caption. */
size_t lac_corpus_words(const lac_corpus *self, size_t caption);

/** Pieces of a caption split at single spaces: between two spaces lies an empty one, and an empty
 * caption is one. */
size_t lac_corpus_pieces(const lac_corpus *self, size_t caption);

/** Length of the longest common subsequence of the pieces of two captions. @return LAC_OK;
 * LAC_ENOMEM */
lac_status lac_corpus_common(lac_corpus *self, size_t *out, size_t a, size_t b);

/**
 * How many n-grams of a caption an image's references have, none counted more often than in the
 * reference that has it most (Papineni et al. 2002, "BLEU", section 2.1).
 *
 * @param[out] correct  for n = 1, 2, ...
 * @return LAC_OK; LAC_ENOMEM
 */
lac_status lac_corpus_correct(lac_corpus *self, uint64_t correct[LAC_NGRAMS_MOST], size_t caption,
                              size_t image);

/** The n-grams of all captions, for their texts. Borrowed. */
const lac_ngrams *lac_corpus_borrow_ngrams(const lac_corpus *self);

/**
 * In how many images' references each n-gram is.
 *
 * @param[out] documents  by the number of the n-gram, as many as the corpus has n-grams
 * @return LAC_OK; LAC_ENOMEM
 */
lac_status lac_corpus_count_documents(lac_corpus *self, double *documents);

/**
 * Give every n-gram the weight ln(total) - ln(max(1, documents[its number])).
 *
 * @param documents  as many as the corpus has n-grams; copied
 * @param total      number of documents, at least 1
 * @return LAC_OK; LAC_ENOMEM
 */
lac_status lac_corpus_weigh(lac_corpus *self, const double *documents, double total);

/**
 * Sum over n = 1..4 of the cosine between the weighted n-gram counts h of caption a and r of
 * caption b: clipped, sum min(h, r) r / (|h| |r|) (Vedantam et al. 2015, "CIDEr", section 6), or
 * plain, sum h r / (|h| |r|). Orders where a norm is 0 add nothing.
 *
 * @return LAC_OK; LAC_EINVAL where the n-grams were not weighed since the last was added;
 * LAC_ENOMEM
 */
lac_status lac_corpus_similarity(lac_corpus *self, double *out, size_t a, size_t b, bool clip);

#endif
