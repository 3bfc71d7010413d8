/**
 * Reading UTF-8 one character at a time, with a sentence where it is none.
 */
#ifndef LAC_TEXT_UTF8_H
#define LAC_TEXT_UTF8_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

/**
 * The character that begins at text[*at].
 *
 * @param[out] c      a code point, never a surrogate
 * @param[in,out] at  moves to the next character; below `bytes`
 * @param op          who reads, for the message
 * @return LAC_OK; LAC_EINVAL for invalid UTF-8 (the message has the byte, counted from 1)
 */
lac_status lac_utf8_next(int32_t *c, size_t *at, const char *text, size_t bytes, const char *op);

#endif
