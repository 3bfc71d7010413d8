/**
 * The words of a text, one after the other.
 */
#ifndef LAC_TEXT_WORDS_H
#define LAC_TEXT_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/**
 * The next word of a text: what stands between white space. White space is what Unicode calls
 * White_Space, and U+001C..U+001F, as in Python's str.split().
 *
 * @param[out] word    its first byte, in text; untouched at the end
 * @param[out] length  its bytes, at least 1
 * @param[in,out] at   where to look on, 0 at first
 * @param text         `bytes` of any kind
 * @return false when there is none left
 */
bool lac_words_next(const char **word, size_t *length, size_t *at, const char *text, size_t bytes);

#endif
