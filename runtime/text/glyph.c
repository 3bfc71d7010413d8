#include "text/glyph.h"

#include "core/memory.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <utf8proc.h>

enum { SOFT_HYPHEN = 0xAD };

/* What stands in a token besides letters, marks and digits, beyond ASCII; the rest vanishes. */
static const struct range {
  uint16_t first, last;
} SYMBOLS[] = {
    {0xA1, 0xAC},     {0xAE, 0xB4},     {0xB6, 0xB9},     {0xBB, 0xBF},     {0xD7, 0xD7},
    {0xF7, 0xF7},     {0x37E, 0x37E},   {0x387, 0x387},   {0x589, 0x589},   {0x5BE, 0x5BE},
    {0x5F3, 0x5F4},   {0x606, 0x60C},   {0x61B, 0x61B},   {0x61E, 0x61F},   {0x66A, 0x66A},
    {0x66D, 0x66D},   {0x6D4, 0x6D4},   {0x964, 0x965},   {0xE3F, 0xE3F},   {0x2010, 0x2011},
    {0x2013, 0x2023}, {0x2026, 0x2026}, {0x2030, 0x203B}, {0x203E, 0x2042}, {0x2044, 0x2044},
    {0x2070, 0x2070}, {0x2074, 0x207E}, {0x2080, 0x208E}, {0x20A0, 0x20A0}, {0x20A4, 0x20A4},
    {0x20AC, 0x20AC}, {0x2100, 0x214F}, {0x2153, 0x215E}, {0x2190, 0x2BFF}, {0x3001, 0x3002},
    {0x3012, 0x3012}, {0x30FB, 0x30FB}, {0xFF01, 0xFF0F}, {0xFF1A, 0xFF20}, {0xFF3B, 0xFF40},
    {0xFF5B, 0xFF65}, {0xFFE0, 0xFFE1}, {0xFFE5, 0xFFE6},
};

static bool is_symbol(int32_t c) {
  for (size_t i = 0; i < sizeof SYMBOLS / sizeof *SYMBOLS; i++)
    if (c >= SYMBOLS[i].first && c <= SYMBOLS[i].last) return true;
  return false;
}

static lac_glyph_kind kind_of_category(int32_t c) {
  switch (utf8proc_category(c)) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LL:
  case UTF8PROC_CATEGORY_LT:
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_LO:
    return LAC_GLYPH_LETTER;
  case UTF8PROC_CATEGORY_ND:
    return LAC_GLYPH_DIGIT;
  case UTF8PROC_CATEGORY_ZS:
    return LAC_GLYPH_SPACE;
  default:
    break;
  }
  if (is_symbol(c)) return LAC_GLYPH_SYMBOL;
  switch (utf8proc_category(c)) {
  case UTF8PROC_CATEGORY_MN:
  case UTF8PROC_CATEGORY_MC:
  case UTF8PROC_CATEGORY_ME:
  case UTF8PROC_CATEGORY_SK:
    return LAC_GLYPH_MARK;
  default:
    return LAC_GLYPH_NONE;
  }
}

static lac_glyph_kind kind_of(int32_t c) {
  if (c == '\t' || c == ' ') return LAC_GLYPH_SPACE;
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return LAC_GLYPH_LETTER;
  if (c >= '0' && c <= '9') return LAC_GLYPH_DIGIT;
  if (c < 0x80) return c < ' ' || c == 0x7F ? LAC_GLYPH_NONE : LAC_GLYPH_SYMBOL;
  return c <= 0xFFFF ? kind_of_category(c) : LAC_GLYPH_NONE;
}

/* Line ends as spaces, and what Windows-1252 has in the place of control characters. */
static int32_t plain(int32_t c) {
  switch (c) {
  case '\n':
  case '\v':
  case '\f':
  case '\r':
  case 0x85:
  case 0x2028:
  case 0x2029:
    return ' ';
  case 0x80:
    return 0x20AC;
  case 0x91:
  case 0x92:
    return c - 0x91 + 0x2018;
  case 0x93:
  case 0x94:
    return c - 0x93 + 0x201C;
  case 0x96:
  case 0x97:
    return c - 0x96 + 0x2013;
  default:
    return c;
  }
}

bool lac_glyph_begins(const lac_glyph *g, const char *text) {
  for (; *text; g++, text++) {
    if (*text == '\'' ? !lac_glyph_is_apostrophe(*g) : lac_glyph_fold(*g) != *text) return false;
  }
  return true;
}

/* The glyphs of "&eacute;" and its kin at g, which is a letter of a word; 0 for anything else. */
static size_t letter_entity(const lac_glyph *g) {
  static const char *const accents[] = {"acute;", "grave;", "uml;"};
  if (g[0].c != '&' || !lac_glyph_is_one_of(lac_glyph_fold(g[1]), "aeiou")) return 0;
  for (size_t i = 0; i < sizeof accents / sizeof *accents; i++)
    if (lac_glyph_begins(g + 2, accents[i])) return 2 + strlen(accents[i]);
  return 0;
}

/* Entities that are letters and apostrophes; the tokenizer knows the others. In place. */
static size_t read_entities(lac_glyph *g, size_t count) {
  size_t n = 0;
  for (size_t i = 0; i < count;) {
    const size_t letter = g[i].c == '&' ? letter_entity(g + i) : 0;
    if (letter) {
      for (size_t end = i + letter; i < end; i++)
        g[n++] = (lac_glyph){g[i].c, LAC_GLYPH_MARK};
    } else if (g[i].c == '&' && lac_glyph_begins(g + i, "&apos;")) {
      g[n++] = (lac_glyph){'\'', LAC_GLYPH_SYMBOL};
      i += 6;
    } else {
      g[n++] = g[i++];
    }
  }
  return n;
}

lac_status lac_glyphs_new(lac_glyph **out, size_t *count, const char *text, size_t bytes,
                          const char *op) {
  const lac_glyph end = {0, LAC_GLYPH_SPACE};
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
  glyphs[0] = glyphs[n] = end;
  n = read_entities(glyphs + 1, n - 1);
  glyphs[n + 1] = end;
  *out = glyphs + 1;
  *count = n;
  return LAC_OK;
}

void lac_glyphs_free(lac_glyph *glyphs) {
  if (glyphs) free(glyphs - 1);
}
