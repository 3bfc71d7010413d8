/**
 * Subword tokenizers: byte-pair encoding (Sennrich et al. 2016, "Neural machine translation of rare
 * words with subword units") and unigram models (Kudo 2018, "Subword regularization"), trained and
 * run by the SentencePiece library.
 *
 * Only pieces and scores go in and come out, never the library's own files: what it is given is
 * made here, so files from strangers cannot reach it. Texts are in the normal form of
 * lac_text_normalise(). The library is optional: in a build without it, making a tokenizer gives
 * LAC_EUNSUPPORTED.
 */
#ifndef LAC_TEXT_SUBWORDS_H
#define LAC_TEXT_SUBWORDS_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct lac_subwords lac_subwords;

/** A piece of text, or a whole one. Borrowed wherever it stands. */
typedef struct lac_subword {
  const char *text; /* UTF-8, in which U+2581 is the space before a word */
  size_t bytes;
  float score; /* bpe: minus the rank of the merge; unigram: the log-probability; 0 for a text */
} lac_subword;

/**
 * A tokenizer of pieces in the order of their ids.
 *
 * @param kind    "bpe" or "unigram" (for comparison also "char" and "word")
 * @param pieces  the first four are <pad>, <unk>, <bos> and <eos>; none is empty or twice there
 * @return LAC_OK; LAC_EINVAL; LAC_ENOMEM; LAC_EUNSUPPORTED
 */
lac_status lac_subwords_new(lac_subwords **out, const char *kind, const lac_subword *pieces,
                            size_t count);

/**
 * Train one. The same texts give the same pieces.
 *
 * @param texts     at least one, none of them empty
 * @param size      pieces at most, the four special ones included; each character that is covered
 * is one, so there must be room for those
 * @param coverage  share of all characters that get a piece, above 0 and at most 1
 * @return LAC_OK; LAC_EINVAL; LAC_ENOMEM; LAC_EUNSUPPORTED
 */
lac_status lac_subwords_train(lac_subwords **out, const char *kind, size_t size, double coverage,
                              const lac_subword *texts, size_t count);

/** NULL is fine. */
void lac_subwords_release(lac_subwords *self);

/** How many pieces it has. */
size_t lac_subwords_count(const lac_subwords *self);

/** The piece of an id, 0 to count - 1; borrowed. */
lac_subword lac_subwords_piece(const lac_subwords *self, size_t id);

/**
 * The ids of a text, without <bos> and <eos>; a run of unknown pieces is one <unk>.
 *
 * @param[out] ids    room for bytes + 1
 * @param[out] count  how many there are
 * @return LAC_OK; LAC_EINVAL; LAC_ENOMEM
 */
lac_status lac_subwords_encode(const lac_subwords *self, int32_t *ids, size_t *count,
                               const char *text, size_t bytes);

#endif
