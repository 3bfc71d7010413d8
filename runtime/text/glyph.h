/**
 * Text as an array of classified characters, for scanners that look ahead.
 */
#ifndef LAC_TEXT_GLYPH_H
#define LAC_TEXT_GLYPH_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum lac_glyph_kind {
  LAC_GLYPH_SPACE,  /* white space, and both ends of the text */
  LAC_GLYPH_LETTER, /* letters of any script */
  LAC_GLYPH_MARK,   /* combining and modifying marks, and letters written as &eacute; */
  LAC_GLYPH_DIGIT,  /* decimal digits of any script */
  LAC_GLYPH_SYMBOL, /* punctuation and symbols that stand in a token */
  LAC_GLYPH_NONE,   /* control characters, rare symbols, and what lies beyond U+FFFF */
} lac_glyph_kind;

typedef struct lac_glyph {
  int32_t c;
  lac_glyph_kind kind;
} lac_glyph;

/**
 * Classify a text. Line ends become spaces, the printable controls of Windows-1252 what they stand
 * for, &apos; an apostrophe. Soft hyphens vanish.
 *
 * @param[out] out    *count glyphs between two of c = 0 and kind SPACE, so that out[-1] and
 * out[*count] exist; lac_glyphs_free() frees them
 * @param op          who reads, for the message
 * @return LAC_OK; LAC_EINVAL for invalid UTF-8; LAC_ENOMEM
 */
lac_status lac_glyphs_new(lac_glyph **out, size_t *count, const char *text, size_t bytes,
                          const char *op);

void lac_glyphs_free(lac_glyph *glyphs);

/** Whether it is a letter or a digit, of any script. */
static inline bool lac_glyph_is_alnum(lac_glyph g) {
  return g.kind == LAC_GLYPH_LETTER || g.kind == LAC_GLYPH_DIGIT;
}

/** Whether it is one of A-Z, a-z. */
static inline bool lac_glyph_is_ascii_letter(lac_glyph g) {
  return (g.c >= 'A' && g.c <= 'Z') || (g.c >= 'a' && g.c <= 'z');
}

/** Whether it is one of A-Z, a-z, 0-9. */
static inline bool lac_glyph_is_ascii_alnum(lac_glyph g) {
  return lac_glyph_is_ascii_letter(g) || (g.c >= '0' && g.c <= '9');
}

/** Whether it is one of A-Z. */
static inline bool lac_glyph_is_capital(lac_glyph g) {
  return g.c >= 'A' && g.c <= 'Z';
}

/** The lower-case form of an ASCII letter; other characters as they are. */
static inline int32_t lac_glyph_fold(lac_glyph g) {
  return lac_glyph_is_capital(g) ? g.c + ('a' - 'A') : g.c;
}

/** Whether c is one of the ASCII characters in `set`. */
static inline bool lac_glyph_is_one_of(int32_t c, const char *set) {
  return c > 0 && c < 0x80 && strchr(set, (int)c) != NULL;
}

/** Whether it is an apostrophe, typewritten or typeset. */
static inline bool lac_glyph_is_apostrophe(lac_glyph g) {
  return g.c == '\'' || g.c == 0x2019;
}

/** Whether the text at g begins with `text` (lower-case ASCII), whatever the case; ' stands for
 * every apostrophe. */
bool lac_glyph_begins(const lac_glyph *g, const char *text);

#endif
