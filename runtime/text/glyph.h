/**
 * Text as an array of classified characters, for scanners that look ahead.
 */
#ifndef LAC_TEXT_GLYPH_H
#define LAC_TEXT_GLYPH_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum lac_glyph_kind {
  LAC_GLYPH_SPACE,  /* white space, and both ends of the text */
  LAC_GLYPH_LETTER, /* letters and combining marks of any script, and _ */
  LAC_GLYPH_DIGIT,  /* decimal digits */
  LAC_GLYPH_SYMBOL, /* punctuation and everything else that can be seen */
  LAC_GLYPH_NONE,   /* control characters, and what lies beyond U+FFFF */
} lac_glyph_kind;

typedef struct lac_glyph {
  int32_t c;
  lac_glyph_kind kind;
} lac_glyph;

/**
 * Classify a text. Typographic variants become the plain character: quotes ' and ", dashes U+2014.
 * Soft hyphens vanish.
 *
 * @param[out] out    *count glyphs between two of c = 0 and kind SPACE, so that out[-1] and
 * out[*count] exist; lac_glyphs_free() frees them
 * @param op          who reads, for the message
 * @return LAC_OK; LAC_EINVAL for invalid UTF-8; LAC_ENOMEM
 */
lac_status lac_glyphs_new(lac_glyph **out, size_t *count, const char *text, size_t bytes,
                          const char *op);

void lac_glyphs_free(lac_glyph *glyphs);

/** Whether words and numbers are made of it. */
static inline bool lac_glyph_is_word(lac_glyph g) {
  return g.kind == LAC_GLYPH_LETTER || g.kind == LAC_GLYPH_DIGIT;
}

/** Whether it is one of A-Z. */
static inline bool lac_glyph_is_capital(lac_glyph g) {
  return g.c >= 'A' && g.c <= 'Z';
}

/** The lower-case form of an ASCII letter; other characters as they are. */
static inline int32_t lac_glyph_fold(lac_glyph g) {
  return lac_glyph_is_capital(g) ? g.c + ('a' - 'A') : g.c;
}

#endif
