/**
 * Numbers for words and n-grams, so that they can be counted in arrays.
 */
#ifndef LAC_TEXT_NGRAMS_H
#define LAC_TEXT_NGRAMS_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct lac_ngrams lac_ngrams;

/** Words in the longest n-gram. */
enum { LAC_NGRAMS_MOST = 4 };

/** In place of a number: there is none. */
#define LAC_NGRAMS_NONE UINT32_MAX

/** @return LAC_OK; LAC_ENOMEM */
lac_status lac_ngrams_new(lac_ngrams **out);

void lac_ngrams_release(lac_ngrams *self);

/** How many numbers were given: they are dense from 0, in order of first appearance. */
uint32_t lac_ngrams_count(const lac_ngrams *self);

/** The number of a word, any bytes. @return LAC_OK; LAC_ENOMEM */
lac_status lac_ngrams_word(lac_ngrams *self, uint32_t *id, const char *text, size_t bytes);

/** The number that a word has, or LAC_NGRAMS_NONE. */
uint32_t lac_ngrams_find_word(const lac_ngrams *self, const char *text, size_t bytes);

/**
 * The number of the n-gram that is one shorter followed by a word. @return LAC_OK; LAC_ENOMEM
 *
 * @param prefix  number of a word or n-gram
 * @param word    number of a word
 */
lac_status lac_ngrams_longer(lac_ngrams *self, uint32_t *id, uint32_t prefix, uint32_t word);

/** The number that the n-gram has, or LAC_NGRAMS_NONE. */
uint32_t lac_ngrams_find_longer(const lac_ngrams *self, uint32_t prefix, uint32_t last);

/**
 * The words of an n-gram.
 *
 * @param[out] words  pieces of text, borrowed until the next word is added
 * @param[out] bytes  their lengths
 * @return how many, 1 to LAC_NGRAMS_MOST
 */
size_t lac_ngrams_words(const lac_ngrams *self, uint32_t id, const char *words[LAC_NGRAMS_MOST],
                        size_t bytes[LAC_NGRAMS_MOST]);

/**
 * The numbers that the n-grams of one table have in another.
 *
 * @param[out] numbers  by the number in `of`; LAC_NGRAMS_NONE for what `in` does not have
 */
void lac_ngrams_translate(uint32_t *numbers, const lac_ngrams *of, const lac_ngrams *in);

#endif
