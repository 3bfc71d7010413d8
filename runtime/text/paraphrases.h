/**
 * A table of English phrases that mean the same (Denkowski & Lavie 2010, "METEOR-NEXT and the
 * METEOR paraphrase tables").
 */
#ifndef LAC_TEXT_PARAPHRASES_H
#define LAC_TEXT_PARAPHRASES_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct lac_paraphrases lac_paraphrases;

/** In place of a word or phrase: the table has none that begins so. */
#define LAC_PARAPHRASES_NONE UINT32_MAX

/** The phrase without a word, with which all others begin. */
#define LAC_PARAPHRASES_EMPTY 0

/** Words in the longest phrase. */
enum { LAC_PARAPHRASES_WORDS_MOST = 64 };

/**
 * Read a table: three lines for each pair, a probability, a phrase, and another, whose words are
 * between blanks; compressed by gzip or plain.
 *
 * @return LAC_OK; LAC_EIO where it cannot be read or is cut short; LAC_EINVAL with the line that is
 *         wrong, also for more than 2^25 pairs; LAC_ENOMEM
 */
lac_status lac_paraphrases_open(lac_paraphrases **out, const char *path);

/** NULL is fine. */
void lac_paraphrases_release(lac_paraphrases *self);

/** The number of a word, or LAC_PARAPHRASES_NONE. */
uint32_t lac_paraphrases_word(const lac_paraphrases *self, const char *text, size_t bytes);

/** The number of a phrase with one more word; LAC_PARAPHRASES_NONE where no phrase begins so. */
uint32_t lac_paraphrases_longer(const lac_paraphrases *self, uint32_t phrase, uint32_t word);

/**
 * What the table has as the second phrase of pairs with this first one.
 *
 * @param[out] count  how many
 * @return numbers of phrases in the order of the table, borrowed
 */
const uint32_t *lac_paraphrases_of(const lac_paraphrases *self, uint32_t phrase, size_t *count);

#endif
