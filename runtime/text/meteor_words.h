/**
 * The words that METEOR compares.
 */
#ifndef LAC_TEXT_METEOR_WORDS_H
#define LAC_TEXT_METEOR_WORDS_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

/**
 * Normalise a text as METEOR 1.5 does with "-norm", in lower case: hyphens between letters and
 * digits go, punctuation and clitics are words of their own, "u.s." is "us".
 *
 * @param[out] out        words between single spaces and a closing zero byte; freed with free()
 * @param[out] out_bytes  without that zero
 * @param text            UTF-8
 * @return LAC_OK; LAC_EINVAL for invalid UTF-8; LAC_ENOMEM
 */
lac_status lac_meteor_words(char **out, size_t *out_bytes, const char *text, size_t bytes);

/** Whether METEOR counts a word as a function word: an article, a mark, "is", ... */
bool lac_meteor_is_function_word(const char *word, size_t bytes);

#endif
