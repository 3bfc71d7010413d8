/*
 * One pass from left to right. At each place the rules propose tokens, and the one that saw most of
 * the text is written; tokens that scoring removes are never written. Every character gives at most
 * MOST_BYTES of output, so the buffer is sized once.
 */
#include "text/ptb.h"

#include "core/memory.h"
#include "text/glyph.h"
#include "text/ptb_rules.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum {
  MOST_BYTES = 6, // a space and -lrb-, or a space and one character
  NO_BREAK_SPACE = 0xA0,
};

typedef struct scanner {
  const lac_glyph *g;
  size_t count, at;
  char *out;
  size_t bytes;
} scanner;

static void put(scanner *s, const char *text) {
  const size_t bytes = strlen(text);
  memcpy(s->out + s->bytes, text, bytes);
  s->bytes += bytes;
}

static int32_t plain_quote(lac_glyph g) {
  return lac_glyph_is_apostrophe(g) ? '\'' : g.c == 0x2018 || g.c == 0x201B ? '`' : g.c;
}

/* A character inside a token: lower case, a space that does not end the token, round brackets as
 * the treebank spells them. */
static void put_lower(scanner *s, lac_glyph g, bool plain) {
  if (g.kind == LAC_GLYPH_NONE) return;
  if (g.c == '(' || g.c == ')') {
    put(s, g.c == '(' ? "-lrb-" : "-rrb-");
    return;
  }
  if (g.kind == LAC_GLYPH_SPACE) g.c = NO_BREAK_SPACE;
  if (plain) g.c = plain_quote(g);
  const int32_t c = g.c < 0x80 ? lac_glyph_fold(g) : utf8proc_tolower(g.c);
  s->bytes += (size_t)utf8proc_encode_char(c, (uint8_t *)s->out + s->bytes);
}

static void put_token(scanner *s, size_t end, bool plain) {
  if (s->bytes > 0) put(s, " ");
  while (s->at < end) {
    const bool entity = plain && lac_glyph_begins(s->g + s->at, "&amp;");
    put_lower(s, s->g[s->at], plain);
    s->at += entity ? 5 : 1;
  }
}

static void take(scanner *s, const lac_ptb_token *token) {
  const size_t end = s->at + token->length;
  if (token->text) {
    if (*token->text && s->bytes > 0) put(s, " ");
    put(s, token->text);
    s->at = end;
    return;
  }
  if (token->split) put_token(s, s->at + token->split, token->plain);
  put_token(s, end, token->plain);
}

/* Whether a token begins with a letter and reaches a blank, beyond which no rule for what begins
 * so would look but those of words. */
static bool is_whole_word(const lac_glyph *g, size_t length) {
  return g->kind == LAC_GLYPH_LETTER && (g[length].c == ' ' || g[length].c == 0);
}

static void scan(scanner *s) {
  while (s->at < s->count) {
    const lac_glyph *g = s->g + s->at;
    if (g->kind == LAC_GLYPH_SPACE || g->kind == LAC_GLYPH_NONE) {
      s->at++;
      continue;
    }
    lac_ptb_token best = {0};
    lac_ptb_words(&best, g);
    if (!is_whole_word(g, best.length)) {
      lac_ptb_numbers(&best, g);
      lac_ptb_addresses(&best, g);
      lac_ptb_symbols(&best, g);
    }
    take(s, &best);
  }
  s->out[s->bytes] = '\0';
}

lac_status lac_text_ptb(char **out, size_t *out_bytes, const char *text, size_t bytes) {
  lac_glyph *glyphs = NULL;
  scanner s = {0};
  LAC_TRY(lac_glyphs_new(&glyphs, &s.count, text, bytes, "text.ptb"));
  s.g = glyphs;
  lac_status status = lac_alloc(&s.out, s.count + 1, MOST_BYTES, "tokens");
  if (status == LAC_OK) {
    scan(&s);
    *out = s.out;
    *out_bytes = s.bytes;
  }
  lac_glyphs_free(glyphs);
  return status;
}
