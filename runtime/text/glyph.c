#include "text/glyph.h"

#include "core/memory.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <utf8proc.h>

enum { SOFT_HYPHEN = 0xAD };

static lac_glyph_kind kind_of_category(int32_t c) {
  switch (utf8proc_category(c)) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LL:
  case UTF8PROC_CATEGORY_LT:
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_LO:
  case UTF8PROC_CATEGORY_MN:
  case UTF8PROC_CATEGORY_MC:
  case UTF8PROC_CATEGORY_ME:
    return LAC_GLYPH_LETTER;
  case UTF8PROC_CATEGORY_ND:
    return LAC_GLYPH_DIGIT;
  case UTF8PROC_CATEGORY_ZS:
  case UTF8PROC_CATEGORY_ZL:
  case UTF8PROC_CATEGORY_ZP:
    return LAC_GLYPH_SPACE;
  case UTF8PROC_CATEGORY_CN:
  case UTF8PROC_CATEGORY_CC:
  case UTF8PROC_CATEGORY_CF:
  case UTF8PROC_CATEGORY_CS:
  case UTF8PROC_CATEGORY_CO:
    return LAC_GLYPH_NONE;
  default:
    return LAC_GLYPH_SYMBOL;
  }
}

static lac_glyph_kind kind_of(int32_t c) {
  if ((c >= '\t' && c <= '\r') || c == ' ' || c == 0x85) return LAC_GLYPH_SPACE;
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_') return LAC_GLYPH_LETTER;
  if (c >= '0' && c <= '9') return LAC_GLYPH_DIGIT;
  if (c < 0x80) return c < ' ' || c == 0x7F ? LAC_GLYPH_NONE : LAC_GLYPH_SYMBOL;
  return c <= 0xFFFF ? kind_of_category(c) : LAC_GLYPH_NONE;
}

/* The plain form of typographic quotes and dashes. */
static int32_t plain(int32_t c) {
  if (c == '`' || c == 0x2018 || c == 0x2019 || c == 0x201B) return '\'';
  if ((c >= 0x201C && c <= 0x201F) || c == 0xAB || c == 0xBB) return '"';
  if (c >= 0x2012 && c <= 0x2015) return 0x2014;
  return c;
}

lac_status lac_glyphs_new(lac_glyph **out, size_t *count, const char *text, size_t bytes,
                          const char *op) {
  lac_glyph *glyphs = NULL;
  size_t n = 1;
  LAC_TRY(lac_alloc(&glyphs, bytes + 2, sizeof *glyphs, "characters of a text"));
  for (size_t at = 0; at < bytes;) {
    int32_t c;
    const lac_status status = lac_utf8_next(&c, &at, text, bytes, op);
    if (status != LAC_OK) {
      free(glyphs);
      return status;
    }
    if (c == SOFT_HYPHEN) continue;
    c = plain(c);
    glyphs[n++] = (lac_glyph){c, kind_of(c)};
  }
  glyphs[0] = glyphs[n] = (lac_glyph){0, LAC_GLYPH_SPACE};
  *out = glyphs + 1;
  *count = n - 1;
  return LAC_OK;
}

void lac_glyphs_free(lac_glyph *glyphs) {
  if (glyphs) free(glyphs - 1);
}
