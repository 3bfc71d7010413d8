/**
 * The normal form in which the word tokenizer sees text.
 */
#ifndef LAC_TEXT_NORMALISE_H
#define LAC_TEXT_NORMALISE_H

#include "core/status.h"

#include <stddef.h>

/**
 * Unicode NFKC with one plain space between words: the rule "nmt_nfkc" of SentencePiece (Kudo and
 * Richardson 2018, "SentencePiece: A simple and language independent subword tokenizer").
 *
 * Tab, line ends, no-break, zero-width and ideographic spaces, U+2581 and U+FFFD become a space,
 * other control characters vanish; runs of spaces collapse and none is left at either end. Case
 * stays. SentencePiece's tables differ in three corners: they keep U+FF5E, know no character
 * younger than theirs, and leave several combining marks on one letter in the order found.
 *
 * @param[out] out        NUL-terminated (text may hold NUL bytes too); freed with free()
 * @param[out] out_bytes  length without the terminator
 * @param text            `bytes` bytes of UTF-8
 * @return LAC_OK; LAC_EINVAL for invalid UTF-8 (the message has the byte, counted from 1);
 * LAC_ENOMEM
 */
lac_status lac_text_normalise(char **out, size_t *out_bytes, const char *text, size_t bytes);

#endif
